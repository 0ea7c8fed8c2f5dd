/**
 * Loading entries in ascending order beyond the last key of a tree: leaves are filled to about 95 percent one after the other.
 *
 * Most entries go straight to the end of the leaf that is being filled, most new leaves to the end of the index node above it: both were
 * changed in the open delta, so they are in memory and need no redirect, nor does anything above them. Whenever the tree has changed in
 * between (a commit, somebody else), the next entry finds the end anew; so a load may be interrupted by any other use of the tree.
 */
import { commonPrefixLength, compareBytes } from '@outwrite/blockdev';
import { NO_FRAME, type Slab } from '@outwrite/buffer-cache';
import { TreeCursor } from './cursor.ts';
import { insertChild, nodesToInsert } from './index-map.ts';
import { childBlock, indexFit, insertIntoIndex } from './index-page.ts';
import { checkValue, copyKey } from './leaf-entry.ts';
import { copyLeafKey, FITS, insertIntoLeaf, leafFit } from './leaf-page.ts';
import { createLeaf, putValue } from './leaf-put.ts';
import { fitsInline, LEAF_ENTRY_BYTES, leafCellBytes, maxKeyBytes } from './node-format.ts';
import { entryCount, freeBytes, prefixLengthOf } from './node-header.ts';
import { prepareRedirect, redirectPath } from './redirect.ts';
import type { TreeState } from './tree-state.ts';

/** Part of a block that is left free for later changes. */
const FREE_PART = 20;
/** By so much more than its key a cell may become shorter, as it ends at a multiple of four. */
const CELL_PADDING_BYTES = 3;

export class TreeAppender {
  readonly #state: TreeState;
  readonly #lastKey: Uint8Array;
  #lastKeyLength = 0;
  /** The leaf that is being filled and the index node above it (0: not known), and the version of the tree for which that holds. */
  #leafNumber = 0;
  #parentNumber = 0;
  #version = -1;
  #delta = 0;

  constructor(state: TreeState) {
    this.#state = state;
    this.#lastKey = new Uint8Array(maxKeyBytes(state.core.blockSize));
  }

  /** Appends an entry. Throws a `RangeError` unless its key is greater than all keys of the tree, and whatever putting it throws. */
  append(key: Uint8Array, value: Uint8Array): void {
    const state = this.#state;
    const { core } = state;
    checkValue(value);
    core.checkUsable(state);
    core.entry.loadKey(key);
    if (this.#version !== state.version) this.#findEnd();
    const { entry } = core;
    if (
      this.#lastKeyLength > 0 &&
      compareBytes(entry.key, 0, entry.keyLength, this.#lastKey, 0, this.#lastKeyLength) <= 0
    ) {
      throw new RangeError('keys to be loaded ascend, beyond the last key of the tree');
    }
    if (!fitsInline(core.blockSize, entry.keyLength, value.length) || !this.#isFilling()) {
      // The ordinary way ends in the last leaf, too.
      putValue(state, key, value);
      this.#leafNumber = state.lastInsertBlock;
      this.#parentNumber = 0;
    } else if (!this.#appendToLeaf(value) && !this.#appendLeafToParent()) {
      while (!this.#appendLeaf(key, value));
    }
    this.#version = state.version;
    this.#delta = core.log.openDelta;
    this.#lastKeyLength = copyKey(key, this.#lastKey);
  }

  #findEnd(): void {
    const cursor = new TreeCursor(this.#state);
    this.#leafNumber = 0;
    this.#parentNumber = 0;
    this.#lastKeyLength = cursor.last() ? cursor.copyKey(this.#lastKey) : 0;
  }

  /** Whether the leaf that is being filled is known, and may be changed as it is. */
  #isFilling(): boolean {
    const { core } = this.#state;
    return (
      this.#leafNumber !== 0 && this.#delta === core.log.openDelta && core.cache.find(this.#leafNumber) !== NO_FRAME
    );
  }

  /** Puts the entry at the end of the leaf that is being filled, if that leaves enough of it free. */
  #appendToLeaf(value: Uint8Array): boolean {
    const state = this.#state;
    const { core } = state;
    const { cache, blockSize, entry, leafBuilder } = core;
    const frame = cache.find(this.#leafNumber);
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const position = entryCount(slab, base);
    const limitBytes = blockSize - blockSize / FREE_PART;
    entry.loadValue(value);
    const addedBytes =
      LEAF_ENTRY_BYTES + leafCellBytes(entry.valueLength, entry.keyLength - prefixLengthOf(slab, base));
    const usedBytes = blockSize - freeBytes(slab, base) + addedBytes;
    const isSimple = usedBytes <= limitBytes && leafFit(slab, base, blockSize, position, false, entry) === FITS;
    if (!isSimple) {
      // The keys that have come since the leaf was begun may share a longer prefix than it has.
      const savedBytes = this.#mostSavedBytes(slab, base, position);
      if (usedBytes - savedBytes > limitBytes) return false;
      leafBuilder.load(slab, base, position, false, entry);
      if (leafBuilder.usedBytes() > limitBytes) return false;
    }
    if (!core.ensureRoom(0, 0)) {
      // The entry is no longer loaded.
      this.#parentNumber = 0;
      return false;
    }
    if (isSimple) insertIntoLeaf(slab, base, position, entry);
    else leafBuilder.build(slab, base, 0, leafBuilder.count);
    state.changed();
    return true;
  }

  /** At most so many bytes fewer would the leaf use, with the entry at its end, under the prefix that its keys share then. */
  #mostSavedBytes(slab: Slab, base: number, count: number): number {
    const { core } = this.#state;
    const { entry, keyScratch } = core;
    const firstLength = copyLeafKey(slab, base, core.blockSize, 0, keyScratch);
    const shared = commonPrefixLength(keyScratch, 0, firstLength, entry.key, 0, entry.keyLength);
    return Math.max(0, shared - prefixLengthOf(slab, base) + CELL_PADDING_BYTES) * (count + 1);
  }

  /** Begins a new leaf with the entry in `core.entry` under the known index node. False if that is not so easy. */
  #appendLeafToParent(): boolean {
    const state = this.#state;
    const { core } = state;
    const { cache, blockSize, entry, indexEntry, log } = core;
    if (this.#parentNumber === 0) return false;
    const parent = cache.find(this.#parentNumber);
    if (parent === NO_FRAME) return false;
    const slab = cache.slabOf(parent);
    const base = cache.baseOf(parent);
    const count = entryCount(slab, base);
    const separatorLength = this.#separatorLength();
    indexEntry.setSeparator(entry.key, separatorLength);
    if (indexFit(slab, base, blockSize, count, false, indexEntry.separator, separatorLength) !== FITS) return false;
    if (!core.ensureRoom(1, 0)) return false;
    state.changed();
    const number = createLeaf(state);
    state.leafCreated(entry.key, separatorLength);
    indexEntry.setPointer(number, 0, log.openDelta);
    insertIntoIndex(slab, base, count, indexEntry);
    this.#leafNumber = number;
    return true;
  }

  /** The shortest beginning of the new key that is greater than the last one. */
  #separatorLength(): number {
    const { entry } = this.#state.core;
    return commonPrefixLength(this.#lastKey, 0, this.#lastKeyLength, entry.key, 0, entry.keyLength) + 1;
  }

  /** Begins a new leaf at the end of the tree. False if the log made room and it must be tried again. */
  #appendLeaf(key: Uint8Array, value: Uint8Array): boolean {
    const state = this.#state;
    const { core } = state;
    const { cache, entry, indexEntry, log, path } = core;
    entry.loadKey(key);
    entry.loadValue(value);
    path.seek(state, entry.key, entry.keyLength, 1);
    try {
      const isFirst = path.isEmpty;
      const nodeCount = prepareRedirect(state, path, 1) + (isFirst ? 0 : nodesToInsert(path, 1));
      if (!core.ensure(1, nodeCount, false)) return false;
      state.changed();
      redirectPath(state, path, 1);
      const number = createLeaf(state);
      const separatorLength = isFirst ? 0 : this.#separatorLength();
      state.leafCreated(entry.key, separatorLength);
      indexEntry.setSeparator(entry.key, separatorLength);
      indexEntry.setPointer(number, 0, log.openDelta);
      insertChild(state, path, 1, isFirst ? 0 : path.positions[1]! + 1, indexEntry, true);
      // If the node was split, the leaf is not its last child.
      const slab = cache.slabOf(path.frames[1]!);
      const base = cache.baseOf(path.frames[1]!);
      const isLast = childBlock(slab, base, entryCount(slab, base) - 1) === number;
      this.#parentNumber = isLast ? path.numbers[1]! : 0;
      this.#leafNumber = number;
      return true;
    } finally {
      core.releasePaths();
    }
  }
}

/**
 * Loading entries in ascending order beyond the last key of a tree: leaves are filled to about 95 percent one after the other.
 *
 * Most entries go straight to the end of the leaf that is being filled. Whenever the tree has changed in between (a commit, somebody else),
 * the next entry finds the end anew; so a load may be interrupted by any other use of the tree.
 */
import { commonPrefixLength, compareBytes } from '@outwrite/blockdev';
import { NO_FRAME } from '@outwrite/buffer-cache';
import { TreeCursor } from './cursor.ts';
import { insertChild, nodesToInsert } from './index-map.ts';
import { checkValue, copyKey } from './leaf-entry.ts';
import { FITS, insertIntoLeaf, leafFit } from './leaf-page.ts';
import { putValue } from './leaf-put.ts';
import { fitsInline, LEAF_ENTRY_BYTES, leafCellBytes, maxKeyBytes } from './node-format.ts';
import { entryCount, freeBytes, prefixLengthOf, writeHeader } from './node-header.ts';
import { createNode, prepareRedirect, redirectPath, takeNumber } from './redirect.ts';
import type { TreeState } from './tree-state.ts';

/** Part of a block that is left free for later changes. */
const FREE_PART = 20;

export class TreeAppender {
  readonly #state: TreeState;
  readonly #lastKey: Uint8Array;
  #lastKeyLength = 0;
  /** The leaf that is being filled, and the version of the tree for which that holds. */
  #leafNumber = 0;
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
    } else if (!this.#appendToLeaf(value)) {
      while (!this.#appendLeaf(key, value));
    }
    this.#version = state.version;
    this.#delta = core.log.openDelta;
    this.#lastKeyLength = copyKey(key, this.#lastKey);
  }

  #findEnd(): void {
    const cursor = new TreeCursor(this.#state);
    this.#leafNumber = 0;
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
    const isSimple =
      blockSize - freeBytes(slab, base) + addedBytes <= limitBytes &&
      leafFit(slab, base, blockSize, position, false, entry) === FITS;
    if (!isSimple) {
      // The keys that have come since the leaf was begun may share a longer prefix than it has.
      leafBuilder.load(slab, base, position, false, entry);
      if (leafBuilder.usedBytes() > limitBytes) return false;
    }
    if (!core.ensureRoom(0, 0)) return false;
    if (isSimple) insertIntoLeaf(slab, base, position, entry);
    else leafBuilder.build(slab, base, 0, leafBuilder.count);
    state.changed();
    return true;
  }

  /** Begins a new leaf at the end of the tree. False if the log made room and it must be tried again. */
  #appendLeaf(key: Uint8Array, value: Uint8Array): boolean {
    const state = this.#state;
    const { core } = state;
    const { cache, blockSize, entry, indexEntry, log, path } = core;
    entry.loadKey(key);
    entry.loadValue(value);
    path.seek(state, entry.key, entry.keyLength, 1);
    try {
      const isFirst = path.isEmpty;
      const nodeCount = prepareRedirect(state, path, 1) + (isFirst ? 0 : nodesToInsert(path, 1));
      if (!core.ensure(1, nodeCount, false)) return false;
      state.changed();
      redirectPath(state, path, 1);
      const number = takeNumber(state, 0);
      const frame = createNode(state, number);
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      writeHeader(slab, base, blockSize, 0, 0, 0);
      insertIntoLeaf(slab, base, 0, entry);
      const shared = commonPrefixLength(this.#lastKey, 0, this.#lastKeyLength, entry.key, 0, entry.keyLength);
      const separatorLength = isFirst ? 0 : shared + 1;
      state.leafCreated(entry.key, separatorLength);
      indexEntry.setSeparator(entry.key, separatorLength);
      indexEntry.setPointer(number, 0, log.openDelta);
      insertChild(state, path, 1, isFirst ? 0 : path.positions[1]! + 1, indexEntry, true);
      this.#leafNumber = number;
      return true;
    } finally {
      core.releasePaths();
    }
  }
}

/**
 * Putting an entry into a tree: both halves.
 *
 * A leaf of the open delta that has room is simply changed: all its ancestors are of the open epoch and in memory. Otherwise the path is
 * pinned and its worst case reserved; then it is redirected, and the leaf changed, rebuilt or split. Entries that arrive in ascending
 * order leave full leaves behind.
 */
import { assert } from '@outwrite/blockdev';
import { NO_FRAME } from '@outwrite/buffer-cache';
import { insertChild, nodesToInsert } from './index-map.ts';
import { checkValue, type LeafEntry } from './leaf-entry.ts';
import { FITS, insertIntoLeaf, leafFit, leafValueIsOverflow, replaceInLeaf, TOO_FULL } from './leaf-page.ts';
import { fitsInline, LEAF_CELL_HEADER_BYTES, maxInlineBytes, maxLeafCellBytes } from './node-format.ts';
import { entryCount, writeHeader } from './node-header.ts';
import { openLeaf } from './open-leaf.ts';
import { collectExtents, type OwnedExtent, overflowBlockBound, writeOverflow } from './overflow.ts';
import { longestDescriptorBytes } from './overflow-format.ts';
import { freeOwned, prepareOwned } from './owned-extents.ts';
import { searchLeaf } from './page-search.ts';
import { createNode, prepareRedirect, redirectPath, takeNumber } from './redirect.ts';
import type { TreeState } from './tree-state.ts';

/**
 * Stores `value` under `key`, in place of what was there. Throws for a bad key or value, and when there is no room; then nothing has changed.
 * With a `descriptor` the value is in blocks of the open delta already (`writeAhead`).
 */
export function putValue(
  state: TreeState,
  key: Uint8Array,
  value: Uint8Array,
  descriptor: Uint8Array | null = null,
): void {
  checkValue(value);
  state.core.entry.loadKey(key);
  if (descriptor === null && value.length <= maxInlineBytes(state.core.blockSize) && tryQuickPut(state, value)) return;
  while (!tryPut(state, key, value, descriptor));
}

/**
 * Writes a value that is too large for a leaf to blocks of the open delta, of which `ensure` has said that there are enough, and returns its
 * descriptor; null for a value that fits. Throws when the device cannot grow, with nothing changed. Give it to `putValue` in the same
 * transaction, or to `giveUpAhead`.
 */
export function writeAhead(state: TreeState, keyLength: number, value: Uint8Array): Uint8Array | null {
  const { core } = state;
  if (fitsInline(core.blockSize, keyLength, value.length)) return null;
  const target = new Uint8Array(maxDescriptorBytesOf(core.blockSize, keyLength));
  return target.subarray(0, writeOverflow(core, value, target, target.length));
}

/** Frees the blocks of a value that was written ahead and will not be put. */
export function giveUpAhead(state: TreeState, descriptor: Uint8Array): void {
  const { core } = state;
  released.length = 0;
  collectExtents(core, descriptor, 0, descriptor.length, released);
  freeOwned(core, released);
}

/** The longest descriptor that `writeOverflow` may make of a value: one extent a block, or as much as fits. */
function descriptorBound(blockSize: number, keyLength: number, valueLength: number): number {
  return Math.min(
    maxDescriptorBytesOf(blockSize, keyLength),
    longestDescriptorBytes(Math.ceil(valueLength / blockSize)),
  );
}

function maxDescriptorBytesOf(blockSize: number, keyLength: number): number {
  return Math.min(maxInlineBytes(blockSize), maxLeafCellBytes(blockSize) - LEAF_CELL_HEADER_BYTES - keyLength);
}

/** Puts into a leaf of the open delta that has room without moving anything. False if it is not so, or if the log made room meanwhile. */
function tryQuickPut(state: TreeState, value: Uint8Array): boolean {
  const { core } = state;
  const { cache, blockSize, entry } = core;
  if (!fitsInline(blockSize, entry.keyLength, value.length)) return false;
  const frame = openLeaf(state);
  if (frame === NO_FRAME) return false;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  entry.loadValue(value);
  const found = searchLeaf(slab, base, blockSize, entry.key, entry.keyLength);
  const position = found < 0 ? -1 - found : found;
  if (leafFit(slab, base, blockSize, position, found >= 0, entry) !== FITS) return false;
  if (found >= 0 && leafValueIsOverflow(slab, base, position)) return false;
  if (!core.ensureRoom(0, 0)) return false;
  if (found >= 0) {
    replaceInLeaf(slab, base, position, entry);
  } else {
    insertIntoLeaf(slab, base, position, entry);
    state.lastInsertBlock = cache.numberOf(frame);
    state.lastInsertPosition = position;
  }
  state.changed();
  return true;
}

const released: OwnedExtent[] = [];

/** Both halves, once. False if the log made room and everything must be looked up again. */
function tryPut(state: TreeState, key: Uint8Array, value: Uint8Array, descriptor: Uint8Array | null): boolean {
  const { core } = state;
  const { cache, blockSize, entry, path } = core;
  entry.loadKey(key);
  const isOverflow = !fitsInline(blockSize, entry.keyLength, value.length);
  if (!isOverflow) entry.loadValue(value);
  // How long a descriptor gets is known when its extents are; until then it counts with what it takes at most.
  else entry.valueLength = descriptor?.length ?? descriptorBound(core.blockSize, entry.keyLength, value.length);
  released.length = 0;
  path.seek(state, entry.key, entry.keyLength, 0);
  try {
    let blockCount = isOverflow && descriptor === null ? overflowBlockBound(blockSize, value.length) : 0;
    let leafCount = 1;
    let nodeCount = 0;
    if (path.isEmpty) {
      nodeCount = prepareRedirect(state, path, 1);
    } else {
      const slab = cache.slabOf(path.frames[0]!);
      const base = cache.baseOf(path.frames[0]!);
      const found = searchLeaf(slab, base, blockSize, entry.key, entry.keyLength);
      const position = found < 0 ? -1 - found : found;
      nodeCount = prepareRedirect(state, path, 0);
      if (!state.needsRedirect(0, path.numbers[0]!, path.births[0]!)) leafCount = 0;
      if (leafFit(slab, base, blockSize, position, found >= 0, entry) === TOO_FULL) {
        leafCount++;
        nodeCount += nodesToInsert(path, 1);
      }
      if (found >= 0) prepareOwned(core, slab, base, found, found + 1, released);
    }
    if (state.isCatalogue) nodeCount += leafCount;
    else blockCount += leafCount;
    if (!core.ensure(blockCount, nodeCount, false)) return false;
    if (descriptor !== null) {
      entry.value.set(descriptor);
      entry.valueLength = descriptor.length;
      entry.isOverflow = true;
    } else if (isOverflow) {
      entry.valueLength = writeOverflow(core, value, entry.value, maxDescriptorBytesOf(blockSize, entry.keyLength));
      entry.isOverflow = true;
    }
    state.changed();
    if (path.isEmpty) {
      makeFirstLeaf(state);
    } else {
      redirectPath(state, path, 0);
      storeInLeaf(state, entry);
    }
    freeOwned(core, released);
    return true;
  } finally {
    core.releasePaths();
  }
}

/** Second half: a new leaf that holds the entry in `core.entry` and that nothing points to yet. Returns its number. */
export function createLeaf(state: TreeState): number {
  const { cache, blockSize, entry } = state.core;
  const number = takeNumber(state, 0);
  const frame = createNode(state, number);
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  writeHeader(slab, base, blockSize, 0, 0, 0);
  insertIntoLeaf(slab, base, 0, entry);
  return number;
}

/** The tree is empty: its first leaf, with one entry. */
function makeFirstLeaf(state: TreeState): void {
  const { indexEntry, log, path } = state.core;
  redirectPath(state, path, 1);
  const number = createLeaf(state);
  indexEntry.separatorLength = 0;
  indexEntry.setPointer(number, 0, log.openDelta);
  insertChild(state, path, 1, 0, indexEntry, false);
  state.leafCreated(indexEntry.separator, 0);
  state.lastInsertBlock = number;
  state.lastInsertPosition = 0;
}

/** Stores the entry in the leaf of the path, which has been redirected; splits it if need be. */
function storeInLeaf(state: TreeState, entry: LeafEntry): void {
  const { core } = state;
  const { cache, blockSize, leafBuilder, path } = core;
  const frame = path.frames[0]!;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  const found = searchLeaf(slab, base, blockSize, entry.key, entry.keyLength);
  const position = found < 0 ? -1 - found : found;
  const block = path.numbers[0]!;
  const follows = found < 0 && state.lastInsertBlock === block && state.lastInsertPosition === position - 1;
  const fit = leafFit(slab, base, blockSize, position, found >= 0, entry);
  if (found < 0) {
    state.lastInsertBlock = block;
    state.lastInsertPosition = position;
  }
  if (fit === FITS) {
    if (found >= 0) replaceInLeaf(slab, base, position, entry);
    else insertIntoLeaf(slab, base, position, entry);
    return;
  }
  leafBuilder.load(slab, base, position, found >= 0, entry);
  if (fit !== TOO_FULL) {
    leafBuilder.build(slab, base, 0, leafBuilder.count);
    return;
  }
  const isLast = position === entryCount(slab, base) && isRightmost(state);
  splitLeaf(state, position, follows || isLast);
}

/** Whether the path goes through the last entry of every node: its leaf is the last of the tree. */
function isRightmost(state: TreeState): boolean {
  const { path } = state.core;
  for (let level = 1; level <= path.rootLevel; level++) {
    if (path.positions[level] !== path.count(level) - 1) return false;
  }
  return true;
}

/** Splits the leaf of the path, whose entries the builder has with a new one at `position`. */
function splitLeaf(state: TreeState, position: number, isAscending: boolean): void {
  const { core } = state;
  const { cache, indexEntry, leafBuilder, log, path } = core;
  const leftFrame = path.frames[0]!;
  const split = leafBuilder.chooseSplit(isAscending);
  const number = takeNumber(state, 0);
  const rightFrame = createNode(state, number);
  leafBuilder.build(cache.slabOf(leftFrame), cache.baseOf(leftFrame), 0, split);
  leafBuilder.build(cache.slabOf(rightFrame), cache.baseOf(rightFrame), split, leafBuilder.count);
  assert(leafBuilder.separatorLength > 0, 'only the first leaf has the empty separator');
  state.leafCreated(leafBuilder.separator, leafBuilder.separatorLength);
  indexEntry.setSeparator(leafBuilder.separator, leafBuilder.separatorLength);
  indexEntry.setPointer(number, 0, log.openDelta);
  insertChild(state, path, 1, path.positions[1]! + 1, indexEntry, isAscending);
  if (position >= split) {
    state.lastInsertBlock = number;
    state.lastInsertPosition = position - split;
  }
}

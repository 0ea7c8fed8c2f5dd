/**
 * The index as a sorted map from separators to leaves: put and remove, with the splits and merges of index nodes that they cause.
 *
 * Live operations and replay use the same code: `insertChild` and `removeChild` work on a path whose nodes have been redirected, and cannot
 * fail; `indexPut` and `indexRemove` are both halves for somebody who has a separator only. Removal is removal from a map and no more: the
 * range of the leaf goes to its left neighbour. If the leaf was the first under its node, the separator of that node rises, which is mended
 * at the nearest ancestor where the path does not go through the first entry; there a longer separator may cause a split. The first leaf
 * has the empty separator and goes only when it is the last one.
 */
import { assert, compareBytes } from '@outwrite/blockdev';
import { NO_FRAME } from '@outwrite/buffer-cache';
import {
  childBirth,
  childBlock,
  childChecksum,
  copySeparator,
  type IndexEntry,
  indexFit,
  indexTakesAny,
  insertIntoIndex,
  removeFromIndex,
  replaceSeparator,
  setChildBirth,
  setChildBlock,
  setChildChecksum,
} from './index-page.ts';
import { FITS, TOO_FULL } from './leaf-page.ts';
import { INDEX_ENTRY_BYTES, indexCellBytes, maxKeyBytes } from './node-format.ts';
import { entryCount, freeBytes, writeHeader } from './node-header.ts';
import { createNode, dropNode, prepareRedirect, redirectPath, redirectSibling, takeNumber } from './redirect.ts';
import type { TreePath } from './tree-path.ts';
import type { TreeState } from './tree-state.ts';

/** An index node that would use less than this part of its block after a removal is merged, if it can be. */
const MERGE_BELOW_PART = 4;

/** A merge must leave this part of the block free. */
const MERGE_FREE_PART = 4;

/** First half: new nodes that inserting one entry at `level` may take, whatever its separator. */
export function nodesToInsert(path: TreePath, level: number): number {
  const { cache, blockSize } = path.core;
  let count = 0;
  for (let above = level; above <= path.rootLevel; above++) {
    const frame = path.frames[above]!;
    if (indexTakesAny(cache.slabOf(frame), cache.baseOf(frame), blockSize)) return count;
    count++;
  }
  return count + 1;
}

/** Second half: inserts `entry` before `position` (1 or more, or 0 in an empty root) in the node of the path at `level`. */
export function insertChild(
  state: TreeState,
  path: TreePath,
  level: number,
  position: number,
  entry: IndexEntry,
  isAscending: boolean,
): void {
  const { cache, blockSize, indexBuilder } = state.core;
  for (;;) {
    const frame = path.frames[level]!;
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const fit = indexFit(slab, base, blockSize, position, false, entry.separator, entry.separatorLength);
    if (fit === FITS) {
      insertIntoIndex(slab, base, position, entry);
      return;
    }
    indexBuilder.load(slab, base, position, false, entry);
    if (fit !== TOO_FULL) {
      indexBuilder.build(slab, base, 0, indexBuilder.count);
      return;
    }
    splitNode(state, path, level, entry, isAscending);
    if (level === path.rootLevel) {
      growRoot(state, entry);
      return;
    }
    level++;
    position = path.positions[level]! + 1;
  }
}

/** Splits the node of the path at `level`, whose entries the builder has; `entry` becomes the right half's for the parent. */
function splitNode(state: TreeState, path: TreePath, level: number, entry: IndexEntry, isAscending: boolean): void {
  const { cache, indexBuilder, log } = state.core;
  const leftFrame = path.frames[level]!;
  const number = takeNumber(state, level);
  const rightFrame = createNode(state, number);
  const split = indexBuilder.chooseSplit(isAscending);
  indexBuilder.build(cache.slabOf(leftFrame), cache.baseOf(leftFrame), 0, split);
  indexBuilder.build(cache.slabOf(rightFrame), cache.baseOf(rightFrame), split, indexBuilder.count);
  entry.setSeparator(indexBuilder.separator, indexBuilder.separatorLength);
  entry.setPointer(number, 0, log.openDelta);
}

/** The root has been split: a new one above it, with `entry` for the right half. */
function growRoot(state: TreeState, entry: IndexEntry): void {
  const { cache, blockSize, log } = state.core;
  const level = state.level + 1;
  const number = takeNumber(state, level);
  const frame = createNode(state, number);
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  writeHeader(slab, base, blockSize, level, 0, 0);
  const { block, checksum, birth } = entry;
  entry.setPointer(state.rootBlock, state.rootChecksum, state.rootBirth);
  insertIntoIndex(slab, base, 0, entry);
  entry.setPointer(block, checksum, birth);
  insertIntoIndex(slab, base, 1, entry);
  state.setRoot(number, 0, log.openDelta, level);
  state.rootChanged();
}

/**
 * First half of a removal of entry `position` of the node that the path has at level 1: reads and pins the siblings that nodes may be
 * merged with, and returns how many nodes the removal may take besides redirects of the path.
 */
export function prepareRemoval(path: TreePath, position: number): number {
  const { cache, blockSize } = path.core;
  let nodeCount = 0;
  let level = 1;
  while (level < path.rootLevel && path.count(level) === 1) level++;
  if ((level === 1 ? position : path.positions[level]) === 0) {
    // The separator of this node rises; in the worst case it needs more room where it is kept.
    const above = path.levelOfSeparator(level + 1);
    if (above <= path.rootLevel) nodeCount += nodesToInsert(path, above);
  }
  for (; level < path.rootLevel; level++) {
    const frame = path.frames[level]!;
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const lostBytes = INDEX_ENTRY_BYTES + indexCellBytes(maxKeyBytes(blockSize));
    if (blockSize - freeBytes(slab, base) - lostBytes >= blockSize / MERGE_BELOW_PART) break;
    const hasLeft = path.positions[level + 1]! > 0;
    if (!hasLeft && path.count(level + 1) === 1) break;
    if (!path.tryTakeSibling(level, hasLeft)) break;
    // A left sibling takes the entries and may need a redirect for that.
    nodeCount++;
  }
  return nodeCount;
}

/**
 * Second half: removes entry `position` of the node that the path has at level 1; all nodes of the path down to there have been redirected.
 * The leaf itself is the caller's. Siblings are those that `prepareRemoval` pinned. The path is left behind.
 */
export function removeChild(state: TreeState, path: TreePath, position: number): void {
  let level = 1;
  while (level < path.rootLevel && path.count(level) === 1) {
    dropNode(state, level, path.frames[level]!, path.numbers[level]!, path.births[level]!);
    level++;
  }
  removeEntry(state, path, level, level === 1 ? position : path.positions[level]!);
}

/** Removes entry `position` of the node of the path at `level`, mends what that means for its separator, and merges. */
function removeEntry(state: TreeState, path: TreePath, level: number, position: number): void {
  const { cache, blockSize, indexEntry } = state.core;
  const frame = path.frames[level]!;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  if (entryCount(slab, base) === 1) {
    assert(level === path.rootLevel, 'only a root loses its last entry');
    makeEmptyRoot(state, path);
    return;
  }
  let hasSplit = false;
  if (position === 0) {
    const above = path.levelOfSeparator(level + 1);
    assert(above <= path.rootLevel, 'the first leaf goes last');
    indexEntry.separatorLength = copySeparator(slab, base, blockSize, 1, indexEntry.separator);
    removeFromIndex(slab, base, position);
    hasSplit = mendSeparator(state, path, above, indexEntry);
  } else {
    removeFromIndex(slab, base, position);
  }
  // A split has made the path wrong above; what is too empty waits for the next removal.
  if (!hasSplit) mergeUpward(state, path, level);
}

function makeEmptyRoot(state: TreeState, path: TreePath): void {
  const { cache, blockSize } = state.core;
  const frame = path.frames[path.rootLevel]!;
  writeHeader(cache.slabOf(frame), cache.baseOf(frame), blockSize, 1, 0, 0);
  state.setRoot(state.rootBlock, 0, state.rootBirth, 1);
  state.rootChanged();
}

/** Stores the separator of `entry` in place of the one that the path goes through at `level`. Says whether that caused a split. */
function mendSeparator(state: TreeState, path: TreePath, level: number, entry: IndexEntry): boolean {
  const { cache, blockSize, indexBuilder } = state.core;
  const frame = path.frames[level]!;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  const position = path.positions[level]!;
  entry.copyPointer(slab, base, position);
  const fit = indexFit(slab, base, blockSize, position, true, entry.separator, entry.separatorLength);
  if (fit === FITS) {
    replaceSeparator(slab, base, position, entry);
    return false;
  }
  indexBuilder.load(slab, base, position, true, entry);
  if (fit !== TOO_FULL) {
    indexBuilder.build(slab, base, 0, indexBuilder.count);
    return false;
  }
  splitNode(state, path, level, entry, false);
  if (level === path.rootLevel) growRoot(state, entry);
  else insertChild(state, path, level + 1, path.positions[level + 1]! + 1, entry, false);
  return true;
}

/** Merges the node of the path at `level`, which has lost an entry, with its sibling if both are small; and so on upward. */
function mergeUpward(state: TreeState, path: TreePath, level: number): void {
  const { cache, blockSize } = state.core;
  while (level < path.rootLevel) {
    const frame = path.frames[level]!;
    const usedBytes = blockSize - freeBytes(cache.slabOf(frame), cache.baseOf(frame));
    if (usedBytes >= blockSize / MERGE_BELOW_PART) return;
    if (path.siblings[level] === NO_FRAME || !mergeWithSibling(state, path, level)) break;
    level++;
  }
  shrinkRoot(state, path);
}

function mergeWithSibling(state: TreeState, path: TreePath, level: number): boolean {
  const { cache, blockSize, indexBuilder, indexEntry, log } = state.core;
  const parent = path.frames[level + 1]!;
  const parentSlab = cache.slabOf(parent);
  const parentBase = cache.baseOf(parent);
  const own = path.frames[level]!;
  const sibling = path.siblings[level]!;
  const isLeft = path.siblingIsLeft[level] === 1;
  const rightPosition = path.positions[level + 1]! + (isLeft ? 0 : 1);
  const leftFrame = isLeft ? sibling : own;
  const rightFrame = isLeft ? own : sibling;
  indexEntry.separatorLength = copySeparator(parentSlab, parentBase, blockSize, rightPosition, indexEntry.separator);
  indexEntry.copyPointer(cache.slabOf(rightFrame), cache.baseOf(rightFrame), 0);
  indexBuilder.loadPair(
    cache.slabOf(leftFrame),
    cache.baseOf(leftFrame),
    cache.slabOf(rightFrame),
    cache.baseOf(rightFrame),
    indexEntry,
  );
  if (indexBuilder.usedBytes() > blockSize - blockSize / MERGE_FREE_PART) return false;
  const target = isLeft ? redirectSibling(state, path, level, rightPosition - 1) : own;
  indexBuilder.build(cache.slabOf(target), cache.baseOf(target), 0, indexBuilder.count);
  if (!isLeft) setChildBirth(parentSlab, parentBase, rightPosition - 1, log.openDelta);
  const rightNumber = childBlock(parentSlab, parentBase, rightPosition);
  dropNode(state, level, rightFrame, rightNumber, childBirth(parentSlab, parentBase, rightPosition));
  removeFromIndex(parentSlab, parentBase, rightPosition);
  return true;
}

/** A root above the leaves' parents that has one child gives way to it. */
function shrinkRoot(state: TreeState, path: TreePath): void {
  const { cache } = state.core;
  const frame = path.frames[path.rootLevel]!;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  if (state.level === 1 || entryCount(slab, base) > 1) return;
  const block = childBlock(slab, base, 0);
  const checksum = childChecksum(slab, base, 0);
  const birth = childBirth(slab, base, 0);
  dropNode(state, state.level, frame, state.rootBlock, state.rootBirth);
  state.setRoot(block, checksum, birth, state.level - 1);
  state.rootChanged();
}

/**
 * Both halves: the leaf that begins at `separator` is at `block`; a leaf that is there already is replaced. The caller sees to it that
 * there is room for the nodes that this takes.
 */
export function indexPut(
  state: TreeState,
  separator: Uint8Array,
  length: number,
  pointer: { block: number; checksum: number; birth: number },
): void {
  const { core } = state;
  const { cache, indexEntry, path } = core;
  path.seek(state, separator, length, 1);
  try {
    prepareRedirect(state, path, 1);
    redirectPath(state, path, 1);
    state.changed();
    const frame = path.frames[1]!;
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const position = path.positions[1]!;
    if (!path.isEmpty && isSeparator(path, separator, length)) {
      setChildBlock(slab, base, position, pointer.block);
      setChildChecksum(slab, base, position, pointer.checksum);
      setChildBirth(slab, base, position, pointer.birth);
      return;
    }
    indexEntry.setSeparator(separator, length);
    indexEntry.setPointer(pointer.block, pointer.checksum, pointer.birth);
    insertChild(state, path, 1, path.isEmpty ? 0 : position + 1, indexEntry, false);
  } finally {
    core.releasePaths();
  }
}

/** Both halves: there is no leaf that begins at `separator` any more. False if there was none. Its block is somebody else's business. */
export function indexRemove(state: TreeState, separator: Uint8Array, length: number): boolean {
  const { core } = state;
  const { path } = core;
  path.seek(state, separator, length, 1);
  try {
    if (path.isEmpty || !isSeparator(path, separator, length)) return false;
    const position = path.positions[1]!;
    prepareRemoval(path, position);
    prepareRedirect(state, path, 1);
    redirectPath(state, path, 1);
    state.changed();
    removeChild(state, path, position);
    return true;
  } finally {
    core.releasePaths();
  }
}

/** Whether the entry that the path goes through at level 1 begins at exactly `separator`. */
export function isSeparator(path: TreePath, separator: Uint8Array, length: number): boolean {
  const { keyScratch } = path.core;
  const ownLength = path.copySeparator(1, keyScratch);
  return compareBytes(keyScratch, 0, ownLength, separator, 0, length) === 0;
}

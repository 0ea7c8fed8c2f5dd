/**
 * Removing entries from one leaf: both halves.
 *
 * A leaf that becomes small is merged with a neighbour under the same parent if the result leaves a quarter of a block free; the left of
 * the two keeps its separator and gets all entries, the right one is gone. A leaf that becomes empty is gone at once. Only the first leaf of
 * a tree cannot go while there are others: it takes in its right neighbour, wherever that is.
 */
import { assert, commonPrefixLength, verificationIsOn } from '@outwrite/blockdev';
import type { Slab } from '@outwrite/buffer-cache';
import { prepareRemoval, removeChild } from './index-map.ts';
import { childBirth, childBlock, copySeparator } from './index-page.ts';
import { copyLeafKey, leafCellSize, removeFromLeaf } from './leaf-page.ts';
import { HEADER_BYTES, LEAF_ENTRY_BYTES } from './node-format.ts';
import { entryCount, freeBytes, prefixLengthOf } from './node-header.ts';
import type { OwnedExtent } from './overflow.ts';
import { freeOwned, prepareOwned } from './owned-extents.ts';
import { dropNode, prepareGiveUp, prepareRedirect, redirectPath, redirectSibling } from './redirect.ts';
import type { TreePath } from './tree-path.ts';
import type { TreeState } from './tree-state.ts';

/** A leaf that uses less than this part of its block is merged, if it can be. */
export const MERGE_BELOW_PART = 4;
/** A merge must leave this part of the block free. */
const MERGE_FREE_PART = 4;

/** What becomes of the leaf. */
type Outcome =
  /** It stays, with fewer entries. */
  | 'stays'
  /** It is empty and goes. */
  | 'goes'
  /** Its entries go to the left sibling. */
  | 'joins-left'
  /** It takes those of its right sibling. */
  | 'takes-right'
  /** It takes those of the next leaf, which has another parent. */
  | 'takes-next';

const NONE = { start: 0, end: 0 };
const removed = { start: 0, end: 0 };
const released: OwnedExtent[] = [];

/**
 * Removes entries `[start, end)` of the leaf of `core.path`, which is held and stays the caller's to release. False if the log made room
 * and everything must be looked up again; throws when there is none, or when something cannot be read, and then nothing has changed.
 */
export function removeEntries(state: TreeState, start: number, end: number): boolean {
  const { core } = state;
  const { path } = core;
  removed.start = start;
  removed.end = end;
  const own = path.frames[0]!;
  prepareOwned(core, core.cache.slabOf(own), core.cache.baseOf(own), start, end, released);
  const outcome = chooseOutcome(state, path);
  const position = path.positions[1]!;
  let leafCount = 0;
  let nodeCount = 0;
  const changesOwn = outcome !== 'goes' && outcome !== 'joins-left';
  nodeCount += prepareRedirect(state, path, changesOwn ? 0 : 1);
  if (changesOwn && state.needsRedirect(0, path.numbers[0]!, path.births[0]!)) leafCount = 1;
  if (!changesOwn) prepareGiveUp(state, path.numbers[0]!);
  if (outcome === 'joins-left') leafCount = 1;
  if (outcome === 'takes-next') {
    nodeCount +=
      prepareRedirect(state, core.secondPath, 1) + prepareRemoval(core.secondPath, core.secondPath.positions[1]!);
    prepareGiveUp(state, core.secondPath.numbers[0]!);
  } else if (outcome !== 'stays') {
    nodeCount += prepareRemoval(path, outcome === 'takes-right' ? position + 1 : position);
  }
  if (state.isCatalogue) {
    nodeCount += leafCount;
    leafCount = 0;
  }
  if (!core.ensure(leafCount, nodeCount, true)) return false;
  state.changed();
  if (outcome === 'stays') shorten(state, path);
  else if (outcome === 'goes') drop(state, path, position);
  else if (outcome === 'joins-left') joinLeft(state, path, position);
  else if (outcome === 'takes-right') takeRight(state, path, position);
  else takeNext(state, path);
  freeOwned(core, released);
  return true;
}

/** Decides, and leaves the sequence of entries of a merge in the builder and the neighbour pinned. */
function chooseOutcome(state: TreeState, path: TreePath): Outcome {
  const { core } = state;
  const { cache, blockSize } = core;
  const own = path.frames[0]!;
  const slab = cache.slabOf(own);
  const base = cache.baseOf(own);
  const position = path.positions[1]!;
  const siblingCount = path.count(1);
  if (removed.end - removed.start === entryCount(slab, base)) {
    if (path.levelOfSeparator(1) <= path.rootLevel || isOnlyLeaf(path)) return 'goes';
    if (siblingCount > 1) {
      path.takeSibling(0, false);
      loadRightPair(state, path, slab, base);
      return 'takes-right';
    }
    seekNext(state, path);
    const next = core.secondPath.frames[0]!;
    core.leafBuilder.loadPair(slab, base, removed, cache.slabOf(next), cache.baseOf(next), NONE);
    return 'takes-next';
  }
  let usedBytes = blockSize - freeBytes(slab, base);
  for (let i = removed.start; i < removed.end; i++) usedBytes -= LEAF_ENTRY_BYTES + leafCellSize(slab, base, i);
  if (usedBytes >= blockSize / MERGE_BELOW_PART) return 'stays';
  const mergedLimit = blockSize - blockSize / MERGE_FREE_PART;
  if (position > 0 && path.tryTakeSibling(0, true)) {
    const left = path.siblings[0]!;
    const leastBytes = leastMergedBytes(path, usedBytes);
    if (leastBytes <= mergedLimit || verificationIsOn()) {
      core.leafBuilder.loadPair(cache.slabOf(left), cache.baseOf(left), NONE, slab, base, removed);
      if (mergedBytes(state, leastBytes) <= mergedLimit) return 'joins-left';
    }
    path.releaseSibling(0);
  }
  if (position + 1 < siblingCount && path.tryTakeSibling(0, false)) {
    const leastBytes = leastMergedBytes(path, usedBytes);
    if (leastBytes <= mergedLimit || verificationIsOn()) {
      loadRightPair(state, path, slab, base);
      if (mergedBytes(state, leastBytes) <= mergedLimit) return 'takes-right';
    }
    path.releaseSibling(0);
  }
  return 'stays';
}

/** What the two leaves use together that the builder has. */
function mergedBytes(state: TreeState, leastBytes: number): number {
  const usedBytes = state.core.leafBuilder.usedBytes();
  assert(usedBytes >= leastBytes, 'two leaves use no less than they can');
  return usedBytes;
}

/**
 * What the leaf, which will use `ownBytes`, and its sibling use together, if the prefix that they then have in common saves as much as it can.
 * Says that a merge is out of the question without copying both to try.
 */
function leastMergedBytes(path: TreePath, ownBytes: number): number {
  const { cache, blockSize, keyScratch, secondKeyScratch } = path.core;
  const own = path.frames[0]!;
  const slab = cache.slabOf(own);
  const base = cache.baseOf(own);
  const sibling = path.siblings[0]!;
  const siblingSlab = cache.slabOf(sibling);
  const siblingBase = cache.baseOf(sibling);
  const ownCount = entryCount(slab, base);
  const siblingCount = entryCount(siblingSlab, siblingBase);
  const isLeft = path.siblingIsLeft[0] === 1;
  let ownEnd = 0;
  if (isLeft) ownEnd = removed.end === ownCount ? removed.start - 1 : ownCount - 1;
  else ownEnd = removed.start === 0 ? removed.end : 0;
  const ownLength = copyLeafKey(slab, base, blockSize, ownEnd, keyScratch);
  const siblingEnd = isLeft ? 0 : siblingCount - 1;
  const siblingLength = copyLeafKey(siblingSlab, siblingBase, blockSize, siblingEnd, secondKeyScratch);
  const shared = commonPrefixLength(keyScratch, 0, ownLength, secondKeyScratch, 0, siblingLength);
  const ownPrefixLength = prefixLengthOf(slab, base);
  const siblingPrefixLength = prefixLengthOf(siblingSlab, siblingBase);
  // A cell that loses so many bytes of its key may lose up to three of padding, too; so may the prefix.
  const ownSavedBytes = Math.max(0, shared - ownPrefixLength + 3) * (ownCount - removed.end + removed.start);
  const siblingSavedBytes = Math.max(0, shared - siblingPrefixLength + 3) * siblingCount;
  const overheadBytes = HEADER_BYTES + ownPrefixLength + siblingPrefixLength + 6;
  const siblingBytes = blockSize - freeBytes(siblingSlab, siblingBase);
  return ownBytes + siblingBytes - overheadBytes - ownSavedBytes - siblingSavedBytes;
}

function loadRightPair(state: TreeState, path: TreePath, slab: Slab, base: number): void {
  const { cache, leafBuilder } = state.core;
  const right = path.siblings[0]!;
  leafBuilder.loadPair(slab, base, removed, cache.slabOf(right), cache.baseOf(right), NONE);
}

function isOnlyLeaf(path: TreePath): boolean {
  for (let level = 1; level <= path.rootLevel; level++) if (path.count(level) !== 1) return false;
  return true;
}

/** Seeks the leaf after the first one with the second path; there is one. */
function seekNext(state: TreeState, path: TreePath): void {
  const { core } = state;
  let level = 1;
  while (path.count(level) === 1) level++;
  const frame = path.frames[level]!;
  const { cache } = core;
  const length = copySeparator(cache.slabOf(frame), cache.baseOf(frame), core.blockSize, 1, core.keyScratch);
  core.secondPath.seek(state, core.keyScratch, length, 0);
}

function shorten(state: TreeState, path: TreePath): void {
  const { cache } = state.core;
  redirectPath(state, path, 0);
  const frame = path.frames[0]!;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  for (let i = removed.end - 1; i >= removed.start; i--) removeFromLeaf(slab, base, i);
}

function drop(state: TreeState, path: TreePath, position: number): void {
  const { keyScratch } = state.core;
  redirectPath(state, path, 1);
  noteGone(state, path, path.copySeparator(1, keyScratch), position);
  dropNode(state, 0, path.frames[0]!, path.numbers[0]!, path.births[0]!);
  removeChild(state, path, position);
}

function joinLeft(state: TreeState, path: TreePath, position: number): void {
  const { cache, keyScratch, leafBuilder } = state.core;
  redirectPath(state, path, 1);
  noteGone(state, path, path.copySeparator(1, keyScratch), position);
  const left = redirectSibling(state, path, 0, position - 1);
  leafBuilder.build(cache.slabOf(left), cache.baseOf(left), 0, leafBuilder.count);
  dropNode(state, 0, path.frames[0]!, path.numbers[0]!, path.births[0]!);
  removeChild(state, path, position);
}

function takeRight(state: TreeState, path: TreePath, position: number): void {
  const { cache, keyScratch, blockSize } = state.core;
  redirectPath(state, path, 0);
  const parent = path.frames[1]!;
  const slab = cache.slabOf(parent);
  const base = cache.baseOf(parent);
  noteGone(state, path, copySeparator(slab, base, blockSize, position + 1, keyScratch), position + 1);
  buildIntoOwn(state, path);
  dropNode(state, 0, path.siblings[0]!, childBlock(slab, base, position + 1), childBirth(slab, base, position + 1));
  removeChild(state, path, position + 1);
}

function takeNext(state: TreeState, path: TreePath): void {
  const { keyScratch, secondPath } = state.core;
  const length = secondPath.copySeparator(1, keyScratch);
  redirectPath(state, path, 0);
  buildIntoOwn(state, path);
  // The nodes that both paths share have moved. Everything is in memory, so this reads nothing.
  secondPath.release();
  secondPath.seek(state, keyScratch, length, 0);
  prepareRemoval(secondPath, secondPath.positions[1]!);
  redirectPath(state, secondPath, 1);
  noteGone(state, secondPath, length, secondPath.positions[1]!);
  dropNode(state, 0, secondPath.frames[0]!, secondPath.numbers[0]!, secondPath.births[0]!);
  removeChild(state, secondPath, secondPath.positions[1]!);
}

function buildIntoOwn(state: TreeState, path: TreePath): void {
  const { cache, leafBuilder } = state.core;
  const own = path.frames[0]!;
  leafBuilder.build(cache.slabOf(own), cache.baseOf(own), 0, leafBuilder.count);
}

/** Notes that the leaf is gone whose separator, of this length, is in `keyScratch`: entry `position` of its parent. */
function noteGone(state: TreeState, path: TreePath, length: number, position: number): void {
  const { core } = state;
  const parent = path.frames[1]!;
  const slab = core.cache.slabOf(parent);
  const base = core.cache.baseOf(parent);
  let nextLength = -1;
  if (position + 1 < entryCount(slab, base)) {
    nextLength = copySeparator(slab, base, core.blockSize, position + 1, core.secondKeyScratch);
  }
  state.leafGone(core.keyScratch, length, core.secondKeyScratch, nextLength);
}

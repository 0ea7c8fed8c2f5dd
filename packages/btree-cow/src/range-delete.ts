/**
 * Removing keys: one, or all of a range in steps of one leaf.
 *
 * Each step looks up, reserves and changes by itself, so a range of any size needs room for one step only, and the log may make a commit
 * between two of them. A leaf that lies in the range as a whole is given up without looking at its entries, unless some of their values own
 * overflow extents, which a flag of the leaf says.
 */
import { compareBytes } from '@outwrite/blockdev';
import { NO_FRAME } from '@outwrite/buffer-cache';
import { copyKey } from './leaf-entry.ts';
import { leafCellSize, leafValueIsOverflow, removeFromLeaf } from './leaf-page.ts';
import { MERGE_BELOW_PART, removeEntries } from './leaf-remove.ts';
import { LEAF_ENTRY_BYTES, maxKeyBytes } from './node-format.ts';
import { entryCount, freeBytes } from './node-header.ts';
import { openLeaf } from './open-leaf.ts';
import { searchLeaf } from './page-search.ts';
import type { TreeState } from './tree-state.ts';

/** Removes one key. False if it is not there. */
export function deleteKey(state: TreeState, key: Uint8Array): boolean {
  const { core } = state;
  const { cache, blockSize, entry, path } = core;
  entry.loadKey(key);
  const quick = deleteQuickly(state);
  if (quick !== 'unknown') return quick === 'removed';
  for (;;) {
    entry.loadKey(key);
    path.seek(state, entry.key, entry.keyLength, 0);
    try {
      if (path.isEmpty) return false;
      const frame = path.frames[0]!;
      const position = searchLeaf(cache.slabOf(frame), cache.baseOf(frame), blockSize, entry.key, entry.keyLength);
      if (position < 0) return false;
      if (removeEntries(state, position, position + 1)) return true;
    } finally {
      core.releasePaths();
    }
  }
}

/** Removes the key in `core.entry` from a leaf of the open delta that stays large enough. */
function deleteQuickly(state: TreeState): 'removed' | 'absent' | 'unknown' {
  const { core } = state;
  const { cache, blockSize, entry } = core;
  const frame = openLeaf(state);
  if (frame === NO_FRAME) return 'unknown';
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  const position = searchLeaf(slab, base, blockSize, entry.key, entry.keyLength);
  if (position < 0) return 'absent';
  const leftBytes = blockSize - freeBytes(slab, base) - LEAF_ENTRY_BYTES - leafCellSize(slab, base, position);
  if (leftBytes < blockSize / MERGE_BELOW_PART || leafValueIsOverflow(slab, base, position)) return 'unknown';
  if (!core.ensureRoom(0, 0, true)) return 'unknown';
  removeFromLeaf(slab, base, position);
  state.changed();
  return 'removed';
}

/** The bounds of a range that is being deleted. Steps may let a delta be closed, which may delete a range, so each has its own. */
export class RangeScratch {
  readonly lower: Uint8Array;
  readonly upper: Uint8Array;
  readonly next: Uint8Array;

  constructor(blockSize: number) {
    this.lower = new Uint8Array(maxKeyBytes(blockSize));
    this.upper = new Uint8Array(maxKeyBytes(blockSize));
    this.next = new Uint8Array(maxKeyBytes(blockSize));
  }
}

/** Removes all keys in `[from, to)` and returns how many there were; null is an open end. */
export function deleteKeys(state: TreeState, from: Uint8Array | null, to: Uint8Array | null): number {
  const { core } = state;
  if (from !== null && to !== null) {
    const removedCount = deleteRunQuickly(state, from, to);
    if (removedCount >= 0) return removedCount;
  }
  const scratch = core.rangeScratches.pop() ?? new RangeScratch(core.blockSize);
  try {
    return deleteInSteps(state, from, to, scratch);
  } finally {
    core.rangeScratches.push(scratch);
  }
}

/** Removes a range that lies within one leaf of the open delta, which stays large enough. -1 if it is not so. */
function deleteRunQuickly(state: TreeState, from: Uint8Array, to: Uint8Array): number {
  const { core } = state;
  const { cache, blockSize, entry, path } = core;
  entry.loadKey(from);
  if (state.isCatalogue || !path.seekCached(state, entry.key, entry.keyLength)) return -1;
  if (state.needsRedirect(0, path.numbers[0]!, path.births[0]!)) return -1;
  const frame = path.frames[0]!;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  const start = insertPosition(searchLeaf(slab, base, blockSize, entry.key, entry.keyLength));
  entry.loadKey(to);
  const end = insertPosition(searchLeaf(slab, base, blockSize, entry.key, entry.keyLength));
  if (end < start) return -1;
  if (end === entryCount(slab, base)) {
    // Without an entry after it, the range may go on in the next leaf.
    const next = core.secondKeyScratch;
    const nextLength = path.copyNextSeparator(next);
    if (nextLength >= 0 && compareBytes(next, 0, nextLength, entry.key, 0, entry.keyLength) < 0) return -1;
  }
  let leftBytes = blockSize - freeBytes(slab, base);
  for (let i = start; i < end; i++) {
    if (leafValueIsOverflow(slab, base, i)) return -1;
    leftBytes -= LEAF_ENTRY_BYTES + leafCellSize(slab, base, i);
  }
  if (leftBytes < blockSize / MERGE_BELOW_PART) return -1;
  if (start === end) return 0;
  if (!core.ensureRoom(0, 0, true)) return -1;
  for (let i = end - 1; i >= start; i--) removeFromLeaf(slab, base, i);
  state.changed();
  return end - start;
}

function deleteInSteps(
  state: TreeState,
  from: Uint8Array | null,
  to: Uint8Array | null,
  scratch: RangeScratch,
): number {
  const { core } = state;
  const { cache, blockSize, path } = core;
  const { lower, upper, next } = scratch;
  let lowerLength = from === null ? 0 : copyKey(from, lower);
  const upperLength = to === null ? -1 : copyKey(to, upper);
  let removedCount = 0;
  for (;;) {
    path.seek(state, lower, lowerLength, 0);
    let nextLength: number;
    try {
      if (path.isEmpty) return removedCount;
      const frame = path.frames[0]!;
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      nextLength = path.copyNextSeparator(next);
      const isLast =
        nextLength < 0 || (upperLength >= 0 && compareBytes(next, 0, nextLength, upper, 0, upperLength) >= 0);
      const start = lowerLength === 0 ? 0 : insertPosition(searchLeaf(slab, base, blockSize, lower, lowerLength));
      const end =
        isLast && upperLength >= 0
          ? insertPosition(searchLeaf(slab, base, blockSize, upper, upperLength))
          : entryCount(slab, base);
      if (start < end) {
        if (!removeEntries(state, start, end)) continue;
        removedCount += end - start;
      }
      if (isLast) return removedCount;
    } finally {
      core.releasePaths();
    }
    for (let i = 0; i < nextLength; i++) lower[i] = next[i]!;
    lowerLength = nextLength;
  }
}

function insertPosition(found: number): number {
  return found < 0 ? -1 - found : found;
}

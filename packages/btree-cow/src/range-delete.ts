/**
 * Removing keys: one, or all of a range in steps of one leaf.
 *
 * Each step looks up, reserves and changes by itself, so a range of any size needs room for one step only, and the log may make a commit
 * between two of them. A leaf that lies in the range as a whole is given up without looking at its entries, unless some of their values own
 * overflow extents, which a flag of the leaf says.
 */
import { compareBytes } from '@outwrite/blockdev';
import { NO_FRAME, type Slab } from '@outwrite/buffer-cache';
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
  if (leafValueIsOverflow(slab, base, position)) return 'unknown';
  if (!staysLargeEnough(slab, base, blockSize, position, position + 1)) return 'unknown';
  if (!core.ensureRoom(0, 0, true)) return 'unknown';
  removeFromLeaf(slab, base, position);
  state.changed();
  return 'removed';
}

/**
 * A range that is being deleted: copies of its bounds, which a caller may use for other keys when a step lets a delta be closed. Closing a delta
 * may delete a range, so each has its own.
 */
export class RangeScratch {
  readonly lower: Uint8Array;
  lowerLength = 0;
  readonly upper: Uint8Array;
  /** -1: open. */
  upperLength = -1;
  readonly next: Uint8Array;

  constructor(blockSize: number) {
    this.lower = new Uint8Array(maxKeyBytes(blockSize));
    this.upper = new Uint8Array(maxKeyBytes(blockSize));
    this.next = new Uint8Array(maxKeyBytes(blockSize));
  }

  /** What is left of the range begins with the first `length` bytes of `next`. */
  goOn(length: number): void {
    for (let i = 0; i < length; i++) this.lower[i] = this.next[i]!;
    this.lowerLength = length;
  }

  /** Whether the range ends before a leaf that begins with the first `length` bytes of `next`; -1: there is no such leaf. */
  endsBefore(length: number): boolean {
    if (length < 0) return true;
    return this.upperLength >= 0 && compareBytes(this.next, 0, length, this.upper, 0, this.upperLength) >= 0;
  }
}

/** Removes all keys in `[from, to)` and returns how many there were; null is an open end. */
export function deleteKeys(state: TreeState, from: Uint8Array | null, to: Uint8Array | null): number {
  const { core } = state;
  const range = core.rangeScratches.pop() ?? new RangeScratch(core.blockSize);
  try {
    range.lowerLength = from === null ? 0 : copyKey(from, range.lower);
    range.upperLength = to === null ? -1 : copyKey(to, range.upper);
    const quickCount = deleteQuicklyFrom(state, range);
    return quickCount < 0 ? -1 - quickCount : quickCount + deleteInSteps(state, range);
  } finally {
    core.rangeScratches.push(range);
  }
}

/**
 * Removes the beginning of a range, or all of it, from leaves of the open delta that stay large enough. Returns how many keys there were, as
 * `-1 - count` if nothing is left of the range.
 */
function deleteQuicklyFrom(state: TreeState, range: RangeScratch): number {
  const { core } = state;
  const { cache, blockSize, path } = core;
  let removedCount = 0;
  if (state.isCatalogue || range.lowerLength === 0 || range.upperLength < 0) return 0;
  for (;;) {
    if (!path.seekCached(state, range.lower, range.lowerLength)) return removedCount;
    if (state.needsRedirect(0, path.numbers[0]!, path.births[0]!)) return removedCount;
    const frame = path.frames[0]!;
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const start = insertPosition(searchLeaf(slab, base, blockSize, range.lower, range.lowerLength));
    const end = insertPosition(searchLeaf(slab, base, blockSize, range.upper, range.upperLength));
    if (end < start) return removedCount;
    // Without an entry after it, the range may go on in the next leaf.
    const nextLength = end === entryCount(slab, base) ? path.copyNextSeparator(range.next) : -1;
    if (start < end) {
      for (let i = start; i < end; i++) if (leafValueIsOverflow(slab, base, i)) return removedCount;
      if (!staysLargeEnough(slab, base, blockSize, start, end) || !core.ensureRoom(0, 0, true)) return removedCount;
      for (let i = end - 1; i >= start; i--) removeFromLeaf(slab, base, i);
      state.changed();
      removedCount += end - start;
    }
    if (range.endsBefore(nextLength)) return -1 - removedCount;
    range.goOn(nextLength);
  }
}

/** Removes what is left of a range, leaf by leaf. */
function deleteInSteps(state: TreeState, range: RangeScratch): number {
  const { core } = state;
  const { cache, blockSize, path } = core;
  let removedCount = 0;
  for (;;) {
    const { lower, lowerLength, upper, upperLength } = range;
    path.seek(state, lower, lowerLength, 0);
    let nextLength: number;
    try {
      if (path.isEmpty) return removedCount;
      const frame = path.frames[0]!;
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      nextLength = path.copyNextSeparator(range.next);
      const isLast = range.endsBefore(nextLength);
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
    range.goOn(nextLength);
  }
}

/** Whether a leaf without its entries `[start, end)` neither is empty, whatever prefix it has kept, nor is to be merged. */
function staysLargeEnough(slab: Slab, base: number, blockSize: number, start: number, end: number): boolean {
  if (end - start === entryCount(slab, base)) return false;
  let leftBytes = blockSize - freeBytes(slab, base);
  for (let i = start; i < end; i++) leftBytes -= LEAF_ENTRY_BYTES + leafCellSize(slab, base, i);
  return leftBytes >= blockSize / MERGE_BELOW_PART;
}

function insertPosition(found: number): number {
  return found < 0 ? -1 - found : found;
}

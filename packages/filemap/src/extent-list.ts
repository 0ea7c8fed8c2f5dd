/**
 * The algebra of extents: what a file's entries become when a region of it gets other blocks, or none.
 *
 * Pure functions over lists, no tree and no device. Rules that hold for every result: an entry never overlaps another; a piece that
 * is cut out of an extent keeps its birth and the checksums of its blocks; two extents become one only if they meet in the file and on the
 * device and were born in the same delta; what is left out of the map is freed with the birth that it had.
 */
import { assert } from '@outwrite/blockdev';
import type { Extent } from './extent-format.ts';

/** Blocks that a file no longer refers to. */
export interface FreedBlocks {
  readonly start: number;
  readonly blockCount: number;
  readonly birth: number;
}

/** What has to be done to the entries of a file, and to the blocks of the device, to give a region new blocks. */
export interface ExtentChange {
  /** Block indexes of entries to delete, ascending. None of them is put again. */
  readonly deleted: number[];
  /** Entries to put, ascending; some replace what is there under the same block index. */
  readonly stored: Extent[];
  readonly freed: FreedBlocks[];
}

/** First block index after an extent. */
export function extentEnd(extent: Extent): number {
  return extent.blockIndex + extent.checksums.length;
}

/** The part of `extent` in `[fromIndex, toIndex)`, or `null` where they do not meet. Shares the checksums. */
export function cutExtent(extent: Extent, fromIndex: number, toIndex: number): Extent | null {
  const from = Math.max(fromIndex, extent.blockIndex);
  const to = Math.min(toIndex, extentEnd(extent));
  if (from >= to) return null;
  const skipped = from - extent.blockIndex;
  if (skipped === 0 && to === extentEnd(extent)) return extent;
  return {
    blockIndex: from,
    start: extent.start + skipped,
    birth: extent.birth,
    checksums: extent.checksums.subarray(skipped, to - extent.blockIndex),
  };
}

/** Whether `right` continues `left` in the file and on the device, and is as old. */
export function continues(left: Extent, right: Extent): boolean {
  return (
    extentEnd(left) === right.blockIndex &&
    left.start + left.checksums.length === right.start &&
    left.birth === right.birth
  );
}

/** Joins what continues, then cuts every joined run into entries of at most `maxBlocks` blocks, full ones first. */
export function joinExtents(extents: readonly Extent[], maxBlocks: number): Extent[] {
  const joined: Extent[] = [];
  let at = 0;
  while (at < extents.length) {
    let runEnd = at + 1;
    while (runEnd < extents.length && continues(extents[runEnd - 1]!, extents[runEnd]!)) runEnd++;
    const run = runEnd - at === 1 ? extents[at]! : concatenation(extents, at, runEnd);
    for (let from = run.blockIndex; from < extentEnd(run); from += maxBlocks) {
      joined.push(cutExtent(run, from, from + maxBlocks)!);
    }
    at = runEnd;
  }
  return joined;
}

function concatenation(extents: readonly Extent[], from: number, to: number): Extent {
  let blockCount = 0;
  for (let i = from; i < to; i++) blockCount += extents[i]!.checksums.length;
  const checksums = new Uint32Array(blockCount);
  let filled = 0;
  for (let i = from; i < to; i++) {
    checksums.set(extents[i]!.checksums, filled);
    filled += extents[i]!.checksums.length;
  }
  const first = extents[from]!;
  return { blockIndex: first.blockIndex, start: first.start, birth: first.birth, checksums };
}

/**
 * The change that gives `region` the blocks of `pieces` (ascending, inside the region, not overlapping; where they leave gaps, and if there
 * are none, the region becomes a hole). `entries` are the present entries, ascending, of which every one that overlaps the region must be
 * there; one that ends where the region begins, or begins where it ends, may be joined with the new ones if it is there too.
 */
export function replaceRegion(
  entries: readonly Extent[],
  region: { readonly fromIndex: number; readonly toIndex: number },
  pieces: readonly Extent[],
  maxBlocks: number,
): ExtentChange {
  const { fromIndex, toIndex } = region;
  const before: Extent[] = [];
  const after: Extent[] = [];
  const freed: FreedBlocks[] = [];
  for (const entry of entries) {
    const left = cutExtent(entry, 0, fromIndex);
    if (left !== null) before.push(left);
    const replaced = cutExtent(entry, fromIndex, toIndex);
    if (replaced !== null) {
      freed.push({ start: replaced.start, blockCount: replaced.checksums.length, birth: replaced.birth });
    }
    const right = cutExtent(entry, toIndex, Number.POSITIVE_INFINITY);
    if (right !== null) after.push(right);
  }
  const result = joinExtents([...before, ...pieces, ...after], maxBlocks);
  checkAscending(result);

  // Both lists ascend, so one pass tells what is new, what is gone and what stays untouched.
  const stored: Extent[] = [];
  const deleted: number[] = [];
  let at = 0;
  for (const entry of entries) {
    while (at < result.length && result[at]!.blockIndex < entry.blockIndex) stored.push(result[at++]!);
    if (at < result.length && result[at]!.blockIndex === entry.blockIndex) {
      if (!isSameMapping(entry, result[at]!)) stored.push(result[at]!);
      at++;
    } else {
      deleted.push(entry.blockIndex);
    }
  }
  while (at < result.length) stored.push(result[at++]!);
  return { deleted, stored, freed };
}

/** The same blocks in the same place. A block has one content as long as it is mapped, so the checksums are the same as well. */
function isSameMapping(a: Extent, b: Extent): boolean {
  return a.start === b.start && a.checksums.length === b.checksums.length && a.birth === b.birth;
}

function checkAscending(extents: readonly Extent[]): void {
  for (let i = 1; i < extents.length; i++) {
    assert(extentEnd(extents[i - 1]!) <= extents[i]!.blockIndex, 'the extents of a file ascend and do not overlap');
  }
}

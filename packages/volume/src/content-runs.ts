/**
 * Which blocks of an extent are content of their file: all but those in a range that is being given up. The range reads as a hole from the
 * moment on at which it is marked, and its blocks are freed in steps, so an extent can lie in it as a whole, in part, or around it.
 */
import type { Extent, ReclaimRange } from '@outwrite/filemap';

/** Blocks of an extent, counted from its first one. */
export interface ContentRun {
  readonly first: number;
  readonly count: number;
}

/** The runs of blocks of `extent` outside of `range`, ascending. */
export function contentRuns(extent: Extent, range: ReclaimRange | null): ContentRun[] {
  const blockCount = extent.checksums.length;
  if (range === null) return [{ first: 0, count: blockCount }];
  const from = Math.min(Math.max(range.fromIndex - extent.blockIndex, 0), blockCount);
  const to = Math.max(Math.min(range.toIndex - extent.blockIndex, blockCount), from);
  return [
    { first: 0, count: from },
    { first: to, count: blockCount - to },
  ].filter(({ count }) => count > 0);
}

/** Whether `extent` has blocks from `endIndex` on that are not in `range`: beyond the end of the file, and no remains of a longer one. */
export function reachesBeyond(extent: Extent, endIndex: number, range: ReclaimRange | null): boolean {
  return contentRuns(extent, range).some(({ first, count }) => extent.blockIndex + first + count > endIndex);
}

/**
 * Blocks that were taken for content: one run of them if the free space allows it, else several.
 */
import type { Extent as BlockRun } from '@outwrite/alloc-log';
import { assert } from '@outwrite/blockdev';

/** Blocks of the device for the file's blocks from `blockIndex` on, which will have these checksums. */
export interface TakenBlocks {
  readonly blockIndex: number;
  readonly start: number;
  readonly checksums: Uint32Array;
}

/**
 * Takes blocks for the file's blocks from `blockIndex` on, one for each checksum. `take` finds 1 to `blockCount` blocks in a row; if it throws,
 * `giveUp` is called with what was taken before.
 */
export function takeBlocks(
  blockIndex: number,
  checksums: Uint32Array,
  take: (blockCount: number) => BlockRun,
  giveUp: (taken: readonly TakenBlocks[]) => void,
): TakenBlocks[] {
  const taken: TakenBlocks[] = [];
  try {
    for (let done = 0; done < checksums.length; ) {
      const { start, count } = take(checksums.length - done);
      assert(count > 0 && count <= checksums.length - done, 'an allocation gives some of what was asked');
      taken.push({ blockIndex: blockIndex + done, start, checksums: checksums.subarray(done, done + count) });
      done += count;
    }
  } catch (error) {
    giveUp(taken);
    throw error;
  }
  return taken;
}

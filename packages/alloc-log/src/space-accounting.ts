/**
 * Who may still allocate: the free blocks, less everything that has a claim on them.
 *
 * Claims are upper bounds, and cheap to compute because every operation asks: blocks set aside for staging, a block for each provisional
 * node and the free map's image, both twice because a second checkpoint may have to be taken before the first one's retirements are
 * reusable, the log of the open delta, and one copy of the open delta, which the opening after a crash would make.
 */
import type { LogCore } from './log-core.ts';

/** Part of the volume that only operations which free space may use. */
const RESERVE_PART = 64;
/** What one bounded step of such an operation needs at most. */
const STEP_BLOCKS = 48;
/** Log blocks that a delta takes besides those that its size calls for. */
const LOG_MARGIN_BLOCKS = 2;

/**
 * Blocks that a checkpoint of the present state and one after it would take, with the log before them, once `askedBlocks` more have been
 * allocated in the open delta.
 */
export function imageOverhead(core: LogCore, askedBlocks: number = 0): number {
  const openBlocks = core.open.allocatedCount + askedBlocks;
  const relocationBlocks = Math.min(openBlocks, Math.ceil(core.bounds.flushFirstBytes / core.blockBytes));
  // A promise takes at most a quarter of a block (a separator) and some bytes.
  const logBlocks = LOG_MARGIN_BLOCKS + Math.ceil(openBlocks / 3);
  return 2 * (core.provisional.count + core.map.imageBlockBound()) + relocationBlocks + logBlocks;
}

/**
 * Blocks that an operation which asks for `askedBlocks` may take now, counting the claims that it will itself add by taking them: so an
 * operation that was let in may ask again for its parts while it goes on. Negative when claims exceed what is free.
 */
export function availableBlocks(core: LogCore, reclaiming: boolean, askedBlocks: number = 0): number {
  const reserve = reclaiming ? 0 : Math.max(Math.ceil(core.superblock.blockLimit / RESERVE_PART), STEP_BLOCKS);
  return core.map.availableCount - core.heldCount - imageOverhead(core, askedBlocks) - reserve;
}

/**
 * Making the free map anew from what is reachable, for repair: the stored one is believed in nothing.
 *
 * It happens between replay and the opening checkpoint, which is the first to allocate. Used are: what the client reaches, the superblock
 * slots, and the nodes that replay has replaced, which count as used until the next checkpoint. The log's own blocks are held back as
 * always. The blocks of the stored map, as far as it can be read, are held back until the opening is durable, so that a crash in between
 * leaves what was there before. Everything else is free.
 */
import { NoSpaceError, OutwriteError } from '@outwrite/blockdev';
import { FreeMap } from './free-map.ts';
import type { LogCore } from './log-core.ts';
import { readVerified } from './recovery.ts';
import { slotExtents } from './superblock-format.ts';

/** Reports every extent that the client's structures refer to. Throws what it cannot read: then nothing is rebuilt. */
export type ReachAll = (reach: (start: number, count: number) => void) => void;

/** Blocks that the opening needs beside the image of the map: the log, and what it copies. */
const SPARE_BLOCKS = 16;

/** Instead of loading the stored map: begins with an empty one, and returns the blocks of the stored one as far as it can be read. */
export function beginRebuild(core: LogCore): number[] {
  const { superblock, device, blockBytes } = core;
  const { blockLimit, freeMapRoot, freeMapLevel, freeMapPages, sizeBlocks } = superblock;
  const stored = new FreeMap(device, { blockBytes, blockLimit });
  try {
    stored.load({ pointer: freeMapRoot, level: freeMapLevel, pageCount: freeMapPages }, sizeBlocks, (pointer) =>
      readVerified(device, blockBytes, pointer, 'free-map node'),
    );
  } catch (error) {
    if (!(error instanceof OutwriteError)) throw error;
  }
  return [...stored.ownBlocks()];
}

/** Fills the map after replay. Throws a `NoSpaceError` when the image of the new map would not fit. */
export function rebuildFreeMap(core: LogCore, reachAll: ReachAll): void {
  const { pages } = core.map;
  const use = (start: number, count: number): void => {
    // Beyond the limit nothing is ever allocated; whoever refers to it is told by the check.
    for (let block = start; block < Math.min(start + count, pages.blockLimit); block++) {
      // What refers to a block of the log is wrong; whoever repairs the client's structures knows those blocks (`AllocLog.chainBlocks`).
      if (!pages.isHeld(block) && !pages.isUsed(block)) pages.setUsed(block, 1);
    }
  };
  // The place of a log block that was never written: whatever refers to it has a better claim.
  const reserved = core.nextLogBlock;
  core.chain.pop();
  pages.clearHeld(reserved, 1);
  for (const { start, count } of slotExtents(core.blockBytes)) use(start, count);
  reachAll(use);
  // After what mending has retired, too.
  for (const block of core.retired) use(block, 1);
  if (!pages.isUsed(reserved)) {
    pages.setHeld(reserved, 1);
    core.chain.push({ block: reserved, delta: core.open.number });
  }
  if (!core.readOnly && core.map.availableCount < core.map.imageBlockBound() + core.provisional.count + SPARE_BLOCKS) {
    throw new NoSpaceError('too little space is free to write a new free map; remove something first');
  }
}

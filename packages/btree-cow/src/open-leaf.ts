/**
 * The short way to a leaf that may be changed as it is.
 *
 * A leaf that was born in the open delta needs no redirect, and neither do the index nodes above it: whatever changed it has redirected
 * them. All of them are dirty and so in memory, so there is nothing to read and nothing to pin. Births tell on the way down.
 */
import { type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import { childBirth, childBlock } from './index-page.ts';
import { entryCount } from './node-header.ts';
import { childPosition, knownBelow } from './page-search.ts';
import { kindAndLevel } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

/** The frame of the leaf that the key in `core.entry` belongs to, if it was born in the open delta; else NO_FRAME. Never for the catalogue. */
export function openLeaf(state: TreeState): Frame {
  const { core } = state;
  const { cache, blockSize, entry, log } = core;
  const delta = log.openDelta;
  let number = state.rootBlock;
  let birth = state.rootBirth;
  let knownLength = 0;
  // Leaves of the catalogue are no leaves in this sense: an opening checkpoint may have written them since their birth.
  if (state.isCatalogue) return NO_FRAME;
  for (let level = state.level; birth === delta; level--) {
    const frame = cache.find(number);
    if (frame === NO_FRAME) return NO_FRAME;
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    if (slab.u16[base >>> 1] !== kindAndLevel(level)) return NO_FRAME;
    if (level === 0) return frame;
    if (entryCount(slab, base) === 0) return NO_FRAME;
    const position = childPosition(slab, base, blockSize, entry.key, entry.keyLength, knownLength);
    knownLength = knownBelow(slab, base, position, knownLength);
    number = childBlock(slab, base, position);
    birth = childBirth(slab, base, position);
  }
  return NO_FRAME;
}

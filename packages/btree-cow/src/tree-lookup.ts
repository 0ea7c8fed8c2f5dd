/**
 * Look-up of one key: the hottest path of all. It allocates nothing.
 *
 * What was found is left in the module's `found`, because JavaScript returns one value: the slab and the base of the leaf. It is valid until
 * the next call that may take a frame of the cache.
 */
import { NO_FRAME, type Slab } from '@outwrite/buffer-cache';
import { childBirth } from './index-page.ts';
import { HEADER_BYTES } from './node-format.ts';
import { childPosition, findInLeaf, knownBelow } from './page-search.ts';
import { kindAndLevel } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

const HEADER_WORDS: number = HEADER_BYTES >>> 2;

/** Where the last look-up ended. */
export const found: { slab: Slab | null; base: number } = { slab: null, base: 0 };

/** The position of `key` in its leaf, which `found` names; -1 if the tree does not have it. */
export function findKey(state: TreeState, key: Uint8Array, keyLength: number): number {
  const { core } = state;
  const { cache, blockSize } = core;
  let level = state.level;
  let knownLength = 0;
  let frame = cache.find(state.rootBlock);
  if (frame === NO_FRAME) frame = core.node(state.rootBlock, state.rootChecksum, state.rootBirth, level, true);
  for (;;) {
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const u16 = slab.u16;
    const half = base >>> 1;
    if (u16[half] !== kindAndLevel(level)) core.wrongNode(cache.numberOf(frame), level);
    if (level === 0) {
      found.slab = slab;
      found.base = base;
      return findInLeaf(slab, base, blockSize, key, keyLength, knownLength);
    }
    const count = u16[half + 1]!;
    if (count === 0) return -1;
    const position = childPosition(slab, base, blockSize, key, keyLength, knownLength);
    knownLength = knownBelow(slab, base, position, knownLength);
    const record = (base >>> 2) + HEADER_WORDS + count + 4 * position;
    const number = slab.u32[record]!;
    level--;
    frame = cache.find(number);
    if (frame === NO_FRAME)
      frame = core.node(number, slab.u32[record + 1]!, childBirth(slab, base, position), level, false);
  }
}

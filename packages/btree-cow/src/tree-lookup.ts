/**
 * Look-up of one key: the hottest path of all. It allocates nothing.
 *
 * What was found is left in the module's `found`, because JavaScript returns one value: the slab of the leaf. It is valid until the next call that
 * may take a frame of the cache.
 */
import { assert, verificationIsOn } from '@outwrite/blockdev';
import { type Frame, NO_FRAME, type Slab } from '@outwrite/buffer-cache';
import { childBirth } from './index-page.ts';
import { findByNote, hasNote, noteLookUp } from './leaf-note.ts';
import { leafCellOffset } from './leaf-page.ts';
import { HEADER_BYTES } from './node-format.ts';
import { childPosition, findInLeaf, knownBelow } from './page-search.ts';
import { kindAndLevel } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

const HEADER_WORDS: number = HEADER_BYTES >>> 2;

/** Where the last look-up ended. */
export const found: { slab: Slab | null } = { slab: null };

/** The cell of `key` as an index into the bytes of `found.slab`; -1 if the tree does not have it. */
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
    if (level === 0) {
      found.slab = slab;
      // Nothing of the leaf is touched before the note has said where: not even to see that it is one, which the note proves.
      const note = cache.noteAt(frame);
      if (hasNote(slab, note)) {
        const cell = findByNote(slab, base, blockSize, note, key, keyLength, knownLength);
        if (verificationIsOn())
          assert(cell === cellInLeaf(state, frame, key, keyLength), 'a note tells what its leaf holds');
        return cell;
      }
      if (slab.u16[base >>> 1] !== kindAndLevel(level)) core.wrongNode(cache.numberOf(frame), level);
      if (!state.isCatalogue) noteLookUp(cache, frame, slab, base);
      const position = findInLeaf(slab, base, blockSize, key, keyLength, knownLength);
      return position < 0 ? -1 : base + leafCellOffset(slab, base, position);
    }
    const u16 = slab.u16;
    const half = base >>> 1;
    if (u16[half] !== kindAndLevel(level)) core.wrongNode(cache.numberOf(frame), level);
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

/** What a look-up without the note finds. */
function cellInLeaf(state: TreeState, frame: Frame, key: Uint8Array, keyLength: number): number {
  const { cache, blockSize } = state.core;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  const position = findInLeaf(slab, base, blockSize, key, keyLength);
  return position < 0 ? -1 : base + leafCellOffset(slab, base, position);
}

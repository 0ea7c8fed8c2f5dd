/**
 * Freeing what overflow values own, in its two halves.
 *
 * A descriptor names extents, of a very long value lists of them. Lists, and the parts of the free map that will change, are read in the
 * first half, which may throw; the second half cannot.
 */
import type { Slab } from '@outwrite/buffer-cache';
import { leafHasOverflow, leafValueIsOverflow, leafValueLength, leafValueStart } from './leaf-page.ts';
import { collectExtents, type OwnedExtent } from './overflow.ts';
import type { StoreCore } from './store-core.ts';

/**
 * First half: puts what the values of entries `[start, end)` of a leaf own into `owned`, in place of what that held; `freeOwned` can free it
 * from then on. Throws what a read throws.
 */
export function prepareOwned(
  core: StoreCore,
  slab: Slab,
  base: number,
  start: number,
  end: number,
  owned: OwnedExtent[],
): void {
  owned.length = 0;
  // While an opening repairs, nothing is freed here, and what a value owns may be what cannot be read.
  if (!leafHasOverflow(slab, base) || core.isReplaying) return;
  for (let i = start; i < end; i++) {
    if (!leafValueIsOverflow(slab, base, i)) continue;
    const valueStart = leafValueStart(slab, base, i);
    collectExtents(core, slab.u8, valueStart, valueStart + leafValueLength(slab, base, i), owned);
  }
  for (let i = 0; i < owned.length; i++) core.log.prepareFree(owned[i]!.start, owned[i]!.count);
}

/** Second half: frees what the first one found. */
export function freeOwned(core: StoreCore, owned: readonly OwnedExtent[]): void {
  for (let i = 0; i < owned.length; i++) {
    const { start, count, birth } = owned[i]!;
    core.log.free(start, count, birth);
  }
}

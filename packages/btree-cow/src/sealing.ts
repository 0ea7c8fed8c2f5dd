/**
 * Sealing: when a delta is closed, the leaves that it changed get their checksums, stored in parent and promise, and are handed over.
 *
 * The births on the way down find them: every pointer on the path to a leaf that this delta changed carries the number of this delta, so
 * only those are followed, in key order. What is gone since the last boundary has been noted by the tree. Nothing else is changed here and
 * nothing is allocated.
 */
import type { DeltaSealer } from '@outwrite/alloc-log';
import { assert } from '@outwrite/blockdev';
import { NO_FRAME } from '@outwrite/buffer-cache';
import { childBirth, childBlock, copySeparator, setChildChecksum } from './index-page.ts';
import { MAX_LEVEL, maxKeyBytes } from './node-format.ts';
import { entryCount, zeroUnused } from './node-header.ts';
import { encodeCreated, encodeDying, encodeLeafAt, encodeLeafGone, encodeLeavesGone } from './promise-format.ts';
import type { StoreCore } from './store-core.ts';
import { type TreeState, textSeparator } from './tree-state.ts';

export class TreeSealer {
  readonly #core: StoreCore;
  #sealer!: DeltaSealer;
  /** By level: the separator at which the node begins that is being walked. */
  readonly #separators: Uint8Array[] = [];
  readonly #lengths = new Uint32Array(MAX_LEVEL + 1);

  constructor(core: StoreCore) {
    this.#core = core;
  }

  /** Tells `sealer` all that this delta did to `trees`. */
  sealAll(trees: readonly TreeState[], sealer: DeltaSealer): void {
    this.#sealer = sealer;
    for (const state of trees) this.#seal(state);
  }

  #seal(state: TreeState): void {
    if (!state.isCatalogue) {
      // A tree that was made and has gone in this delta never was.
      if (!(state.wasCreated && state.isGone)) {
        this.#tellGone(state);
        if (!state.isGone && state.rootBirth === this.#sealer.delta) {
          this.#lengths[state.level] = 0;
          this.#walk(state, state.rootBlock, state.level);
        }
      }
    }
    state.deltaTold();
  }

  #tellGone(state: TreeState): void {
    const { id } = state;
    if (state.wasCreated) this.#sealer.gone(encodeCreated(id));
    if (state.startedDying) this.#sealer.gone(encodeDying(id));
    // From the last to the first: the first leaf of a tree goes when it is the only one, in replay as it was live.
    for (const { first, end } of state.history.summary().reverse()) {
      const separator = textSeparator(first);
      this.#sealer.gone(
        end === null ? encodeLeafGone(id, separator) : encodeLeavesGone(id, separator, textSeparator(end)),
      );
    }
  }

  #walk(state: TreeState, number: number, level: number): void {
    const { cache, blockSize } = this.#core;
    const { delta } = this.#sealer;
    const frame = cache.find(number);
    assert(frame !== NO_FRAME, 'an index node above a changed leaf is in memory');
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const count = entryCount(slab, base);
    const below = this.#separatorAt(level - 1);
    for (let i = 0; i < count; i++) {
      if (childBirth(slab, base, i) !== delta) continue;
      if (i === 0) {
        const own = this.#separatorAt(level);
        const length = this.#lengths[level]!;
        for (let k = 0; k < length; k++) below[k] = own[k]!;
        this.#lengths[level - 1] = length;
      } else {
        this.#lengths[level - 1] = copySeparator(slab, base, blockSize, i, below);
      }
      const child = childBlock(slab, base, i);
      if (level > 1) this.#walk(state, child, level - 1);
      else setChildChecksum(slab, base, i, this.#sealLeaf(state, child));
    }
  }

  #sealLeaf(state: TreeState, block: number): number {
    const { cache, blockSize } = this.#core;
    const { delta } = this.#sealer;
    const frame = cache.find(block);
    assert(
      frame !== NO_FRAME && cache.deltaOf(frame) === delta,
      'a leaf that was changed is in memory, dirty in this delta',
    );
    zeroUnused(cache.slabOf(frame), cache.baseOf(frame), blockSize);
    const checksum = cache.checksumOf(frame);
    this.#sealer.at(encodeLeafAt(state.id, this.#separatorAt(0), this.#lengths[0]!), { block, checksum, birth: delta });
    this.#sealer.writeLeaf(block, frame);
    return checksum;
  }

  #separatorAt(level: number): Uint8Array {
    return (this.#separators[level] ??= new Uint8Array(maxKeyBytes(this.#core.blockSize)));
  }
}

/**
 * The check of trees: walks all nodes of a store and tells what it reaches and what is wrong.
 *
 * Nodes that are in memory are checked as they are; those of the open delta and epoch have no checksum yet. Everything else is read, and so
 * verified. Beyond what every read checks (`node-check.ts`), this looks at what only two nodes together can tell: keys and separators
 * within the bounds of the parent's separators, births not later than the parent's, the open delta's rule that the ancestors of a changed
 * leaf are of the open epoch, and no empty leaves.
 */
import { type BlockKind, isProvisional } from '@outwrite/alloc-log';
import { CorruptionError, compareBytes, DeviceError } from '@outwrite/blockdev';
import { type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import type { Catalogue } from './catalogue.ts';
import { childBirth, childBlock, childChecksum, copySeparator } from './index-page.ts';
import { copyLeafKey, leafValueIsOverflow, leafValueLength, leafValueStart } from './leaf-page.ts';
import { checkNode } from './node-check.ts';
import { maxKeyBytes } from './node-format.ts';
import { entryCount } from './node-header.ts';
import { collectExtents, type OwnedExtent, readOverflow } from './overflow.ts';
import type { StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

/** Where a check sends what it finds. */
export interface CheckSink {
  /** `count` blocks from `start` on are reached from the root, as this kind, from this tree (0: the catalogue). */
  block(start: number, count: number, kind: BlockKind, treeId: number): void;
  /** Something is damaged; the walk goes on with the rest. With `key` it is the overflow value of that entry, otherwise a node. */
  problem(error: Error, treeId: number, key?: Uint8Array): void;
  /** An entry of a tree that was reached, for layers whose values mean something. Views are valid during the call only. */
  entry?(treeId: number, key: Uint8Array, value: Uint8Array): void;
}

interface Bounds {
  lower: Uint8Array;
  upper: Uint8Array | null;
}

const NOTHING = new Uint8Array(0);

/** Checks the catalogue and all trees, dying ones too. */
export function checkTrees(catalogue: Catalogue, sink: CheckSink): void {
  const check = new TreeCheck(catalogue.core, sink);
  check.tree(catalogue.root);
  let ids: number[] = [];
  check.attempt(0, () => {
    ids = catalogue.ids(true);
  });
  for (const id of ids) {
    check.attempt(id, () => {
      const state = catalogue.stateOf(id);
      if (state !== null) check.tree(state);
    });
  }
}

class TreeCheck {
  readonly #core: StoreCore;
  readonly #sink: CheckSink;

  constructor(core: StoreCore, sink: CheckSink) {
    this.#core = core;
    this.#sink = sink;
  }

  /** Reports what `fn` throws because of damage, or because the device cannot read. */
  attempt(treeId: number, fn: () => void, key?: Uint8Array): void {
    try {
      fn();
    } catch (error) {
      if (!(error instanceof CorruptionError || error instanceof DeviceError)) throw error;
      this.#sink.problem(error, treeId, key);
    }
  }

  tree(state: TreeState): void {
    this.attempt(state.id, () => {
      this.#node(state, state.rootBlock, state.rootChecksum, state.rootBirth, state.level, {
        lower: NOTHING,
        upper: null,
      });
    });
  }

  #node(state: TreeState, number: number, checksum: number, birth: number, level: number, bounds: Bounds): void {
    const { cache, blockSize, log } = this.#core;
    const isRoot = level === state.level;
    const isOpen = isProvisional(number) || (level === 0 && !state.isCatalogue && birth === log.openDelta);
    if (isOpen && cache.find(number) === NO_FRAME) {
      throw new CorruptionError(nameOf(level), 'a node of the open epoch is not in memory', { block: number });
    }
    const frame = this.#core.node(number, checksum, birth, level, isRoot);
    if (!isProvisional(number))
      this.#sink.block(number, 1, level === 0 && !state.isCatalogue ? 'leaf' : 'index', state.id);
    cache.pin(frame);
    try {
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      const actual = isOpen || cache.isDirty(frame) ? checksum : cache.checksumOf(frame);
      if (!isOpen && actual !== checksum) {
        throw new CorruptionError(nameOf(level), 'the checksum does not fit', {
          block: number,
          expected: checksum,
          actual,
        });
      }
      // In memory pointers may be provisional.
      checkNode(slab, base, blockSize, { block: number, level, birth, isRoot, blockCount: 0x100000000 });
      if (level === 0) this.#leafEntries(state, frame, number, bounds);
      else this.#children(state, frame, number, level, bounds);
    } finally {
      cache.unpin(frame);
    }
  }

  #children(state: TreeState, frame: Frame, number: number, level: number, bounds: Bounds): void {
    const { cache, blockSize, log } = this.#core;
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const count = entryCount(slab, base);
    const scratch = new Uint8Array(maxKeyBytes(blockSize));
    let lower = bounds.lower;
    for (let i = 0; i < count; i++) {
      const upper =
        i + 1 < count ? scratch.slice(0, copySeparator(slab, base, blockSize, i + 1, scratch)) : bounds.upper;
      if (i > 0 && compare(lower, bounds.lower) <= 0) this.#outOfBounds(number, level);
      if (i > 0 && bounds.upper !== null && compare(lower, bounds.upper) >= 0) this.#outOfBounds(number, level);
      const child = childBlock(slab, base, i);
      const birth = childBirth(slab, base, i);
      const isChanged = birth === log.openDelta && level === 1;
      if ((isProvisional(child) || isChanged) && !isProvisional(number)) {
        throw new CorruptionError('index node', 'it is not of the open epoch and a node below it is', {
          block: number,
        });
      }
      const childBounds = { lower, upper };
      this.attempt(state.id, () => {
        this.#node(state, child, childChecksum(slab, base, i), birth, level - 1, childBounds);
      });
      if (upper !== null) lower = upper;
    }
  }

  #leafEntries(state: TreeState, frame: Frame, number: number, bounds: Bounds): void {
    const { cache, blockSize } = this.#core;
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const count = entryCount(slab, base);
    if (count === 0) throw new CorruptionError('leaf', 'it is empty', { block: number });
    const key = new Uint8Array(maxKeyBytes(blockSize));
    for (let i = 0; i < count; i++) {
      const keyLength = copyLeafKey(slab, base, blockSize, i, key);
      if (i === 0 && compareBytes(key, 0, keyLength, bounds.lower, 0, bounds.lower.length) < 0)
        this.#outOfBounds(number, 0);
      if (
        i === count - 1 &&
        bounds.upper !== null &&
        compareBytes(key, 0, keyLength, bounds.upper, 0, bounds.upper.length) >= 0
      ) {
        this.#outOfBounds(number, 0);
      }
      const start = leafValueStart(slab, base, i);
      const end = start + leafValueLength(slab, base, i);
      if (leafValueIsOverflow(slab, base, i)) {
        this.attempt(state.id, () => this.#overflow(state, slab.u8, start, end), key.slice(0, keyLength));
      } else if (!state.isCatalogue)
        this.#sink.entry?.(state.id, key.subarray(0, keyLength), slab.u8.subarray(start, end));
    }
  }

  #overflow(state: TreeState, bytes: Uint8Array, start: number, end: number): void {
    const extents: OwnedExtent[] = [];
    collectExtents(this.#core, bytes, start, end, extents);
    for (const extent of extents) this.#sink.block(extent.start, extent.count, 'overflow', state.id);
    readOverflow(this.#core, bytes, start, end);
  }

  #outOfBounds(number: number, level: number): never {
    throw new CorruptionError(nameOf(level), 'keys outside the bounds of its separators', { block: number });
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

function nameOf(level: number): string {
  return level === 0 ? 'leaf' : 'index node';
}

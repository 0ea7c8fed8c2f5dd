/**
 * A path from the root of a tree to a leaf, or to the index node above it: what an operation that changes the tree works on.
 *
 * Arrays are indexed by level, 0 being the leaf. While a path is held its frames are pinned, so reading further nodes in the first half
 * of an operation cannot push them out. Once its nodes have been redirected they are dirty and stay by themselves. Changing the
 * structure (a split, a merge) leaves the path behind: it is released then, and whoever goes on seeks again.
 */
import { isProvisional } from '@outwrite/alloc-log';
import { assert, CorruptionError, DeviceError } from '@outwrite/blockdev';
import { NO_FRAME } from '@outwrite/buffer-cache';
import { childBirth, childBlock, childChecksum, copySeparator } from './index-page.ts';
import { MAX_LEVEL } from './node-format.ts';
import { entryCount } from './node-header.ts';
import { childPosition, knownBelow } from './page-search.ts';
import { kindAndLevel, type StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

export class TreePath {
  readonly core: StoreCore;
  readonly frames: Int32Array = new Int32Array(MAX_LEVEL + 1).fill(NO_FRAME);
  readonly numbers: Uint32Array = new Uint32Array(MAX_LEVEL + 1);
  readonly births: Float64Array = new Float64Array(MAX_LEVEL + 1);
  /** The entry of each index node that the path goes through; for the leaf, set by who searches it. */
  readonly positions: Int32Array = new Int32Array(MAX_LEVEL + 1);
  /** Neighbours under the same parent that a removal may merge with, or NO_FRAME. */
  readonly siblings: Int32Array = new Int32Array(MAX_LEVEL + 1).fill(NO_FRAME);
  /** Whether the sibling at a level is the left one. */
  readonly siblingIsLeft: Uint8Array = new Uint8Array(MAX_LEVEL + 1);
  /** Level of the root when the path was sought. */
  rootLevel = 0;
  /** The lowest level that the path reaches; 1 in a tree without leaves. */
  lowestLevel = 0;
  /** The lowest level whose frame is pinned; above all levels while nothing is. */
  #pinnedTo = MAX_LEVEL + 1;

  constructor(core: StoreCore) {
    this.core = core;
  }

  /** Whether the tree that was sought in has no leaves. */
  get isEmpty(): boolean {
    return this.lowestLevel === 1 && this.count(1) === 0;
  }

  /**
   * Finds and pins the nodes that `key` belongs to, from the root down to `lowestLevel` (0 or 1). Throws what reading a node throws;
   * nothing stays pinned then.
   */
  seek(state: TreeState, key: Uint8Array, keyLength: number, lowestLevel: number): void {
    assert(!this.isHeld, 'a path is released before it is used again');
    const { cache, blockSize } = this.core;
    let number = state.rootBlock;
    let checksum = state.rootChecksum;
    let birth = state.rootBirth;
    this.rootLevel = state.level;
    this.#pinnedTo = state.level + 1;
    this.siblings.fill(NO_FRAME, 0, state.level + 1);
    let knownLength = 0;
    try {
      for (let level = state.level; ; level--) {
        const frame = this.core.node(number, checksum, birth, level, level === state.level);
        cache.pin(frame);
        this.#pinnedTo = level;
        this.frames[level] = frame;
        this.numbers[level] = number;
        this.births[level] = birth;
        this.positions[level] = 0;
        this.lowestLevel = level;
        if (level === 0) return;
        const slab = cache.slabOf(frame);
        const base = cache.baseOf(frame);
        const count = entryCount(slab, base);
        if (count === 0) {
          assert(level === 1 && state.level === 1, 'only the root of an empty tree has no entries');
          return;
        }
        const position = childPosition(slab, base, blockSize, key, keyLength, knownLength);
        this.positions[level] = position;
        if (level === lowestLevel) return;
        knownLength = knownBelow(slab, base, position, knownLength);
        number = childBlock(slab, base, position);
        checksum = childChecksum(slab, base, position);
        birth = childBirth(slab, base, position);
      }
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /**
   * As `seek` down to a leaf, but reads and pins nothing: for a path that is only looked at, or held right away. False if a node on the way is
   * not in memory or not what it should be; `seek` then says so.
   */
  seekCached(state: TreeState, key: Uint8Array, keyLength: number): boolean {
    assert(!this.isHeld, 'a path is released before it is used again');
    const { cache, blockSize } = this.core;
    const { frames, numbers, births, positions } = this;
    let number = state.rootBlock;
    let birth = state.rootBirth;
    this.rootLevel = state.level;
    this.lowestLevel = 0;
    let knownLength = 0;
    for (let level = state.level; ; level--) {
      const frame = cache.find(number);
      if (frame === NO_FRAME) return false;
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      if (slab.u16[base >>> 1] !== kindAndLevel(level)) return false;
      frames[level] = frame;
      numbers[level] = number;
      births[level] = birth;
      positions[level] = 0;
      this.siblings[level] = NO_FRAME;
      if (level === 0) return true;
      if (entryCount(slab, base) === 0) return false;
      const position = childPosition(slab, base, blockSize, key, keyLength, knownLength);
      positions[level] = position;
      knownLength = knownBelow(slab, base, position, knownLength);
      number = childBlock(slab, base, position);
      birth = childBirth(slab, base, position);
    }
  }

  /** Unpins everything. What the path found can still be read, and pinned again by `hold` if nothing has happened in between. */
  release(): void {
    const { cache } = this.core;
    for (let level = this.#pinnedTo; level <= this.rootLevel; level++) {
      cache.unpin(this.frames[level]!);
      if (this.siblings[level] !== NO_FRAME) cache.unpin(this.siblings[level]!);
    }
    this.#pinnedTo = MAX_LEVEL + 1;
  }

  /** Pins everything again after `release`. */
  hold(): void {
    assert(!this.isHeld, 'a path is held once');
    const { cache } = this.core;
    for (let level = this.lowestLevel; level <= this.rootLevel; level++) {
      cache.pin(this.frames[level]!);
      if (this.siblings[level] !== NO_FRAME) cache.pin(this.siblings[level]!);
    }
    this.#pinnedTo = this.lowestLevel;
  }

  /** Whether frames of the path are pinned. */
  get isHeld(): boolean {
    return this.#pinnedTo <= MAX_LEVEL;
  }

  count(level: number): number {
    const { cache } = this.core;
    const frame = this.frames[level]!;
    return entryCount(cache.slabOf(frame), cache.baseOf(frame));
  }

  /**
   * `takeSibling` for a merge that may as well not happen: false if the neighbour is damaged, or the device fails to read it. What is wrong
   * with it must not keep anybody from changing its neighbours.
   */
  tryTakeSibling(level: number, isLeft: boolean): boolean {
    try {
      this.takeSibling(level, isLeft);
      return true;
    } catch (error) {
      if (error instanceof CorruptionError || error instanceof DeviceError) return false;
      throw error;
    }
  }

  /** Reads and pins the neighbour at `position` under the node at `level + 1`, as the one to merge the node at `level` with. */
  takeSibling(level: number, isLeft: boolean): void {
    const { cache } = this.core;
    const parent = this.frames[level + 1]!;
    const slab = cache.slabOf(parent);
    const base = cache.baseOf(parent);
    const position = this.positions[level + 1]! + (isLeft ? -1 : 1);
    const number = childBlock(slab, base, position);
    // A merge gives this number up, whichever of the two nodes goes.
    if (!isProvisional(number)) this.core.log.prepareFree(number, 1);
    const frame = this.core.node(
      number,
      childChecksum(slab, base, position),
      childBirth(slab, base, position),
      level,
      false,
    );
    cache.pin(frame);
    this.siblings[level] = frame;
    this.siblingIsLeft[level] = isLeft ? 1 : 0;
  }

  /** Unpins the sibling at `level` and forgets it. */
  releaseSibling(level: number): void {
    if (this.siblings[level] === NO_FRAME) return;
    this.core.cache.unpin(this.siblings[level]!);
    this.siblings[level] = NO_FRAME;
  }

  /**
   * Copies the separator at which the child begins that the path goes through at `level` (1: the leaf) to `target`, and returns its
   * length. The first child of a node begins where the node does.
   */
  copySeparator(level: number, target: Uint8Array): number {
    const above = this.levelOfSeparator(level);
    if (above > this.rootLevel) return 0;
    const { cache, blockSize } = this.core;
    const frame = this.frames[above]!;
    return copySeparator(cache.slabOf(frame), cache.baseOf(frame), blockSize, this.positions[above]!, target);
  }

  /** Copies the separator of the leaf after the one of the path to `target`; its length, or -1 if there is none. */
  copyNextSeparator(target: Uint8Array): number {
    const { cache, blockSize } = this.core;
    for (let level = 1; level <= this.rootLevel; level++) {
      const position = this.positions[level]! + 1;
      if (position >= this.count(level)) continue;
      const frame = this.frames[level]!;
      return copySeparator(cache.slabOf(frame), cache.baseOf(frame), blockSize, position, target);
    }
    return -1;
  }

  /** The lowest level from `level` up at which the path does not go through the first entry; above the root if there is none. */
  levelOfSeparator(level: number): number {
    let above = level;
    while (above <= this.rootLevel && this.positions[above] === 0) above++;
    return above;
  }
}

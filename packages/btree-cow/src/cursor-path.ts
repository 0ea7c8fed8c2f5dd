/**
 * The path of a cursor: how it got from the root to its leaf, as numbers and positions, and how it goes on to other leaves.
 *
 * It is good as long as the tree's version is the same. Every way to a leaf may have to read, and a read may fail half way; so each of them
 * first makes the path unknown, and known again when it has succeeded. A path that is not known is found anew by key, like one of an older
 * version: the cursor keeps its key until then, and the failure has changed nothing. To know that the tree has no leaf is something else.
 */
import { type Frame, NO_FRAME, type Slab } from '@outwrite/buffer-cache';
import { childBirth, childBlock, childChecksum } from './index-page.ts';
import { MAX_LEVEL } from './node-format.ts';
import { entryCount } from './node-header.ts';
import { childPosition, knownBelow } from './page-search.ts';
import type { StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

/** As a version: the path is not known. */
const UNKNOWN = -1;

export class CursorPath {
  /** Where the path leads, if it is known; NO_FRAME: nowhere, as the tree is empty. */
  leaf: Frame = NO_FRAME;
  leafNumber = 0;
  readonly #state: TreeState;
  readonly #core: StoreCore;
  readonly #positions = new Int32Array(MAX_LEVEL + 1);
  /** Of the tree, when the path was made. */
  #version = UNKNOWN;
  /** The node above the leaf, if a step came through it; good while it is that block and the version is the same. */
  #parent: Frame = NO_FRAME;
  #parentNumber = 0;
  /** Leaves that were left for the next one without a jump: a scan, for which it pays to read ahead. */
  #forwardSteps = 0;

  constructor(state: TreeState) {
    this.#state = state;
    this.#core = state.core;
  }

  /** Whether the path is known and of the tree as it is. */
  get isKnown(): boolean {
    return this.#version === this.#state.version;
  }

  /** Whether, more than that, it leads to a leaf that is in memory. */
  get isAtHand(): boolean {
    return this.#version === this.#state.version && this.#core.cache.numberOf(this.leaf) === this.leafNumber;
  }

  forget(): void {
    this.#version = UNKNOWN;
    this.leaf = NO_FRAME;
    this.#parent = NO_FRAME;
  }

  /** The next leaf is not reached by a step of a scan. */
  jump(): void {
    this.#forwardSteps = 0;
  }

  /** Goes from the root to the leaf that `key` belongs to, or nowhere if the tree is empty. */
  followKey(key: Uint8Array, keyLength: number): void {
    const state = this.#state;
    const core = this.#core;
    const { cache, blockSize } = core;
    this.forget();
    let number = state.rootBlock;
    let frame = core.node(number, state.rootChecksum, state.rootBirth, state.level, true);
    let knownLength = 0;
    for (let level = state.level; level > 0; level--) {
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      this.#positions[level] = 0;
      if (entryCount(slab, base) === 0) {
        this.#version = state.version;
        return;
      }
      const position = childPosition(slab, base, blockSize, key, keyLength, knownLength);
      knownLength = knownBelow(slab, base, position, knownLength);
      this.#positions[level] = position;
      number = childBlock(slab, base, position);
      frame = this.#childFrame(slab, base, position, level - 1);
    }
    this.leaf = frame;
    this.leafNumber = number;
    this.#version = state.version;
  }

  /** The leaf of a path that is known has been evicted: reads it again, along the positions. */
  reload(): void {
    if (this.leaf === NO_FRAME) return;
    this.#version = UNKNOWN;
    this.#arrive(this.#descend(0, 1));
  }

  /** Goes to the first (direction 1) or last leaf. False if the tree is empty. */
  goToEnd(direction: 1 | -1): boolean {
    this.#version = UNKNOWN;
    this.#forwardSteps = 0;
    return this.#arrive(this.#descend(this.#state.level, direction));
  }

  /** Goes to the neighbouring leaf in that direction. False if there is none. */
  step(direction: 1 | -1): boolean {
    this.#version = UNKNOWN;
    this.#forwardSteps = direction > 0 ? this.#forwardSteps + 1 : 0;
    if (!this.#stepUnderParent(direction) && !this.#stepFromRoot(direction)) return false;
    // Who came here leaf by leaf will see all of this one.
    this.#core.cache.fetchLines(this.leaf);
    return this.#arrive(true);
  }

  /** All reads have succeeded: the path is known, if there was a leaf to lead to. */
  #arrive(isThere: boolean): boolean {
    if (isThere) this.#version = this.#state.version;
    return isThere;
  }

  /** Goes to the neighbour if it is under the same parent, and that is still in memory. */
  #stepUnderParent(direction: 1 | -1): boolean {
    const { cache } = this.#core;
    const parent = this.#parent;
    if (parent === NO_FRAME || cache.numberOf(parent) !== this.#parentNumber) return false;
    const slab = cache.slabOf(parent);
    const base = cache.baseOf(parent);
    const position = this.#positions[1]! + direction;
    if (position < 0 || position >= entryCount(slab, base)) return false;
    cache.touch(parent);
    this.#positions[1] = position;
    this.#enterLeaf(parent, this.#parentNumber);
    return true;
  }

  #stepFromRoot(direction: 1 | -1): boolean {
    const state = this.#state;
    const { cache } = this.#core;
    // The lowest node of the path that has another child in that direction.
    let turn = 0;
    let frame = this.#rootFrame();
    for (let level = state.level; ; level--) {
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      const position = this.#positions[level]!;
      if (direction > 0 ? position + 1 < entryCount(slab, base) : position > 0) turn = level;
      if (level === 1) break;
      frame = this.#childFrame(slab, base, position, level - 1);
    }
    if (turn === 0) return false;
    this.#positions[turn]! += direction;
    return this.#descend(turn - 1, direction);
  }

  /**
   * Goes down from the root along the positions, and from `freeLevel` on to the first (direction 1) or last leaf. False if the tree is
   * empty.
   */
  #descend(freeLevel: number, direction: 1 | -1): boolean {
    const state = this.#state;
    const { cache } = this.#core;
    let frame = this.#rootFrame();
    let number = state.rootBlock;
    for (let level = state.level; ; level--) {
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      const count = entryCount(slab, base);
      if (count === 0) return false;
      if (level <= freeLevel) this.#positions[level] = direction > 0 ? 0 : count - 1;
      if (level === 1) break;
      const position = this.#positions[level]!;
      number = childBlock(slab, base, position);
      frame = this.#childFrame(slab, base, position, level - 1);
    }
    this.#enterLeaf(frame, number);
    return true;
  }

  /** Stands in the leaf that the lowest position says, under `parent`, which is block `parentNumber`. */
  #enterLeaf(parent: Frame, parentNumber: number): void {
    const { cache } = this.#core;
    const position = this.#positions[1]!;
    if (this.#forwardSteps > 1) this.#core.readAhead(parent, position);
    const slab = cache.slabOf(parent);
    const base = cache.baseOf(parent);
    this.#parent = parent;
    this.#parentNumber = parentNumber;
    this.leafNumber = childBlock(slab, base, position);
    this.leaf = this.#childFrame(slab, base, position, 0);
  }

  #rootFrame(): Frame {
    const { rootBlock, rootChecksum, rootBirth, level } = this.#state;
    return this.#core.node(rootBlock, rootChecksum, rootBirth, level, true);
  }

  #childFrame(slab: Slab, base: number, position: number, level: number): Frame {
    return this.#core.node(
      childBlock(slab, base, position),
      childChecksum(slab, base, position),
      childBirth(slab, base, position),
      level,
      false,
    );
  }
}

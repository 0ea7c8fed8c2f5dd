/**
 * A cursor: a place among the entries of a tree, which stays right while the tree changes.
 *
 * It stands at an entry, before the first one, or after the last one. It keeps the key of its entry and remembers how it got there: numbers
 * and positions from the root to the leaf, good as long as the tree's version is the same. When the tree has changed, the cursor looks its
 * key up again at the next call; if its entry is gone meanwhile, it is not valid, and `next` and `previous` go to the neighbours. It pins
 * nothing and needs no closing.
 */
import type { Slab } from '@outwrite/buffer-cache';
import { type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import type { EntryVisitor, ValuePlace } from './entry-place.ts';
import { childBirth, childBlock, childChecksum } from './index-page.ts';
import { copyKey } from './leaf-entry.ts';
import {
  copyCellRest,
  copyLeafKey,
  copyLeafRest,
  leafOffsetsOf,
  leafValueIsOverflow,
  leafValueLength,
  leafValueStart,
} from './leaf-page.ts';
import {
  LEAF_CELL_HEADER_BYTES,
  MAX_LEVEL,
  maxKeyBytes,
  OVERFLOW_VALUE_FLAG,
  VALUE_LENGTH_MASK,
} from './node-format.ts';
import { entryCount, headsOf, prefixLengthOf } from './node-header.ts';
import { readOverflow } from './overflow.ts';
import { descriptorLengthBytes } from './overflow-format.ts';
import { childPosition, knownBelow, searchLeaf } from './page-search.ts';
import { pooledCopy } from './pooled-copy.ts';
import type { StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

type Place = 'before' | 'at' | 'after';

export class TreeCursor {
  readonly #state: TreeState;
  readonly #core: StoreCore;
  readonly #positions = new Int32Array(MAX_LEVEL + 1);
  #place: Place = 'before';
  /** Of the tree, when the path was made; -1 when there is none. */
  #version = -1;
  #leaf: Frame = NO_FRAME;
  #leafNumber = 0;
  /** The node above the leaf, if a step came through it; good while it is that block and the version is the same. */
  #parent: Frame = NO_FRAME;
  #parentNumber = 0;
  /** In the leaf: of the entry, or where its key would be inserted if it is gone. */
  #position = 0;
  #isThere = false;
  #prefixLength = 0;
  /** Leaves that were left for the next one without a jump: a scan, for which it pays to read ahead. */
  #forwardSteps = 0;
  readonly #key: Uint8Array;
  readonly #keyWords: Uint32Array;
  #keyLength = 0;

  constructor(state: TreeState) {
    this.#state = state;
    this.#core = state.core;
    this.#key = new Uint8Array(maxKeyBytes(this.#core.blockSize));
    this.#keyWords = new Uint32Array(this.#key.buffer);
  }

  // --- moving ---------------------------------------------------------------------------------------------------------------------

  /** Goes to the first entry whose key is not less than `key`, or after the last one. True if the keys are equal. */
  seek(key: Uint8Array): boolean {
    this.#keyLength = copyKey(key, this.#key);
    this.#place = 'at';
    this.#forwardSteps = 0;
    this.#lookUp();
    if (this.#isThere) return true;
    this.#landForward();
    return false;
  }

  /** Goes to the last entry whose key is less than `key`, or before the first one. True if there is one. */
  seekBefore(key: Uint8Array): boolean {
    this.#keyLength = copyKey(key, this.#key);
    this.#place = 'at';
    this.#lookUp();
    return this.#landBackward();
  }

  /** Goes to the first entry. False if the tree is empty. */
  first(): boolean {
    this.#core.checkUsable(this.#state);
    this.#version = this.#state.version;
    this.#forwardSteps = 0;
    if (!this.#descend(this.#state.level, 1)) return this.#leave('after');
    this.#position = 0;
    return this.#arrive();
  }

  /** Goes to the last entry. False if the tree is empty. */
  last(): boolean {
    this.#core.checkUsable(this.#state);
    this.#version = this.#state.version;
    this.#forwardSteps = 0;
    if (!this.#descend(this.#state.level, -1)) return this.#leave('before');
    this.#position = this.#leafCount() - 1;
    return this.#arrive();
  }

  /** Goes to the next entry. False after the last one. */
  next(): boolean {
    if (this.#place === 'at') {
      this.#refresh();
      if (this.#isThere) this.#position++;
      return this.#landForward();
    }
    return this.#place === 'before' ? this.first() : false;
  }

  /** Goes to the previous entry. False before the first one. */
  previous(): boolean {
    if (this.#place === 'at') {
      this.#refresh();
      return this.#landBackward();
    }
    return this.#place === 'after' ? this.last() : false;
  }

  /**
   * Shows the entry at which the cursor stands and all that follow to `visit`, in a fraction of the time that a loop of `next` takes, and returns
   * how many there were. Before the first entry it starts there. The cursor moves along: it stands at the entry that is shown, and after the
   * last one in the end. The visitor may change the tree, and even move the cursor: it goes on from there.
   */
  visitForward(visit: EntryVisitor): number {
    let count = 0;
    for (let isThere = this.valid || this.next(); isThere; isThere = this.next()) {
      const { isOver, shown } = this.#visitLeaf(visit);
      count += shown;
      if (isOver) break;
    }
    return count;
  }

  // --- reading --------------------------------------------------------------------------------------------------------------------

  /** Whether the cursor stands at an entry that is still there. */
  get valid(): boolean {
    if (this.#place !== 'at') return false;
    this.#refresh();
    return this.#isThere;
  }

  /** Length of the key in bytes. */
  get keyLength(): number {
    this.#checkPlace();
    return this.#keyLength;
  }

  /** Copies the key to `target[targetStart...]` and returns its length; copies nothing if it does not fit. */
  copyKey(target: Uint8Array, targetStart: number = 0): number {
    this.#checkPlace();
    const length = this.#keyLength;
    const key = this.#key;
    if (targetStart + length <= target.length) {
      for (let i = 0; i < length; i++) target[targetStart + i] = key[i]!;
    }
    return length;
  }

  /** A copy of the key. */
  key(): Uint8Array {
    this.#checkPlace();
    return pooledCopy(this.#key, this.#keyWords, 0, this.#keyLength);
  }

  /** Length of the value in bytes. */
  get valueLength(): number {
    const slab = this.#entrySlab();
    const base = this.#core.cache.baseOf(this.#leaf);
    if (leafValueIsOverflow(slab, base, this.#position)) {
      return descriptorLengthBytes(slab.u8, leafValueStart(slab, base, this.#position));
    }
    return leafValueLength(slab, base, this.#position);
  }

  /** A copy of the value. */
  value(): Uint8Array {
    const slab = this.#entrySlab();
    const base = this.#core.cache.baseOf(this.#leaf);
    const start = leafValueStart(slab, base, this.#position);
    const length = leafValueLength(slab, base, this.#position);
    if (leafValueIsOverflow(slab, base, this.#position))
      return readOverflow(this.#core, slab.u8, start, start + length);
    return pooledCopy(slab.u8, slab.u32, start, length);
  }

  /** The value as a view of the cached node, valid until the next call of anything that belongs to the store. A copy if it is large. */
  valueView(): Uint8Array {
    const place: ValuePlace = { bytes: this.#key, start: 0, length: 0 };
    this.locateValue(place);
    return place.bytes.subarray(place.start, place.start + place.length);
  }

  /**
   * As `valueView`, but makes no view, which takes longer than all the rest of a step: says in `place` where the value lies. Valid until the
   * next call of anything that belongs to the store; not to be written to.
   */
  locateValue(place: ValuePlace): void {
    const slab = this.#entrySlab();
    const base = this.#core.cache.baseOf(this.#leaf);
    const start = leafValueStart(slab, base, this.#position);
    const length = leafValueLength(slab, base, this.#position);
    if (leafValueIsOverflow(slab, base, this.#position)) {
      place.bytes = readOverflow(this.#core, slab.u8, start, start + length);
      place.start = 0;
      place.length = place.bytes.length;
    } else {
      place.bytes = slab.u8;
      place.start = start;
      place.length = length;
    }
  }

  // --- inside ---------------------------------------------------------------------------------------------------------------------

  #checkPlace(): void {
    if (this.#place !== 'at') throw new RangeError('the cursor does not stand at an entry');
  }

  /** The slab of the leaf, with the entry known to be there. */
  #entrySlab(): Slab {
    this.#checkPlace();
    this.#refresh();
    if (!this.#isThere) throw new RangeError('the entry at which the cursor stood has been removed');
    return this.#core.cache.slabOf(this.#leaf);
  }

  /** Makes `#leaf` and `#position` right again, whatever has happened since the last call. */
  #refresh(): void {
    if (this.#core.isClosed) this.#core.checkUsable(this.#state);
    if (this.#version !== this.#state.version) this.#lookUp();
    else if (this.#core.cache.numberOf(this.#leaf) !== this.#leafNumber) this.#reload();
  }

  /** Finds `#key` from the root. */
  #lookUp(): void {
    const state = this.#state;
    const core = this.#core;
    core.checkUsable(state);
    const { cache, blockSize } = core;
    this.#version = state.version;
    this.#isThere = false;
    this.#position = 0;
    this.#leaf = NO_FRAME;
    this.#parent = NO_FRAME;
    let number = state.rootBlock;
    let frame = core.node(number, state.rootChecksum, state.rootBirth, state.level, true);
    let knownLength = 0;
    for (let level = state.level; level > 0; level--) {
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      this.#positions[level] = 0;
      if (entryCount(slab, base) === 0) return;
      const position = childPosition(slab, base, blockSize, this.#key, this.#keyLength, knownLength);
      knownLength = knownBelow(slab, base, position, knownLength);
      this.#positions[level] = position;
      number = childBlock(slab, base, position);
      frame = core.node(
        number,
        childChecksum(slab, base, position),
        childBirth(slab, base, position),
        level - 1,
        false,
      );
    }
    this.#leaf = frame;
    this.#leafNumber = number;
    const found = searchLeaf(cache.slabOf(frame), cache.baseOf(frame), blockSize, this.#key, this.#keyLength);
    this.#isThere = found >= 0;
    this.#position = found < 0 ? -1 - found : found;
    this.#prefixLength = prefixLengthOf(cache.slabOf(frame), cache.baseOf(frame));
  }

  /** The leaf has been evicted: reads it again, along the positions. */
  #reload(): void {
    this.#core.checkUsable(this.#state);
    if (this.#leaf !== NO_FRAME) this.#descend(0, 1);
  }

  #leafCount(): number {
    const { cache } = this.#core;
    return entryCount(cache.slabOf(this.#leaf), cache.baseOf(this.#leaf));
  }

  /** Stands at `#position`, or, if the leaf ends before it, at the first entry after the leaf. */
  #landForward(): boolean {
    if (this.#leaf === NO_FRAME) return this.#leave('after');
    if (this.#position >= this.#leafCount()) {
      if (!this.#stepLeaf(1)) return this.#leave('after');
      this.#position = 0;
      return this.#arrive();
    }
    return this.#land();
  }

  /** Stands at the entry before `#position`. */
  #landBackward(): boolean {
    if (this.#leaf === NO_FRAME) return this.#leave('before');
    if (this.#position === 0) {
      if (!this.#stepLeaf(-1)) return this.#leave('before');
      this.#position = this.#leafCount() - 1;
      return this.#arrive();
    }
    this.#position--;
    return this.#land();
  }

  /** Loads the key at `#position` of another leaf than before. */
  #arrive(): boolean {
    const { cache, blockSize } = this.#core;
    const slab = cache.slabOf(this.#leaf);
    const base = cache.baseOf(this.#leaf);
    this.#keyLength = copyLeafKey(slab, base, blockSize, this.#position, this.#key);
    this.#prefixLength = prefixLengthOf(slab, base);
    this.#place = 'at';
    this.#isThere = true;
    return true;
  }

  /** Loads the key at `#position` of the same leaf, or of one to which a key with its prefix has led. */
  #land(): boolean {
    if (!this.#isThere) return this.#arrive();
    const { cache } = this.#core;
    const rest = copyLeafRest(
      cache.slabOf(this.#leaf),
      cache.baseOf(this.#leaf),
      this.#position,
      this.#key,
      this.#prefixLength,
    );
    this.#keyLength = this.#prefixLength + rest;
    return true;
  }

  /**
   * Shows entries of the leaf, from the one at which the cursor stands, until it ends, the visitor has enough (`isOver`), or the visitor has changed
   * what the rest of the leaf would be read from. The cursor stands at the last that was shown.
   */
  #visitLeaf(visit: EntryVisitor): { isOver: boolean; shown: number } {
    const core = this.#core;
    const { cache } = core;
    const state = this.#state;
    const key = this.#key;
    const leaf = this.#leaf;
    const leafNumber = this.#leafNumber;
    const prefixLength = this.#prefixLength;
    const slab = cache.slabOf(leaf);
    const base = cache.baseOf(leaf);
    const { u8, u16, u32 } = slab;
    const end = entryCount(slab, base);
    const offsets = leafOffsetsOf(base, end);
    const heads = headsOf(base);
    const first = this.#position;
    let cell = base + u16[offsets + first]!;
    let keyLength = this.#keyLength;
    for (let position = first; ; ) {
      const start = cell + LEAF_CELL_HEADER_BYTES;
      const flaggedLength = u16[cell >>> 1]!;
      let goesOn: boolean | undefined;
      if (flaggedLength < OVERFLOW_VALUE_FLAG) {
        goesOn = visit(key, keyLength, u8, start, flaggedLength);
      } else {
        const value = readOverflow(core, u8, start, start + (flaggedLength & VALUE_LENGTH_MASK));
        goesOn = visit(key, keyLength, value, 0, value.length);
      }
      if (goesOn === false) return { isOver: true, shown: position + 1 - first };
      const isAsBefore =
        this.#version === state.version &&
        this.#position === position &&
        this.#leaf === leaf &&
        cache.numberOf(leaf) === leafNumber &&
        !core.isClosed;
      if (!isAsBefore || position + 1 === end) return { isOver: false, shown: position + 1 - first };
      this.#position = ++position;
      cell = base + u16[offsets + position]!;
      keyLength = prefixLength + copyCellRest(slab, cell, u32[heads + position]!, key, prefixLength);
      this.#keyLength = keyLength;
    }
  }

  #leave(place: Place): boolean {
    this.#place = place;
    this.#isThere = false;
    this.#leaf = NO_FRAME;
    this.#parent = NO_FRAME;
    this.#version = -1;
    return false;
  }

  /** Goes to the neighbouring leaf in that direction. */
  #stepLeaf(direction: 1 | -1): boolean {
    const { cache } = this.#core;
    this.#forwardSteps = direction > 0 ? this.#forwardSteps + 1 : 0;
    if (!this.#stepUnderParent(direction) && !this.#stepFromRoot(direction)) return false;
    // Who came here leaf by leaf will see all of this one.
    cache.fetchLines(this.#leaf);
    return true;
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
    this.#leafNumber = childBlock(slab, base, position);
    this.#leaf = this.#childFrame(slab, base, position, 0);
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

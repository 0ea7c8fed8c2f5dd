/**
 * A cursor: a place among the entries of a tree, which stays right while the tree changes.
 *
 * It stands at an entry, before the first one, or after the last one. It keeps the key of its entry and remembers how it got there: a path
 * from the root to the leaf, good as long as the tree's version is the same. When the tree has changed, the cursor looks its key up again at
 * the next call; if its entry is gone meanwhile, it is not valid, and `next` and `previous` go to the neighbours. It pins nothing and needs
 * no closing.
 *
 * A call that throws because a read failed has not moved it, and can be made again: key and place are taken over once all reads have
 * succeeded, and from a path on which one has failed the cursor finds back by its key.
 */
import type { Slab } from '@outwrite/buffer-cache';
import { NO_FRAME } from '@outwrite/buffer-cache';
import { CursorPath } from './cursor-path.ts';
import type { EntryVisitor, ValuePlace } from './entry-place.ts';
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
import { LEAF_CELL_HEADER_BYTES, maxKeyBytes, OVERFLOW_VALUE_FLAG, VALUE_LENGTH_MASK } from './node-format.ts';
import { entryCount, headsOf, prefixLengthOf } from './node-header.ts';
import { readOverflow } from './overflow.ts';
import { descriptorLengthBytes } from './overflow-format.ts';
import { searchLeaf } from './page-search.ts';
import { pooledCopy } from './pooled-copy.ts';
import type { StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

type Place = 'before' | 'at' | 'after';

export class TreeCursor {
  readonly #state: TreeState;
  readonly #core: StoreCore;
  readonly #path: CursorPath;
  #place: Place = 'before';
  /** In the leaf: of the entry, or where its key would be inserted if it is gone. */
  #position = 0;
  #isThere = false;
  /** Entries of the leaf. */
  #leafCount = 0;
  #prefixLength = 0;
  readonly #key: Uint8Array;
  readonly #keyWords: Uint32Array;
  #keyLength = 0;

  constructor(state: TreeState) {
    this.#state = state;
    this.#core = state.core;
    this.#path = new CursorPath(state);
    this.#key = new Uint8Array(maxKeyBytes(this.#core.blockSize));
    this.#keyWords = new Uint32Array(this.#key.buffer);
  }

  // --- moving ---------------------------------------------------------------------------------------------------------------------

  /** Goes to the first entry whose key is not less than `key`, or after the last one. True if the keys are equal. */
  seek(key: Uint8Array): boolean {
    const { keyScratch } = this.#core;
    const keyLength = copyKey(key, keyScratch);
    this.#path.jump();
    this.#lookUp(keyScratch, keyLength);
    if (this.#isThere) return this.#take(keyScratch, keyLength);
    if (this.#pointForward(this.#position)) this.#land();
    return false;
  }

  /** Goes to the last entry whose key is less than `key`, or before the first one. True if there is one. */
  seekBefore(key: Uint8Array): boolean {
    const { keyScratch } = this.#core;
    this.#lookUp(keyScratch, copyKey(key, keyScratch));
    // What was found is not the entry of `#key`, nor need it have the prefix.
    this.#isThere = false;
    return this.#pointBackward() && this.#land();
  }

  /** Goes to the first entry. False if the tree is empty. */
  first(): boolean {
    return this.#pointAtEnd(1) && this.#land();
  }

  /** Goes to the last entry. False if the tree is empty. */
  last(): boolean {
    return this.#pointAtEnd(-1) && this.#land();
  }

  /** Goes to the next entry. False after the last one. */
  next(): boolean {
    return this.#pointAtNext() && this.#land();
  }

  /** Goes to the previous entry. False before the first one. */
  previous(): boolean {
    if (this.#place !== 'at') return this.#place === 'after' ? this.last() : false;
    this.#refresh();
    return this.#pointBackward() && this.#land();
  }

  /**
   * Shows the entry at which the cursor stands and all that follow to `visit`, in a fraction of the time that a loop of `next` takes, and returns
   * how many there were. Before the first entry it starts there. The cursor moves along: it stands at the entry that is shown, and after the
   * last one in the end. The visitor may change the tree, and even move the cursor: it goes on from there. If a read fails, the cursor stands at
   * the last entry that was shown, or, if none was, where it stood.
   */
  visitForward(visit: EntryVisitor): number {
    let count = 0;
    for (let isThere = this.valid || this.#pointAtNext(); isThere; isThere = this.#pointAtNext()) {
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
    const base = this.#core.cache.baseOf(this.#path.leaf);
    if (leafValueIsOverflow(slab, base, this.#position)) {
      return descriptorLengthBytes(slab.u8, leafValueStart(slab, base, this.#position));
    }
    return leafValueLength(slab, base, this.#position);
  }

  /** A copy of the value. */
  value(): Uint8Array {
    const slab = this.#entrySlab();
    const base = this.#core.cache.baseOf(this.#path.leaf);
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
    const base = this.#core.cache.baseOf(this.#path.leaf);
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
    return this.#core.cache.slabOf(this.#path.leaf);
  }

  /** Makes path and position right again, whatever has happened since the last call. */
  #refresh(): void {
    if (this.#core.isClosed) this.#core.checkUsable(this.#state);
    if (!this.#path.isAtHand) this.#renew();
  }

  #renew(): void {
    this.#core.checkUsable(this.#state);
    if (this.#path.isKnown) this.#path.reload();
    else this.#lookUp(this.#key, this.#keyLength);
  }

  /** Finds the key from the root: `#position` is that of its entry, or where it would be inserted. The entry need not be that of `#key` yet. */
  #lookUp(key: Uint8Array, keyLength: number): void {
    const core = this.#core;
    const path = this.#path;
    core.checkUsable(this.#state);
    path.followKey(key, keyLength);
    const { leaf } = path;
    if (leaf === NO_FRAME) {
      this.#isThere = false;
      this.#position = 0;
      this.#leafCount = 0;
      return;
    }
    const slab = core.cache.slabOf(leaf);
    const base = core.cache.baseOf(leaf);
    const found = searchLeaf(slab, base, core.blockSize, key, keyLength);
    this.#isThere = found >= 0;
    this.#position = found < 0 ? -1 - found : found;
    this.#leafCount = entryCount(slab, base);
    this.#prefixLength = prefixLengthOf(slab, base);
  }

  /** Stands at the entry that has been looked up, whose key this is. */
  #take(key: Uint8Array, keyLength: number): boolean {
    const target = this.#key;
    for (let i = 0; i < keyLength; i++) target[i] = key[i]!;
    this.#keyLength = keyLength;
    this.#place = 'at';
    return true;
  }

  // Pointing moves path and position, which may fail; landing takes over the key there, which does not.

  #pointAtEnd(direction: 1 | -1): boolean {
    this.#core.checkUsable(this.#state);
    if (!this.#path.goToEnd(direction)) return this.#leave(direction > 0 ? 'after' : 'before');
    return this.#pointIntoLeaf(direction);
  }

  #pointAtNext(): boolean {
    if (this.#place !== 'at') return this.#place === 'before' ? this.#pointAtEnd(1) : false;
    this.#refresh();
    return this.#pointForward(this.#isThere ? this.#position + 1 : this.#position);
  }

  /** Points at `position`, or, if the leaf ends before it, at the first entry after the leaf. */
  #pointForward(position: number): boolean {
    if (position >= this.#leafCount) return this.#pointOutside(1);
    this.#position = position;
    return true;
  }

  /** Points at the entry before `#position`. */
  #pointBackward(): boolean {
    if (this.#position === 0) return this.#pointOutside(-1);
    this.#position--;
    return true;
  }

  /** Points at the nearest entry in the next (direction 1) or previous leaf. */
  #pointOutside(direction: 1 | -1): boolean {
    const path = this.#path;
    const isThere = path.leaf !== NO_FRAME && path.step(direction);
    return isThere ? this.#pointIntoLeaf(direction) : this.#leave(direction > 0 ? 'after' : 'before');
  }

  /** Points at the first (direction 1) or last entry of another leaf than before, of which `#key` has not even the prefix. */
  #pointIntoLeaf(direction: 1 | -1): boolean {
    const { cache } = this.#core;
    const { leaf } = this.#path;
    this.#leafCount = entryCount(cache.slabOf(leaf), cache.baseOf(leaf));
    this.#position = direction > 0 ? 0 : this.#leafCount - 1;
    this.#isThere = false;
    return true;
  }

  /** Stands at `#position`: loads the key there, of which the prefix is known if `#key` has led to this leaf. */
  #land(): boolean {
    const { cache } = this.#core;
    const { leaf } = this.#path;
    const slab = cache.slabOf(leaf);
    const base = cache.baseOf(leaf);
    if (!this.#isThere) return this.#arrive(slab, base);
    this.#keyLength = this.#prefixLength + copyLeafRest(slab, base, this.#position, this.#key, this.#prefixLength);
    return true;
  }

  #arrive(slab: Slab, base: number): boolean {
    this.#keyLength = copyLeafKey(slab, base, this.#core.blockSize, this.#position, this.#key);
    this.#prefixLength = prefixLengthOf(slab, base);
    this.#place = 'at';
    this.#isThere = true;
    return true;
  }

  /**
   * Shows entries of the leaf, from the one at which the cursor points, until it ends, the visitor has enough (`isOver`), or the visitor has changed
   * what the rest of the leaf would be read from. The cursor stands at the last that was shown: it lands at an entry once the value has been read.
   */
  #visitLeaf(visit: EntryVisitor): { isOver: boolean; shown: number } {
    const core = this.#core;
    const { cache } = core;
    const path = this.#path;
    const key = this.#key;
    const { leaf, leafNumber } = path;
    const slab = cache.slabOf(leaf);
    const base = cache.baseOf(leaf);
    const { u8, u16, u32 } = slab;
    const end = entryCount(slab, base);
    const prefixLength = prefixLengthOf(slab, base);
    const offsets = leafOffsetsOf(base, end);
    const heads = headsOf(base);
    const first = this.#position;
    for (let position = first; ; ) {
      const cell = base + u16[offsets + position]!;
      const start = cell + LEAF_CELL_HEADER_BYTES;
      const flaggedLength = u16[cell >>> 1]!;
      const large =
        flaggedLength < OVERFLOW_VALUE_FLAG
          ? null
          : this.#readPointedAt(u8, start, start + (flaggedLength & VALUE_LENGTH_MASK));
      if (position === first) {
        this.#land();
      } else {
        this.#position = position;
        this.#keyLength = prefixLength + copyCellRest(slab, cell, u32[heads + position]!, key, prefixLength);
      }
      const goesOn =
        large === null
          ? visit(key, this.#keyLength, u8, start, flaggedLength)
          : visit(key, this.#keyLength, large, 0, large.length);
      if (goesOn === false) return { isOver: true, shown: position + 1 - first };
      const isAsBefore =
        this.#position === position &&
        path.leaf === leaf &&
        path.leafNumber === leafNumber &&
        path.isAtHand &&
        !core.isClosed;
      if (!isAsBefore || position + 1 === end) return { isOver: false, shown: position + 1 - first };
      position++;
    }
  }

  /** Reads a large value at which the cursor points; if that fails, it stays by its key, and not where the path has come to. */
  #readPointedAt(bytes: Uint8Array, start: number, end: number): Uint8Array {
    try {
      return readOverflow(this.#core, bytes, start, end);
    } catch (error) {
      this.#path.forget();
      throw error;
    }
  }

  #leave(place: Place): boolean {
    this.#place = place;
    this.#isThere = false;
    this.#path.forget();
    return false;
  }
}

/**
 * A tree: an ordered map from byte strings to byte strings.
 *
 * Keys have 1 byte to a quarter of a block, values up to 1 GiB; both are copied in and out. Keys sort as unsigned bytes, a prefix before
 * what it begins. Every operation either has its effect as a whole or throws and has none; `deleteRange` and `bulkLoad` consist of many.
 * Changes are durable with the next commit of the store.
 */
import { type ComingChange, deleteReady, makeReady } from './batch-ready.ts';
import { TreeCursor } from './cursor.ts';
import { EntryIterator } from './entry-iterator.ts';
import { type EntryRange, RangeBounds } from './entry-range.ts';
import { checkKey, checkValue, copyKey } from './leaf-entry.ts';
import { giveUpAhead, putValue, writeAhead } from './leaf-put.ts';
import { touchLeaf } from './leaf-touch.ts';
import {
  fitsInline,
  LEAF_CELL_HEADER_BYTES,
  maxKeyBytes,
  OVERFLOW_VALUE_FLAG,
  VALUE_LENGTH_MASK,
} from './node-format.ts';
import { overflowBlockBound, readOverflow } from './overflow.ts';
import { descriptorLengthBytes } from './overflow-format.ts';
import { pooledCopy } from './pooled-copy.ts';
import { deleteKey, deleteKeys } from './range-delete.ts';
import type { StoreCore } from './store-core.ts';
import { TreeAppender } from './tree-append.ts';
import { findKey, found } from './tree-lookup.ts';
import type { TreeState } from './tree-state.ts';

/** What one put takes at most: blocks allocated, and provisional nodes. */
export interface PutRoom {
  blocks: number;
  nodes: number;
}

/** Up to here a loop is cheaper than a call. */
const LOOP_BYTES = 128;

export class Tree {
  readonly #state: TreeState;
  readonly #core: StoreCore;
  readonly #key: Uint8Array;

  /** Trees come from `TreeStore.tree` and `createTree`. */
  constructor(state: TreeState) {
    this.#state = state;
    this.#core = state.core;
    this.#key = state.core.keyScratch;
  }

  /** 1 or more, never reused in the store. */
  get id(): number {
    return this.#state.id;
  }

  /** Counts up with every change. */
  get version(): number {
    return this.#state.version;
  }

  /** Levels above the leaves. */
  get height(): number {
    return this.#state.level;
  }

  /** A copy of the value under `key`, or undefined. */
  get(key: Uint8Array): Uint8Array | undefined {
    const cell = this.#find(key);
    if (cell < 0) return undefined;
    const { u8, u16, u32 } = found.slab!;
    const start = cell + LEAF_CELL_HEADER_BYTES;
    const flaggedLength = u16[cell >>> 1]!;
    if (flaggedLength < OVERFLOW_VALUE_FLAG) return pooledCopy(u8, u32, start, flaggedLength);
    return readOverflow(this.#core, u8, start, start + (flaggedLength & VALUE_LENGTH_MASK));
  }

  /** Copies the value under `key` to `target[targetStart...]` and returns its length; copies nothing if it does not fit. -1 if there is none. Throws a `RangeError` for a place that is none. */
  getInto(key: Uint8Array, target: Uint8Array, targetStart: number = 0): number {
    if (!(targetStart >= 0 && Number.isInteger(targetStart))) {
      throw new RangeError(`a value is copied to a place in its target, not to ${targetStart}`);
    }
    const cell = this.#find(key);
    if (cell < 0) return -1;
    const { u8, u16 } = found.slab!;
    const start = cell + LEAF_CELL_HEADER_BYTES;
    const flaggedLength = u16[cell >>> 1]!;
    const length = flaggedLength & VALUE_LENGTH_MASK;
    if (flaggedLength >= OVERFLOW_VALUE_FLAG) {
      const valueLength = descriptorLengthBytes(u8, start);
      if (targetStart + valueLength <= target.length) {
        target.set(readOverflow(this.#core, u8, start, start + length), targetStart);
      }
      return valueLength;
    }
    if (targetStart + length > target.length) return length;
    if (length <= LOOP_BYTES) for (let i = 0; i < length; i++) target[targetStart + i] = u8[start + i]!;
    else target.set(u8.subarray(start, start + length), targetStart);
    return length;
  }

  has(key: Uint8Array): boolean {
    return this.#find(key) >= 0;
  }

  /**
   * Stores `value` under `key`, in place of what was there. Throws `TypeError`, `RangeError` (empty key), `TooLargeError`, `NoSpaceError`,
   * `ReadOnlyError`, `LatchedError`, `ClosedError`, or a `CorruptionError` for what had to be read.
   */
  put(key: Uint8Array, value: Uint8Array): void {
    this.#core.checkUsable(this.#state);
    putValue(this.#state, key, value);
  }

  /**
   * For several changes of which all or none are to be made: reads all that they will read. Throws a `CorruptionError` or a `DeviceError` with
   * nothing changed. In a transaction, after `ensure` of `putRoom` for each key and one more.
   */
  makeReady(changes: readonly ComingChange[]): void {
    this.#core.checkUsable(this.#state);
    makeReady(this.#state, changes);
  }

  /**
   * For several puts of which all or none are to be made: writes those values that are too large for a leaf, and returns for each entry what
   * `putAhead` takes. Throws a `NoSpaceError` when the device cannot grow, with nothing changed. In a transaction, after `ensure`; null in the
   * place of an entry stands for none.
   */
  writeAhead(entries: readonly (readonly [key: Uint8Array, value: Uint8Array] | null)[]): (Uint8Array | null)[] {
    this.#core.checkUsable(this.#state);
    const written: (Uint8Array | null)[] = [];
    try {
      for (const entry of entries)
        written.push(entry === null ? null : writeAhead(this.#state, entry[0].length, entry[1]));
    } catch (error) {
      if (this.#core.log.latched === null) {
        for (const descriptor of written) if (descriptor !== null) giveUpAhead(this.#state, descriptor);
      }
      throw error;
    }
    return written;
  }

  /** As `put`, of a value that `writeAhead` has seen in this transaction. */
  putAhead(key: Uint8Array, value: Uint8Array, written: Uint8Array | null): void {
    this.#core.checkUsable(this.#state);
    putValue(this.#state, key, value, written);
  }

  /** As `delete`, of a key that `makeReady` has seen in this transaction. */
  deleteAhead(key: Uint8Array): boolean {
    this.#core.checkUsable(this.#state);
    return deleteReady(this.#state, key);
  }

  /** Removes the entry under `key`. False if there was none. */
  delete(key: Uint8Array): boolean {
    this.#core.checkUsable(this.#state);
    return deleteKey(this.#state, key);
  }

  /**
   * Removes all entries from `from` (null: from the first) to before `to` (null: to the last), in ascending order and steps of one leaf, and
   * returns how many there were. Outside `transact` a step may be the last of a delta: after a crash a part of the range may be gone, always
   * the lower one. Who needs all or nothing keeps a record of the intent in a tree, in the same delta as the first step.
   */
  deleteRange(from: Uint8Array | null, to: Uint8Array | null): number {
    this.#core.checkUsable(this.#state);
    return deleteKeys(this.#state, from, to);
  }

  /** A new cursor, before the first entry. */
  cursor(): TreeCursor {
    this.#core.checkUsable(this.#state);
    return new TreeCursor(this.#state);
  }

  /** Entries of a range as pairs of copies. The tree may be changed meanwhile; entries are as they are when they are reached. */
  entries(range: EntryRange = {}): IterableIterator<[Uint8Array, Uint8Array]> {
    return this.#walk(range, (cursor) => [cursor.key(), cursor.value()]);
  }

  keys(range: EntryRange = {}): IterableIterator<Uint8Array> {
    return this.#walk(range, (cursor) => cursor.key());
  }

  values(range: EntryRange = {}): IterableIterator<Uint8Array> {
    return this.#walk(range, (cursor) => cursor.value());
  }

  /**
   * Loads entries whose keys ascend, beyond the last key of the tree, and returns how many. Leaves get about 95 percent full. Throws a
   * `RangeError` at a key that does not ascend; what was loaded before stays.
   */
  bulkLoad(entries: Iterable<readonly [Uint8Array, Uint8Array]>): number {
    const appender = this.appender();
    let count = 0;
    for (const [key, value] of entries) {
      appender.append(key, value);
      count++;
    }
    return count;
  }

  /** What `bulkLoad` uses: for those who have their entries one by one. Append throws as `bulkLoad` and `put` do. */
  appender(): TreeAppender {
    return new TreeAppender(this.#state);
  }

  /**
   * Makes the leaf that `key` belongs to part of the open delta without changing an entry: for layers that delay their changes to the close
   * of the delta, where they then read nothing and take room for new leaves only. False if it was already. Throws as `put`; with
   * `isReclaiming` the reserve for giving up space is open.
   */
  touch(key: Uint8Array, isReclaiming: boolean = false): boolean {
    this.#core.checkUsable(this.#state);
    return touchLeaf(this.#state, key, isReclaiming);
  }

  /** What a put of a key and value of these lengths takes in the worst case, for those who set room aside for later. */
  putRoom(keyLength: number, valueLength: number): PutRoom {
    const { blockSize, catalogue } = this.#core;
    const isInline = fitsInline(blockSize, keyLength, valueLength);
    // The leaf and a second one; each level redirected and split, and a new root; the path to the line in the catalogue.
    return {
      blocks: 2 + (isInline ? 0 : overflowBlockBound(blockSize, valueLength)),
      nodes: 2 * this.#state.level + 2 + catalogue!.level + 1,
    };
  }

  /** The length of a key that can be stored. Throws `TypeError`, `RangeError` (empty) or `TooLargeError`. */
  checkKey(key: Uint8Array): number {
    return checkKey(key, maxKeyBytes(this.#core.blockSize));
  }

  /** The length of a value that can be stored. Throws `TypeError` or `TooLargeError`. */
  checkValue(value: Uint8Array): number {
    return checkValue(value);
  }

  #find(key: Uint8Array): number {
    const core = this.#core;
    if (core.isClosed || this.#state.isDying) core.checkUsable(this.#state);
    return findKey(this.#state, this.#key, copyKey(key, this.#key));
  }

  #walk<T>(range: EntryRange, take: (cursor: TreeCursor) => T): EntryIterator<T> {
    const bounds = new RangeBounds(range, this.#core.blockSize);
    return new EntryIterator(this.cursor(), bounds, range.limit ?? Number.POSITIVE_INFINITY, take);
  }
}

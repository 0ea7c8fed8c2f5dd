/**
 * A cursor over the extents of one file at a time, for which the leaves of other files do not count.
 *
 * The entries of a file end, and begin, in the midst of a leaf, or where one ends; in that case only the neighbouring leaf says whether there
 * are more. It is read for that, but if it cannot be read, its place in the tree may say as much: the cursor asks which entry is the last
 * before a key, or the first after one, and the search for that ends where the separators say. So damage to another file is none to this one.
 *
 * While staging, what cannot be read does not matter at all: the leaves of all entries that overlap what is staged were touched when the change
 * was made and are in memory, and so is what was born in the delta and may be joined with it.
 */
import type { AllocLog } from '@outwrite/alloc-log';
import { CorruptionError, DeviceError } from '@outwrite/blockdev';
import type { Cursor, Tree } from '@outwrite/btree-cow';
import { BLOCK_INDEX_LIMIT, blockIndexOf, FILE_KEY_BYTES, isFileKey, KIND_EXTENT, setFileKey } from './key-format.ts';

export class ExtentCursor {
  readonly #log: AllocLog;
  readonly #tree: Tree;
  readonly #cursor: Cursor;
  readonly #key: Uint8Array = new Uint8Array(FILE_KEY_BYTES);
  #fileId = 0;
  /** Extents that begin here or later are not looked for. */
  #endIndex = 0;
  /** Where the extent begins at which the cursor stands. */
  #blockIndex = -1;

  constructor(log: AllocLog, tree: Tree) {
    this.#log = log;
    this.#tree = tree;
    this.#cursor = tree.cursor();
  }

  /** Length of the value at the cursor. */
  get valueLength(): number {
    return this.#cursor.valueLength;
  }

  /** The value at the cursor, valid until the next call of anything that belongs to the store. */
  valueView(): Uint8Array {
    return this.#cursor.valueView();
  }

  /**
   * Goes to the last extent of the file that begins at or before `blockIndex`, else to the first after it, and returns where it begins; -1 if
   * there is none that begins before `endIndex`.
   */
  seek(fileId: number, blockIndex: number, endIndex: number): number {
    this.#fileId = fileId;
    this.#endIndex = endIndex;
    const cursor = this.#cursor;
    try {
      if (!cursor.seekBefore(this.#keyOf(blockIndex + 1))) return this.#arrive(cursor.first());
    } catch (error) {
      return this.#seekBesideDamage(blockIndex, checkUnreadable(error));
    }
    const found = this.#arrive(true);
    return found >= 0 ? found : this.next();
  }

  /** Goes to the next extent, and returns where it begins; -1 if there is none that begins before the end that was given to `seek`. */
  next(): number {
    let isThere: boolean;
    const before = this.#blockIndex;
    try {
      isThere = this.#cursor.next();
    } catch (error) {
      checkUnreadable(error);
      if (!this.#log.isStaging && this.#lastBeforeEnd() !== before) throw error;
      return this.#arrive(false);
    }
    return this.#arrive(isThere);
  }

  /** The last extent that begins before the end, or -1. Throws if the leaf to which the end belongs cannot be read. */
  #lastBeforeEnd(): number {
    return this.#arrive(this.#cursor.seekBefore(this.#keyOf(this.#endIndex)));
  }

  /** As `seek`, where a leaf could not be read for `error`: one after the place perhaps, or one before it that has no extent of the file. */
  #seekBesideDamage(blockIndex: number, error: unknown): number {
    const cursor = this.#cursor;
    if (this.#has(blockIndex, error)) return this.#arrive(cursor.seek(this.#keyOf(blockIndex)));
    const before = this.#attempt(() => cursor.seekBefore(this.#keyOf(blockIndex)));
    if (before >= 0) return before;
    if (this.#log.isStaging) {
      const after = this.#attempt(() => this.#seekForward(blockIndex));
      return after >= 0 ? after : this.#attempt(() => this.#seekForward(blockIndex + 1));
    }
    const first = this.#attempt(() => this.#seekForward(0));
    if (first > blockIndex || (first < 0 && this.#lastBeforeEnd() < 0)) return first;
    throw error;
  }

  /** Whether an extent begins at `blockIndex`. Throws `error` if the leaf to which that place belongs cannot be read. */
  #has(blockIndex: number, error: unknown): boolean {
    try {
      return this.#tree.has(this.#keyOf(blockIndex));
    } catch (failure) {
      checkUnreadable(failure);
      if (this.#log.isStaging) return false;
      throw error;
    }
  }

  #seekForward(blockIndex: number): boolean {
    return this.#cursor.seek(this.#keyOf(blockIndex)) || this.#cursor.valid;
  }

  /** Where `move` arrives; -1 also if it could not read what it needed. */
  #attempt(move: () => boolean): number {
    try {
      return this.#arrive(move());
    } catch (error) {
      checkUnreadable(error);
      return this.#arrive(false);
    }
  }

  /** Where the extent begins at which the cursor stands; -1 if what is there is not before the end, another file's, or nothing. */
  #arrive(isThere: boolean): number {
    this.#blockIndex = isThere ? this.#found() : -1;
    return this.#blockIndex;
  }

  #found(): number {
    if (this.#cursor.keyLength !== FILE_KEY_BYTES) return -1;
    this.#cursor.copyKey(this.#key, 0);
    if (!isFileKey(this.#key, FILE_KEY_BYTES, this.#fileId, KIND_EXTENT)) return -1;
    const blockIndex = blockIndexOf(this.#key);
    return blockIndex < this.#endIndex ? blockIndex : -1;
  }

  #keyOf(blockIndex: number): Uint8Array {
    return setFileKey(this.#key, this.#fileId, KIND_EXTENT, Math.min(blockIndex, BLOCK_INDEX_LIMIT));
  }
}

/** Returns the error if it says that something cannot be read, and throws all others. */
export function checkUnreadable(error: unknown): unknown {
  if (error instanceof CorruptionError || error instanceof DeviceError) return error;
  throw error;
}

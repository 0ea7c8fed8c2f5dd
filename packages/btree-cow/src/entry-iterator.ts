/**
 * Walks over entries as an iterator: what `for...of` over a tree runs on.
 *
 * Written out, and not as a generator: resuming one takes longer than a step of the cursor and its copies. As with a generator, the walk is over
 * for good once it has ended, was left, or has thrown.
 */
import type { TreeCursor } from './cursor.ts';
import type { RangeBounds } from './entry-range.ts';

export class EntryIterator<T> implements IterableIterator<T> {
  readonly #cursor: TreeCursor;
  readonly #bounds: RangeBounds;
  readonly #take: (cursor: TreeCursor) => T;
  /** Entries that may still be given. */
  #left: number;
  #hasBegun = false;

  /** `take` makes what is given of the entry at which the cursor stands. Throws a `RangeError` for a limit that is none. */
  constructor(cursor: TreeCursor, bounds: RangeBounds, limit: number, take: (cursor: TreeCursor) => T) {
    if (limit !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(limit) && limit >= 0)) {
      throw new RangeError(`a limit is a whole number or infinity, not ${limit}`);
    }
    this.#cursor = cursor;
    this.#bounds = bounds;
    this.#left = limit;
    this.#take = take;
  }

  next(): IteratorResult<T> {
    const left = this.#left;
    if (left <= 0) return { done: true, value: undefined };
    // Over, unless this step succeeds.
    this.#left = 0;
    const bounds = this.#bounds;
    const cursor = this.#cursor;
    const isThere = this.#hasBegun ? bounds.step(cursor) : bounds.begin(cursor);
    this.#hasBegun = true;
    if (!isThere || !bounds.has(cursor)) return { done: true, value: undefined };
    const value = this.#take(cursor);
    this.#left = left - 1;
    return { done: false, value };
  }

  return(): IteratorResult<T> {
    this.#left = 0;
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): this {
    return this;
  }
}

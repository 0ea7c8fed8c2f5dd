/** The bounds of a walk over entries, in either direction. */
import { compareBytes } from '@outwrite/blockdev';
import type { TreeCursor } from './cursor.ts';
import { copyKey } from './leaf-entry.ts';
import { maxKeyBytes } from './node-format.ts';

/** Which entries to go through, and how. At most one lower and one upper bound. */
export interface EntryRange {
  gt?: Uint8Array;
  gte?: Uint8Array;
  lt?: Uint8Array;
  lte?: Uint8Array;
  /** From the last to the first. */
  reverse?: boolean;
  /** At most so many: a whole number, or infinity. */
  limit?: number;
}

export class RangeBounds {
  readonly #isReverse: boolean;
  readonly #lower: Bound | null;
  readonly #upper: Bound | null;
  readonly #key: Uint8Array;

  /** Throws a `TypeError` for bounds of the wrong type or two on one side, a `RangeError` for an empty one. */
  constructor(range: EntryRange, blockSize: number) {
    this.#isReverse = range.reverse ?? false;
    this.#lower = bound(range.gt, range.gte, blockSize);
    this.#upper = bound(range.lt, range.lte, blockSize);
    this.#key = new Uint8Array(maxKeyBytes(blockSize));
  }

  /** Goes to the first entry of the walk. */
  begin(cursor: TreeCursor): boolean {
    if (!this.#isReverse) {
      if (this.#lower === null) return cursor.first();
      const isEqual = cursor.seek(this.#lower.key);
      if (isEqual && !this.#lower.isInclusive) return cursor.next();
      return cursor.valid;
    }
    if (this.#upper === null) return cursor.last();
    if (this.#upper.isInclusive && cursor.seek(this.#upper.key)) return true;
    return cursor.seekBefore(this.#upper.key);
  }

  step(cursor: TreeCursor): boolean {
    return this.#isReverse ? cursor.previous() : cursor.next();
  }

  /** Whether the cursor has not passed the far end. */
  has(cursor: TreeCursor): boolean {
    const far = this.#isReverse ? this.#lower : this.#upper;
    if (far === null) return true;
    const order = compareBytes(this.#key, 0, cursor.copyKey(this.#key), far.key, 0, far.key.length);
    if (order === 0) return far.isInclusive;
    return this.#isReverse ? order > 0 : order < 0;
  }
}

interface Bound {
  key: Uint8Array;
  isInclusive: boolean;
}

function bound(exclusive: Uint8Array | undefined, inclusive: Uint8Array | undefined, blockSize: number): Bound | null {
  if (exclusive !== undefined && inclusive !== undefined) throw new TypeError('a range has one bound on each side');
  const key = exclusive ?? inclusive;
  if (key === undefined) return null;
  const copy = new Uint8Array(maxKeyBytes(blockSize));
  return { key: copy.subarray(0, copyKey(key, copy)), isInclusive: inclusive !== undefined };
}

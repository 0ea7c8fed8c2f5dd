/**
 * How far to read ahead: a window that doubles while a file is read in order, and is gone when it is not.
 *
 * Counted in blocks of the file. A read that continues the one before doubles the window, from 16 KiB up to 1 MiB; any other read gets
 * exactly what it asks for, so that random reads cost one block each. The window never takes more than an eighth of the cache, else what
 * was read ahead would push itself out.
 */

const FIRST_WINDOW_BYTES = 16 * 1024;
const LARGEST_WINDOW_BYTES = 1024 * 1024;
const CACHE_SHARE = 8;

export class ReadAhead {
  readonly #firstBlocks: number;
  readonly #largestBlocks: number;
  #windowBlocks = 0;
  /** The block at which the next read begins if it continues the last one. */
  #expectedIndex = 0;

  constructor(blockSize: number, cacheBudgetBytes: number) {
    const largestBytes = Math.min(LARGEST_WINDOW_BYTES, cacheBudgetBytes / CACHE_SHARE);
    this.#largestBlocks = Math.max(1, Math.floor(largestBytes / blockSize));
    this.#firstBlocks = Math.min(this.#largestBlocks, Math.max(1, FIRST_WINDOW_BYTES / blockSize));
  }

  /** The most blocks that one fill may bring into the cache. */
  get largestBlocks(): number {
    return this.#largestBlocks;
  }

  /**
   * A read of blocks `[fromIndex, toIndex)` goes to the device from `missIndex` on. Returns how many blocks to read there: at least one.
   */
  plan(fromIndex: number, toIndex: number, missIndex: number): number {
    // The first and the last block of two reads in order may be the same one, when positions are not aligned.
    const inOrder = fromIndex === this.#expectedIndex || fromIndex === this.#expectedIndex - 1;
    const wanted = toIndex - missIndex;
    if (!inOrder) {
      this.#windowBlocks = 0;
      return Math.min(wanted, this.#largestBlocks);
    }
    this.#windowBlocks = Math.min(this.#largestBlocks, Math.max(this.#firstBlocks, this.#windowBlocks * 2));
    return Math.min(this.#largestBlocks, Math.max(wanted, this.#windowBlocks));
  }

  /** A read of blocks `[fromIndex, toIndex)` has ended, from the cache or not. */
  noteRead(toIndex: number): void {
    this.#expectedIndex = toIndex;
  }

  /** Blocks that the next read in order would bring; 0 when reading is not in order. */
  get windowBlocks(): number {
    return this.#windowBlocks;
  }
}

/**
 * Numbers of index nodes that have no block yet. They share the 32-bit space of block numbers, above every block, so that one mapping
 * of the cache serves both; they exist in memory only and are reused.
 */
import { assert, BLOCK_NUMBER_LIMIT, NIL_BLOCK } from '@outwrite/blockdev';

export const FIRST_PROVISIONAL: number = BLOCK_NUMBER_LIMIT;

export function isProvisional(number: number): boolean {
  return number >= FIRST_PROVISIONAL && number !== NIL_BLOCK;
}

export class ProvisionalNumbers {
  #next = FIRST_PROVISIONAL;
  readonly #free: number[] = [];

  /** Numbers in use: nodes of the open epoch, each of which will need a block at the next checkpoint. */
  get count(): number {
    return this.#next - FIRST_PROVISIONAL - this.#free.length;
  }

  take(): number {
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    assert(this.#next < NIL_BLOCK, 'provisional numbers do not run out');
    return this.#next++;
  }

  release(number: number): void {
    assert(isProvisional(number) && number < this.#next, 'only a provisional number that was taken is released');
    this.#free.push(number);
  }
}

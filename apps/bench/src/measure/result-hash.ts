/**
 * A running hash over what an engine answered, by which the runs of all engines are compared.
 */
import { xxh32 } from '@outwrite/blockdev';

export class ResultHash {
  #state = 0x9e3779b9;
  #count = 0;

  /** Adds bytes; order counts. */
  add(bytes: Uint8Array): void {
    this.addNumber(xxh32(bytes, 0));
  }

  addNumber(value: number): void {
    let mixed = Math.imul(this.#state ^ value, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    this.#state = (mixed ^ (mixed >>> 16)) >>> 0;
    this.#count++;
  }

  /** What was added, as a short string: the count, then the hash. */
  digest(): string {
    return `${this.#count}:${this.#state.toString(16).padStart(8, '0')}`;
  }
}

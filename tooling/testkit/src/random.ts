/**
 * A seeded source of randomness for tests: equal seeds give equal sequences on every platform.
 *
 * The generator is sfc32 (Chris Doty-Humphrey's small fast counting generator, 32-bit variant), seeded by a 32-bit
 * number through splitmix32. `derive` gives an independent generator for a numbered part of a test, so that one part
 * can be repeated alone.
 */
export class Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    let state = this.seed;
    const expand = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    this.#a = expand();
    this.#b = expand();
    this.#c = expand();
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** An integer from 0 to 2^32 - 1. */
  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number in [0, 1). A field, so that it can be handed on as a function. */
  readonly fraction = (): number => this.u32() / 0x100000000;

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** An integer from `first` to `last`, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError('there is nothing to pick from');
    return items[this.below(items.length)]!;
  }

  /** A shuffled copy. */
  shuffled<Item>(items: readonly Item[]): Item[] {
    const result = items.slice();
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }

  bytes(lengthBytes: number): Uint8Array {
    const result = new Uint8Array(lengthBytes);
    for (let i = 0; i < lengthBytes; i++) result[i] = this.u32();
    return result;
  }

  /** A generator that depends on this one's seed and on `parts`, not on what was drawn so far. */
  derive(...parts: number[]): Random {
    let seed = this.seed;
    for (const part of parts) seed = Math.imul(seed ^ (part >>> 0) ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return new Random(seed);
  }
}

/** The environment variable that fixes the seed of every random test. */
export const SEED_VARIABLE = 'OUTWRITE_SEED';

/** A seed for the test `name`: that of the environment, or a new one. Prints it with the way to repeat the run. */
export function testSeed(name: string): number {
  const given = process.env[SEED_VARIABLE];
  const seed = given === undefined ? (Date.now() ^ (process.pid << 16)) >>> 0 : Number(given) >>> 0;
  console.log(`${name}: seed ${seed} (repeat with ${SEED_VARIABLE}=${seed})`);
  return seed;
}

/**
 * Keys, values and orders of the key-value workloads: pure functions of an index, so that every engine gets the same and nothing has
 * to be kept in memory.
 *
 * - Key shapes: 8 bytes (the index, big-endian) and 40 bytes that look like a path. Both ascend with the index.
 * - `Permutation` visits every index once in an order without pattern: a Feistel network over the next power of four, walked
 *   until the result is in range (Black and Rogaway, "Ciphers with arbitrary finite domains", cycle walking).
 * - `RandomIndexes` draws with repetition.
 */
export interface KeyShape {
  readonly name: 'kv8' | 'kv40';
  readonly keyBytes: number;
  /** Writes the key of `index` to the start of `target`. */
  write(index: number, target: Uint8Array): void;
}

export const VALUE_BYTES = 100;

function writeInteger(index: number, target: Uint8Array): void {
  const low = index >>> 0;
  target[4] = low >>> 24;
  target[5] = low >>> 16;
  target[6] = low >>> 8;
  target[7] = low;
}

export const INTEGER_KEYS: KeyShape = { name: 'kv8', keyBytes: 8, write: writeInteger };

const PATH_TEMPLATE = new TextEncoder().encode('/srv/project-000/src/module-00/f-0000.ts');
/** Where the nine digits of the index stand, the most significant first. */
const PATH_DIGITS = [13, 14, 15, 28, 29, 33, 34, 35, 36];
const DIGIT_ZERO = 0x30;

function writePath(index: number, target: Uint8Array): void {
  if (target[0] !== PATH_TEMPLATE[0]) target.set(PATH_TEMPLATE);
  let rest = index;
  for (let i = PATH_DIGITS.length - 1; i >= 0; i--) {
    const tenth = (rest / 10) | 0;
    target[PATH_DIGITS[i]!] = DIGIT_ZERO + rest - tenth * 10;
    rest = tenth;
  }
}

export const PATH_KEYS: KeyShape = { name: 'kv40', keyBytes: PATH_TEMPLATE.length, write: writePath };

/** Scrambles a u32 (the finalizer of MurmurHash3, public domain). */
export function scramble(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A value buffer that is filled anew for each entry. */
export class ValueSource {
  readonly bytes = Buffer.alloc(VALUE_BYTES);
  readonly #words = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, VALUE_BYTES >> 2);

  /** Fills `bytes` with the value of `index` after `version` changes. */
  fill(index: number, version: number): void {
    let word = scramble(index ^ Math.imul(version + 1, 0x9e3779b1)) | 1;
    for (let i = 0; i < this.#words.length; i++) {
      // xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      this.#words[i] = word;
    }
  }
}

export class Permutation {
  readonly #count: number;
  readonly #seed: number;
  readonly #halfBits: number;
  readonly #halfMask: number;

  constructor(count: number, seed: number) {
    this.#count = count;
    this.#seed = seed;
    this.#halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, count)) / 2));
    this.#halfMask = (1 << this.#halfBits) - 1;
  }

  /** The place of `index` in the order; a different one for each index below the count. */
  at(index: number): number {
    let value = index;
    do {
      let left = value >>> this.#halfBits;
      let right = value & this.#halfMask;
      for (let round = 0; round < 4; round++) {
        const next = left ^ (scramble(right + Math.imul(this.#seed + round, 0x9e3779b1)) & this.#halfMask);
        left = right;
        right = next;
      }
      value = ((left << this.#halfBits) | right) >>> 0;
    } while (value >= this.#count);
    return value;
  }
}

export class RandomIndexes {
  #state: number;
  readonly #count: number;

  constructor(count: number, seed: number) {
    this.#count = count;
    this.#state = scramble(seed + 1) | 1;
  }

  next(): number {
    let word = this.#state;
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    this.#state = word;
    // The high bits of a 32-bit product: no division, no bias worth the name for counts far below 2^32.
    return Math.floor(((word >>> 0) / 4_294_967_296) * this.#count);
  }
}

/**
 * Cursors for encoders and decoders: `ByteReader` checks every step, `ByteWriter` grows as needed.
 *
 * A reader is confined to its range: each step that would leave it throws a `CorruptionError` that names the structure
 * being read, so a decoder that takes all its bytes through one cannot be led out of its block by a bad length. Views
 * that it hands out alias the input. Integers are little-endian; `varint` is as in `bytes.ts`.
 */
import { assert } from './assert.ts';
import {
  getU16,
  getU32,
  getU48,
  getVarint,
  MAX_VARINT_BYTES,
  setU16,
  setU32,
  setU48,
  setVarint,
  varintLength,
} from './bytes.ts';
import { CorruptionError } from './errors.ts';

/** A bounds-checked cursor over `bytes[start, end)`. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  /** Where the next step reads; an index into `bytes`. */
  offset: number;
  readonly #structure: string;
  readonly #block: number | undefined;

  constructor(
    bytes: Uint8Array,
    options: { structure: string; start?: number; end?: number; block?: number | undefined },
  ) {
    this.bytes = bytes;
    this.offset = options.start ?? 0;
    this.end = options.end ?? bytes.length;
    this.#structure = options.structure;
    this.#block = options.block;
    assert(this.offset >= 0 && this.offset <= this.end && this.end <= bytes.length, 'a reader stays within its bytes');
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }

  u16(): number {
    return getU16(this.bytes, this.#take(2));
  }

  u32(): number {
    return getU32(this.bytes, this.#take(4));
  }

  u48(): number {
    return getU48(this.bytes, this.#take(6));
  }

  varint(): number {
    let length: number;
    try {
      length = varintLength(this.bytes, this.offset, this.end);
    } catch (error) {
      if (error instanceof CorruptionError) this.fail('bad variable-length integer', { cause: error });
      throw error;
    }
    const value = getVarint(this.bytes, this.offset, this.end);
    this.offset += length;
    return value;
  }

  /** The next `length` bytes as a view of the input. */
  view(length: number): Uint8Array {
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** Skips `length` bytes that an encoder writes as zeros, and checks that they are. */
  zeros(length: number): void {
    const start = this.#take(length);
    for (let i = start; i < start + length; i++) {
      if (this.bytes[i] !== 0) this.fail('padding is not zero', { actual: this.bytes[i] });
    }
  }

  /** Fails unless everything has been read. */
  expectEnd(): void {
    if (this.offset !== this.end) this.fail('bytes are left over', { expected: 0, actual: this.remaining });
  }

  /** Throws a `CorruptionError` for the structure being read. */
  fail(
    problem: string,
    detail: { expected?: number | string; actual?: number | string | undefined; cause?: unknown } = {},
  ): never {
    throw new CorruptionError(this.#structure, problem, { block: this.#block, ...detail });
  }

  #take(length: number): number {
    const start = this.offset;
    // Also refuses negative and fractional lengths, NaN included.
    if (!(Number.isInteger(length) && length >= 0 && length <= this.end - start)) {
      this.fail('a length leads beyond the end', { expected: this.remaining, actual: length });
    }
    this.offset = start + length;
    return start;
  }
}

/** Appends integers and bytes to a buffer that doubles when it is full. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(initialCapacityBytes: number = 256) {
    this.#bytes = new Uint8Array(initialCapacityBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    const offset = this.#extend(1);
    this.#bytes[offset] = value;
  }

  u16(value: number): void {
    const offset = this.#extend(2);
    setU16(this.#bytes, offset, value);
  }

  u32(value: number): void {
    const offset = this.#extend(4);
    setU32(this.#bytes, offset, value);
  }

  u48(value: number): void {
    const offset = this.#extend(6);
    setU48(this.#bytes, offset, value);
  }

  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a variable-length integer is from 0 to 2^53 - 1');
    const offset = this.#extend(MAX_VARINT_BYTES);
    this.#length = setVarint(this.#bytes, offset, value);
  }

  /** Appends `bytes[start, end)`. */
  append(bytes: Uint8Array, start: number = 0, end: number = bytes.length): void {
    const offset = this.#extend(end - start);
    this.#bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), offset);
  }

  zeros(length: number): void {
    const offset = this.#extend(length);
    this.#bytes.fill(0, offset, offset + length);
  }

  /** Overwrites a u32 that was written before, such as a length that is known only afterwards. */
  patchU32(offset: number, value: number): void {
    assert(offset >= 0 && offset + 4 <= this.#length, 'a patch stays within what was written');
    setU32(this.#bytes, offset, value);
  }

  /** Everything written so far, as a view that is valid until the next call of any other method. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the capacity. */
  reset(): void {
    this.#length = 0;
  }

  #extend(length: number): number {
    const offset = this.#length;
    if (offset + length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(offset + length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, offset));
      this.#bytes = larger;
    }
    this.#length = offset + length;
    return offset;
  }
}

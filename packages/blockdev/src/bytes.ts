/**
 * Little-endian integers, variable-length integers and comparison on plain `Uint8Array`s, by offset.
 *
 * These are the primitives of every on-disk format. They work byte by byte and so at any alignment, allocate nothing,
 * and check nothing: the caller knows that the bytes are there. Decoders of data that was read from a device use
 * `ByteReader`, which does check.
 */
import { CorruptionError } from './errors.ts';

/** The name of a typed array's own class, read from the array itself; undefined for everything else. */
const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!
  .get as () => string | undefined;

/**
 * Whether `value` is a `Uint8Array`, or of a class derived from it, of this realm or another one. In jsdom and in contexts of `node:vm`
 * what a `TextEncoder` gives is of another realm than the code that checks it.
 */
export function isUint8Array(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || typedArrayName.call(value) === 'Uint8Array';
}

export function getU16(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8);
}

export function setU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
}

export function getU32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0;
}

export function setU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

const TWO_TO_32 = 0x100000000;

export function getU48(bytes: Uint8Array, offset: number): number {
  return getU32(bytes, offset) + getU16(bytes, offset + 4) * TWO_TO_32;
}

export function setU48(bytes: Uint8Array, offset: number, value: number): void {
  setU32(bytes, offset, value >>> 0);
  setU16(bytes, offset + 4, Math.floor(value / TWO_TO_32));
}

/**
 * Compares `a[aStart, aEnd)` with `b[bStart, bEnd)` as unsigned bytes, a prefix before what it begins (the order of
 * memcmp). Negative, zero or positive. A loop of our own beats `Buffer.compare` up to about 40 bytes, where keys are.
 */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const sharedLength = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < sharedLength; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** How many bytes `a[aStart, aEnd)` and `b[bStart, bEnd)` have in common at their beginning. */
export function commonPrefixLength(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const limit = Math.min(aEnd - aStart, bEnd - bStart);
  let length = 0;
  while (length < limit && a[aStart + length] === b[bStart + length]) length++;
  return length;
}

/** The longest encoding of a variable-length integer: 53 bits, 7 a byte. */
export const MAX_VARINT_BYTES = 8;

/** Bytes that `setVarint` writes for `value`, an integer from 0 to 2^53 - 1. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/**
 * Writes `value` (0 to 2^53 - 1) as unsigned LEB128 (7 bits a byte, low bits first) and returns the offset after it.
 */
export function setVarint(bytes: Uint8Array, offset: number, value: number): number {
  let rest = value;
  // The low 32 bits of a double below 2^53 are exact under bit operators, so only the shift needs a division.
  while (rest > 0x7fffffff) {
    bytes[offset++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest >= 0x80) {
    bytes[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[offset++] = rest;
  return offset;
}

/**
 * Bytes of the variable-length integer that begins at `offset`, at most up to `end`. Throws a `CorruptionError` if it
 * is cut off, longer than its value needs, or 2^53 or more; so each value has exactly one encoding.
 */
export function varintLength(bytes: Uint8Array, offset: number, end: number): number {
  let length = 0;
  for (;;) {
    if (offset + length >= end) throw new CorruptionError('integer', 'a variable-length integer is cut off');
    const byte = bytes[offset + length]!;
    length++;
    if (length === MAX_VARINT_BYTES && byte > 0x0f) {
      throw new CorruptionError('integer', 'a variable-length integer is too large', { actual: byte });
    }
    if (byte < 0x80) {
      if (byte === 0 && length > 1) throw new CorruptionError('integer', 'a variable-length integer has idle bytes');
      return length;
    }
  }
}

/** The variable-length integer at `offset`, checked as by `varintLength`, which also gives its length. */
export function getVarint(bytes: Uint8Array, offset: number, end: number): number {
  const length = varintLength(bytes, offset, end);
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 0x80 + (bytes[offset + i]! & 0x7f);
  return value;
}

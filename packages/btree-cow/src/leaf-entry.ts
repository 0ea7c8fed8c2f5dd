/**
 * One entry on its way into a leaf: key and value copied out of what the user passed.
 *
 * The copies make every later loop see arrays of one shape, and a caller may reuse or change its arrays as soon as the call returns. A tree
 * store has one of these for all its operations; a delta boundary inside an operation may use it for other entries, so whoever lets one
 * happen loads it again.
 */
import { isUint8Array, TooLargeError } from '@outwrite/blockdev';
import { maxInlineBytes, maxKeyBytes } from './node-format.ts';
import { MAX_VALUE_BYTES } from './overflow-format.ts';

export class LeafEntry {
  readonly key: Uint8Array;
  keyLength = 0;
  /** The value, or the descriptor of its overflow extents. */
  readonly value: Uint8Array;
  /** The same bytes as `value`, in words; cells are copied so. */
  readonly valueWords: Uint32Array;
  valueLength = 0;
  isOverflow = false;

  constructor(blockSize: number) {
    this.key = new Uint8Array(maxKeyBytes(blockSize));
    this.valueWords = new Uint32Array(maxInlineBytes(blockSize) >>> 2);
    this.value = new Uint8Array(this.valueWords.buffer);
  }

  /** Takes a copy of `key`. Throws `TypeError`, `RangeError` (empty) or `TooLargeError`. */
  loadKey(key: Uint8Array): void {
    this.keyLength = copyKey(key, this.key);
  }

  /** Takes a copy of `value`, which is short enough to be stored in the leaf. */
  loadValue(value: Uint8Array): void {
    this.value.set(value);
    this.valueLength = value.length;
    this.isOverflow = false;
  }
}

/** Copies a user's key into `target`, whose length is the limit, and returns its length. Throws as `checkKey` does. */
export function copyKey(key: Uint8Array, target: Uint8Array): number {
  const length = checkKey(key, target.length);
  if (length > 32) target.set(key);
  else for (let i = 0; i < length; i++) target[i] = key[i]!;
  return length;
}

/** The length of a key that can be stored. Throws `TypeError`, `RangeError` (empty) or `TooLargeError`. */
export function checkKey(key: Uint8Array, limit: number): number {
  if (!isUint8Array(key)) throw new TypeError('a key is a Uint8Array');
  const { length } = key;
  if (length === 0) throw new RangeError('a key has at least one byte');
  if (length > limit) throw new TooLargeError('a key', { limit, actual: length });
  return length;
}

/** The length of a value that can be stored. Throws `TypeError` or `TooLargeError`. */
export function checkValue(value: Uint8Array): number {
  if (!isUint8Array(value)) throw new TypeError('a value is a Uint8Array');
  if (value.length > MAX_VALUE_BYTES)
    throw new TooLargeError('a value', { limit: MAX_VALUE_BYTES, actual: value.length });
  return value.length;
}

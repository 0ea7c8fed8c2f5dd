/**
 * Block and delta numbers: branded so that signatures say which one they mean, plain numbers at run time.
 *
 * Values are checked where they enter (constructors here, decoders elsewhere) and are free of checks inside. A block
 * number fits in 32 bits and stays below 0xf0000000: the rest is left to callers for provisional numbers and marks such
 * as `NIL_BLOCK`.
 */

declare const blockNumberBrand: unique symbol;
declare const deltaNumberBrand: unique symbol;

/** The index of a block on its device: an integer from 0 to `BLOCK_NUMBER_LIMIT - 1`. */
export type BlockNumber = number & { readonly [blockNumberBrand]: true };

/**
 * The number of a delta, ascending by one a commit over the whole life of a volume: from 0 to `DELTA_NUMBER_LIMIT - 1`.
 */
export type DeltaNumber = number & { readonly [deltaNumberBrand]: true };

/** No block number reaches this; what lies between it and `NIL_BLOCK` is free for numbers that are no blocks. */
export const BLOCK_NUMBER_LIMIT = 0xf0000000;

/** Stands for "no block" where a block number is stored. */
export const NIL_BLOCK: BlockNumber = 0xffffffff as BlockNumber;

/** Delta numbers are stored in 48 bits. */
export const DELTA_NUMBER_LIMIT: number = 2 ** 48;

export function isBlockNumber(value: number): value is BlockNumber {
  // An unsigned shift leaves exactly the integers from 0 to 2^32 - 1 as they are.
  return value >>> 0 === value && value < BLOCK_NUMBER_LIMIT;
}

/** `value` as a block number. Throws a `RangeError` if it is none; `NIL_BLOCK` is none. */
export function blockNumber(value: number): BlockNumber {
  if (!isBlockNumber(value)) throw new RangeError(`${value} is not a block number`);
  return value;
}

export function isDeltaNumber(value: number): value is DeltaNumber {
  return Number.isInteger(value) && value >= 0 && value < DELTA_NUMBER_LIMIT;
}

/** `value` as a delta number. Throws a `RangeError` if it is none. */
export function deltaNumber(value: number): DeltaNumber {
  if (!isDeltaNumber(value)) throw new RangeError(`${value} is not a delta number`);
  return value;
}

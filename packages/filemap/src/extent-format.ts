/**
 * The values under a file's keys: an extent with a checksum for each block, and the mark of a range that is being reclaimed.
 *
 * The number of an extent's blocks is the length of its checksum list, so that an entry cannot contradict itself. An entry holds no more
 * than fits a quarter of a block: 29 blocks of 512 bytes, 253 of 4096, 1021 of 16384. Integers are little endian.
 */
import { assert, BLOCK_NUMBER_LIMIT, CorruptionError, getU32, getU48, setU32, setU48 } from '@outwrite/blockdev';
import { BLOCK_INDEX_LIMIT } from './key-format.ts';

const START_OFFSET = 0;
const START_BYTES = 4;
const BIRTH_OFFSET = START_OFFSET + START_BYTES;
const BIRTH_BYTES = 6;
const CHECKSUMS_OFFSET = BIRTH_OFFSET + BIRTH_BYTES;
const CHECKSUM_BYTES = 4;

/** Bytes of an extent's value before its checksums. */
export const EXTENT_HEADER_BYTES = CHECKSUMS_OFFSET;

assert(EXTENT_HEADER_BYTES === 10, 'an extent begins with 10 bytes');

const RECLAIM_FROM_OFFSET = 0;
const RECLAIM_FROM_BYTES = 6;
const RECLAIM_TO_OFFSET = RECLAIM_FROM_OFFSET + RECLAIM_FROM_BYTES;
const RECLAIM_TO_BYTES = 6;

/** Bytes of the value that marks a range being reclaimed. */
export const RECLAIM_BYTES = RECLAIM_TO_OFFSET + RECLAIM_TO_BYTES;

assert(RECLAIM_BYTES === 12, 'a reclaim mark has 12 bytes');

/** Values up to a quarter of a block stay in the leaf: the limit of an inline content and of an extent entry. */
export function maxValueBytes(blockSize: number): number {
  return blockSize >>> 2;
}

/** The most blocks that one extent entry describes. */
export function maxExtentBlocks(blockSize: number): number {
  return Math.floor((maxValueBytes(blockSize) - EXTENT_HEADER_BYTES) / CHECKSUM_BYTES);
}

/** Bytes of the value of an extent of `blockCount` blocks. */
export function extentValueBytes(blockCount: number): number {
  return EXTENT_HEADER_BYTES + blockCount * CHECKSUM_BYTES;
}

/**
 * Blocks `start` to `start + checksums.length - 1` of the device hold the file's blocks from `blockIndex` on. `birth` is the delta that
 * wrote them. Never changed once made: pieces are cut out as new objects that share the checksums.
 */
export interface Extent {
  readonly blockIndex: number;
  readonly start: number;
  readonly birth: number;
  readonly checksums: Uint32Array;
}

/** What every block number, birth and length is held against when an extent is decoded. */
export interface ExtentLimits {
  /** Most blocks of one entry. */
  readonly maxBlocks: number;
  /** The number of the delta that is open: nothing was born later. */
  readonly openDelta: number;
}

/** Encodes an extent into a new value. */
export function encodeExtent(extent: Extent): Uint8Array {
  const value = new Uint8Array(extentValueBytes(extent.checksums.length));
  encodeExtentInto(value, extent);
  return value;
}

/** Encodes an extent at the beginning of `target`, and returns the length of the value. */
export function encodeExtentInto(target: Uint8Array, extent: Extent): number {
  const { checksums } = extent;
  setExtentHeader(target, 0, extent.start, extent.birth);
  for (let i = 0; i < checksums.length; i++) setU32(target, CHECKSUMS_OFFSET + i * CHECKSUM_BYTES, checksums[i]!);
  return extentValueBytes(checksums.length);
}

/** Writes the part of a value that stands before the checksums to `target[at, ...)`. */
export function setExtentHeader(target: Uint8Array, at: number, start: number, birth: number): void {
  setU32(target, at + START_OFFSET, start);
  setU48(target, at + BIRTH_OFFSET, birth);
}

/**
 * Checks the value of the extent at `blockIndex` and returns the number of its blocks. Throws a `CorruptionError` for a length that no
 * encoder writes, a block that no device has, a birth that has not come yet, and a position beyond every file.
 */
export function checkExtentValue(value: Uint8Array, blockIndex: number, limits: ExtentLimits): number {
  const checksumBytes = value.length - EXTENT_HEADER_BYTES;
  const blockCount = checksumBytes / CHECKSUM_BYTES;
  if (checksumBytes <= 0 || checksumBytes % CHECKSUM_BYTES !== 0 || blockCount > limits.maxBlocks) {
    throw new CorruptionError('file map', 'an extent has an impossible length', { actual: value.length });
  }
  const start = extentStart(value);
  if (start + blockCount > BLOCK_NUMBER_LIMIT) {
    throw new CorruptionError('file map', 'an extent reaches beyond every device', { block: start });
  }
  const birth = extentBirth(value);
  if (birth === 0 || birth > limits.openDelta) {
    throw new CorruptionError('file map', 'an extent was born in a delta that has not been', {
      block: start,
      actual: birth,
    });
  }
  if (blockIndex + blockCount > BLOCK_INDEX_LIMIT) {
    throw new CorruptionError('file map', 'an extent lies beyond the end of every file', {
      block: start,
      actual: blockIndex,
    });
  }
  return blockCount;
}

/** First block of the extent in `value`, which `checkExtentValue` has accepted. */
export function extentStart(value: Uint8Array): number {
  return getU32(value, START_OFFSET);
}

/** Birth of the extent in `value`, which `checkExtentValue` has accepted. */
export function extentBirth(value: Uint8Array): number {
  return getU48(value, BIRTH_OFFSET);
}

/** The checksum of block `index` of a checked extent. */
export function checksumAt(value: Uint8Array, index: number): number {
  return getU32(value, CHECKSUMS_OFFSET + index * CHECKSUM_BYTES);
}

/** Copies the checksums of `blockCount` blocks of a checked extent from its block `firstBlock` on. */
export function copyChecksums(value: Uint8Array, firstBlock: number, blockCount: number): Uint32Array {
  const checksums = new Uint32Array(blockCount);
  const offset = CHECKSUMS_OFFSET + firstBlock * CHECKSUM_BYTES;
  for (let i = 0; i < blockCount; i++) checksums[i] = getU32(value, offset + i * CHECKSUM_BYTES);
  return checksums;
}

/** Decodes the extent at `blockIndex`; throws as `checkExtentValue`. */
export function decodeExtent(value: Uint8Array, blockIndex: number, limits: ExtentLimits): Extent {
  const blockCount = checkExtentValue(value, blockIndex, limits);
  return {
    blockIndex,
    start: extentStart(value),
    birth: extentBirth(value),
    checksums: copyChecksums(value, 0, blockCount),
  };
}

/** Blocks `[fromIndex, toIndex)` of a file read as a hole whatever extents are still there, because those are being reclaimed. */
export interface ReclaimRange {
  readonly fromIndex: number;
  readonly toIndex: number;
}

/** Encodes a range; `toIndex` of `BLOCK_INDEX_LIMIT` ("to the end") is stored as the largest 48-bit number, which no block has. */
export function encodeReclaim(range: ReclaimRange): Uint8Array {
  const value = new Uint8Array(RECLAIM_BYTES);
  setU48(value, RECLAIM_FROM_OFFSET, range.fromIndex);
  setU48(value, RECLAIM_TO_OFFSET, Math.min(range.toIndex, BLOCK_INDEX_LIMIT - 1));
  return value;
}

/** Decodes the mark of a range; throws a `CorruptionError` for a wrong length or an empty range. */
export function decodeReclaim(value: Uint8Array): ReclaimRange {
  if (value.length !== RECLAIM_BYTES) {
    throw new CorruptionError('file map', 'a reclaim mark has the wrong length', {
      expected: RECLAIM_BYTES,
      actual: value.length,
    });
  }
  const fromIndex = getU48(value, RECLAIM_FROM_OFFSET);
  const stored = getU48(value, RECLAIM_TO_OFFSET);
  const toIndex = stored === BLOCK_INDEX_LIMIT - 1 ? BLOCK_INDEX_LIMIT : stored;
  if (fromIndex >= toIndex) {
    throw new CorruptionError('file map', 'a reclaim mark is empty', { expected: fromIndex + 1, actual: toIndex });
  }
  return { fromIndex, toIndex };
}

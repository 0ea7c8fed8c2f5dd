/**
 * Overflow values: the descriptor in the leaf, and lists of extents that are too long for it.
 *
 * The bytes of a large value stand in extents of whole blocks, the last block padded with zeros. A list of extents that does not fit into the
 * descriptor is itself stored so, as a stream of its own; the level says how often that happened. The checksum of an extent is that of the
 * checksums of its blocks, in order, as little-endian words: the log wants those of the blocks, so the bytes are gone through once.
 */
import { assert, CorruptionError, getU32, getU48, setU32, setU48 } from '@outwrite/blockdev';

/** Largest value: 1 GiB. */
export const MAX_VALUE_BYTES: number = 2 ** 30;

// Descriptor.
const LEVEL_AT = 0; // u8: 0 if the extents hold the value, n if they hold a list of extents of level n - 1
const LENGTH_AT: number = LEVEL_AT + 1; // u32: bytes of the value
const BIRTH_AT: number = LENGTH_AT + 4; // u48: of all extents of all levels
export const DESCRIPTOR_HEADER_BYTES: number = BIRTH_AT + 6;

// Extent, in descriptors and lists.
const START_AT = 0; // u32
const COUNT_AT: number = START_AT + 4; // u32, 1 or more
const CHECKSUM_AT: number = COUNT_AT + 4; // u32
export const EXTENT_BYTES: number = CHECKSUM_AT + 4;

/** A stored list begins with the number of its extents, u32. */
export const LIST_HEADER_BYTES = 4;

/** More levels than the longest list needs with the smallest blocks. */
const MAX_LIST_LEVEL = 8;

assert(DESCRIPTOR_HEADER_BYTES === 11 && EXTENT_BYTES === 12, 'sizes of an overflow descriptor');

export interface OverflowExtent {
  start: number;
  count: number;
  checksum: number;
}

export interface OverflowDescriptor {
  level: number;
  lengthBytes: number;
  birth: number;
  extents: OverflowExtent[];
}

/** What a descriptor takes whose value lies in `blockCount` extents of a block each. */
export function longestDescriptorBytes(blockCount: number): number {
  return DESCRIPTOR_HEADER_BYTES + blockCount * EXTENT_BYTES;
}

/** Writes a descriptor and returns its length. */
export function encodeDescriptor(target: Uint8Array, descriptor: OverflowDescriptor): number {
  target[LEVEL_AT] = descriptor.level;
  setU32(target, LENGTH_AT, descriptor.lengthBytes);
  setU48(target, BIRTH_AT, descriptor.birth);
  return encodeExtents(target, DESCRIPTOR_HEADER_BYTES, descriptor.extents);
}

/** Reads a descriptor from `bytes[start, end)`; throws a `CorruptionError` unless all its extents lie below `blockLimit`. */
export function decodeDescriptor(
  bytes: Uint8Array,
  start: number,
  end: number,
  blockLimit: number,
): OverflowDescriptor {
  const extentBytes = end - start - DESCRIPTOR_HEADER_BYTES;
  if (extentBytes < EXTENT_BYTES || extentBytes % EXTENT_BYTES !== 0) {
    throw new CorruptionError('overflow descriptor', 'bad length', { actual: end - start });
  }
  const level = bytes[start + LEVEL_AT]!;
  const lengthBytes = getU32(bytes, start + LENGTH_AT);
  if (level > MAX_LIST_LEVEL) throw new CorruptionError('overflow descriptor', 'bad level', { actual: level });
  if (lengthBytes > MAX_VALUE_BYTES || lengthBytes === 0) {
    throw new CorruptionError('overflow descriptor', 'bad length of the value', { actual: lengthBytes });
  }
  const extents = decodeExtents(bytes, start + DESCRIPTOR_HEADER_BYTES, extentBytes / EXTENT_BYTES, blockLimit);
  return { level, lengthBytes, birth: getU48(bytes, start + BIRTH_AT), extents };
}

/** The birth in a descriptor, without the rest. */
export function descriptorBirth(bytes: Uint8Array, start: number): number {
  return getU48(bytes, start + BIRTH_AT);
}

/** The length of the value that a descriptor describes. */
export function descriptorLengthBytes(bytes: Uint8Array, start: number): number {
  return getU32(bytes, start + LENGTH_AT);
}

/** A list of extents as it is stored. */
export function encodeList(extents: readonly OverflowExtent[]): Uint8Array {
  const list = new Uint8Array(LIST_HEADER_BYTES + extents.length * EXTENT_BYTES);
  setU32(list, 0, extents.length);
  encodeExtents(list, LIST_HEADER_BYTES, extents);
  return list;
}

/** Reads a stored list, whose blocks are `bytes`. */
export function decodeList(bytes: Uint8Array, blockSize: number, blockLimit: number): OverflowExtent[] {
  const count = getU32(bytes, 0);
  const lengthBytes = LIST_HEADER_BYTES + count * EXTENT_BYTES;
  if (count === 0 || Math.ceil(lengthBytes / blockSize) * blockSize !== bytes.length) {
    throw new CorruptionError('overflow extent', 'a list of extents has another length than its blocks', {
      actual: count,
    });
  }
  return decodeExtents(bytes, LIST_HEADER_BYTES, count, blockLimit);
}

function encodeExtents(target: Uint8Array, offset: number, extents: readonly OverflowExtent[]): number {
  for (const { start, count, checksum } of extents) {
    setU32(target, offset + START_AT, start);
    setU32(target, offset + COUNT_AT, count);
    setU32(target, offset + CHECKSUM_AT, checksum);
    offset += EXTENT_BYTES;
  }
  return offset;
}

function decodeExtents(bytes: Uint8Array, offset: number, count: number, blockLimit: number): OverflowExtent[] {
  const extents: OverflowExtent[] = [];
  for (let i = 0; i < count; i++, offset += EXTENT_BYTES) {
    const start = getU32(bytes, offset + START_AT);
    const blockCount = getU32(bytes, offset + COUNT_AT);
    if (blockCount === 0 || start + blockCount > blockLimit) {
      throw new CorruptionError('overflow extent', 'it leads beyond the volume', {
        block: start,
        expected: blockLimit,
        actual: blockCount,
      });
    }
    extents.push({ start, count: blockCount, checksum: getU32(bytes, offset + CHECKSUM_AT) });
  }
  return extents;
}

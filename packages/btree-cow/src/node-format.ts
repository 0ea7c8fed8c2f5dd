/**
 * The bytes of a tree node: one block that holds a directory, free space, cells and the prefix that all its keys share.
 *
 * ```
 * header | heads u32[n] | leaf: offsets u16[n] / index: records 16 bytes[n] | free space | cells | prefix
 * ```
 *
 * A key is stored as prefix (once a node), head (the next four bytes, big-endian so that the order of integers is the order of bytes, padded
 * with zeros) and tail. The *rest* of a key is what follows the prefix: head and tail. A leaf cell holds the value, then the tail; an
 * index cell the tail only, and an entry whose rest fits in the head has none. Cells begin at multiples of four, so do values.
 * Entry 0 of an index node has no separator: its lower bound is that of the node. Prefix and heads are those of the node's own keys,
 * never derived from its separator, so a node can be read without its parent.
 *
 * Everything is little-endian but the bytes of keys. All offsets are relative to the beginning of the block.
 */
import { assert } from '@outwrite/blockdev';

/** What a node is, in its first byte. On disk: do not renumber. */
export const LEAF_KIND = 0x4c;
export const INDEX_KIND = 0x49;

// Header. Read as six u16: kind and level together, then the five counts.
export const KIND_OFFSET = 0; // u8
export const LEVEL_OFFSET: number = KIND_OFFSET + 1; // u8: 0 for a leaf, its distance from the leaves for an index node
export const ENTRY_COUNT_OFFSET: number = LEVEL_OFFSET + 1; // u16
export const PREFIX_LENGTH_OFFSET: number = ENTRY_COUNT_OFFSET + 2; // u16: bytes of the prefix, which ends with the block
export const CELL_START_OFFSET: number = PREFIX_LENGTH_OFFSET + 2; // u16: where the lowest cell begins
export const FREED_BYTES_OFFSET: number = CELL_START_OFFSET + 2; // u16: bytes of freed cells above it, all zero
export const FLAGS_OFFSET: number = FREED_BYTES_OFFSET + 2; // u16
export const HEADER_BYTES: number = FLAGS_OFFSET + 2;

/** Flag of a leaf: one of its values is a descriptor of overflow extents. May stay after the last of them has gone. */
export const HAS_OVERFLOW_FLAG = 0x0001;

export const HEAD_BYTES = 4;

// Leaf directory: heads, then offsets of cells.
export const LEAF_OFFSET_BYTES = 2;
export const LEAF_ENTRY_BYTES: number = HEAD_BYTES + LEAF_OFFSET_BYTES;

// Leaf cell.
export const CELL_VALUE_OFFSET = 0; // u16: length of the value in bytes, and the flag of an overflow descriptor
export const CELL_REST_OFFSET = 2; // u16: length of the rest of the key
export const LEAF_CELL_HEADER_BYTES = 4; // then the value, then the tail, then zeros up to a multiple of four
export const OVERFLOW_VALUE_FLAG = 0x8000;
export const VALUE_LENGTH_MASK = 0x7fff;

// Index directory: heads, then records.
export const RECORD_BLOCK_OFFSET = 0; // u32: block of the child, or the provisional number of an index node in memory
export const RECORD_CHECKSUM_OFFSET = 4; // u32
export const RECORD_BIRTH_LOW_OFFSET = 8; // u32
export const RECORD_BIRTH_HIGH_OFFSET = 12; // u16
export const RECORD_CELL_OFFSET = 14; // u16: offset of the cell; up to four, the length of a rest that has no cell
export const RECORD_BYTES = 16;
export const INDEX_ENTRY_BYTES: number = HEAD_BYTES + RECORD_BYTES;

// Index cell.
export const INDEX_CELL_HEADER_BYTES = 2; // u16: length of the rest; then the tail, then zeros up to a multiple of four

/** More levels than a tree of 2^32 blocks can have, even if each node had two children. */
export const MAX_LEVEL = 40;

export const MIN_BLOCK_BYTES = 512;
export const MAX_BLOCK_BYTES = 16384;

assert(HEADER_BYTES === 12 && HEADER_BYTES % 4 === 0, 'heads are aligned');
assert(LEAF_ENTRY_BYTES === 6 && INDEX_ENTRY_BYTES === 20, 'sizes of directory entries');
assert(RECORD_CELL_OFFSET + 2 === RECORD_BYTES, 'an index record is four words');
assert(MAX_BLOCK_BYTES / 4 <= VALUE_LENGTH_MASK, 'the length of a value leaves room for its flag');

/** Longest key in bytes. */
export function maxKeyBytes(blockSize: number): number {
  return blockSize >>> 2;
}

/** Longest value that can be stored in a leaf; if its key is long, less (see `maxLeafCellBytes`). */
export function maxInlineBytes(blockSize: number): number {
  return blockSize >>> 2;
}

/** Bytes by which a prefix can make a page larger: a few bytes of it save nothing where padding hides what is saved. */
const PREFIX_COST_BYTES = 16;

/**
 * Largest leaf cell. Any two cells fit in a node with whatever prefix their keys give it, so a full node that takes one more entry can
 * always be split in two.
 */
export function maxLeafCellBytes(blockSize: number): number {
  return (((blockSize - HEADER_BYTES) >>> 1) - PREFIX_COST_BYTES - LEAF_ENTRY_BYTES) & ~3;
}

/** Bytes of a leaf cell: header, value, tail, padding. */
export function leafCellBytes(valueLength: number, restLength: number): number {
  const tailLength = restLength > HEAD_BYTES ? restLength - HEAD_BYTES : 0;
  return (LEAF_CELL_HEADER_BYTES + valueLength + tailLength + 3) & ~3;
}

/** Bytes of an index cell; 0 if the rest fits in the head. */
export function indexCellBytes(restLength: number): number {
  return restLength > HEAD_BYTES ? (INDEX_CELL_HEADER_BYTES + restLength - HEAD_BYTES + 3) & ~3 : 0;
}

/** Where cells end: below the prefix, at a multiple of four. */
export function cellEnd(blockSize: number, prefixLength: number): number {
  return (blockSize - prefixLength) & ~3;
}

/** Whether a value of this length is kept in the leaf, under a key of that length. */
export function fitsInline(blockSize: number, keyLength: number, valueLength: number): boolean {
  return (
    valueLength <= maxInlineBytes(blockSize) && leafCellBytes(valueLength, keyLength) <= maxLeafCellBytes(blockSize)
  );
}

/** The head of a key: its four bytes from `start` on as a big-endian number, padded with zeros from `end` on. */
export function headOf(key: Uint8Array, start: number, end: number): number {
  if (end - start >= HEAD_BYTES) {
    return ((key[start]! << 24) | (key[start + 1]! << 16) | (key[start + 2]! << 8) | key[start + 3]!) >>> 0;
  }
  let head = 0;
  if (start < end) head = key[start]! << 24;
  if (start + 1 < end) head |= key[start + 1]! << 16;
  if (start + 2 < end) head |= key[start + 2]! << 8;
  return head >>> 0;
}

/**
 * Operations on one leaf: reading its entries, and inserting, replacing and removing one.
 *
 * What changes the prefix or concerns two leaves (splits, merges, compaction) is in `leaf-build.ts`. Nothing here fails: whether an entry
 * fits is asked before, in the first half of an operation, by `leafFit`.
 */
import { assert, commonPrefixLength } from '@outwrite/blockdev';
import type { Slab } from '@outwrite/buffer-cache';
import type { LeafEntry } from './leaf-entry.ts';
import {
  cellEnd,
  HAS_OVERFLOW_FLAG,
  HEAD_BYTES,
  HEADER_BYTES,
  headOf,
  LEAF_CELL_HEADER_BYTES,
  LEAF_ENTRY_BYTES,
  leafCellBytes,
  MAX_BLOCK_BYTES,
  OVERFLOW_VALUE_FLAG,
  VALUE_LENGTH_MASK,
} from './node-format.ts';
import {
  entryCount,
  flagsOf,
  freeBytes,
  gapBytes,
  headsOf,
  moveHalves,
  moveWords,
  prefixLengthOf,
  releaseCell,
  setEntryCount,
  setFlags,
  takeCell,
} from './node-header.ts';

const HEADER_HALVES: number = HEADER_BYTES >>> 1;

/** The index of the first of the cell offsets among the half words of the slab, in a leaf of `count` entries. */
export function leafOffsetsOf(base: number, count: number): number {
  return (base >>> 1) + HEADER_HALVES + 2 * count;
}

/** Offset of the cell of entry `position`, relative to the node. */
export function leafCellOffset(slab: Slab, base: number, position: number): number {
  return slab.u16[leafOffsetsOf(base, slab.u16[(base >>> 1) + 1]!) + position]!;
}

/** Length of the value (or overflow descriptor) of entry `position`. */
export function leafValueLength(slab: Slab, base: number, position: number): number {
  return slab.u16[(base + leafCellOffset(slab, base, position)) >>> 1]! & VALUE_LENGTH_MASK;
}

/** Where the value of entry `position` begins, as an index into the bytes of the slab; a multiple of four. */
export function leafValueStart(slab: Slab, base: number, position: number): number {
  return base + leafCellOffset(slab, base, position) + LEAF_CELL_HEADER_BYTES;
}

/** Whether a value of the leaf may be an overflow value. */
export function leafHasOverflow(slab: Slab, base: number): boolean {
  return (flagsOf(slab, base) & HAS_OVERFLOW_FLAG) !== 0;
}

export function leafValueIsOverflow(slab: Slab, base: number, position: number): boolean {
  return (slab.u16[(base + leafCellOffset(slab, base, position)) >>> 1]! & OVERFLOW_VALUE_FLAG) !== 0;
}

export function leafRestLength(slab: Slab, base: number, position: number): number {
  return slab.u16[((base + leafCellOffset(slab, base, position)) >>> 1) + 1]!;
}

export function leafKeyLength(slab: Slab, base: number, position: number): number {
  return prefixLengthOf(slab, base) + leafRestLength(slab, base, position);
}

/** Bytes of the cell of entry `position`. */
export function leafCellSize(slab: Slab, base: number, position: number): number {
  const half = (base + leafCellOffset(slab, base, position)) >>> 1;
  return leafCellBytes(slab.u16[half]! & VALUE_LENGTH_MASK, slab.u16[half + 1]!);
}

/** Copies the key of entry `position` to the beginning of `target` and returns its length. */
export function copyLeafKey(slab: Slab, base: number, blockSize: number, position: number, target: Uint8Array): number {
  const prefixLength = prefixLengthOf(slab, base);
  const u8 = slab.u8;
  const prefix = base + blockSize - prefixLength;
  for (let i = 0; i < prefixLength; i++) target[i] = u8[prefix + i]!;
  return prefixLength + copyLeafRest(slab, base, position, target, prefixLength);
}

/** Copies what follows the prefix in the key of entry `position` to `target[targetStart...]` and returns its length. */
export function copyLeafRest(
  slab: Slab,
  base: number,
  position: number,
  target: Uint8Array,
  targetStart: number,
): number {
  const cell = base + leafCellOffset(slab, base, position);
  return copyCellRest(slab, cell, slab.u32[headsOf(base) + position]!, target, targetStart);
}

/** As `copyLeafRest`, of the entry with that head whose cell begins at byte `cell` of the slab. */
export function copyCellRest(slab: Slab, cell: number, head: number, target: Uint8Array, targetStart: number): number {
  const { u8, u16 } = slab;
  const restLength = u16[(cell >>> 1) + 1]!;
  if (restLength < HEAD_BYTES) {
    for (let i = 0; i < restLength; i++) target[targetStart + i] = head >>> (24 - 8 * i);
    return restLength;
  }
  target[targetStart] = head >>> 24;
  target[targetStart + 1] = head >>> 16;
  target[targetStart + 2] = head >>> 8;
  target[targetStart + 3] = head;
  const tail = cell + LEAF_CELL_HEADER_BYTES + (u16[cell >>> 1]! & VALUE_LENGTH_MASK) - HEAD_BYTES;
  for (let i = HEAD_BYTES; i < restLength; i++) target[targetStart + i] = u8[tail + i]!;
  return restLength;
}

/** How an entry fits into a leaf. */
export const FITS = 0;
/** It fits once the cells have been moved together. */
export const FITS_COMPACTED = 1;
/** It fits once the page has been rebuilt with the prefix that its keys share then. */
export const FITS_REPREFIXED = 2;
export const TOO_FULL = 3;

/** How many bytes of the leaf's prefix the key of `entry` begins with. */
export function sharedPrefixLength(slab: Slab, base: number, blockSize: number, entry: LeafEntry): number {
  const prefixLength = prefixLengthOf(slab, base);
  const limit = prefixLength < entry.keyLength ? prefixLength : entry.keyLength;
  const prefix = base + blockSize - prefixLength;
  const u8 = slab.u8;
  const key = entry.key;
  let length = 0;
  while (length < limit && u8[prefix + length] === key[length]) length++;
  return length;
}

/** Whether and how `entry` can be stored at `position`, in place of the entry there (`found`) or before it. */
export function leafFit(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  found: boolean,
  entry: LeafEntry,
): number {
  const prefixLength = prefixLengthOf(slab, base);
  const shared = found ? prefixLength : sharedPrefixLength(slab, base, blockSize, entry);
  if (shared < prefixLength) return fitUnder(slab, base, blockSize, position, found, entry, shared);
  const cellSize = leafCellBytes(entry.valueLength, entry.keyLength - prefixLength);
  let needed = LEAF_ENTRY_BYTES + cellSize;
  if (found) {
    const oldSize = leafCellSize(slab, base, position);
    if (cellSize === oldSize || cellSize <= gapBytes(slab, base)) return FITS;
    needed = cellSize - oldSize;
  } else if (needed <= gapBytes(slab, base)) {
    return FITS;
  }
  if (needed <= freeBytes(slab, base)) return FITS_COMPACTED;
  // A leaf that grew from one key, or lost the keys that kept its prefix short, may have a longer one.
  const longest = longestPrefixLength(slab, base, position, found, entry);
  return longest > prefixLength ? fitUnder(slab, base, blockSize, position, found, entry, longest) : TOO_FULL;
}

/** Whether everything fits when the page is rebuilt with a prefix of another length. */
function fitUnder(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  found: boolean,
  entry: LeafEntry,
  newPrefixLength: number,
): number {
  const count = entryCount(slab, base);
  const grown = prefixLengthOf(slab, base) - newPrefixLength;
  let usedBytes = HEADER_BYTES + (found ? count : count + 1) * LEAF_ENTRY_BYTES;
  usedBytes += leafCellBytes(entry.valueLength, entry.keyLength - newPrefixLength);
  for (let i = 0; i < count; i++) {
    if (found && i === position) continue;
    const half = (base + leafCellOffset(slab, base, i)) >>> 1;
    usedBytes += leafCellBytes(slab.u16[half]! & VALUE_LENGTH_MASK, slab.u16[half + 1]! + grown);
  }
  return usedBytes <= cellEnd(blockSize, newPrefixLength) ? FITS_REPREFIXED : TOO_FULL;
}

const firstRest = new Uint8Array(MAX_BLOCK_BYTES >>> 2);
const lastRest = new Uint8Array(MAX_BLOCK_BYTES >>> 2);

/** What all keys share when `entry`, which begins with the prefix, is stored as in `leafFit`. */
function longestPrefixLength(slab: Slab, base: number, position: number, found: boolean, entry: LeafEntry): number {
  const prefixLength = prefixLengthOf(slab, base);
  const count = entryCount(slab, base);
  if (count === 0 || (found && count === 1)) return prefixLength;
  const isFirst = position === 0;
  const isLast = found ? position === count - 1 : position === count;
  const first = isFirst ? entry.key.subarray(prefixLength) : firstRest;
  const last = isLast ? entry.key.subarray(prefixLength) : lastRest;
  const ownLength = entry.keyLength - prefixLength;
  const firstLength = isFirst ? ownLength : copyLeafRest(slab, base, 0, firstRest, 0);
  const lastLength = isLast ? ownLength : copyLeafRest(slab, base, count - 1, lastRest, 0);
  return prefixLength + commonPrefixLength(first, 0, firstLength, last, 0, lastLength);
}

const WORD_LOOP_LIMIT_BYTES = 256;

/** Writes the cell of `entry` at `offset`; the prefix is `restStart` bytes long. */
export function writeLeafCell(slab: Slab, base: number, offset: number, entry: LeafEntry, restStart: number): void {
  const cell = base + offset;
  const valueLength = entry.valueLength;
  const restLength = entry.keyLength - restStart;
  slab.u16[cell >>> 1] = entry.isOverflow ? valueLength | OVERFLOW_VALUE_FLAG : valueLength;
  slab.u16[(cell >>> 1) + 1] = restLength;
  const u8 = slab.u8;
  let at = cell + LEAF_CELL_HEADER_BYTES;
  if (valueLength <= WORD_LOOP_LIMIT_BYTES) {
    const u32 = slab.u32;
    const words = entry.valueWords;
    // The last word may bring stray bytes along; tail and padding go over them.
    for (let target = at >>> 2, i = 0, count = (valueLength + 3) >>> 2; i < count; i++) u32[target + i] = words[i]!;
  } else {
    u8.set(entry.value.subarray(0, valueLength), at);
  }
  at += valueLength;
  const key = entry.key;
  for (let i = restStart + HEAD_BYTES; i < entry.keyLength; i++) u8[at++] = key[i]!;
  for (const end = cell + leafCellBytes(valueLength, restLength); at < end; at++) u8[at] = 0;
}

/** Inserts `entry`, for which `leafFit` says `FITS`, before `position`. */
export function insertIntoLeaf(slab: Slab, base: number, position: number, entry: LeafEntry): void {
  const prefixLength = prefixLengthOf(slab, base);
  const count = entryCount(slab, base);
  const cellSize = leafCellBytes(entry.valueLength, entry.keyLength - prefixLength);
  assert(LEAF_ENTRY_BYTES + cellSize <= gapBytes(slab, base), 'an entry that is inserted into a leaf fits');
  const heads = headsOf(base);
  const offsets = (base >>> 1) + HEADER_HALVES + 2 * count;
  moveHalves(slab.u16, offsets + position + 3, offsets + position, offsets + count);
  moveHalves(slab.u16, offsets + 2, offsets, offsets + position);
  moveWords(slab.u32, heads + position + 1, heads + position, heads + count);
  setEntryCount(slab, base, count + 1);
  const offset = takeCell(slab, base, cellSize);
  slab.u32[heads + position] = headOf(entry.key, prefixLength, entry.keyLength);
  slab.u16[offsets + 2 + position] = offset;
  writeLeafCell(slab, base, offset, entry, prefixLength);
  if (entry.isOverflow) setFlags(slab, base, flagsOf(slab, base) | HAS_OVERFLOW_FLAG);
}

/** Puts the value of `entry` in place of that of the equal key at `position`; `leafFit` says `FITS`. */
export function replaceInLeaf(slab: Slab, base: number, position: number, entry: LeafEntry): void {
  const prefixLength = prefixLengthOf(slab, base);
  const cellSize = leafCellBytes(entry.valueLength, entry.keyLength - prefixLength);
  const oldSize = leafCellSize(slab, base, position);
  const half = base >>> 1;
  let offset = leafCellOffset(slab, base, position);
  if (cellSize !== oldSize) {
    assert(cellSize <= gapBytes(slab, base), 'a value that is replaced in a leaf fits');
    const oldOffset = offset;
    offset = takeCell(slab, base, cellSize);
    slab.u16[half + HEADER_HALVES + 2 * entryCount(slab, base) + position] = offset;
    releaseCell(slab, base, oldOffset, oldSize);
  }
  writeLeafCell(slab, base, offset, entry, prefixLength);
  if (entry.isOverflow) setFlags(slab, base, flagsOf(slab, base) | HAS_OVERFLOW_FLAG);
}

/** Removes entry `position`. The prefix stays, even where the remaining keys share more. */
export function removeFromLeaf(slab: Slab, base: number, position: number): void {
  const count = entryCount(slab, base);
  releaseCell(slab, base, leafCellOffset(slab, base, position), leafCellSize(slab, base, position));
  const heads = headsOf(base);
  const offsets = (base >>> 1) + HEADER_HALVES + 2 * count;
  moveWords(slab.u32, heads + position, heads + position + 1, heads + count);
  moveHalves(slab.u16, offsets - 2, offsets, offsets + position);
  moveHalves(slab.u16, offsets + position - 2, offsets + position + 1, offsets + count);
  setEntryCount(slab, base, count - 1);
}

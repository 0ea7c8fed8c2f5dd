/**
 * Operations on one index node: reading and changing the pointers to its children, and inserting and removing them.
 *
 * Entry 0 has no separator. Removing it makes entry 1 the first, whose separator then belongs to the node as a whole and is the
 * caller's to store further up. As in leaves, nothing here fails; what changes the prefix is in `index-build.ts`.
 */
import { assert, commonPrefixLength } from '@outwrite/blockdev';
import type { Slab } from '@outwrite/buffer-cache';
import { FITS, FITS_COMPACTED, FITS_REPREFIXED, TOO_FULL } from './leaf-page.ts';
import {
  cellEnd,
  HEAD_BYTES,
  HEADER_BYTES,
  headOf,
  INDEX_CELL_HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  indexCellBytes,
  MAX_BLOCK_BYTES,
  maxKeyBytes,
} from './node-format.ts';
import {
  entryCount,
  freeBytes,
  gapBytes,
  headsOf,
  moveWords,
  prefixLengthOf,
  releaseCell,
  setEntryCount,
  takeCell,
} from './node-header.ts';

/** A record: block, checksum, low word of the birth; high half of the birth and offset of the cell. */
export const RECORD_WORDS = 4;
const TWO_TO_32 = 0x100000000;

/** One entry on its way into an index node: a separator and the pointer to the child that begins there. */
export class IndexEntry {
  readonly separator: Uint8Array;
  separatorLength = 0;
  block = 0;
  checksum = 0;
  birth = 0;

  constructor(blockSize: number) {
    this.separator = new Uint8Array(maxKeyBytes(blockSize));
  }

  setSeparator(bytes: Uint8Array, length: number): void {
    for (let i = 0; i < length; i++) this.separator[i] = bytes[i]!;
    this.separatorLength = length;
  }

  setPointer(block: number, checksum: number, birth: number): void {
    this.block = block;
    this.checksum = checksum;
    this.birth = birth;
  }

  /** Takes the pointer of entry `position`. */
  copyPointer(slab: Slab, base: number, position: number): void {
    this.setPointer(
      childBlock(slab, base, position),
      childChecksum(slab, base, position),
      childBirth(slab, base, position),
    );
  }
}

/** The index of the record of entry `position` among the words of the slab. */
export function recordOf(slab: Slab, base: number, position: number): number {
  return headsOf(base) + entryCount(slab, base) + RECORD_WORDS * position;
}

export function childBlock(slab: Slab, base: number, position: number): number {
  return slab.u32[recordOf(slab, base, position)]!;
}

export function childChecksum(slab: Slab, base: number, position: number): number {
  return slab.u32[recordOf(slab, base, position) + 1]!;
}

export function childBirth(slab: Slab, base: number, position: number): number {
  return birthInRecord(slab.u32, recordOf(slab, base, position));
}

/** The birth in the record that begins at word `record`. */
export function birthInRecord(u32: Uint32Array, record: number): number {
  return u32[record + 2]! + (u32[record + 3]! & 0xffff) * TWO_TO_32;
}

export function setChildBlock(slab: Slab, base: number, position: number, block: number): void {
  slab.u32[recordOf(slab, base, position)] = block;
}

export function setChildChecksum(slab: Slab, base: number, position: number, checksum: number): void {
  slab.u32[recordOf(slab, base, position) + 1] = checksum;
}

export function setChildBirth(slab: Slab, base: number, position: number, birth: number): void {
  const record = recordOf(slab, base, position);
  slab.u32[record + 2] = birth;
  slab.u32[record + 3] = ((slab.u32[record + 3]! & 0xffff0000) | Math.floor(birth / TWO_TO_32)) >>> 0;
}

/** Offset of the cell of entry `position`; up to four, the length of a rest that has none. */
function cellOffsetOf(slab: Slab, base: number, position: number): number {
  return slab.u32[recordOf(slab, base, position) + 3]! >>> 16;
}

function setCellOffset(slab: Slab, base: number, position: number, offset: number): void {
  const record = recordOf(slab, base, position);
  slab.u32[record + 3] = ((slab.u32[record + 3]! & 0xffff) | (offset << 16)) >>> 0;
}

function restLengthOf(slab: Slab, base: number, position: number): number {
  const offset = cellOffsetOf(slab, base, position);
  return offset <= HEAD_BYTES ? offset : slab.u16[(base + offset) >>> 1]!;
}

/** Length of separator `position`, 1 or more. */
export function separatorLength(slab: Slab, base: number, position: number): number {
  return prefixLengthOf(slab, base) + restLengthOf(slab, base, position);
}

/** Copies separator `position` (1 or more) to the beginning of `target` and returns its length. */
export function copySeparator(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  target: Uint8Array,
): number {
  const u8 = slab.u8;
  const prefixLength = prefixLengthOf(slab, base);
  const prefix = base + blockSize - prefixLength;
  for (let i = 0; i < prefixLength; i++) target[i] = u8[prefix + i]!;
  const offset = cellOffsetOf(slab, base, position);
  const restLength = restLengthOf(slab, base, position);
  const head = slab.u32[headsOf(base) + position]!;
  const headLength = restLength < HEAD_BYTES ? restLength : HEAD_BYTES;
  for (let i = 0; i < headLength; i++) target[prefixLength + i] = head >>> (24 - 8 * i);
  const tail = base + offset + INDEX_CELL_HEADER_BYTES - HEAD_BYTES;
  for (let i = HEAD_BYTES; i < restLength; i++) target[prefixLength + i] = u8[tail + i]!;
  return prefixLength + restLength;
}

/** How many bytes of the node's prefix the separator begins with. */
export function sharedSeparatorPrefix(
  slab: Slab,
  base: number,
  blockSize: number,
  separator: Uint8Array,
  length: number,
): number {
  const prefixLength = prefixLengthOf(slab, base);
  const limit = prefixLength < length ? prefixLength : length;
  const prefix = base + blockSize - prefixLength;
  let shared = 0;
  while (shared < limit && slab.u8[prefix + shared] === separator[shared]) shared++;
  return shared;
}

/** Whether and how a separator can be stored at `position`, in place of the one there (`replaces`) or as a new entry before it. */
export function indexFit(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  replaces: boolean,
  separator: Uint8Array,
  length: number,
): number {
  if (entryCount(slab, base) === 0) return FITS;
  const prefixLength = prefixLengthOf(slab, base);
  const shared = sharedSeparatorPrefix(slab, base, blockSize, separator, length);
  if (shared < prefixLength) return fitUnder(slab, base, blockSize, position, replaces, length, shared);
  // A node that grew from one separator, or lost those that kept its prefix short, may have a longer one. Not for its space alone: heads
  // that begin within what all separators share are alike, and every look-up would have to search the tails.
  const longest = longestPrefixLength(slab, base, blockSize, position, replaces, separator, length);
  if (longest > prefixLength) {
    const fit = fitUnder(slab, base, blockSize, position, replaces, length, longest);
    if (fit !== TOO_FULL) return fit;
  }
  const needed = (replaces ? 0 : INDEX_ENTRY_BYTES) + indexCellBytes(length - prefixLength);
  if (needed <= gapBytes(slab, base)) return FITS;
  const oldSize = replaces ? indexCellBytes(restLengthOf(slab, base, position)) : 0;
  return needed - oldSize <= freeBytes(slab, base) ? FITS_COMPACTED : TOO_FULL;
}

/** Whether everything fits when the node is rebuilt with a prefix of another length. */
function fitUnder(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  replaces: boolean,
  length: number,
  newPrefixLength: number,
): number {
  const count = entryCount(slab, base);
  const grown = prefixLengthOf(slab, base) - newPrefixLength;
  let usedBytes = HEADER_BYTES + (replaces ? count : count + 1) * INDEX_ENTRY_BYTES;
  usedBytes += indexCellBytes(length - newPrefixLength);
  for (let i = 1; i < count; i++) {
    if (!(replaces && i === position)) usedBytes += indexCellBytes(restLengthOf(slab, base, i) + grown);
  }
  return usedBytes <= cellEnd(blockSize, newPrefixLength) ? FITS_REPREFIXED : TOO_FULL;
}

const firstSeparator = new Uint8Array(MAX_BLOCK_BYTES >>> 2);
const lastSeparator = new Uint8Array(MAX_BLOCK_BYTES >>> 2);

/** What all separators share when one that begins with the prefix is stored as in `indexFit`. */
function longestPrefixLength(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  replaces: boolean,
  separator: Uint8Array,
  length: number,
): number {
  const count = entryCount(slab, base);
  // A single separator makes no prefix.
  if (count - 1 + (replaces ? 0 : 1) < 2) return prefixLengthOf(slab, base);
  const isFirst = position === 1;
  const isLast = replaces ? position === count - 1 : position === count;
  const first = isFirst ? separator : firstSeparator;
  const last = isLast ? separator : lastSeparator;
  const firstLength = isFirst ? length : copySeparator(slab, base, blockSize, 1, firstSeparator);
  const lastLength = isLast ? length : copySeparator(slab, base, blockSize, count - 1, lastSeparator);
  return commonPrefixLength(first, 0, firstLength, last, 0, lastLength);
}

/** Bytes of separator cells that may still be added in the worst case: whether one more of any kind fits. */
export function indexTakesAny(slab: Slab, base: number, blockSize: number): boolean {
  const count = entryCount(slab, base);
  const prefixLength = prefixLengthOf(slab, base);
  const addedBytes = INDEX_ENTRY_BYTES + indexCellBytes(maxKeyBytes(blockSize));
  // Without the prefix a cell is longer by that, or comes into being, with its header and padding.
  const grownBytes = count * (prefixLength + INDEX_CELL_HEADER_BYTES + 3);
  if (addedBytes + grownBytes <= freeBytes(slab, base)) return true;
  let usedBytes = HEADER_BYTES + count * INDEX_ENTRY_BYTES + addedBytes;
  for (let i = 1; i < count; i++) usedBytes += indexCellBytes(restLengthOf(slab, base, i) + prefixLength);
  return usedBytes <= blockSize;
}

/** Inserts `entry`, for which `indexFit` says `FITS`, before `position`: 1 or more, or 0 in an empty node. */
export function insertIntoIndex(slab: Slab, base: number, position: number, entry: IndexEntry): void {
  const count = entryCount(slab, base);
  assert(position > 0 ? position <= count : count === 0, 'the first entry of an index node stays the first');
  const prefixLength = prefixLengthOf(slab, base);
  const heads = headsOf(base);
  const records = heads + count;
  const u32 = slab.u32;
  moveWords(
    u32,
    records + RECORD_WORDS * (position + 1) + 1,
    records + RECORD_WORDS * position,
    records + RECORD_WORDS * count,
  );
  moveWords(u32, records + 1, records, records + RECORD_WORDS * position);
  moveWords(u32, heads + position + 1, heads + position, heads + count);
  setEntryCount(slab, base, count + 1);
  let offset = 0;
  let head = 0;
  if (position > 0) {
    head = headOf(entry.separator, prefixLength, entry.separatorLength);
    offset = takeSeparatorCell(slab, base, entry, prefixLength);
  }
  u32[heads + position] = head;
  const record = records + 1 + RECORD_WORDS * position;
  u32[record] = entry.block;
  u32[record + 1] = entry.checksum;
  u32[record + 2] = entry.birth;
  u32[record + 3] = (Math.floor(entry.birth / TWO_TO_32) | (offset << 16)) >>> 0;
}

/** Puts the separator of `entry` in place of the one at `position`; `indexFit` says `FITS`. */
export function replaceSeparator(slab: Slab, base: number, position: number, entry: IndexEntry): void {
  const prefixLength = prefixLengthOf(slab, base);
  const oldOffset = cellOffsetOf(slab, base, position);
  const oldSize = indexCellBytes(restLengthOf(slab, base, position));
  slab.u32[headsOf(base) + position] = headOf(entry.separator, prefixLength, entry.separatorLength);
  setCellOffset(slab, base, position, takeSeparatorCell(slab, base, entry, prefixLength));
  if (oldSize > 0) releaseCell(slab, base, oldOffset, oldSize);
}

/** Removes entry `position`. If it is the first, the next one becomes the first and loses its separator. */
export function removeFromIndex(slab: Slab, base: number, position: number): void {
  const count = entryCount(slab, base);
  const heads = headsOf(base);
  if (position === 0 && count > 1) {
    dropSeparator(slab, base, 1);
  } else if (position > 0) {
    dropSeparator(slab, base, position);
  }
  const records = heads + count;
  const u32 = slab.u32;
  moveWords(u32, heads + position, heads + position + 1, heads + count);
  moveWords(u32, records - 1, records, records + RECORD_WORDS * position);
  moveWords(
    u32,
    records - 1 + RECORD_WORDS * position,
    records + RECORD_WORDS * (position + 1),
    records + RECORD_WORDS * count,
  );
  setEntryCount(slab, base, count - 1);
}

function dropSeparator(slab: Slab, base: number, position: number): void {
  const size = indexCellBytes(restLengthOf(slab, base, position));
  const offset = cellOffsetOf(slab, base, position);
  slab.u32[headsOf(base) + position] = 0;
  setCellOffset(slab, base, position, 0);
  if (size > 0) releaseCell(slab, base, offset, size);
}

/** Stores what the head does not hold of a separator; the value for the cell offset field is returned. */
export function takeSeparatorCell(slab: Slab, base: number, entry: IndexEntry, prefixLength: number): number {
  const restLength = entry.separatorLength - prefixLength;
  const size = indexCellBytes(restLength);
  if (size === 0) return restLength;
  const offset = takeCell(slab, base, size);
  const cell = base + offset;
  slab.u16[cell >>> 1] = restLength;
  const u8 = slab.u8;
  let at = cell + INDEX_CELL_HEADER_BYTES;
  for (let i = prefixLength + HEAD_BYTES; i < entry.separatorLength; i++) u8[at++] = entry.separator[i]!;
  for (const end = cell + size; at < end; at++) u8[at] = 0;
  return offset;
}

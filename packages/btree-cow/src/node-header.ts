/**
 * Reading and writing the header of a node, and moving parts of its directory: what leaves and index nodes have in common.
 *
 * A node is named by the slab that holds it and its byte offset `base` there, a multiple of four. `half` is the index of its first u16.
 */
import type { Slab } from '@outwrite/buffer-cache';
import {
  CELL_START_OFFSET,
  cellEnd,
  ENTRY_COUNT_OFFSET,
  FLAGS_OFFSET,
  FREED_BYTES_OFFSET,
  HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  INDEX_KIND,
  LEAF_ENTRY_BYTES,
  LEAF_KIND,
  PREFIX_LENGTH_OFFSET,
} from './node-format.ts';

const COUNT_HALF: number = ENTRY_COUNT_OFFSET >>> 1;
const PREFIX_HALF: number = PREFIX_LENGTH_OFFSET >>> 1;
const CELL_START_HALF: number = CELL_START_OFFSET >>> 1;
const FREED_HALF: number = FREED_BYTES_OFFSET >>> 1;
const FLAGS_HALF: number = FLAGS_OFFSET >>> 1;

/** The index of the first head among the words of the slab. */
export function headsOf(base: number): number {
  return (base + HEADER_BYTES) >>> 2;
}

export function levelOf(slab: Slab, base: number): number {
  return slab.u8[base + 1]!;
}

export function entryCount(slab: Slab, base: number): number {
  return slab.u16[(base >>> 1) + COUNT_HALF]!;
}

export function setEntryCount(slab: Slab, base: number, count: number): void {
  slab.u16[(base >>> 1) + COUNT_HALF] = count;
}

export function prefixLengthOf(slab: Slab, base: number): number {
  return slab.u16[(base >>> 1) + PREFIX_HALF]!;
}

export function cellStartOf(slab: Slab, base: number): number {
  return slab.u16[(base >>> 1) + CELL_START_HALF]!;
}

export function setCellStart(slab: Slab, base: number, cellStart: number): void {
  slab.u16[(base >>> 1) + CELL_START_HALF] = cellStart;
}

export function freedBytesOf(slab: Slab, base: number): number {
  return slab.u16[(base >>> 1) + FREED_HALF]!;
}

export function flagsOf(slab: Slab, base: number): number {
  return slab.u16[(base >>> 1) + FLAGS_HALF]!;
}

export function setFlags(slab: Slab, base: number, flags: number): void {
  slab.u16[(base >>> 1) + FLAGS_HALF] = flags;
}

/** Where the directory of `count` entries ends. */
export function directoryEnd(level: number, count: number): number {
  return HEADER_BYTES + count * (level === 0 ? LEAF_ENTRY_BYTES : INDEX_ENTRY_BYTES);
}

/** Bytes between directory and cells. */
export function gapBytes(slab: Slab, base: number): number {
  return cellStartOf(slab, base) - directoryEnd(levelOf(slab, base), entryCount(slab, base));
}

/** Bytes that new directory entries and cells can take, possibly after a compaction. */
export function freeBytes(slab: Slab, base: number): number {
  return gapBytes(slab, base) + freedBytesOf(slab, base);
}

/** Makes the block at `base` a node without entries; directory, cells and prefix are the caller's to write. */
export function writeHeader(
  slab: Slab,
  base: number,
  blockSize: number,
  level: number,
  count: number,
  prefixLength: number,
): void {
  const half = base >>> 1;
  slab.u16[half] = (level === 0 ? LEAF_KIND : INDEX_KIND) | (level << 8);
  slab.u16[half + COUNT_HALF] = count;
  slab.u16[half + PREFIX_HALF] = prefixLength;
  slab.u16[half + CELL_START_HALF] = cellEnd(blockSize, prefixLength);
  slab.u16[half + FREED_HALF] = 0;
  slab.u16[half + FLAGS_HALF] = 0;
}

/** Takes `sizeBytes`, a multiple of four that the gap has, for a cell and returns its offset. */
export function takeCell(slab: Slab, base: number, sizeBytes: number): number {
  const half = base >>> 1;
  const offset = slab.u16[half + CELL_START_HALF]! - sizeBytes;
  slab.u16[half + CELL_START_HALF] = offset;
  return offset;
}

/** Gives a cell back. A hole is zeroed at once, the gap when the node is sealed. */
export function releaseCell(slab: Slab, base: number, offset: number, sizeBytes: number): void {
  const half = base >>> 1;
  if (slab.u16[half + CELL_START_HALF] === offset) {
    slab.u16[half + CELL_START_HALF] = offset + sizeBytes;
    return;
  }
  slab.u16[half + FREED_HALF]! += sizeBytes;
  const u32 = slab.u32;
  const start = (base + offset) >>> 2;
  for (let i = start, end = start + (sizeBytes >>> 2); i < end; i++) u32[i] = 0;
}

/** Counts bytes within the cells, already zero, as free. */
export function addFreedBytes(slab: Slab, base: number, sizeBytes: number): void {
  slab.u16[(base >>> 1) + FREED_HALF]! += sizeBytes;
}

/** Zeroes the gap and the padding between cells and prefix, so that images hold nothing stale and depend on nothing but what was done. */
export function zeroUnused(slab: Slab, base: number, blockSize: number): void {
  const level = levelOf(slab, base);
  const gapStart = base + directoryEnd(level, entryCount(slab, base));
  slab.u8.fill(0, gapStart, base + cellStartOf(slab, base));
  const prefixLength = prefixLengthOf(slab, base);
  for (let i = base + cellEnd(blockSize, prefixLength); i < base + blockSize - prefixLength; i++) slab.u8[i] = 0;
}

const LOOP_LIMIT = 16;

/** Moves `[start, end)` so that it begins at `target`; the ranges may overlap. Short ones by a loop, which costs less than the call. */
export function moveWords(u32: Uint32Array, target: number, start: number, end: number): void {
  const count = end - start;
  if (count > LOOP_LIMIT) u32.copyWithin(target, start, end);
  else if (target < start) for (let i = 0; i < count; i++) u32[target + i] = u32[start + i]!;
  else for (let i = count - 1; i >= 0; i--) u32[target + i] = u32[start + i]!;
}

/** `moveWords` for u16. */
export function moveHalves(u16: Uint16Array, target: number, start: number, end: number): void {
  const count = end - start;
  if (count > LOOP_LIMIT) u16.copyWithin(target, start, end);
  else if (target < start) for (let i = 0; i < count; i++) u16[target + i] = u16[start + i]!;
  else for (let i = count - 1; i >= 0; i--) u16[target + i] = u16[start + i]!;
}

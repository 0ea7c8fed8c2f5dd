/**
 * Validation of a node that has just been read from the device: after it, no other code can be led astray by the node's bytes.
 *
 * The checksum says that the bytes are those that somebody wrote; this says that they are a node, and one that fits where the pointer was
 * found. Linear in the size of the node: kind, level, counts, cells within bounds and apart, heads that agree with cells, keys strictly
 * ascending, pointers to blocks that exist with births not later than the pointer's own. Keys within the bounds of the parent's separators
 * are the business of `tree-check.ts`: no look-up can be harmed by a key that cannot be found.
 */
import { assert, CorruptionError, compareBytes } from '@outwrite/blockdev';
import type { Slab } from '@outwrite/buffer-cache';
import { birthInRecord, copySeparator, RECORD_WORDS, recordOf } from './index-page.ts';
import { copyLeafKey, leafOffsetsOf } from './leaf-page.ts';
import {
  cellEnd,
  FLAGS_OFFSET,
  HAS_OVERFLOW_FLAG,
  HEAD_BYTES,
  HEADER_BYTES,
  INDEX_CELL_HEADER_BYTES,
  INDEX_KIND,
  indexCellBytes,
  LEAF_CELL_HEADER_BYTES,
  LEAF_KIND,
  leafCellBytes,
  MAX_BLOCK_BYTES,
  maxInlineBytes,
  maxKeyBytes,
  OVERFLOW_VALUE_FLAG,
  VALUE_LENGTH_MASK,
} from './node-format.ts';
import {
  cellStartOf,
  directoryEnd,
  entryCount,
  flagsOf,
  freedBytesOf,
  headsOf,
  prefixLengthOf,
} from './node-header.ts';

assert(FLAGS_OFFSET + 2 === HEADER_BYTES, 'the check covers the whole header');

/** What a node must be: the pointer that led to it says so. */
export interface NodeExpectation {
  block: number;
  level: number;
  /** Birth of the pointer; no pointer in the node is younger. */
  birth: number;
  isRoot: boolean;
  /** Blocks of the device: pointers stay below. */
  blockCount: number;
}

// One block a four-byte granule: which of them belong to cells already.
const claimed = new Uint8Array(MAX_BLOCK_BYTES >>> 2);
const keyA = new Uint8Array(MAX_BLOCK_BYTES);
const keyB = new Uint8Array(MAX_BLOCK_BYTES);

/** Throws a `CorruptionError` unless the bytes at `base` are a sound node as expected. */
export function checkNode(slab: Slab, base: number, blockSize: number, expected: NodeExpectation): void {
  const structure = expected.level === 0 ? 'leaf' : 'index node';
  const kind = expected.level === 0 ? LEAF_KIND : INDEX_KIND;
  const { block } = expected;
  if (slab.u8[base] !== kind)
    fail(structure, 'not a node of the kind that its pointer names', block, kind, slab.u8[base]!);
  if (slab.u8[base + 1] !== expected.level) fail(structure, 'wrong level', block, expected.level, slab.u8[base + 1]!);
  const count = entryCount(slab, base);
  const prefixLength = prefixLengthOf(slab, base);
  const cellStart = cellStartOf(slab, base);
  if (prefixLength > maxKeyBytes(blockSize))
    fail(structure, 'prefix too long', block, maxKeyBytes(blockSize), prefixLength);
  const end = cellEnd(blockSize, prefixLength);
  if (directoryEnd(expected.level, count) > cellStart) fail(structure, 'directory reaches into the cells', block);
  if (cellStart > end || (cellStart & 3) !== 0) fail(structure, 'bad beginning of the cells', block, end, cellStart);
  const flags = flagsOf(slab, base);
  if ((flags & ~(expected.level === 0 ? HAS_OVERFLOW_FLAG : 0)) !== 0)
    fail(structure, 'unknown flags', block, 0, flags);
  claimed.fill(0, 0, blockSize >>> 2);
  const cellBytes =
    expected.level === 0
      ? checkLeafEntries(slab, base, blockSize, block, cellStart, end)
      : checkIndexEntries(slab, base, blockSize, expected, cellStart, end);
  if (cellBytes + freedBytesOf(slab, base) !== end - cellStart) {
    fail(structure, 'cells and holes do not add up', block, end - cellStart, cellBytes + freedBytesOf(slab, base));
  }
}

function checkLeafEntries(
  slab: Slab,
  base: number,
  blockSize: number,
  block: number,
  cellStart: number,
  end: number,
): number {
  const { u16, u32 } = slab;
  const count = entryCount(slab, base);
  const prefixLength = prefixLengthOf(slab, base);
  const longestKey = maxKeyBytes(blockSize);
  const longestValue = maxInlineBytes(blockSize);
  const heads = headsOf(base);
  const offsets = leafOffsetsOf(base, count);
  if (count === 0) fail('leaf', 'no entries', block);
  let cellBytes = 0;
  let hasOverflow = false;
  let previousHead = 0;
  for (let i = 0; i < count; i++) {
    const offset = u16[offsets + i]!;
    if (offset < cellStart || (offset & 3) !== 0 || offset + LEAF_CELL_HEADER_BYTES > end) {
      fail('leaf', 'a cell is out of place', block, undefined, offset);
    }
    const valueField = u16[(base + offset) >>> 1]!;
    const restLength = u16[(base + offset + 2) >>> 1]!;
    const valueLength = valueField & VALUE_LENGTH_MASK;
    if (valueLength > longestValue) fail('leaf', 'a value is too long', block, longestValue, valueLength);
    const keyLength = prefixLength + restLength;
    if (keyLength === 0 || keyLength > longestKey) fail('leaf', 'bad length of a key', block, longestKey, keyLength);
    const size = leafCellBytes(valueLength, restLength);
    if (offset + size > end) fail('leaf', 'a cell reaches beyond the cells', block, end, offset + size);
    claim('leaf', block, offset, size);
    cellBytes += size;
    if ((valueField & OVERFLOW_VALUE_FLAG) !== 0) hasOverflow = true;
    const head = u32[heads + i]!;
    if (!isHeadOfRest(head, restLength)) fail('leaf', 'bytes beyond the end of a key in its head', block);
    if (i > 0 && head <= previousHead && !ascends(copyLeafKey, slab, base, blockSize, i)) {
      fail('leaf', 'keys do not ascend', block, undefined, i);
    }
    previousHead = head;
  }
  if (hasOverflow && (flagsOf(slab, base) & HAS_OVERFLOW_FLAG) === 0)
    fail('leaf', 'overflow values without the flag', block);
  return cellBytes;
}

function checkIndexEntries(
  slab: Slab,
  base: number,
  blockSize: number,
  expected: NodeExpectation,
  cellStart: number,
  end: number,
): number {
  const { block } = expected;
  const count = entryCount(slab, base);
  if (count === 0 && !(expected.isRoot && expected.level === 1)) fail('index node', 'no entries', block);
  const { u16, u32 } = slab;
  const prefixLength = prefixLengthOf(slab, base);
  const longestKey = maxKeyBytes(blockSize);
  const heads = headsOf(base);
  let cellBytes = 0;
  let previousHead = 0;
  for (let i = 0, record = recordOf(slab, base, 0); i < count; i++, record += RECORD_WORDS) {
    const child = u32[record]!;
    if (child >= expected.blockCount)
      fail('index node', 'a pointer leads beyond the device', block, expected.blockCount, child);
    const birth = birthInRecord(u32, record);
    if (birth > expected.birth) fail('index node', 'a child is younger than its parent', block, expected.birth, birth);
    const offset = u32[record + 3]! >>> 16;
    if (i === 0) {
      if (offset !== 0 || u32[heads] !== 0) fail('index node', 'the first entry has a separator', block);
      continue;
    }
    let restLength = offset;
    if (offset > HEAD_BYTES) {
      if (offset < cellStart || (offset & 3) !== 0 || offset + INDEX_CELL_HEADER_BYTES > end) {
        fail('index node', 'a cell is out of place', block, undefined, offset);
      }
      restLength = u16[(base + offset) >>> 1]!;
      if (restLength <= HEAD_BYTES)
        fail('index node', 'a cell for a rest that needs none', block, undefined, restLength);
    }
    const length = prefixLength + restLength;
    if (length === 0 || length > longestKey) fail('index node', 'bad length of a separator', block, longestKey, length);
    const size = indexCellBytes(restLength);
    if (size > 0) {
      if (offset + size > end) fail('index node', 'a cell reaches beyond the cells', block, end, offset + size);
      claim('index node', block, offset, size);
      cellBytes += size;
    }
    const head = u32[heads + i]!;
    if (!isHeadOfRest(head, restLength)) {
      fail('index node', 'bytes beyond the end of a separator in its head', block);
    }
    if (i > 1 && head <= previousHead && !ascends(copySeparator, slab, base, blockSize, i)) {
      fail('index node', 'separators do not ascend', block, undefined, i);
    }
    previousHead = head;
  }
  return cellBytes;
}

/** Whether a head has nothing but zeros behind what a rest of this length puts there. */
function isHeadOfRest(head: number, restLength: number): boolean {
  return restLength >= HEAD_BYTES || head << (8 * restLength) === 0;
}

/** Whether the key at `position` comes after the one before it. Takes both as a whole, which only equal heads make necessary. */
function ascends(copyKey: typeof copyLeafKey, slab: Slab, base: number, blockSize: number, position: number): boolean {
  const previousLength = copyKey(slab, base, blockSize, position - 1, keyA);
  const length = copyKey(slab, base, blockSize, position, keyB);
  return compareBytes(keyA, 0, previousLength, keyB, 0, length) < 0;
}

function claim(structure: string, block: number, offset: number, size: number): void {
  for (let granule = offset >>> 2; granule < (offset + size) >>> 2; granule++) {
    if (claimed[granule] !== 0) fail(structure, 'cells overlap', block, undefined, offset);
    claimed[granule] = 1;
  }
}

function fail(structure: string, problem: string, block: number, expected?: number, actual?: number): never {
  throw new CorruptionError(structure, problem, { block, expected, actual });
}

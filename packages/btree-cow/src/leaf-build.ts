/**
 * Rebuilding leaves: compaction, a shorter prefix, splits and merges.
 *
 * All of them write a page anew from a sequence of entries: those of a leaf that was copied aside, with one new entry put in, or those of
 * two leaves. Each page that is built gets the longest prefix that its keys share. What a page will need is computed before it is built,
 * with the same functions.
 */
import { assert, commonPrefixLength } from '@outwrite/blockdev';
import { Slab } from '@outwrite/buffer-cache';
import type { LeafEntry } from './leaf-entry.ts';
import {
  copyLeafKey,
  leafCellOffset,
  leafCellSize,
  leafKeyLength,
  leafValueIsOverflow,
  leafValueLength,
  leafValueStart,
  sharedPrefixLength,
  writeLeafCell,
} from './leaf-page.ts';
import {
  cellEnd,
  HAS_OVERFLOW_FLAG,
  HEAD_BYTES,
  HEADER_BYTES,
  headOf,
  LEAF_CELL_HEADER_BYTES,
  LEAF_ENTRY_BYTES,
  leafCellBytes,
  maxKeyBytes,
  OVERFLOW_VALUE_FLAG,
} from './node-format.ts';
import { entryCount, headsOf, prefixLengthOf, setFlags, takeCell, writeHeader } from './node-header.ts';

const HEADER_HALVES: number = HEADER_BYTES >>> 1;

/** How `LeafBuilder.chooseSplit` weighs the halves. */
export type SplitPreference = 'balanced' | 'leave-left-full';

/** The entries of one leaf with a new entry put in, or in place of one of them; and the pages that are built of them. */
export class LeafBuilder {
  readonly blockSize: number;
  /** The separator that `chooseSplit` found: the shortest key that is greater than the left half and not greater than the right. */
  readonly separator: Uint8Array;
  separatorLength = 0;

  readonly #aside: Slab;
  readonly #keyA: Uint8Array;
  readonly #keyB: Uint8Array;
  // The sequence: entries of `#slab` at `#base`, with `#entry` at `#position`.
  #slab: Slab;
  #base = 0;
  #entry: LeafEntry | null = null;
  #position = 0;
  #replaces = false;
  #count = 0;

  constructor(blockSize: number) {
    this.blockSize = blockSize;
    this.separator = new Uint8Array(maxKeyBytes(blockSize));
    this.#aside = new Slab(blockSize);
    this.#slab = this.#aside;
    this.#keyA = new Uint8Array(maxKeyBytes(blockSize));
    this.#keyB = new Uint8Array(maxKeyBytes(blockSize));
  }

  /** Copies a leaf aside and takes its entries, with `entry` before `position` or (`replaces`) in place of it, as the sequence. */
  load(slab: Slab, base: number, position: number, replaces: boolean, entry: LeafEntry | null): void {
    this.#aside.u8.set(slab.u8.subarray(base, base + this.blockSize));
    this.#slab = this.#aside;
    this.#base = 0;
    this.#entry = entry;
    this.#position = position;
    this.#replaces = replaces;
    this.#count = entryCount(slab, base) + (entry === null || replaces ? 0 : 1);
  }

  /** Number of entries in the sequence. */
  get count(): number {
    return this.#count;
  }

  /** Writes the whole sequence, which fits, to a page. The prefix is what all keys share. */
  buildAll(target: Slab, targetBase: number): void {
    this.build(target, targetBase, 0, this.#count);
  }

  /** Writes entries `[start, end)` of the sequence to a page, which must not be the one that was loaded unless it was copied aside. */
  build(target: Slab, targetBase: number, start: number, end: number): void {
    const prefixLength = this.#prefixLength(start, end);
    beginLeaf(target, targetBase, this.blockSize, end - start, this.#keyA, prefixLength);
    let flags = 0;
    for (let i = start; i < end; i++) {
      if (this.#isNew(i)) {
        const entry = this.#entry!;
        appendEntry(target, targetBase, i - start, entry, prefixLength);
        if (entry.isOverflow) flags = HAS_OVERFLOW_FLAG;
      } else {
        const source = this.#sourceOf(i);
        if (leafValueIsOverflow(this.#slab, this.#base, source)) flags = HAS_OVERFLOW_FLAG;
        appendCopy(target, targetBase, this.blockSize, i - start, this.#slab, this.#base, source, prefixLength, this.#keyB);
      }
    }
    if (flags !== 0) setFlags(target, targetBase, flags);
  }

  /**
   * Where to split the sequence, which does not fit into one page: the index of the first entry of the right half, both halves of which
   * fit. Also finds the separator.
   */
  chooseSplit(preference: SplitPreference): number {
    const count = this.#count;
    assert(count >= 2, 'a leaf that is split has two entries');
    let split = -1;
    if (preference === 'leave-left-full') {
      const afterNew = Math.min(this.#position + 1, count - 1);
      if (this.#fits(0, afterNew) && this.#fits(afterNew, count)) split = afterNew;
    }
    if (split < 0) {
      split = this.#balancedSplit();
      if (!(this.#fits(0, split) && this.#fits(split, count))) {
        // Only a key that shortens the prefix makes halves too large; it is the first or the last, and goes by itself.
        split = this.#position === 0 ? 1 : count - 1;
        assert(this.#fits(0, split) && this.#fits(split, count), 'both halves of a leaf fit');
      }
    }
    this.#findSeparator(split);
    return split;
  }

  /** Both halves as equal in bytes as can be; next to that, the shortest separator. */
  #balancedSplit(): number {
    const entry = this.#entry;
    const prefixLength =
      entry === null || this.#replaces
        ? prefixLengthOf(this.#slab, this.#base)
        : sharedPrefixLength(this.#slab, this.#base, this.blockSize, entry);
    let totalBytes = 0;
    for (let i = 0; i < this.#count; i++) totalBytes += this.#entryBytes(i, prefixLength);
    let leftBytes = 0;
    for (let i = 0; i < this.#count - 1; i++) {
      const bytes = this.#entryBytes(i, prefixLength);
      if (2 * (leftBytes + bytes) >= totalBytes) {
        // The entry in the middle goes to the smaller side.
        const larger = Math.max(leftBytes, totalBytes - leftBytes);
        return i > 0 && larger < leftBytes + bytes ? i : i + 1;
      }
      leftBytes += bytes;
    }
    return this.#count - 1;
  }

  #fits(start: number, end: number): boolean {
    const prefixLength = this.#prefixLength(start, end);
    let usedBytes = HEADER_BYTES;
    for (let i = start; i < end; i++) usedBytes += this.#entryBytes(i, prefixLength);
    return usedBytes <= cellEnd(this.blockSize, prefixLength);
  }

  #entryBytes(index: number, prefixLength: number): number {
    if (this.#isNew(index)) {
      return LEAF_ENTRY_BYTES + leafCellBytes(this.#entry!.valueLength, this.#entry!.keyLength - prefixLength);
    }
    const source = this.#sourceOf(index);
    const restLength = leafKeyLength(this.#slab, this.#base, source) - prefixLength;
    return LEAF_ENTRY_BYTES + leafCellBytes(leafValueLength(this.#slab, this.#base, source), restLength);
  }

  /** The prefix of entries `[start, end)`; its bytes are those of `#keyA`. A single key has none. */
  #prefixLength(start: number, end: number): number {
    if (end - start < 2) return 0;
    const firstLength = this.#copyKey(start, this.#keyA);
    const lastLength = this.#copyKey(end - 1, this.#keyB);
    return commonPrefixLength(this.#keyA, 0, firstLength, this.#keyB, 0, lastLength);
  }

  #findSeparator(split: number): void {
    const leftLength = this.#copyKey(split - 1, this.#keyA);
    const rightLength = this.#copyKey(split, this.separator);
    const shared = commonPrefixLength(this.#keyA, 0, leftLength, this.separator, 0, rightLength);
    this.separatorLength = shared + 1;
  }

  #isNew(index: number): boolean {
    return this.#entry !== null && index === this.#position;
  }

  #sourceOf(index: number): number {
    return this.#entry === null || this.#replaces || index < this.#position ? index : index - 1;
  }

  #copyKey(index: number, target: Uint8Array): number {
    if (this.#isNew(index)) {
      const entry = this.#entry!;
      for (let i = 0; i < entry.keyLength; i++) target[i] = entry.key[i]!;
      return entry.keyLength;
    }
    return copyLeafKey(this.#slab, this.#base, this.blockSize, this.#sourceOf(index), target);
  }
}

/** Bytes that a leaf would use that holds the entries of both, without those that are `skipped` (-1: none). */
export function mergedLeafBytes(
  left: Slab,
  leftBase: number,
  right: Slab,
  rightBase: number,
  blockSize: number,
  skipped: { inLeft: number; inRight: number },
  scratch: { keyA: Uint8Array; keyB: Uint8Array },
): number {
  const leftCount = entryCount(left, leftBase);
  const rightCount = entryCount(right, rightBase);
  const prefixLength = mergedPrefixLength(left, leftBase, right, rightBase, blockSize, scratch);
  let usedBytes = HEADER_BYTES + prefixLength;
  for (let i = 0; i < leftCount; i++) {
    if (i === skipped.inLeft) continue;
    usedBytes += entryBytesUnder(left, leftBase, i, prefixLength);
  }
  for (let i = 0; i < rightCount; i++) {
    if (i === skipped.inRight) continue;
    usedBytes += entryBytesUnder(right, rightBase, i, prefixLength);
  }
  return usedBytes;
}

function entryBytesUnder(slab: Slab, base: number, position: number, prefixLength: number): number {
  const restLength = leafKeyLength(slab, base, position) - prefixLength;
  return LEAF_ENTRY_BYTES + leafCellBytes(leafValueLength(slab, base, position), restLength);
}

/** The prefix of all keys of two neighbouring leaves; its bytes are those of `keyA`. Entries that are about to go only shorten it. */
function mergedPrefixLength(
  left: Slab,
  leftBase: number,
  right: Slab,
  rightBase: number,
  blockSize: number,
  scratch: { keyA: Uint8Array; keyB: Uint8Array },
): number {
  const leftCount = entryCount(left, leftBase);
  const rightCount = entryCount(right, rightBase);
  if (leftCount + rightCount < 2) return 0;
  const firstLength =
    leftCount > 0
      ? copyLeafKey(left, leftBase, blockSize, 0, scratch.keyA)
      : copyLeafKey(right, rightBase, blockSize, 0, scratch.keyA);
  const lastLength =
    rightCount > 0
      ? copyLeafKey(right, rightBase, blockSize, rightCount - 1, scratch.keyB)
      : copyLeafKey(left, leftBase, blockSize, leftCount - 1, scratch.keyB);
  return commonPrefixLength(scratch.keyA, 0, firstLength, scratch.keyB, 0, lastLength);
}

/** Writes the entries of two neighbouring leaves, which fit into one, to `target`. Neither may be the target. */
export function buildMergedLeaf(
  target: Slab,
  targetBase: number,
  blockSize: number,
  left: Slab,
  leftBase: number,
  right: Slab,
  rightBase: number,
  scratch: { keyA: Uint8Array; keyB: Uint8Array },
): void {
  const leftCount = entryCount(left, leftBase);
  const rightCount = entryCount(right, rightBase);
  const prefixLength = mergedPrefixLength(left, leftBase, right, rightBase, blockSize, scratch);
  beginLeaf(target, targetBase, blockSize, leftCount + rightCount, scratch.keyA, prefixLength);
  let flags = 0;
  for (let i = 0; i < leftCount; i++) {
    if (leafValueIsOverflow(left, leftBase, i)) flags = HAS_OVERFLOW_FLAG;
    appendCopy(target, targetBase, blockSize, i, left, leftBase, i, prefixLength, scratch.keyB);
  }
  for (let i = 0; i < rightCount; i++) {
    if (leafValueIsOverflow(right, rightBase, i)) flags = HAS_OVERFLOW_FLAG;
    appendCopy(target, targetBase, blockSize, leftCount + i, right, rightBase, i, prefixLength, scratch.keyB);
  }
  if (flags !== 0) setFlags(target, targetBase, flags);
}

function beginLeaf(
  slab: Slab,
  base: number,
  blockSize: number,
  count: number,
  key: Uint8Array,
  prefixLength: number,
): void {
  writeHeader(slab, base, blockSize, 0, count, prefixLength);
  const prefix = base + blockSize - prefixLength;
  for (let i = 0; i < prefixLength; i++) slab.u8[prefix + i] = key[i]!;
}

function appendEntry(slab: Slab, base: number, position: number, entry: LeafEntry, prefixLength: number): void {
  const offset = takeCell(slab, base, leafCellBytes(entry.valueLength, entry.keyLength - prefixLength));
  setDirectoryEntry(slab, base, position, headOf(entry.key, prefixLength, entry.keyLength), offset);
  writeLeafCell(slab, base, offset, entry, prefixLength);
}

function setDirectoryEntry(slab: Slab, base: number, position: number, head: number, offset: number): void {
  slab.u32[headsOf(base) + position] = head;
  slab.u16[(base >>> 1) + HEADER_HALVES + 2 * entryCount(slab, base) + position] = offset;
}

/** Appends a copy of an entry of another page; `scratch` is for its key where the prefixes differ. */
function appendCopy(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  source: Slab,
  sourceBase: number,
  sourcePosition: number,
  prefixLength: number,
  scratch: Uint8Array,
): void {
  const sourceCell = sourceBase + leafCellOffset(source, sourceBase, sourcePosition);
  if (prefixLengthOf(source, sourceBase) === prefixLength) {
    const size = leafCellSize(source, sourceBase, sourcePosition);
    const offset = takeCell(slab, base, size);
    setDirectoryEntry(slab, base, position, source.u32[headsOf(sourceBase) + sourcePosition]!, offset);
    copyWords(slab.u32, (base + offset) >>> 2, source.u32, sourceCell >>> 2, size >>> 2);
    return;
  }
  const keyLength = copyLeafKey(source, sourceBase, blockSize, sourcePosition, scratch);
  const valueLength = leafValueLength(source, sourceBase, sourcePosition);
  const restLength = keyLength - prefixLength;
  const size = leafCellBytes(valueLength, restLength);
  const offset = takeCell(slab, base, size);
  setDirectoryEntry(slab, base, position, headOf(scratch, prefixLength, keyLength), offset);
  const cell = base + offset;
  const overflow = leafValueIsOverflow(source, sourceBase, sourcePosition) ? OVERFLOW_VALUE_FLAG : 0;
  slab.u16[cell >>> 1] = valueLength | overflow;
  slab.u16[(cell >>> 1) + 1] = restLength;
  const valueStart = leafValueStart(source, sourceBase, sourcePosition);
  copyWords(slab.u32, (cell + LEAF_CELL_HEADER_BYTES) >>> 2, source.u32, valueStart >>> 2, (valueLength + 3) >>> 2);
  const u8 = slab.u8;
  let at = cell + LEAF_CELL_HEADER_BYTES + valueLength;
  for (let i = prefixLength + HEAD_BYTES; i < keyLength; i++) u8[at++] = scratch[i]!;
  for (const end = cell + size; at < end; at++) u8[at] = 0;
}

const COPY_LOOP_WORDS = 64;

/** Copies words between slabs: short runs by a loop, which costs less than making a view. */
function copyWords(target: Uint32Array, targetStart: number, source: Uint32Array, start: number, count: number): void {
  if (count > COPY_LOOP_WORDS) target.set(source.subarray(start, start + count), targetStart);
  else for (let i = 0; i < count; i++) target[targetStart + i] = source[start + i]!;
}

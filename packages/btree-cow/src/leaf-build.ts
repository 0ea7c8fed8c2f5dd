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
import { entryCount, gapBytes, headsOf, prefixLengthOf, setFlags, takeCell, writeHeader } from './node-header.ts';

const HEADER_HALVES: number = HEADER_BYTES >>> 1;

/**
 * A sequence of entries - of one leaf with a new entry put in, or of two neighbours with a range left out of each - and the pages that are
 * built of it. The leaves are copied aside, so the pages may take their places.
 */
export class LeafBuilder {
  readonly blockSize: number;
  /** The separator that `chooseSplit` found: the shortest key that is greater than the left half and not greater than the right. */
  readonly separator: Uint8Array;
  separatorLength = 0;

  readonly #left: Slab;
  readonly #right: Slab;
  readonly #keyA: Uint8Array;
  readonly #keyB: Uint8Array;
  /** The new entry, at `#position` of the sequence, in place of the one there or before it; null for a pair. */
  #entry: LeafEntry | null = null;
  #position = -1;
  #replaces = false;
  /** Entries of the sequence that come from the left leaf, and what is left out of either. */
  #leftCount = 0;
  #leftSkipStart = 0;
  #leftSkipCount = 0;
  #rightSkipStart = 0;
  #rightSkipCount = 0;
  #count = 0;
  /** A prefix that all keys share and with which the sequence fits if it is said to fit: that of the page it comes from. */
  #safePrefixLength = 0;

  constructor(blockSize: number) {
    this.blockSize = blockSize;
    this.separator = new Uint8Array(maxKeyBytes(blockSize));
    this.#left = new Slab(blockSize);
    this.#right = new Slab(blockSize);
    this.#keyA = new Uint8Array(maxKeyBytes(blockSize));
    this.#keyB = new Uint8Array(maxKeyBytes(blockSize));
  }

  /** Takes the entries of a leaf, with `entry` before `position` or (`replaces`) in place of it, as the sequence. */
  load(slab: Slab, base: number, position: number, replaces: boolean, entry: LeafEntry): void {
    this.#left.u8.set(slab.u8.subarray(base, base + this.blockSize));
    this.#entry = entry;
    this.#position = position;
    this.#replaces = replaces;
    this.#count = entryCount(slab, base) + (replaces ? 0 : 1);
    this.#leftCount = this.#count;
    this.#leftSkipCount = 0;
    this.#safePrefixLength = replaces
      ? prefixLengthOf(slab, base)
      : sharedPrefixLength(slab, base, this.blockSize, entry);
  }

  /** Takes the entries of two neighbours, each without a range of positions, as the sequence. */
  loadPair(
    left: Slab,
    leftBase: number,
    leftSkip: { start: number; end: number },
    right: Slab,
    rightBase: number,
    rightSkip: { start: number; end: number },
  ): void {
    this.#left.u8.set(left.u8.subarray(leftBase, leftBase + this.blockSize));
    this.#right.u8.set(right.u8.subarray(rightBase, rightBase + this.blockSize));
    this.#entry = null;
    this.#position = -1;
    this.#leftSkipStart = leftSkip.start;
    this.#leftSkipCount = leftSkip.end - leftSkip.start;
    this.#rightSkipStart = rightSkip.start;
    this.#rightSkipCount = rightSkip.end - rightSkip.start;
    this.#leftCount = entryCount(left, leftBase) - this.#leftSkipCount;
    this.#count = this.#leftCount + entryCount(right, rightBase) - this.#rightSkipCount;
    // Of two leaves with entries a merge leaves room for any prefix; one alone may be full.
    if (this.#leftCount === 0) this.#safePrefixLength = prefixLengthOf(right, rightBase);
    else this.#safePrefixLength = this.#leftCount === this.#count ? prefixLengthOf(left, leftBase) : 0;
  }

  /** Number of entries in the sequence. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that a leaf with the whole sequence would use. */
  usedBytes(): number {
    return this.#usedBytes(0, this.#count, this.#prefixLength(0, this.#count));
  }

  /** Writes entries `[start, end)` of the sequence, which fit, to a page. */
  build(target: Slab, targetBase: number, start: number, end: number): void {
    let prefixLength = this.#prefixLength(start, end);
    // The longest prefix nearly always saves most, but a few bytes of it can cost more than they save.
    if (this.#usedBytes(start, end, prefixLength) > this.blockSize) prefixLength = this.#safePrefixLength;
    beginLeaf(target, targetBase, this.blockSize, end - start, this.#keyA, prefixLength);
    let flags = 0;
    for (let i = start; i < end; i++) {
      if (i === this.#position) {
        const entry = this.#entry!;
        appendEntry(target, targetBase, i - start, entry, prefixLength);
        if (entry.isOverflow) flags = HAS_OVERFLOW_FLAG;
      } else {
        const slab = i < this.#leftCount ? this.#left : this.#right;
        const source = this.#sourceOf(i);
        if (leafValueIsOverflow(slab, 0, source)) flags = HAS_OVERFLOW_FLAG;
        appendCopy(target, targetBase, this.blockSize, i - start, slab, source, prefixLength, this.#keyB);
      }
    }
    assert(gapBytes(target, targetBase) >= 0, 'what is built fits');
    if (flags !== 0) setFlags(target, targetBase, flags);
  }

  /**
   * Where to split a sequence with a new entry that does not fit into one page: the index of the first entry of the right half. Both
   * halves fit. Also finds the separator. `leavesLeftFull` is for entries that arrive in ascending order.
   */
  chooseSplit(leavesLeftFull: boolean): number {
    const count = this.#count;
    assert(count >= 2 && this.#entry !== null, 'a leaf that is split has two entries, one of them new');
    let split = leavesLeftFull ? Math.min(this.#position + 1, count - 1) : this.#balancedSplit();
    if (!this.#bothFit(split) && leavesLeftFull) split = this.#balancedSplit();
    if (!this.#bothFit(split)) {
      // Only a key that shortens the prefix makes halves too large; it is the first or the last, and goes by itself.
      split = this.#position === 0 ? 1 : count - 1;
      assert(this.#bothFit(split), 'both halves of a leaf fit');
    }
    const leftLength = this.#copyKey(split - 1, this.#keyA);
    const rightLength = this.#copyKey(split, this.separator);
    this.separatorLength = commonPrefixLength(this.#keyA, 0, leftLength, this.separator, 0, rightLength) + 1;
    return split;
  }

  /** Both halves as equal in bytes as can be. */
  #balancedSplit(): number {
    const prefixLength = this.#prefixLength(0, this.#count);
    let totalBytes = 0;
    for (let i = 0; i < this.#count; i++) totalBytes += this.#entryBytes(i, prefixLength);
    let leftBytes = 0;
    for (let i = 0; i < this.#count - 1; i++) {
      const bytes = this.#entryBytes(i, prefixLength);
      if (2 * (leftBytes + bytes) >= totalBytes) {
        // The entry in the middle goes to the smaller side.
        return i > 0 && totalBytes - leftBytes < leftBytes + bytes ? i : i + 1;
      }
      leftBytes += bytes;
    }
    return this.#count - 1;
  }

  #bothFit(split: number): boolean {
    return this.#fits(0, split) && this.#fits(split, this.#count);
  }

  #fits(start: number, end: number): boolean {
    return this.#usedBytes(start, end, this.#prefixLength(start, end)) <= this.blockSize;
  }

  #usedBytes(start: number, end: number, prefixLength: number): number {
    let usedBytes = HEADER_BYTES;
    for (let i = start; i < end; i++) usedBytes += this.#entryBytes(i, prefixLength);
    return usedBytes + this.blockSize - cellEnd(this.blockSize, prefixLength);
  }

  #entryBytes(index: number, prefixLength: number): number {
    if (index === this.#position) {
      return LEAF_ENTRY_BYTES + leafCellBytes(this.#entry!.valueLength, this.#entry!.keyLength - prefixLength);
    }
    const slab = index < this.#leftCount ? this.#left : this.#right;
    const source = this.#sourceOf(index);
    const restLength = leafKeyLength(slab, 0, source) - prefixLength;
    return LEAF_ENTRY_BYTES + leafCellBytes(leafValueLength(slab, 0, source), restLength);
  }

  /** The prefix of entries `[start, end)`; its bytes are those of `#keyA`. A single key has none. */
  #prefixLength(start: number, end: number): number {
    if (end - start < 2) return 0;
    const firstLength = this.#copyKey(start, this.#keyA);
    const lastLength = this.#copyKey(end - 1, this.#keyB);
    return commonPrefixLength(this.#keyA, 0, firstLength, this.#keyB, 0, lastLength);
  }

  #sourceOf(index: number): number {
    if (this.#entry !== null) return this.#replaces || index < this.#position ? index : index - 1;
    if (index < this.#leftCount) return index < this.#leftSkipStart ? index : index + this.#leftSkipCount;
    const rightIndex = index - this.#leftCount;
    return rightIndex < this.#rightSkipStart ? rightIndex : rightIndex + this.#rightSkipCount;
  }

  #copyKey(index: number, target: Uint8Array): number {
    if (index === this.#position) {
      const entry = this.#entry!;
      for (let i = 0; i < entry.keyLength; i++) target[i] = entry.key[i]!;
      return entry.keyLength;
    }
    const slab = index < this.#leftCount ? this.#left : this.#right;
    return copyLeafKey(slab, 0, this.blockSize, this.#sourceOf(index), target);
  }
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

/** Appends a copy of an entry of a page at the beginning of `source`; `scratch` is for its key where the prefixes differ. */
function appendCopy(
  slab: Slab,
  base: number,
  blockSize: number,
  position: number,
  source: Slab,
  sourcePosition: number,
  prefixLength: number,
  scratch: Uint8Array,
): void {
  const sourceCell = leafCellOffset(source, 0, sourcePosition);
  if (prefixLengthOf(source, 0) === prefixLength) {
    const size = leafCellSize(source, 0, sourcePosition);
    const offset = takeCell(slab, base, size);
    setDirectoryEntry(slab, base, position, source.u32[headsOf(0) + sourcePosition]!, offset);
    copyWords(slab.u32, (base + offset) >>> 2, source.u32, sourceCell >>> 2, size >>> 2);
    return;
  }
  const keyLength = copyLeafKey(source, 0, blockSize, sourcePosition, scratch);
  const valueLength = leafValueLength(source, 0, sourcePosition);
  const restLength = keyLength - prefixLength;
  const size = leafCellBytes(valueLength, restLength);
  const offset = takeCell(slab, base, size);
  setDirectoryEntry(slab, base, position, headOf(scratch, prefixLength, keyLength), offset);
  const cell = base + offset;
  const overflow = leafValueIsOverflow(source, 0, sourcePosition) ? OVERFLOW_VALUE_FLAG : 0;
  slab.u16[cell >>> 1] = valueLength | overflow;
  slab.u16[(cell >>> 1) + 1] = restLength;
  const valueStart = leafValueStart(source, 0, sourcePosition);
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

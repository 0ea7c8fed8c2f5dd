/**
 * Rebuilding index nodes: compaction, a shorter prefix, splits and merges. The counterpart of `leaf-build.ts`.
 *
 * The prefix is that of the separators, so the entry that becomes the first of a node does not count. A split hands the separator of the
 * right half's first entry to the parent; a merge takes it back.
 */
import { assert, commonPrefixLength } from '@outwrite/blockdev';
import { Slab } from '@outwrite/buffer-cache';
import { copySeparator, IndexEntry, separatorLength, sharedSeparatorPrefix, takeSeparatorCell } from './index-page.ts';
import { cellEnd, HEADER_BYTES, headOf, INDEX_ENTRY_BYTES, indexCellBytes, maxKeyBytes } from './node-format.ts';
import { entryCount, gapBytes, headsOf, levelOf, writeHeader } from './node-header.ts';

const TWO_TO_32 = 0x100000000;

/** The entries of one index node, with one put in or replaced, or of two neighbours; and the nodes that are built of them. */
export class IndexBuilder {
  readonly blockSize: number;
  /** The separator that `chooseSplit` hands to the parent. */
  readonly separator: Uint8Array;
  separatorLength = 0;

  readonly #left: Slab;
  readonly #right: Slab;
  readonly #current: IndexEntry;
  readonly #keyA: Uint8Array;
  readonly #keyB: Uint8Array;
  // The sequence: `#leftCount` entries of `#left` with `#entry` at `#position`, then the entries of `#right` from its second on.
  #level = 0;
  #entry: IndexEntry | null = null;
  #position = 0;
  #replaces = false;
  #leftCount = 0;
  #count = 0;
  /** A prefix that all separators share and with which the sequence fits if it is said to fit: what is left of that of the node. */
  #safePrefixLength = 0;

  constructor(blockSize: number) {
    this.blockSize = blockSize;
    this.separator = new Uint8Array(maxKeyBytes(blockSize));
    this.#left = new Slab(blockSize);
    this.#right = new Slab(blockSize);
    this.#current = new IndexEntry(blockSize);
    this.#keyA = new Uint8Array(maxKeyBytes(blockSize));
    this.#keyB = new Uint8Array(maxKeyBytes(blockSize));
  }

  /** Copies a node aside and takes its entries, with `entry` before `position` or (`replaces`) in place of it, as the sequence. */
  load(slab: Slab, base: number, position: number, replaces: boolean, entry: IndexEntry): void {
    this.#left.u8.set(slab.u8.subarray(base, base + this.blockSize));
    this.#level = levelOf(slab, base);
    this.#entry = entry;
    this.#position = position;
    this.#replaces = replaces;
    this.#count = entryCount(slab, base) + (replaces ? 0 : 1);
    this.#leftCount = this.#count;
    this.#safePrefixLength = sharedSeparatorPrefix(slab, base, this.blockSize, entry.separator, entry.separatorLength);
  }

  /** Takes the entries of two neighbours as the sequence; `middle` is the first entry of the right one, with the separator of that node. */
  loadPair(left: Slab, leftBase: number, right: Slab, rightBase: number, middle: IndexEntry): void {
    this.load(left, leftBase, entryCount(left, leftBase), false, middle);
    this.#right.u8.set(right.u8.subarray(rightBase, rightBase + this.blockSize));
    this.#count += entryCount(right, rightBase) - 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes that a node with the whole sequence would use. */
  usedBytes(): number {
    return this.#usedBytes(0, this.#count, this.#prefixLength(0, this.#count));
  }

  /** Writes entries `[start, end)` of the sequence, which fit, to a node. */
  build(target: Slab, targetBase: number, start: number, end: number): void {
    let prefixLength = this.#prefixLength(start, end);
    // The longest prefix nearly always saves most, but a few bytes of it can cost more than they save.
    if (this.#usedBytes(start, end, prefixLength) > this.blockSize) prefixLength = this.#safePrefixLength;
    const count = end - start;
    writeHeader(target, targetBase, this.blockSize, this.#level, count, prefixLength);
    const prefix = targetBase + this.blockSize - prefixLength;
    for (let i = 0; i < prefixLength; i++) target.u8[prefix + i] = this.#keyA[i]!;
    const heads = headsOf(targetBase);
    const u32 = target.u32;
    for (let i = 0; i < count; i++) {
      const entry = this.#entryAt(start + i, i > 0);
      const record = heads + count + 4 * i;
      const offset = i === 0 ? 0 : takeSeparatorCell(target, targetBase, entry, prefixLength);
      u32[heads + i] = i === 0 ? 0 : headOf(entry.separator, prefixLength, entry.separatorLength);
      u32[record] = entry.block;
      u32[record + 1] = entry.checksum;
      u32[record + 2] = entry.birth;
      u32[record + 3] = (Math.floor(entry.birth / TWO_TO_32) | (offset << 16)) >>> 0;
    }
    assert(gapBytes(target, targetBase) >= 0, 'what is built fits');
  }

  /**
   * Where to split the sequence, which does not fit into one node: the index of the first entry of the right half. Both halves fit and have
   * two children or more. `leavesLeftFull` is for entries that arrive in ascending order.
   */
  chooseSplit(leavesLeftFull: boolean): number {
    const count = this.#count;
    assert(count >= 4, 'an index node that is split has four entries');
    let split = -1;
    if (leavesLeftFull && this.#position === count - 1) split = count - 2;
    if (split < 0 || !this.#bothFit(split)) split = this.#balancedSplit();
    if (!this.#bothFit(split)) {
      // Only a separator that shortens the prefix makes halves too large: the lowest or the highest.
      split = this.#position <= 1 ? 2 : count - 2;
      assert(this.#bothFit(split), 'both halves of an index node fit');
    }
    this.separatorLength = this.#copySeparator(split, this.separator);
    return split;
  }

  #balancedSplit(): number {
    const count = this.#count;
    const prefixLength = this.#prefixLength(0, count);
    let totalBytes = 0;
    for (let i = 1; i < count; i++) totalBytes += this.#entryBytes(i, prefixLength);
    let leftBytes = 0;
    for (let i = 1; i < count; i++) {
      const bytes = this.#entryBytes(i, prefixLength);
      if (2 * (leftBytes + bytes) >= totalBytes) return Math.min(Math.max(i, 2), count - 2);
      leftBytes += bytes;
    }
    return count - 2;
  }

  #entryBytes(index: number, prefixLength: number): number {
    return INDEX_ENTRY_BYTES + indexCellBytes(this.#separatorLength(index) - prefixLength);
  }

  #bothFit(split: number): boolean {
    return this.#fits(0, split) && this.#fits(split, this.#count);
  }

  #fits(start: number, end: number): boolean {
    return this.#usedBytes(start, end, this.#prefixLength(start, end)) <= this.blockSize;
  }

  #usedBytes(start: number, end: number, prefixLength: number): number {
    let usedBytes = HEADER_BYTES + (end - start) * INDEX_ENTRY_BYTES;
    for (let i = start + 1; i < end; i++) usedBytes += indexCellBytes(this.#separatorLength(i) - prefixLength);
    return usedBytes + this.blockSize - cellEnd(this.blockSize, prefixLength);
  }

  /** What separators `[start + 1, end)` share; its bytes are those of `#keyA`. A single one has no prefix. */
  #prefixLength(start: number, end: number): number {
    if (end - start < 3) return 0;
    const firstLength = this.#copySeparator(start + 1, this.#keyA);
    const lastLength = this.#copySeparator(end - 1, this.#keyB);
    return commonPrefixLength(this.#keyA, 0, firstLength, this.#keyB, 0, lastLength);
  }

  #entryAt(index: number, withSeparator: boolean): IndexEntry {
    if (this.#isNew(index)) return this.#entry!;
    const current = this.#current;
    const slab = index < this.#leftCount ? this.#left : this.#right;
    const position = this.#sourceOf(index);
    current.copyPointer(slab, 0, position);
    if (withSeparator) current.separatorLength = copySeparator(slab, 0, this.blockSize, position, current.separator);
    return current;
  }

  #separatorLength(index: number): number {
    if (this.#isNew(index)) return this.#entry!.separatorLength;
    return separatorLength(index < this.#leftCount ? this.#left : this.#right, 0, this.#sourceOf(index));
  }

  #copySeparator(index: number, target: Uint8Array): number {
    if (this.#isNew(index)) {
      const entry = this.#entry!;
      for (let i = 0; i < entry.separatorLength; i++) target[i] = entry.separator[i]!;
      return entry.separatorLength;
    }
    const slab = index < this.#leftCount ? this.#left : this.#right;
    return copySeparator(slab, 0, this.blockSize, this.#sourceOf(index), target);
  }

  #isNew(index: number): boolean {
    return index === this.#position;
  }

  #sourceOf(index: number): number {
    // The first entry of a right neighbour is the new one in the middle, so entry `#leftCount` of the sequence is its second.
    if (index >= this.#leftCount) return index - this.#leftCount + 1;
    return this.#replaces || index < this.#position ? index : index - 1;
  }
}

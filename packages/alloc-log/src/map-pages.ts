/**
 * The bits of the free map in memory, page by page, under two aspects: *used* and *held back*.
 *
 * `used` is what a checkpoint stores: the block belongs to somebody in the state of the open delta. `held` is an overlay that is never
 * stored: the block must not be allocated for now (it waits on a deferred-free list, belongs to the log, or is being written without
 * belonging to anybody yet). A block can be allocated when it is neither. Pages are read when they are first needed, verified, and
 * dropped again when they are clean and memory is short; counts of every page are always in memory, and summaries over them find the
 * next page with room. A page that cannot be read counts as full; nothing is allocated there and its damage is remembered.
 */
import { assert, type BlockDevice, CorruptionError, NIL_BLOCK, OutwriteError, xxh32Words } from '@outwrite/blockdev';
import type { BlockPointer } from './block-pointer.ts';
import { pageBlockCount } from './free-map-format.ts';
import { SummaryBits } from './summary-bits.ts';

/** Memory for clean pages. Changed pages stay whatever they need: the checkpoint that writes them comes in time. */
const RESIDENT_BYTES = 8 * 1024 * 1024;

/** A free run of this many blocks is "long": it is worth the search for who needs many blocks. */
export const LONG_RUN_BLOCKS = 64;

const USED = 0;
const HELD = 1;

export class MapPages {
  readonly blockBytes: number;
  readonly pageBlocks: number;
  readonly blockLimit: number;
  /** Pages that were changed, or added, since the last checkpoint. */
  readonly changed: Set<number> = new Set();
  /** First problem met with each page that could not be read. */
  readonly damage: Map<number, OutwriteError> = new Map();
  /** Pointer to the stored state of each page; the block is nil where no block of the page was used. */
  readonly pointers: BlockPointer[] = [];

  /** Blocks from here on were never given to anybody; they are free and no page says so. */
  sizeBlocks = 0;
  usedCount = 0;
  heldCount = 0;
  /** Blocks below `sizeBlocks` that can be allocated. */
  availableCount = 0;
  /** Counts up with every block that becomes available: as long as it is the same, a search that failed would fail again. */
  returnedCount = 0;

  readonly #device: BlockDevice;
  readonly #pageShift: number;
  readonly #words: [(Uint32Array | undefined)[], (Uint32Array | undefined)[]] = [[], []];
  readonly #counts: [number[], number[]] = [[], []];
  readonly #withRoom = new SummaryBits();
  readonly #withLongRun = new SummaryBits();
  #resident: number[] = [];

  constructor(device: BlockDevice, options: { blockBytes: number; blockLimit: number }) {
    this.#device = device;
    this.blockBytes = options.blockBytes;
    this.blockLimit = options.blockLimit;
    this.pageBlocks = pageBlockCount(options.blockBytes);
    this.#pageShift = 31 - Math.clz32(this.pageBlocks);
  }

  get pageCount(): number {
    return this.pointers.length;
  }

  pageOf(block: number): number {
    return block >>> this.#pageShift;
  }

  usedCountOf(page: number): number {
    return this.#counts[USED][page]!;
  }

  /** Takes over the stored state of the next page, on opening. */
  addStoredPage(pointer: BlockPointer, usedCount: number): void {
    const page = this.pageCount;
    this.pointers.push(pointer);
    this.#counts[USED][page] = usedCount;
    this.#counts[HELD][page] = 0;
    this.usedCount += usedCount;
    this.#refresh(page, 0);
  }

  /** Lets the volume reach up to `sizeBlocks`; the new blocks are free. */
  extend(sizeBlocks: number): void {
    assert(sizeBlocks <= this.blockLimit, 'the volume stays within its limit');
    while (this.sizeBlocks < sizeBlocks) {
      const page = this.pageOf(this.sizeBlocks);
      const pageEnd = Math.min(sizeBlocks, (page + 1) * this.pageBlocks);
      if (page === this.pageCount) {
        this.pointers.push({ block: NIL_BLOCK, checksum: 0, birth: 0 });
        this.#counts[USED][page] = 0;
        this.#counts[HELD][page] = 0;
        // Nothing of it is used, but the node above it has an entry more.
        this.changed.add(page);
      }
      const before = this.#availableIn(page);
      this.sizeBlocks = pageEnd;
      this.#refresh(page, before);
    }
  }

  isUsed(block: number): boolean {
    return this.#test(USED, block);
  }

  isHeld(block: number): boolean {
    return this.#test(HELD, block);
  }

  setUsed(start: number, count: number): void {
    this.#change(USED, start, count, true);
  }

  clearUsed(start: number, count: number): void {
    this.#change(USED, start, count, false);
  }

  setHeld(start: number, count: number): void {
    this.#change(HELD, start, count, true);
  }

  clearHeld(start: number, count: number): void {
    this.#change(HELD, start, count, false);
  }

  /** The first block at `from` or after it that can be allocated, or -1. */
  nextAvailable(from: number): number {
    if (from >= this.sizeBlocks) return -1;
    let at = from;
    for (let page = this.#withRoom.next(this.pageOf(from)); page !== -1; page = this.#withRoom.next(page + 1)) {
      const pageStart = page * this.pageBlocks;
      at = Math.max(at, pageStart);
      if (this.#readable(page)) {
        const found = this.#scan(page, at - pageStart, 1);
        if (found !== -1) return pageStart + found;
      }
    }
    return -1;
  }

  /** The first run of at least `LONG_RUN_BLOCKS` blocks at `from` or after it that can be allocated, or -1. */
  nextLongRun(from: number): number {
    if (from >= this.sizeBlocks) return -1;
    const firstPage = this.pageOf(from);
    for (let page = this.#withLongRun.next(firstPage); page !== -1; page = this.#withLongRun.next(page + 1)) {
      if (!this.#readable(page)) continue;
      const pageStart = page * this.pageBlocks;
      const offset = Math.max(0, from - pageStart);
      const found = findLongClearRun(this.#page(USED, page), this.#words[HELD][page], offset, this.#endOf(page));
      if (found !== -1) return pageStart + found;
      // The bit is a hint, set by every free that might have made a long run; a search from the beginning that fails corrects it.
      if (offset === 0) this.#withLongRun.set(page, false);
    }
    return -1;
  }

  /** The first run of at least `length` blocks at `from` or after it, in the page of `from`, that can be allocated, or -1. */
  nextRunInPage(from: number, length: number): number {
    const page = this.pageOf(from);
    if (from >= this.sizeBlocks || this.#availableIn(page) < length || !this.#readable(page)) return -1;
    const pageStart = page * this.pageBlocks;
    const found = this.#scan(page, from - pageStart, length);
    return found === -1 ? -1 : pageStart + found;
  }

  /** How many blocks from `start` on, at most `limit`, can be allocated; does not look beyond the page of `start`. */
  runLength(start: number, limit: number): number {
    const page = this.pageOf(start);
    const used = this.#page(USED, page);
    const held = this.#words[HELD][page];
    const pageStart = page * this.pageBlocks;
    const end = Math.min(start + limit, this.sizeBlocks, pageStart + this.pageBlocks) - pageStart;
    let at = start - pageStart;
    const first = at;
    while (at < end) {
      const rest = takenIn(used, held, at >>> 5) >>> (at & 31);
      if (rest !== 0) {
        at += 31 - Math.clz32(rest & -rest);
        break;
      }
      at = (at | 31) + 1;
    }
    return Math.min(at, end) - first;
  }

  /** Makes sure that the pages of these blocks are in memory. Throws a `CorruptionError` or `DeviceError`. */
  prefetch(start: number, count: number): void {
    for (let page = this.pageOf(start); page <= this.pageOf(start + count - 1); page++) {
      if (page < this.pageCount) this.#page(USED, page);
    }
  }

  /** Copies the used bits of a page into `target`, a whole block. */
  copyUsed(page: number, target: Uint8Array): void {
    const words = this.#page(USED, page);
    target.set(new Uint8Array(words.buffer, words.byteOffset, this.blockBytes));
  }

  /** Extents of used blocks, ascending. Reads every page; throws where one is damaged. */
  *usedExtents(): Generator<{ start: number; count: number }> {
    let start = -1;
    for (let page = 0; page < this.pageCount; page++) {
      const words = this.#counts[USED][page] === 0 ? undefined : this.#page(USED, page);
      for (let word = 0; word < this.pageBlocks >>> 5; word++) {
        const bits = words === undefined ? 0 : words[word]!;
        if (bits === 0 ? start === -1 : bits === 0xffffffff && start !== -1) continue;
        for (let bit = 0; bit < 32; bit++) {
          const used = (bits & (1 << bit)) !== 0;
          const block = page * this.pageBlocks + word * 32 + bit;
          if (used && start === -1) start = block;
          if (!used && start !== -1) {
            yield { start, count: block - start };
            start = -1;
          }
        }
      }
    }
    if (start !== -1) yield { start, count: this.pageCount * this.pageBlocks - start };
  }

  #test(aspect: 0 | 1, block: number): boolean {
    const page = this.pageOf(block);
    if (page >= this.pageCount || this.#counts[aspect][page] === 0) return false;
    return (this.#page(aspect, page)[(block % this.pageBlocks) >>> 5]! & (1 << (block & 31))) !== 0;
  }

  #change(aspect: 0 | 1, start: number, count: number, value: boolean): void {
    if (start + count > this.sizeBlocks) this.extend(start + count);
    // All pages first: a page that cannot be read leaves the others as they are.
    if (aspect === USED) this.prefetch(start, count);
    let at = start;
    while (at < start + count) {
      const page = this.pageOf(at);
      const pageStart = page * this.pageBlocks;
      const end = Math.min(start + count, pageStart + this.pageBlocks);
      const before = this.#availableIn(page);
      changeBits(this.#page(aspect, page), at - pageStart, end - pageStart, value);
      const step = value ? end - at : at - end;
      this.#counts[aspect][page]! += step;
      if (aspect === USED) {
        this.usedCount += step;
        this.changed.add(page);
      } else {
        this.heldCount += step;
        if (this.#counts[HELD][page] === 0) this.#words[HELD][page] = undefined;
      }
      this.#refresh(page, before);
      at = end;
    }
  }

  #availableIn(page: number): number {
    if (this.damage.has(page)) return 0;
    const inPage = Math.min(this.pageBlocks, Math.max(0, this.sizeBlocks - page * this.pageBlocks));
    return Math.max(0, inPage - this.#counts[USED][page]! - this.#counts[HELD][page]!);
  }

  /** Brings the summaries up to date after a change to a page. */
  #refresh(page: number, availableBefore: number): void {
    const available = this.#availableIn(page);
    this.availableCount += available - availableBefore;
    if (available > availableBefore) this.returnedCount += available - availableBefore;
    if (available > 0 !== availableBefore > 0) this.#withRoom.set(page, available > 0);
    if (available < LONG_RUN_BLOCKS) this.#withLongRun.set(page, false);
    else if (available > availableBefore) this.#withLongRun.set(page, true);
  }

  #readable(page: number): boolean {
    try {
      this.#page(USED, page);
      return true;
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      const before = this.#availableIn(page);
      this.damage.set(page, error);
      this.#refresh(page, before);
      return false;
    }
  }

  #scan(page: number, from: number, length: number): number {
    return findClearRun(this.#page(USED, page), this.#words[HELD][page], from, this.#endOf(page), length);
  }

  /** Where the volume ends within a page, or the page itself. */
  #endOf(page: number): number {
    return Math.min(this.pageBlocks, this.sizeBlocks - page * this.pageBlocks);
  }

  #page(aspect: 0 | 1, page: number): Uint32Array {
    const words = this.#words[aspect][page];
    if (words !== undefined) return words;
    if (aspect === HELD) {
      const fresh = new Uint32Array(this.pageBlocks >>> 5);
      this.#words[HELD][page] = fresh;
      return fresh;
    }
    const loaded = this.#load(page);
    this.#makeRoom();
    this.#words[USED][page] = loaded;
    this.#resident.push(page);
    return loaded;
  }

  #load(page: number): Uint32Array {
    const words = new Uint32Array(this.pageBlocks >>> 5);
    const pointer = this.pointers[page]!;
    if (pointer.block === NIL_BLOCK) return words;
    const position = pointer.block * this.blockBytes;
    if (position + this.blockBytes > this.#device.sizeBytes) {
      throw new CorruptionError('free-map page', 'it lies beyond the end of the device', { block: pointer.block });
    }
    this.#device.readSync(position, [new Uint8Array(words.buffer)]);
    const actual = xxh32Words(words, 0, words.length);
    if (actual !== pointer.checksum) {
      throw new CorruptionError('free-map page', 'the checksum does not fit', {
        block: pointer.block,
        expected: pointer.checksum,
        actual,
      });
    }
    let usedCount = 0;
    for (const word of words) usedCount += bitCount(word);
    if (usedCount !== this.#counts[USED][page]) {
      throw new CorruptionError('free-map page', 'it does not hold as many used blocks as its node says', {
        block: pointer.block,
        expected: this.#counts[USED][page],
        actual: usedCount,
      });
    }
    return words;
  }

  /** Drops clean pages, those first that were read first, until another one fits. */
  #makeRoom(): void {
    const limit = Math.max(4, Math.floor(RESIDENT_BYTES / this.blockBytes));
    if (this.#resident.length < limit + this.changed.size) return;
    const kept = this.#resident.filter((page) => this.changed.has(page));
    const clean = this.#resident.filter((page) => !this.changed.has(page));
    const dropCount = Math.ceil(clean.length / 2);
    for (const page of clean.slice(0, dropCount)) this.#words[USED][page] = undefined;
    this.#resident = kept.concat(clean.slice(dropCount));
  }
}

function changeBits(words: Uint32Array, from: number, to: number, value: boolean): void {
  for (let at = from; at < to; ) {
    const word = at >>> 5;
    const bit = at & 31;
    const width = Math.min(32 - bit, to - at);
    const mask = width === 32 ? -1 : ((1 << width) - 1) << bit;
    const bits = words[word]! | 0;
    assert((value ? bits & mask : ~bits & mask) === 0, 'a block of the free map changes state only once');
    words[word] = value ? bits | mask : bits & ~mask;
    at += width;
  }
}

/** The bits of a word that are set in either map. */
function takenIn(used: Uint32Array, held: Uint32Array | undefined, word: number): number {
  return used[word]! | (held === undefined ? 0 : held[word]!);
}

/** The first position in `[from, end)` that begins `length` clear bits in both maps, or -1. */
function findClearRun(
  used: Uint32Array,
  held: Uint32Array | undefined,
  from: number,
  end: number,
  length: number,
): number {
  let runStart = from;
  let at = from;
  while (at < end) {
    const rest = takenIn(used, held, at >>> 5) >>> (at & 31);
    const clear = rest === 0 ? 32 - (at & 31) : 31 - Math.clz32(rest & -rest);
    at += clear;
    if (Math.min(at, end) - runStart >= length) return runStart;
    if (rest !== 0) {
      // Skip the taken bits that begin here.
      const gaps = ~(rest >>> clear);
      at += gaps === 0 ? 32 : 31 - Math.clz32(gaps & -gaps);
      runStart = at;
    }
  }
  return -1;
}

/**
 * As `findClearRun` with a length of `LONG_RUN_BLOCKS`. A run so long holds at least one whole word, so only words are looked at until one is
 * clear: of a fragmented page that is a tenth of the work.
 */
function findLongClearRun(used: Uint32Array, held: Uint32Array | undefined, from: number, end: number): number {
  for (let word = (from + 31) >>> 5; (word + 1) << 5 <= end; word++) {
    if (takenIn(used, held, word) !== 0) continue;
    // The clear bits at the end of the word before belong to the run.
    const before = word << 5 > from ? Math.clz32(takenIn(used, held, word - 1)) : 0;
    const runStart = Math.max(from, (word << 5) - before);
    let runEnd = end;
    for (word++; word << 5 < end; word++) {
      const taken = takenIn(used, held, word);
      if (taken === 0) continue;
      runEnd = Math.min(end, (word << 5) + 31 - Math.clz32(taken & -taken));
      break;
    }
    if (runEnd - runStart >= LONG_RUN_BLOCKS) return runStart;
  }
  return -1;
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * The memory of the cache: slabs of equally large frames, handed out and taken back.
 *
 * A frame's number is its slab times the frames of a slab (a power of two) plus its place there, so that a shift and a
 * mask lead to its bytes. Slabs are made on demand and frames taken from the lowest slab that has one; slabs beyond
 * those that the budget needs exist only while the cache is over its budget, and each of them is let go when its last
 * frame comes back.
 *
 * Frames start 16 bytes into a slab: copies to the very beginning of a large buffer run several times slower on a
 * common processor family (see docs/design.md), and every frame starts at 16 modulo 64.
 */
import { assert, xxh32 } from '@outwrite/blockdev';
import { EMPTY, FREE, type Frame, type FrameTable, NO_FRAME } from './frame-table.ts';

/** Three views of the same bytes. A frame's words start at `baseOf(frame) >>> 2` in `u32`. */
export class Slab {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  /** Whether anything was ever noted about one of the frames, see `BufferCache.noteAt`. */
  hasNotes = false;

  constructor(sizeBytes: number) {
    const buffer = new ArrayBuffer(sizeBytes);
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
  }
}

const FIRST_FRAME_BYTES = 16;
/** A note is so small a part of a frame. */
const NOTE_PART = 32;
/**
 * Between the frames and the notes of a slab, so that notes do not straddle cache lines: where memory comes from glibc, a large piece begins
 * 16 bytes into a page.
 */
const NOTES_GAP_BYTES = 32;
/** Words of a cache line of the processor. */
const LINE_WORDS = 16;
/** Of a budget that is not smaller. A larger piece of memory at once makes V8 collect garbage at once, which is a tenth of a first opening. */
const SLAB_BYTES = 2 << 20;

export class FrameArena {
  readonly blockSize: number;
  /** Bytes of the note on a frame, a power of two. */
  readonly noteBytes: number;
  /** Frames that the budget pays for. */
  readonly budgetFrameCount: number;
  readonly framesPerSlab: number;
  readonly slabs: Slab[] = [];
  /** Frames handed out. */
  usedFrameCount = 0;

  readonly #table: FrameTable;
  readonly #slabShift: number;
  readonly #slabMask: number;
  readonly #blockShift: number;
  readonly #noteShift: number;
  readonly #notesStart: number;
  readonly #budgetSlabCount: number;
  readonly #noSlab = new Slab(0);
  /** First free frame of each slab, and the number of frames it has handed out. */
  readonly #firstFree: Frame[] = [];
  readonly #slabUsedCount: number[] = [];
  /** No slab before this one has a free frame. */
  #lowestSlab = 0;
  /** What `fetchLines` has read; without a use of it the reading would be left out by the compiler. */
  fetchedWords = 0;
  /** Views by frame, made when first asked for. */
  #views: (Uint8Array | undefined)[] = [];

  constructor(table: FrameTable, options: { blockSize: number; budgetBytes: number }) {
    const { blockSize, budgetBytes } = options;
    this.#table = table;
    this.blockSize = blockSize;
    this.#blockShift = 31 - Math.clz32(blockSize);
    this.noteBytes = blockSize / NOTE_PART;
    this.#noteShift = 31 - Math.clz32(this.noteBytes);
    this.budgetFrameCount = Math.floor(budgetBytes / blockSize);
    const slabBytes = Math.min(SLAB_BYTES, budgetBytes);
    this.#slabShift = 31 - Math.clz32(Math.floor(slabBytes / blockSize));
    this.framesPerSlab = 1 << this.#slabShift;
    this.#slabMask = this.framesPerSlab - 1;
    this.#notesStart = FIRST_FRAME_BYTES + this.framesPerSlab * blockSize + NOTES_GAP_BYTES;
    this.#budgetSlabCount = Math.ceil(this.budgetFrameCount / this.framesPerSlab);
  }

  slabOf(frame: Frame): Slab {
    return this.slabs[frame >>> this.#slabShift];
  }

  baseOf(frame: Frame): number {
    return ((frame & this.#slabMask) << this.#blockShift) + FIRST_FRAME_BYTES;
  }

  bytesOf(frame: Frame): Uint8Array {
    const view = this.#views[frame];
    return view === undefined ? this.#makeView(frame) : view;
  }

  checksumOf(frame: Frame): number {
    return xxh32(this.bytesOf(frame));
  }

  /** Where the note on a frame begins in its slab. */
  noteAt(frame: Frame): number {
    return this.#notesStart + ((frame & this.#slabMask) << this.#noteShift);
  }

  hasNote(frame: Frame): boolean {
    const slab = this.slabOf(frame);
    return slab.hasNotes && slab.u16[this.noteAt(frame) >>> 1] !== 0;
  }

  /** The content of a frame changes, and what was noted about it goes. */
  forgetNote(frame: Frame): void {
    const slab = this.slabOf(frame);
    if (slab.hasNotes) slab.u16[this.noteAt(frame) >>> 1] = 0;
  }

  /**
   * Reads a word of every cache line of a frame, for who will go through all of it: the processor fetches the lines side by side, where a reader
   * that takes one after the other waits for each.
   */
  fetchLines(frame: Frame): void {
    const { u32 } = this.slabOf(frame);
    const start = this.baseOf(frame) >>> 2;
    const end = start + (this.blockSize >>> 2);
    let words = 0;
    for (let i = start; i < end; i += LINE_WORDS) words ^= u32[i]!;
    this.fetchedWords = words;
  }

  /** Copies the content of one frame to another. */
  copy(source: Frame, target: Frame): void {
    const from = this.slabOf(source);
    const to = this.slabOf(target);
    const start = this.baseOf(source);
    if (from === to) from.u8.copyWithin(this.baseOf(target), start, start + this.blockSize);
    else this.bytesOf(target).set(this.bytesOf(source));
  }

  /** A free frame, now EMPTY. Makes a slab where none has one. */
  take(): Frame {
    while (this.#lowestSlab < this.slabs.length && this.#firstFree[this.#lowestSlab] === NO_FRAME) this.#lowestSlab++;
    if (this.#lowestSlab === this.slabs.length) this.#makeSlab();
    const slabIndex = this.#lowestSlab;
    const frame = this.#firstFree[slabIndex];
    assert(this.#table.content[frame] === FREE, 'a frame on a free list is free');
    this.#firstFree[slabIndex] = this.#table.next[frame];
    this.#slabUsedCount[slabIndex]++;
    this.usedFrameCount++;
    this.#table.content[frame] = EMPTY;
    this.forgetNote(frame);
    return frame;
  }

  /** Takes a frame back. */
  release(frame: Frame): void {
    const table = this.#table;
    assert(table.content[frame] !== FREE, 'a frame is released once');
    table.content[frame] = FREE;
    const slabIndex = frame >>> this.#slabShift;
    table.next[frame] = this.#firstFree[slabIndex];
    this.#firstFree[slabIndex] = frame;
    this.usedFrameCount--;
    const slabUsedCount = --this.#slabUsedCount[slabIndex];
    if (slabUsedCount === 0 && slabIndex >= this.#budgetSlabCount) this.#dropSlab(slabIndex);
    else if (slabIndex < this.#lowestSlab) this.#lowestSlab = slabIndex;
  }

  /**
   * First frame beyond the slabs that the budget needs, and the end of all frames; equal when there is no such slab.
   */
  get firstExtraFrame(): Frame {
    return Math.min(this.#budgetSlabCount, this.slabs.length) << this.#slabShift;
  }

  get endFrame(): Frame {
    return this.slabs.length << this.#slabShift;
  }

  /** Bytes that the slabs take, with room for notes, of which nothing is touched that is not used. */
  get slabBytes(): number {
    let sizeBytes = 0;
    for (const slab of this.slabs) sizeBytes += slab.u8.length;
    return sizeBytes;
  }

  checkInvariants(): void {
    let usedFrameCount = 0;
    for (let slabIndex = 0; slabIndex < this.slabs.length; slabIndex++) {
      if (this.slabs[slabIndex] === this.#noSlab) {
        assert(this.#slabUsedCount[slabIndex] === 0, 'a slab that was let go has no frame in use');
        assert(this.#firstFree[slabIndex] === NO_FRAME, 'a slab that was let go offers no frame');
        continue;
      }
      let freeCount = 0;
      for (let frame = this.#firstFree[slabIndex]; frame !== NO_FRAME; frame = this.#table.next[frame]) {
        assert(frame >>> this.#slabShift === slabIndex, 'a free frame is listed by its slab');
        assert(this.#table.content[frame] === FREE, 'a listed frame is free');
        assert(++freeCount <= this.framesPerSlab, 'a free list has an end');
      }
      assert(slabIndex >= this.#lowestSlab || freeCount === 0, 'the lowest slab with a free frame is known');
      assert(freeCount + this.#slabUsedCount[slabIndex] === this.framesPerSlab, 'every frame is free or in use');
      usedFrameCount += this.#slabUsedCount[slabIndex];
    }
    assert(usedFrameCount === this.usedFrameCount, 'the number of frames in use is right');
  }

  #makeView(frame: Frame): Uint8Array {
    const base = this.baseOf(frame);
    const view = this.slabOf(frame).u8.subarray(base, base + this.blockSize);
    while (this.#views.length < frame) this.#views.push(undefined);
    this.#views[frame] = view;
    return view;
  }

  #makeSlab(): void {
    const gap = this.slabs.indexOf(this.#noSlab);
    const slabIndex = gap === -1 ? this.slabs.length : gap;
    const slab = new Slab(this.#notesStart + this.framesPerSlab * this.noteBytes);
    const first = slabIndex << this.#slabShift;
    const end = first + this.framesPerSlab;
    this.#table.grow(end);
    const next = this.#table.next;
    for (let frame = first; frame < end; frame++) next[frame] = frame + 1;
    next[end - 1] = NO_FRAME;
    this.slabs[slabIndex] = slab;
    this.#firstFree[slabIndex] = first;
    this.#slabUsedCount[slabIndex] = 0;
    this.#lowestSlab = slabIndex;
  }

  #dropSlab(slabIndex: number): void {
    this.slabs[slabIndex] = this.#noSlab;
    this.#firstFree[slabIndex] = NO_FRAME;
    const first = slabIndex << this.#slabShift;
    for (let frame = first; frame < Math.min(first + this.framesPerSlab, this.#views.length); frame++)
      this.#views[frame] = undefined;
    while (this.slabs.length > 0 && this.slabs[this.slabs.length - 1] === this.#noSlab) {
      this.slabs.pop();
      this.#firstFree.pop();
      this.#slabUsedCount.pop();
    }
    this.#lowestSlab = Math.min(this.#lowestSlab, this.slabs.length);
  }
}

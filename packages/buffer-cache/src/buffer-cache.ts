/**
 * Blocks in memory: found by block number here, by page of a file in a `PageSpace`, within one budget of bytes.
 *
 * Content is read once, verified, and stays until it is evicted; changes stay until they have been written and said to
 * be durable. This layer knows deltas only as numbers on dirty frames: it never writes by itself and never decides what
 * is stable.
 *
 * What its users must keep to, asserted where that is cheap:
 * - A frame is valid until the next call that may take one (`read`, `readRun`, `create`, `redirect`, and those of page
 *   spaces), unless it is pinned, dirty or being written: those are never evicted.
 * - The content of a frame that is being written is never changed; ask `redirect` or `PageSpace.writable` for a frame
 *   to change.
 * - After `create` and `redirect` the content counts as unfinished, and the frame stays, until `markDirty` or
 *   `markClean`.
 * - What is written to a block round the cache is made known by `discardRange` first.
 */
import { assert, type BlockDevice, verificationIsOn } from '@outwrite/blockdev';
import { BlockIndex } from './block-index.ts';
import { BlockReader } from './block-reader.ts';
import type { FrameArena, Slab } from './frame-arena.ts';
import { type FrameOwner, FramePool } from './frame-pool.ts';
import { BLOCK_OWNER, CLEAN, DIRTY, FREE, type Frame, type FrameTable, NO_FRAME } from './frame-table.ts';
import { PageSpace } from './page-space.ts';

export interface BufferCacheOptions {
  /** Bytes of a block: a power of two from 512 to 16384. */
  blockSize: number;
  /** Bytes of frames to use, at least 8 blocks; soft, see `BufferCacheStats.overBudgetFrameCount`. */
  budgetBytes: number;
}

export interface BufferCacheStats {
  /** Frames in use, those that wait for a write to end included. */
  frameCount: number;
  budgetFrameCount: number;
  /** How many frames are in use beyond the budget, because nothing could be evicted. */
  overBudgetFrameCount: number;
  dirtyFrameCount: number;
  pinnedFrameCount: number;
  writingFrameCount: number;
  /** Bytes of the slabs that exist. */
  slabBytes: number;
  /** Look-ups that found their block or page. */
  hits: number;
  /** Blocks read from the device. */
  misses: number;
  evictions: number;
}

const SMALLEST_BLOCK_BYTES = 512;
const LARGEST_BLOCK_BYTES = 16384;
const SMALLEST_BUDGET_BLOCKS = 8;
const NIL_NUMBER = 0xffffffff;

/** The physical mapping as an owner of frames. */
class BlockMapping implements FrameOwner {
  readonly index = new BlockIndex();
  readonly table: FrameTable;
  firstPending: Frame = NO_FRAME;
  pendingCount = 0;

  constructor(table: FrameTable) {
    this.table = table;
  }

  unmap(frame: Frame): void {
    this.index.remove(this.table.number[frame]);
  }

  fingerprintOf(frame: Frame): number {
    return this.table.number[frame];
  }
}

export class BufferCache {
  readonly device: BlockDevice;
  readonly blockSize: number;
  readonly budgetBytes: number;

  readonly #pool: FramePool;
  readonly #arena: FrameArena;
  readonly #table: FrameTable;
  readonly #blocks: BlockMapping;
  readonly #index: BlockIndex;
  readonly #spaces = new Set<PageSpace>();
  readonly #reader: BlockReader;
  /** Look-ups that found their block; those of pages are counted by the reader. */
  #hitCount = 0;

  /** Throws a `RangeError` for a block size that is none or a budget of fewer than 8 blocks. */
  constructor(device: BlockDevice, options: BufferCacheOptions) {
    const { blockSize, budgetBytes } = options;
    if (
      !(blockSize >= SMALLEST_BLOCK_BYTES && blockSize <= LARGEST_BLOCK_BYTES) ||
      (blockSize & (blockSize - 1)) !== 0
    ) {
      throw new RangeError(`a block size is a power of two from 512 to 16384, not ${blockSize}`);
    }
    if (!Number.isSafeInteger(budgetBytes) || budgetBytes < SMALLEST_BUDGET_BLOCKS * blockSize) {
      throw new RangeError(`a cache budget is a whole number of bytes and at least 8 blocks, not ${budgetBytes}`);
    }
    this.device = device;
    this.blockSize = blockSize;
    this.budgetBytes = budgetBytes;
    this.#pool = new FramePool({ blockSize, budgetBytes });
    this.#arena = this.#pool.arena;
    this.#table = this.#pool.table;
    this.#blocks = new BlockMapping(this.#table);
    this.#index = this.#blocks.index;
    assert(this.#pool.addOwner(this.#blocks) === BLOCK_OWNER, 'the physical mapping is the first owner');
    this.#reader = new BlockReader(device, this.#pool);
  }

  // --- addressing ----------------------------------------------------------------------------------------------------

  /** The slab that holds a frame. Good until the frame is given up. */
  slabOf(frame: Frame): Slab {
    return this.#arena.slabOf(frame);
  }

  /** Byte offset of a frame in its slab, 16 modulo 64. */
  baseOf(frame: Frame): number {
    return this.#arena.baseOf(frame);
  }

  /** The bytes of a frame: one view, made when first asked for and kept. */
  bytesOf(frame: Frame): Uint8Array {
    return this.#arena.bytesOf(frame);
  }

  /** Brings all of a frame near the processor at once, for who will go through all of it. */
  fetchLines(frame: Frame): void {
    this.#arena.fetchLines(frame);
  }

  /** XXH32 of the frame's content. */
  checksumOf(frame: Frame): number {
    return this.#arena.checksumOf(frame);
  }

  // --- notes ---------------------------------------------------------------------------------------------------------

  /** Bytes of the note on a frame: a thirty-second of a block. */
  get noteBytes(): number {
    return this.#arena.noteBytes;
  }

  /**
   * Where the note on a frame begins in its slab: a few bytes in which the user of a clean frame keeps what it has found out
   * about the content, to be faster next time. The first half word is zero while there is no note, and becomes zero again
   * when the content changes or the frame holds another block. `mayNote` comes before writing one. Notes are memory
   * beyond the budget, as far as they are used.
   */
  noteAt(frame: Frame): number {
    return this.#arena.noteAt(frame);
  }

  /** Whether a note on the frame may be written now: only on what is clean. */
  mayNote(frame: Frame): boolean {
    if (this.#table.content[frame] !== CLEAN) return false;
    this.#arena.slabOf(frame).hasNotes = true;
    return true;
  }

  // --- physical mapping ----------------------------------------------------------------------------------------------

  /** The frame of a block, or NO_FRAME when it is not cached. Counts as a use. */
  find(number: number): Frame {
    const frame = this.#index.find(number);
    if (frame !== NO_FRAME) {
      this.#table.reference[frame] = 1;
      this.#hitCount++;
    }
    return frame;
  }

  /** Counts as a use of a frame that was reached without `find`. */
  touch(frame: Frame): void {
    this.#table.reference[frame] = 1;
  }

  /**
   * The frame of a block, read from the device if it is not cached. Throws a `CorruptionError` naming `structure` if
   * what was read does not have the `checksum`, or if there is no such block; nothing is mapped then.
   */
  read(number: number, checksum: number, structure: string): Frame {
    const cached = this.find(number);
    if (cached !== NO_FRAME) {
      if (verificationIsOn()) this.#verifyCached(cached, checksum);
      return cached;
    }
    const frame = this.#reader.readOne(number, checksum, structure);
    this.#map(frame, number, NO_FRAME);
    this.#pool.markClean(frame);
    return frame;
  }

  /**
   * Reads a run of consecutive blocks ahead: those that are not cached, in one vectored read for each gap. All are
   * cached when it returns. Throws as `read` does; blocks that verified are kept. The run is in memory as a whole, so
   * the caller bounds it.
   */
  readRun(number: number, count: number, checksums: ArrayLike<number>, structure: string): void {
    assert(checksums.length >= count, 'every block has a checksum');
    this.#reader.readRun(number, count, checksums, structure, {
      lookUp: (place) => this.#index.find(number + place),
      adopt: (frame, place) => {
        this.#map(frame, number + place, NO_FRAME);
        this.#pool.markClean(frame);
      },
    });
  }

  /**
   * A frame for a block whose content is about to be made; its bytes are undefined. A stale clean mapping of the block
   * gives way.
   */
  create(number: number): Frame {
    this.#giveWay(number);
    const frame = this.#pool.take();
    this.#map(frame, number, NO_FRAME);
    return frame;
  }

  /** Maps a frame to another number, state and content as they are. Not while it is being written. */
  move(frame: Frame, newNumber: number): void {
    assert(this.#table.writes[frame] === 0, 'a frame that is being written is not moved');
    const number = this.#table.number[frame];
    assert(number !== NIL_NUMBER, 'only a physically mapped frame is moved');
    if (newNumber === number) return;
    this.#giveWay(newNumber);
    this.#index.remove(number);
    this.#index.insert(newNumber, frame);
    this.#table.number[frame] = newNumber;
  }

  /**
   * The content of a frame under a new number, there to be changed: mark it dirty next. The old number is not cached
   * any more.
   *
   * The same frame, renamed, unless it is being written or pinned by somebody else; then a copy, and the old frame
   * stays as it is until its writes and those pins have ended. `ownPinCount` of its pins are the caller's: they come
   * along to the frame that is returned.
   */
  redirect(frame: Frame, newNumber: number, ownPinCount: number = 0): Frame {
    const table = this.#table;
    const pool = this.#pool;
    const number = table.number[frame];
    assert(number !== NIL_NUMBER && number !== newNumber, 'a physically mapped frame is redirected to another number');
    assert(table.pins[frame] >= ownPinCount, 'the caller has the pins that it names');
    if (table.writes[frame] === 0 && table.pins[frame] === ownPinCount) {
      this.move(frame, newNumber);
      pool.markEmpty(frame);
      return frame;
    }
    this.#giveWay(newNumber);
    const copy = pool.take();
    this.#arena.copy(frame, copy);
    this.#map(copy, newNumber, frame);
    for (let i = 0; i < ownPinCount; i++) {
      pool.pin(copy);
      pool.unpin(frame);
    }
    this.#index.remove(number);
    pool.detach(frame);
    return copy;
  }

  /**
   * Unmaps a frame, physical or logical, and cancels its changes. Its memory is reused at once, or when its last write
   * or pin ends.
   */
  discard(frame: Frame): void {
    assert(this.#table.isMapped(frame), 'only a mapped frame is discarded');
    this.#pool.unmap(frame);
    this.#pool.detach(frame);
  }

  /** Discards whatever is cached of a range of blocks, before it is written or given away round the cache. */
  discardRange(start: number, count: number): void {
    for (let number = start; number < start + count && this.#index.count > 0; number++) {
      const frame = this.#index.find(number);
      if (frame !== NO_FRAME) this.discard(frame);
    }
  }

  /**
   * Block number of a frame; NIL_BLOCK when it is not physically mapped. So `numberOf(f) === n` says whether `f` still
   * holds `n`.
   */
  numberOf(frame: Frame): number {
    return this.#table.number[frame];
  }

  // --- pins and states -----------------------------------------------------------------------------------------------

  /** Keeps a frame and its number from being evicted. Counted. */
  pin(frame: Frame): void {
    this.#pool.pin(frame);
  }

  unpin(frame: Frame): void {
    this.#pool.unpin(frame);
  }

  /** The frame holds changes of `delta` (positive). Not while it is being written. */
  markDirty(frame: Frame, delta: number): void {
    this.#pool.markDirty(frame, delta);
  }

  /** The delta whose changes a frame holds; 0 when it is not dirty. */
  deltaOf(frame: Frame): number {
    return this.#table.delta[frame];
  }

  /** The frame holds what the device holds. */
  markClean(frame: Frame): void {
    this.#pool.markClean(frame);
  }

  isDirty(frame: Frame): boolean {
    return this.#table.content[frame] === DIRTY;
  }

  isPinned(frame: Frame): boolean {
    return this.#table.pins[frame] > 0;
  }

  isWriting(frame: Frame): boolean {
    return this.#table.writes[frame] > 0;
  }

  /**
   * A write of the frame begins; its content stays as it is until `endWrite`, to be called after the flush that makes
   * it durable. Counted.
   */
  beginWrite(frame: Frame): void {
    this.#pool.beginWrite(frame);
  }

  /** A write of the frame has ended. It becomes clean if it is dirty in exactly the delta `cleanIfDelta`. */
  endWrite(frame: Frame, cleanIfDelta: number): void {
    this.#pool.endWrite(frame, cleanIfDelta);
  }

  /**
   * Gives up frames beyond the budget, as far as there is something to evict; worth a call when much has become clean.
   */
  trim(): void {
    this.#pool.trim();
  }

  // --- logical mapping -----------------------------------------------------------------------------------------------

  /** A mapping for the pages of one file. Close it in the end. */
  openSpace(): PageSpace {
    const space = new PageSpace(this.#pool, this.#reader, (closed) => this.#spaces.delete(closed));
    this.#spaces.add(space);
    return space;
  }

  get stats(): BufferCacheStats {
    const pool = this.#pool;
    const { usedFrameCount, budgetFrameCount, slabBytes } = this.#arena;
    return {
      frameCount: usedFrameCount,
      budgetFrameCount,
      overBudgetFrameCount: Math.max(0, usedFrameCount - budgetFrameCount),
      dirtyFrameCount: pool.dirtyFrameCount,
      pinnedFrameCount: pool.pinnedFrameCount,
      writingFrameCount: pool.writingFrameCount,
      slabBytes,
      hits: this.#hitCount + this.#reader.pageHitCount,
      misses: this.#reader.missCount,
      evictions: pool.evictionCount,
    };
  }

  checkInvariants(): void {
    const table = this.#table;
    this.#pool.checkInvariants();
    this.#index.checkInvariants();
    let mappedCount = 0;
    for (let frame = 0; frame < table.capacity; frame++) {
      if (table.content[frame] === FREE || table.number[frame] === NIL_NUMBER) continue;
      assert(table.isMapped(frame), 'a frame with a number is mapped');
      assert(this.#index.find(table.number[frame]) === frame, 'a frame with a number is found by it');
      mappedCount++;
    }
    assert(mappedCount === this.#index.count, 'every mapped number names one frame');
    for (const space of this.#spaces) space.checkInvariants();
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  #map(frame: Frame, number: number, original: Frame): void {
    this.#table.number[frame] = number;
    this.#index.insert(number, frame);
    this.#pool.adopt(frame, BLOCK_OWNER, original);
  }

  /**
   * A number that is given to new content may still have old content cached, from before its block was freed: clean, or
   * cancelled.
   */
  #giveWay(number: number): void {
    const stale = this.#index.find(number);
    if (stale === NO_FRAME) return;
    assert(this.#table.content[stale] === CLEAN, 'no dirty frame holds a number that is given to another');
    this.discard(stale);
  }

  #verifyCached(frame: Frame, checksum: number): void {
    if (this.#table.content[frame] === CLEAN) {
      assert(this.checksumOf(frame) === checksum, 'a clean frame holds what its pointer names');
    }
  }
}

/**
 * The pages of one file: frames found by block index in the file, wherever their blocks are on the device.
 *
 * A page stays at its block index while its content moves: write-back gives the content a new block and leaves the
 * mapping alone. A page that is being written is not changed; `writable` puts a copy (a fork) in its place and leaves
 * the old frame to the write.
 *
 * Pages live in the frames and the budget of the `BufferCache` that opened the space, and obey its rules: a frame is
 * valid until the next call that may take one, unless it is pinned, dirty or being written. Pins and states are those
 * of the cache.
 */
import { assert } from '@outwrite/blockdev';
import type { BlockReader } from './block-reader.ts';
import type { FrameOwner, FramePool } from './frame-pool.ts';
import { type Frame, type FrameTable, NO_FRAME } from './frame-table.ts';
import { PageIndex } from './page-index.ts';

/** Block indexes stay below this. */
const BLOCK_INDEX_LIMIT = 2 ** 48;
const FINGERPRINT_MULTIPLIER = 0x85ebca77 | 0;

/** The mapping of a space as an owner of frames. */
class PageMapping implements FrameOwner {
  readonly index = new PageIndex();
  readonly table: FrameTable;
  id = 0;
  firstPending: Frame = NO_FRAME;
  pendingCount = 0;

  constructor(table: FrameTable) {
    this.table = table;
  }

  unmap(frame: Frame): void {
    this.index.remove(this.table.pageIndex[frame]);
  }

  fingerprintOf(frame: Frame): number {
    return (this.table.pageIndex[frame] | 0) ^ Math.imul(this.id, FINGERPRINT_MULTIPLIER);
  }
}

export class PageSpace {
  readonly #pool: FramePool;
  readonly #table: FrameTable;
  readonly #reader: BlockReader;
  readonly #mapping: PageMapping;
  readonly #index: PageIndex;
  readonly #onClose: (space: PageSpace) => void;
  #closed = false;

  /** Made by `BufferCache.openSpace`. */
  constructor(pool: FramePool, reader: BlockReader, onClose: (space: PageSpace) => void) {
    this.#pool = pool;
    this.#table = pool.table;
    this.#reader = reader;
    this.#mapping = new PageMapping(this.#table);
    this.#mapping.id = pool.addOwner(this.#mapping);
    this.#index = this.#mapping.index;
    this.#onClose = onClose;
  }

  /** Cached pages. */
  get pageCount(): number {
    return this.#index.count;
  }

  /** Pages with changes that no write has been begun for: those that `dirtyIndexes` lists. */
  get dirtyPageCount(): number {
    return this.#mapping.pendingCount;
  }

  /** The frame of a page, or NO_FRAME when it is not cached. Counts as a use. */
  find(blockIndex: number): Frame {
    const frame = this.#index.find(blockIndex);
    if (frame !== NO_FRAME) {
      this.#table.reference[frame] = 1;
      this.#reader.pageHitCount++;
    }
    return frame;
  }

  /** Whether a page is cached; does not count as a use. */
  has(blockIndex: number): boolean {
    return this.#index.find(blockIndex) !== NO_FRAME;
  }

  /** The block index of a page of this space. */
  indexOf(frame: Frame): number {
    this.#assertOwn(frame);
    return this.#table.pageIndex[frame];
  }

  /**
   * A frame for a page that is not cached and whose content is about to be made; its bytes are undefined. Mark it dirty
   * or clean next.
   */
  create(blockIndex: number): Frame {
    assert(!this.#closed, 'a closed page space is not used');
    assert(
      Number.isSafeInteger(blockIndex) && blockIndex >= 0 && blockIndex < BLOCK_INDEX_LIMIT,
      'a block index is below 2^48',
    );
    assert(this.#index.find(blockIndex) === NO_FRAME, 'a page is created once');
    const frame = this.#pool.take();
    this.#map(frame, blockIndex);
    return frame;
  }

  /**
   * Reads `blockCount` consecutive blocks of the device, from `block` on, into the pages from `blockIndex` on. Pages
   * that are cached stay as they are, the others are clean then, and all are cached when it returns. One vectored read
   * for each gap. `checksums` has one for each block. Throws a `CorruptionError` naming `structure`, or a
   * `DeviceError`; pages that verified are kept. The run is in memory as a whole, so the caller bounds it.
   */
  fill(blockIndex: number, block: number, blockCount: number, checksums: ArrayLike<number>, structure: string): void {
    assert(!this.#closed, 'a closed page space is not used');
    assert(blockIndex >= 0 && blockIndex + blockCount <= BLOCK_INDEX_LIMIT, 'a block index is below 2^48');
    assert(checksums.length >= blockCount, 'every block has a checksum');
    this.#reader.readRun(block, blockCount, checksums, structure, {
      lookUp: (place) => this.#index.find(blockIndex + place),
      adopt: (frame, place) => {
        this.#map(frame, blockIndex + place);
        this.#pool.markClean(frame);
      },
    });
  }

  /** As `fill`, for one page that is not cached; returns its frame, which is clean. */
  load(blockIndex: number, block: number, checksum: number, structure: string): Frame {
    assert(!this.#closed, 'a closed page space is not used');
    assert(blockIndex >= 0 && blockIndex < BLOCK_INDEX_LIMIT, 'a block index is below 2^48');
    assert(this.#index.find(blockIndex) === NO_FRAME, 'a page that is cached is not loaded');
    const frame = this.#reader.readOne(block, checksum, structure);
    this.#map(frame, blockIndex);
    this.#pool.markClean(frame);
    return frame;
  }

  /**
   * The frame to change for `delta`, marked dirty in it: the page itself, or a copy put in its place while the page is
   * being written.
   */
  writable(frame: Frame, delta: number): Frame {
    this.#assertOwn(frame);
    const table = this.#table;
    let target = frame;
    if (table.writes[frame] > 0) {
      target = this.#pool.take();
      this.#pool.arena.copy(frame, target);
      const blockIndex = table.pageIndex[frame];
      table.pageIndex[target] = blockIndex;
      this.#index.replace(blockIndex, target);
      this.#pool.adopt(target, this.#mapping.id, frame);
      this.#pool.detach(frame);
    }
    this.#pool.markDirty(target, delta);
    return target;
  }

  /** The page holds changes of `delta`. Not while it is being written. */
  markDirty(frame: Frame, delta: number): void {
    this.#assertOwn(frame);
    this.#pool.markDirty(frame, delta);
  }

  /** Drops a page and its changes, if it is cached. */
  discard(blockIndex: number): void {
    const frame = this.#index.find(blockIndex);
    if (frame !== NO_FRAME) this.#drop(frame);
  }

  /**
   * Drops all pages from `blockIndex` on, up to and without `endIndex`. Costs what is cached, not the length of the
   * range.
   */
  discardFrom(blockIndex: number, endIndex: number = BLOCK_INDEX_LIMIT): void {
    const frames = this.#index.framesFrom(blockIndex);
    for (let i = 0; i < frames.length; i++) {
      if (this.#table.pageIndex[frames[i]] < endIndex) this.#drop(frames[i]);
    }
  }

  /**
   * The block indexes of the pages to write back, ascending: those that are dirty and that no write has been begun for.
   * Costs what is listed, not what is cached.
   */
  dirtyIndexes(): Float64Array {
    const table = this.#table;
    const indexes = new Float64Array(this.#mapping.pendingCount);
    // Latest first in the list: filled from the end, pages that were dirtied in order need no sorting.
    let ascending = true;
    let place = indexes.length;
    for (let frame = this.#mapping.firstPending; frame !== NO_FRAME; frame = table.nextPending[frame]) {
      indexes[--place] = table.pageIndex[frame];
      if (place + 1 < indexes.length && indexes[place] > indexes[place + 1]) ascending = false;
    }
    return ascending ? indexes : indexes.sort();
  }

  /** Whether no page is dirty or being written: then the space can be closed. Costs what is cached. */
  get isSettled(): boolean {
    const frames = this.#index.framesFrom(0);
    for (let i = 0; i < frames.length; i++) {
      if (this.#table.delta[frames[i]] !== 0 || this.#table.writes[frames[i]] !== 0) return false;
    }
    return true;
  }

  /** Discards the pages. Throws, and changes nothing, while one is dirty or being written. */
  close(): void {
    if (this.#closed) return;
    const frames = this.#index.framesFrom(0);
    for (let i = 0; i < frames.length; i++) {
      assert(this.#table.delta[frames[i]] === 0, 'a page space is closed without dirty pages');
      assert(this.#table.writes[frames[i]] === 0, 'a page space is closed without pages being written');
    }
    for (let i = 0; i < frames.length; i++) this.#drop(frames[i]);
    this.#pool.removeOwner(this.#mapping.id);
    this.#closed = true;
    this.#onClose(this);
  }

  checkInvariants(): void {
    const table = this.#table;
    this.#index.checkInvariants();
    const frames = this.#index.framesFrom(0);
    assert(frames.length === this.#index.count, 'all pages are listed');
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i];
      assert(table.isMapped(frame) && table.owner[frame] === this.#mapping.id, 'a page has a frame of its own');
      assert(this.#index.find(table.pageIndex[frame]) === frame, 'a page is found by its block index');
    }
  }

  #map(frame: Frame, blockIndex: number): void {
    this.#table.pageIndex[frame] = blockIndex;
    this.#index.insert(blockIndex, frame);
    this.#pool.adopt(frame, this.#mapping.id, NO_FRAME);
  }

  #drop(frame: Frame): void {
    this.#mapping.unmap(frame);
    this.#pool.detach(frame);
  }

  #assertOwn(frame: Frame): void {
    assert(this.#table.isMapped(frame) && this.#table.owner[frame] === this.#mapping.id, 'a page belongs to its space');
  }
}

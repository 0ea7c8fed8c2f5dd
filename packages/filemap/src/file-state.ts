/**
 * What is known in memory about one open file, and what all open files share. The operations (`file-read.ts`, `file-write.ts`,
 * `file-shrink.ts`, `file-staging.ts`) work on it; `FileMap` is its public face.
 *
 * A file's content is in one of two shapes. `inline`: all of it is one value of the tree, at most a quarter of a block, and is kept here as
 * an object between changes and staging. `mapped`: extents in the tree, with pages in the cache above them. Which of the two is read from the
 * tree when the content is first needed (`unresolved` until then). A file becomes mapped when it outgrows a value and inline again only when
 * it is cut to nothing.
 *
 * Invariants: no extent and no page lies at or beyond the end of the file, ranges being reclaimed excepted; bytes of the last block beyond
 * the end are zero; `heldBlocks` is the number of dirty pages, each of which gets a block when it is staged.
 */
import type { AllocLog } from '@outwrite/alloc-log';
import { assert, CorruptionError, isUint8Array, NIL_BLOCK, OutwriteError } from '@outwrite/blockdev';
import type { Tree } from '@outwrite/btree-cow';
import { type BufferCache, NO_FRAME, type PageSpace } from '@outwrite/buffer-cache';
import { DirectFlights } from './direct-flights.ts';
import { decodeReclaim, maxValueBytes, RECLAIM_BYTES, type ReclaimRange } from './extent-format.ts';
import { ExtentMap, ofFile, type Segment } from './extent-map.ts';
import { BLOCK_INDEX_LIMIT, FILE_KEY_BYTES, KIND_INLINE, KIND_RECLAIM, setFileKey } from './key-format.ts';
import { ReadAhead } from './read-ahead.ts';
import { StagingRoom } from './staging-room.ts';

/** The largest size of a file: 4 PiB, so that every position and every sum of two is an exact number. */
export const MAX_FILE_BYTES: number = 2 ** 52;

/** What all files of one tree share. */
export class FileContext {
  readonly log: AllocLog;
  readonly tree: Tree;
  readonly cache: BufferCache;
  readonly extents: ExtentMap;
  readonly room: StagingRoom;
  readonly flights: DirectFlights = new DirectFlights();
  readonly blockSize: number;
  /** Files up to this size are one value of the tree. */
  readonly inlineLimitBytes: number;
  /** Called with damage that was met, and passed over, while space was being reclaimed. */
  readonly report: (error: CorruptionError) => void;
  /** Files with something to stage. */
  readonly dirtyFiles: Set<FileState> = new Set();
  /** Blocks given to files since opening, and how many of them took the place of others (the redirects of data). */
  mappedBlocks = 0;
  redirectedBlocks = 0;
  /** Of the blocks given to files: written straight from the caller's memory. */
  directBlocks = 0;
  /** For a key that is used at once. */
  readonly key: Uint8Array = new Uint8Array(FILE_KEY_BYTES);

  constructor(log: AllocLog, tree: Tree, report: (error: CorruptionError) => void) {
    this.log = log;
    this.tree = tree;
    this.cache = log.cache;
    this.extents = new ExtentMap(log, tree);
    this.room = new StagingRoom(log, tree);
    this.blockSize = log.blockSize;
    this.inlineLimitBytes = maxValueBytes(log.blockSize);
    this.report = report;
  }
}

/** Where a file's content is. */
export type ContentShape = 'unresolved' | 'inline' | 'mapped';

const NO_BYTES = new Uint8Array(0);
const NO_INDEXES = new Float64Array(0);

export class FileState {
  readonly context: FileContext;
  readonly fileId: number;
  readonly readAhead: ReadAhead;
  sizeBytes: number;
  shape: ContentShape;
  /** Of an inline file: its content in the first `sizeBytes` bytes. */
  inline: Uint8Array = NO_BYTES;
  /** The tree holds a value under the file's inline key. */
  inlineStored = false;
  /** The value in the tree is not what it should be: staging puts or deletes it. */
  inlineDirty = false;
  /** Pages in the cache, from when the first is needed. */
  pages: PageSpace | null = null;
  /** Blocks held in the log for staging: one for each dirty page. */
  heldBlocks = 0;
  /** Blocks in this range read as a hole; extents that are still there are to be freed. */
  reclaiming: ReclaimRange | null = null;
  /** No extent, but for those in a range being reclaimed, reaches beyond this block; it stays where it is when the end is cut off. */
  mappedEndIndex = 0;
  /** The delta in which blocks were given to the file last. */
  installedDelta = 0;
  /** Mapped blocks; -1 until somebody asked. */
  mappedBlockCount = -1;
  /** The pages that were staged last: as long as one of them is being written, the pages stay. */
  stagedIndexes: Float64Array = NO_INDEXES;
  /** Counts up with every change of the content or the size. */
  changeCount = 0;
  /** Writes from the caller's memory in flight, or waiting for their turn. */
  asyncWriteCount = 0;
  /** The file has been removed: what still refers to it must not bring it back. */
  removed = false;
  /** No handle is left; kept only until its pages have been written. */
  closed = false;

  constructor(context: FileContext, fileId: number, sizeBytes: number, isNew: boolean) {
    this.context = context;
    this.fileId = fileId;
    this.sizeBytes = sizeBytes;
    this.shape = isNew ? 'inline' : 'unresolved';
    this.readAhead = new ReadAhead(context.blockSize, context.cache.budgetBytes);
  }

  /** The pages of the file, opened when first needed. */
  openPages(): PageSpace {
    this.pages ??= this.context.cache.openSpace();
    return this.pages;
  }

  /** Number of blocks up to the end of the file. */
  get blockCount(): number {
    return Math.ceil(this.sizeBytes / this.context.blockSize);
  }

  get isDirty(): boolean {
    return this.inlineDirty || (this.pages !== null && this.pages.dirtyPageCount > 0);
  }

  /** Finds out where the content is. Throws a `CorruptionError` if what the tree holds does not fit the size. */
  resolve(): void {
    if (this.shape !== 'unresolved') return;
    const { tree, key, inlineLimitBytes } = this.context;
    const reclaimLength = tree.getInto(setFileKey(key, this.fileId, KIND_RECLAIM, 0), NO_BYTES, 0);
    let reclaiming: ReclaimRange | null = null;
    if (reclaimLength >= 0) {
      const value = new Uint8Array(RECLAIM_BYTES);
      if (reclaimLength === RECLAIM_BYTES) tree.getInto(key, value, 0);
      try {
        reclaiming = decodeReclaim(reclaimLength === RECLAIM_BYTES ? value : NO_BYTES);
      } catch (error) {
        throw ofFile(error, this.fileId, 0);
      }
    }
    const inlineLength = tree.getInto(setFileKey(key, this.fileId, KIND_INLINE, 0), NO_BYTES, 0);
    if (inlineLength >= 0) {
      if (inlineLength !== this.sizeBytes || inlineLength > inlineLimitBytes) {
        const problem = new CorruptionError('file map', 'an inline content has another length than the file', {
          expected: this.sizeBytes,
          actual: inlineLength,
        });
        throw ofFile(problem, this.fileId, 0);
      }
      this.inline = new Uint8Array(inlineLength);
      tree.getInto(key, this.inline, 0);
      this.inlineStored = true;
      this.shape = 'inline';
    } else {
      this.reclaiming = reclaiming;
      this.shape = this.sizeBytes === 0 && reclaiming === null ? 'inline' : 'mapped';
      this.mappedEndIndex = this.blockCount;
    }
  }

  /** Whether the tree has no entry for a block from `blockIndex` on, known without looking. */
  isBeyondMap(blockIndex: number): boolean {
    return blockIndex >= this.mappedEndIndex && this.reclaiming === null;
  }

  /** The map of blocks `[fromIndex, toIndex)`; what is being reclaimed is a hole in it. */
  segments(fromIndex: number, toIndex: number): Segment[] {
    const { extents } = this.context;
    const range = this.reclaiming;
    if (range === null || range.fromIndex >= toIndex || range.toIndex <= fromIndex) {
      return extents.segments(this.fileId, fromIndex, toIndex);
    }
    const segments: Segment[] = [];
    if (fromIndex < range.fromIndex) segments.push(...extents.segments(this.fileId, fromIndex, range.fromIndex));
    const holeFrom = Math.max(fromIndex, range.fromIndex);
    const holeTo = Math.min(toIndex, range.toIndex);
    segments.push(holeSegment(holeFrom, holeTo - holeFrom));
    if (holeTo < toIndex) segments.push(...extents.segments(this.fileId, holeTo, toIndex));
    return segments;
  }

  /** Second half: something entered the open delta, for which staging may add so many bytes to the tree. */
  markChanged(addedBytes: number): void {
    const { log, room } = this.context;
    this.changeCount++;
    if (addedBytes > 0) room.add(addedBytes);
    this.settle();
    log.markChanged();
  }

  /** Holds a block for each dirty page, no more and no less, and is on the list of files to stage as long as there is something. */
  settle(): void {
    const { log, dirtyFiles } = this.context;
    const wanted = this.pages === null ? 0 : this.pages.dirtyPageCount;
    if (wanted > this.heldBlocks) log.hold(wanted - this.heldBlocks);
    else if (wanted < this.heldBlocks) log.unhold(this.heldBlocks - wanted);
    this.heldBlocks = wanted;
    if (this.isDirty) dirtyFiles.add(this);
    else dirtyFiles.delete(this);
  }

  /** Staging begins: it uses up what was held. */
  release(): void {
    this.context.log.unhold(this.heldBlocks);
    this.heldBlocks = 0;
  }

  /** Forgets all content that is not in the tree. For a file that is being removed. */
  discardContent(): void {
    this.pages?.discardFrom(0);
    this.inline = NO_BYTES;
    this.inlineDirty = false;
    this.settle();
  }

  /** Gives up the pages. Returns false, and does nothing, while one of them is dirty, being written, or about to come. */
  closePages(): boolean {
    if (this.isDirty || this.asyncWriteCount > 0) return false;
    if (this.pages !== null) {
      // Late writes, which a synchronous commit has overtaken, end in any order: the quick look is not enough for a yes.
      if (this.#isBeingWritten(this.pages) || !this.pages.isSettled) return false;
      this.pages.close();
      this.pages = null;
    }
    return true;
  }

  /** Deltas mostly end in order, so the pages staged last tell for all but late writes. */
  #isBeingWritten(pages: PageSpace): boolean {
    for (const blockIndex of this.stagedIndexes) {
      const frame = pages.find(blockIndex);
      if (frame !== NO_FRAME && this.context.cache.isWriting(frame)) return true;
    }
    this.stagedIndexes = NO_INDEXES;
    return false;
  }
}

/** Throws unless `position` is one to look at. It may be beyond all that a file can have: there is nothing, as anywhere behind the end. */
export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RangeError(`a position in a file is a whole number from 0 on, not ${position}`);
  }
}

/** Throws unless `position` and `lengthBytes` describe bytes that a file can have. */
export function checkRange(position: number, lengthBytes: number): void {
  checkPosition(position);
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0) {
    throw new RangeError(`a length in bytes is a whole number from 0 on, not ${lengthBytes}`);
  }
  if (position > MAX_FILE_BYTES || lengthBytes > MAX_FILE_BYTES - position) {
    throw new OutwriteError(
      'EFBIG',
      `byte ${position + lengthBytes} is beyond the largest size of a file, ${MAX_FILE_BYTES} bytes`,
    );
  }
}

/** Throws a `TypeError` unless `bytes` is a `Uint8Array`. */
export function checkBytes(bytes: unknown): void {
  if (!isUint8Array(bytes)) throw new TypeError("a file's bytes are read and written through a Uint8Array");
}

function holeSegment(blockIndex: number, blockCount: number): Segment {
  assert(blockCount > 0 && blockIndex + blockCount <= BLOCK_INDEX_LIMIT, 'a hole lies within a file');
  return { blockIndex, blockCount, block: NIL_BLOCK, birth: 0, checksums: new Uint32Array(0) };
}

/**
 * One open file: its bytes, by position.
 *
 * Made by `FileMaps.open`. A change is in the open delta when the call returns (for `writeAsync`, when the promise resolves) and durable with
 * that delta. The size is the owner's to keep: a volume stores it in the inode, in the same delta, and hands it back at the next opening.
 * Lifecycle: open, use, `close`; a closed file, or one that has been removed, throws a `ClosedError` at every call but `close`.
 */
import { ClosedError, OutwriteError } from '@outwrite/blockdev';
import type { Segment } from './extent-map.ts';
import { readFile } from './file-read.ts';
import { seekData, seekHole } from './file-seek.ts';
import { punchFile, truncateFile } from './file-shrink.ts';
import { checkRange, type FileState } from './file-state.ts';
import { writeFile } from './file-write.ts';
import { writeFileAsync } from './file-write-async.ts';
import { BLOCK_INDEX_LIMIT } from './key-format.ts';
import { type MapMode, mapRegion } from './map-region.ts';

export class FileMap {
  readonly #state: FileState;
  readonly #onClose: (state: FileState) => void;
  #closed = false;

  /** Made by `FileMaps.open`. */
  constructor(state: FileState, onClose: (state: FileState) => void) {
    this.#state = state;
    this.#onClose = onClose;
  }

  get fileId(): number {
    return this.#state.fileId;
  }

  /** The length of the file, changes of the open delta included. */
  get sizeBytes(): number {
    return this.#state.sizeBytes;
  }

  /** Counts up with every change of content or size: as long as it is the same, nothing has changed. */
  get changeCount(): number {
    return this.#state.changeCount;
  }

  /** Whether something waits in memory for the close of the open delta. */
  get isDirty(): boolean {
    return this.#state.isDirty;
  }

  /** Whether all of the content is one value in the tree. */
  get isInline(): boolean {
    const state = this.#use();
    state.resolve();
    return state.shape === 'inline';
  }

  /**
   * Fills `target` from `position` on and returns how many bytes there were: less than its length at the end of the file. Holes are zeros.
   * Throws a `CorruptionError` that names file and block for content that is not what was written; part of `target` may be filled then.
   */
  read(position: number, target: Uint8Array): number {
    return readFile(this.#use(), position, target);
  }

  /**
   * Writes all of `source` at `position`. Up to 1 MiB is one operation; a longer write is a sequence of such, cut at multiples of 1 MiB.
   * Throws a `NoSpaceError` and other errors of the log with nothing of the operation done, and an `OutwriteError` of code EFBIG beyond 4 PiB.
   */
  write(position: number, source: Uint8Array): void {
    writeFile(this.#use(), position, source);
  }

  /**
   * As `write`; long runs of whole blocks are written without blocking this thread. `source` must not change before the promise settles, and
   * the change takes effect when it does. Of two writes to the same place, the one that ends last stays.
   */
  writeAsync(position: number, source: Uint8Array): Promise<void> {
    return writeFileAsync(this.#use(), position, source);
  }

  /** Sets the length. What is cut off is given up; what is gained reads as zeros and takes no space. */
  truncate(sizeBytes: number): void {
    truncateFile(this.#use(), sizeBytes);
  }

  /** Makes a range read as zeros and gives up the whole blocks in it; the length stays, also where the range reaches beyond it. */
  punchHole(position: number, lengthBytes: number): void {
    punchFile(this.#use(), position, lengthBytes);
  }

  /** The first position from `position` on with data (to the block), or -1 when there is none. */
  seekData(position: number): number {
    return seekData(this.#use(), position);
  }

  /** The first position from `position` on in a hole (to the block; the end of the file is one), or -1 beyond the end. */
  seekHole(position: number): number {
    return seekHole(this.#use(), position);
  }

  /**
   * The blocks of the device behind blocks `[blockIndex, blockIndex + blockCount)` of the file, see `map-region.ts`. For `write` and `redirect`,
   * `checksums` are those of the content that the caller will write there in this delta, and the call belongs into `transact`. Pages that wait
   * in memory are not part of the map. Throws an EINVAL error for an inline file unless reading, which sees a hole.
   */
  mapRegion(blockIndex: number, blockCount: number, mode: MapMode, checksums?: Uint32Array): Segment[] {
    const state = this.#use();
    const { blockSize, log } = state.context;
    checkRange(blockIndex * blockSize, blockCount * blockSize);
    if (blockCount === 0) throw new RangeError('a region has at least one block');
    state.resolve();
    if (mode === 'read') return mapRegion(state, blockIndex, blockCount, mode);
    if (state.shape === 'inline' || (blockIndex + blockCount) * blockSize > state.blockCount * blockSize) {
      throw new OutwriteError(
        'EINVAL',
        `blocks ${blockIndex} to ${blockIndex + blockCount} are not blocks of file ${state.fileId}`,
      );
    }
    const segments = mapRegion(state, blockIndex, blockCount, mode, checksums);
    log.markChanged();
    return segments;
  }

  /** Bytes of the blocks that the file occupies; 0 for an inline one. Passes all extents the first time. */
  allocatedBytes(): number {
    const state = this.#use();
    state.resolve();
    if (state.mappedBlockCount < 0) {
      // What is still to be reclaimed counts, and may lie beyond the end.
      const endIndex = state.reclaiming === null ? state.blockCount : BLOCK_INDEX_LIMIT;
      state.mappedBlockCount = state.context.extents.mappedBlockCount(state.fileId, endIndex);
    }
    return state.mappedBlockCount * state.context.blockSize;
  }

  /** As `allocatedBytes`, if that is known without looking; null if not. */
  get knownAllocatedBytes(): number | null {
    const { mappedBlockCount, context } = this.#state;
    return mappedBlockCount < 0 ? null : mappedBlockCount * context.blockSize;
  }

  /** Lets go of the file. What is dirty stays in memory until it is written, and is found again if the file is opened before that. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this.#state);
  }

  #use(): FileState {
    if (this.#closed || this.#state.removed) throw new ClosedError(`file ${this.#state.fileId}`);
    return this.#state;
  }
}

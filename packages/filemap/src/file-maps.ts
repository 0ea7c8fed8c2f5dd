/**
 * The files of one tree: opens them, stages what they hold, removes them.
 *
 * Registers itself with the log as a stager, so that the pages and inline contents of all open files join every delta. `stage` may be called
 * by an owner at any point of its own staging as well: what is staged is not dirty any more.
 */
import { assert, type CorruptionError } from '@outwrite/blockdev';
import type { Tree, TreeStore } from '@outwrite/btree-cow';
import type { Extent } from './extent-format.ts';
import { checkFile, type FileCheckSink, verifyExtent } from './file-check.ts';
import { FileMap } from './file-map.ts';
import { removeStep } from './file-reclaim.ts';
import { stageFile } from './file-staging.ts';
import { FileContext, FileState, MAX_FILE_BYTES } from './file-state.ts';
import { FILE_ID_LIMIT } from './key-format.ts';

export interface FileMapsOptions {
  /** Called with damage that was met, and passed over, while blocks were being given up. Their space stays used until it is repaired. */
  report?: (error: CorruptionError) => void;
}

export interface OpenFileOptions {
  /** The tree holds nothing of this file: spares looking. */
  isNew?: boolean;
}

export interface FileMapsStats {
  /** Files in memory, closed ones that are still being written included. */
  openFiles: number;
  dirtyFiles: number;
  /** Counted since opening, in blocks: given to files, of these in place of other blocks (redirects of data), and written directly. */
  mappedBlocks: number;
  redirectedBlocks: number;
  directBlocks: number;
}

export class FileMaps {
  readonly #context: FileContext;
  readonly #files = new Map<number, FileState>();
  /** Files without a handle, or removed, whose writes have not all returned yet. */
  readonly #closing = new Set<FileState>();

  constructor(store: TreeStore, tree: Tree, options: FileMapsOptions = {}) {
    this.#context = new FileContext(store.log, tree, options.report ?? (() => {}));
    store.log.registerStager(this);
  }

  /** Files up to this size are one value of the tree. */
  get inlineLimitBytes(): number {
    return this.#context.inlineLimitBytes;
  }

  /**
   * Opens the file `fileId` (u48), whose length is `sizeBytes`: what it was when it was used last, 0 for a new one. One handle at a time.
   * Reads nothing yet.
   */
  open(fileId: number, sizeBytes: number, options: OpenFileOptions = {}): FileMap {
    if (!Number.isInteger(fileId) || fileId < 0 || fileId >= FILE_ID_LIMIT)
      throw new RangeError(`${fileId} is not a file number`);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > MAX_FILE_BYTES) {
      throw new RangeError(`${sizeBytes} is not the size of a file`);
    }
    let state = this.#files.get(fileId);
    if (state === undefined) {
      state = new FileState(this.#context, fileId, sizeBytes, options.isNew === true);
      this.#files.set(fileId, state);
    } else {
      assert(state.closed, 'a file has one handle at a time');
      assert(state.sizeBytes === sizeBytes, 'a file that is opened again has the size that it had');
      state.closed = false;
      this.#closing.delete(state);
    }
    return new FileMap(state, (closed) => this.#close(closed));
  }

  /** Puts the dirty contents and pages of all files into the delta that is being closed, in key order. Called by the log. */
  stage(): void {
    this.#context.room.release();
    const dirty = [...this.#context.dirtyFiles].sort((a, b) => a.fileId - b.fileId);
    for (const state of dirty) {
      stageFile(state);
      this.#context.dirtyFiles.delete(state);
    }
    this.#sweep();
  }

  /**
   * One bounded step of removing a file: what is in memory at once, then up to 1024 extents from the tree. Call it until it is done; the
   * intent to do so is the owner's to record (a volume's orphan list). A handle that is still open throws from now on.
   */
  remove(fileId: number): { done: boolean } {
    const state = this.#files.get(fileId) ?? new FileState(this.#context, fileId, 0, true);
    state.removed = true;
    state.discardContent();
    const done = removeStep(state);
    if (done && !this.#forget(state)) this.#closing.add(state);
    return { done };
  }

  /**
   * Reports every extent that the tree has of a file, and whatever is wrong with its entries, see `file-check.ts`. Sees what was staged.
   * Does not read the content.
   */
  check(fileId: number, sizeBytes: number, sink: FileCheckSink): void {
    checkFile(this.#context, fileId, sizeBytes, sink);
  }

  /** Reads every block of an extent from the device, past the cache, and reports those that do not have their checksum. */
  verifyExtent(fileId: number, extent: Extent, sink: Pick<FileCheckSink, 'problem'>): void {
    verifyExtent(this.#context, fileId, extent, sink);
  }

  stats(): FileMapsStats {
    const { dirtyFiles, mappedBlocks, redirectedBlocks, directBlocks } = this.#context;
    return { openFiles: this.#files.size, dirtyFiles: dirtyFiles.size, mappedBlocks, redirectedBlocks, directBlocks };
  }

  #close(state: FileState): void {
    state.closed = true;
    if (!this.#forget(state)) this.#closing.add(state);
  }

  /** Closed files whose pages have been written are forgotten. */
  #sweep(): void {
    for (const state of this.#closing) this.#forget(state);
  }

  #forget(state: FileState): boolean {
    if (!state.closePages()) return false;
    this.#closing.delete(state);
    if (this.#files.get(state.fileId) === state) this.#files.delete(state.fileId);
    return true;
  }
}

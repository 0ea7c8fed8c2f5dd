/**
 * An open file: what a descriptor stands for, with its own position.
 *
 * It keeps its inode in memory, and the content on the device, until it is closed; an inode without a name is then reclaimed. Closing waits
 * for no one: background writes count as users of the inode themselves, until those who wait for them are told.
 */
import { BackgroundWrites } from './background-writes.ts';
import { contentSize, isForBackground, readContent, writeContent, writeContentInBackground } from './file-content.ts';
import type { Operation } from './fs-errors.ts';
import { fsConstants } from './fs-flags.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';

const { O_APPEND, O_RDWR, O_SYNC, O_WRONLY } = fsConstants;

export class OpenFile {
  readonly inode: Inode;
  readonly writable: boolean;
  readonly #head: Head;
  readonly #readable: boolean;
  readonly #append: boolean;
  /** Each write is committed before it returns. */
  readonly #synchronous: boolean;
  #position = 0;
  #closed = false;
  /** Moves of the position by writes that were refused and stand before others: where each began, by its end. */
  readonly #refusedMoves: Map<number, number> = new Map();

  /** A new user of `inode`. */
  constructor(head: Head, inode: Inode, flags: number) {
    this.#head = head;
    this.inode = inode;
    this.#readable = (flags & O_WRONLY) === 0;
    this.writable = (flags & (O_WRONLY | O_RDWR)) !== 0;
    this.#append = (flags & O_APPEND) !== 0;
    this.#synchronous = (flags & O_SYNC) === O_SYNC;
    inode.openCount++;
  }

  /** Where the next read or write without a position begins. */
  get position(): number {
    return this.#position;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  /** One user of the inode is gone. */
  #release(): void {
    this.inode.openCount--;
    if (!this.#head.closed) this.#head.orphans.settle(this.inode);
  }

  /** Reads at `position`, or at the file's own position (null), which then moves on. Returns the bytes read; 0 at the end. */
  read(operation: Operation, target: Uint8Array, position: number | null): number {
    this.#head.begin();
    if (this.#closed || !this.#readable) operation.fail('EBADF');
    if (this.inode.isDirectory) operation.fail('EISDIR');
    const byteCount = readContent(this.#head, this.inode, position ?? this.#position, target);
    if (position === null) this.#position += byteCount;
    return byteCount;
  }

  /**
   * Writes at `position`, at the file's own position (null), or at the end if the file was opened to append. Writes all of `source`. It waits
   * for nothing: an append goes behind the place of those that run in the background, whether they fill it or not. Without bytes it only
   * checks whether the file can be written: nothing moves.
   */
  write(operation: Operation, source: Uint8Array, position: number | null): void {
    this.#beginWrite(operation);
    if (source.length === 0) return;
    this.#writeNow(operation, source, position);
    if (this.#synchronous) this.#head.store.commitSync();
  }

  /**
   * As `write`; `source` must not change until the promise settles. A short write has taken place when the promise is returned, but for an
   * append while others are under way: those take place one after the other, in the order of the calls. The file's own position moves when
   * the write begins, and back if it is refused; then a beginning of a long one may have been written.
   */
  async writeInBackground(operation: Operation, source: Uint8Array, position: number | null): Promise<void> {
    this.#beginWrite(operation);
    if (source.length === 0) return;
    const others = this.#append ? this.inode.background : null;
    if (others !== null) {
      await this.#track(this.#appendAfter(others.settled(), operation, source, position));
    } else if (isForBackground(source)) {
      await this.#track(this.#runWrite(operation, source, position));
    } else {
      this.#writeNow(operation, source, position);
    }
    if (this.#synchronous) await this.#head.store.commit();
  }

  #beginWrite(operation: Operation): void {
    this.#head.beginChange(operation);
    if (this.#closed || !this.writable) operation.fail('EBADF');
  }

  /** Where a write begins that takes place now. One that appends goes behind the file, and behind the writes that will make it longer. */
  #startOf(position: number | null): number {
    if (!this.#append) return position ?? this.#position;
    return Math.max(contentSize(this.inode), this.inode.background?.end ?? 0);
  }

  #writeNow(operation: Operation, source: Uint8Array, position: number | null): void {
    const start = this.#startOf(position);
    writeContent(this.#head, operation, this.inode, start, source);
    if (position === null) this.#position = start + source.length;
  }

  /**
   * Lets the end of the volume and later appends know of a write until it has ended. The file may be closed meanwhile: who waits is a user
   * of the inode.
   */
  async #track(write: Promise<void>): Promise<void> {
    const { inode } = this;
    const { backgroundWrites } = this.#head;
    const background = backgroundOf(inode);
    background.add(write);
    backgroundWrites.add(write);
    inode.openCount++;
    try {
      await write;
    } finally {
      backgroundWrites.delete(write);
      if (background.isIdle) inode.background = null;
      this.#release();
    }
  }

  /** Appends when `others` have ended. */
  async #appendAfter(
    others: Promise<unknown>,
    operation: Operation,
    source: Uint8Array,
    position: number | null,
  ): Promise<void> {
    await others;
    this.#head.beginChange(operation);
    await this.#runWrite(operation, source, position);
  }

  async #runWrite(operation: Operation, source: Uint8Array, position: number | null): Promise<void> {
    if (!isForBackground(source)) {
      this.#writeNow(operation, source, position);
      return;
    }
    const start = this.#startOf(position);
    const end = start + source.length;
    const takeBack = position === null ? this.#move(end) : null;
    try {
      await backgroundOf(this.inode).run(end, () =>
        writeContentInBackground(this.#head, operation, this.inode, start, source),
      );
    } catch (error) {
      takeBack?.();
      throw error;
    }
  }

  /** Moves the position by a write that may still be refused. Returns what takes the move back, as soon as no other stands behind it. */
  #move(end: number): () => void {
    const from = this.#position;
    this.#position = end;
    return () => {
      this.#refusedMoves.set(end, from);
      for (;;) {
        const last = this.#position;
        const before = this.#refusedMoves.get(last);
        if (before === undefined) break;
        this.#refusedMoves.delete(last);
        this.#position = before;
      }
    };
  }
}

function backgroundOf(inode: Inode): BackgroundWrites {
  inode.background ??= new BackgroundWrites();
  return inode.background;
}

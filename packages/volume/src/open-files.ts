/**
 * Open files: what a descriptor stands for, and the table of descriptors.
 *
 * An open file keeps its inode in memory, and its content on the device, until it is closed; an inode without a name is then
 * reclaimed. Closing waits for no one: background writes count as users of the inode themselves.
 */
import { BackgroundWrites } from './background-writes.ts';
import { giveName, needToCreate, newMode, PUTS_TO_CREATE } from './directory-operations.ts';
import {
  contentSize,
  emptyContent,
  isForBackground,
  readContent,
  replaceInline,
  writeContent,
  writeContentInBackground,
} from './file-content.ts';
import { Operation } from './fs-errors.ts';
import { fsConstants } from './fs-flags.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import { MODE_FILE } from './inode-mode.ts';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDWR, O_SYNC, O_TRUNC, O_WRONLY } = fsConstants;
/** Lowest descriptor: the first three mean other things to most programs. */
const FIRST_DESCRIPTOR = 3;

export class OpenFile {
  readonly inode: Inode;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly append: boolean;
  /** Each write is committed before it returns. */
  readonly synchronous: boolean;
  /** Where the next read or write without a position begins. */
  position: number;
  closed: boolean;
  /** Moves of the position by writes that were refused and stand before others: where each began, by its end. */
  readonly #refusedMoves: Map<number, number> = new Map();

  constructor(inode: Inode, flags: number) {
    this.inode = inode;
    this.readable = (flags & O_WRONLY) === 0;
    this.writable = (flags & (O_WRONLY | O_RDWR)) !== 0;
    this.append = (flags & O_APPEND) !== 0;
    this.synchronous = (flags & O_SYNC) === O_SYNC;
    this.position = 0;
    this.closed = false;
  }

  /** Moves the position by a write that may still be refused. Returns what takes the move back, as soon as no other stands behind it. */
  move(end: number): () => void {
    const from = this.position;
    this.position = end;
    return () => {
      this.#refusedMoves.set(end, from);
      for (;;) {
        const last = this.position;
        const before = this.#refusedMoves.get(last);
        if (before === undefined) break;
        this.#refusedMoves.delete(last);
        this.position = before;
      }
    };
  }
}

/** Opens `path`; makes the file when the flags ask for it. */
export function openFile(head: Head, operation: Operation, path: string, flags: number, mode: number): OpenFile {
  const creating = (flags & O_CREAT) !== 0;
  const writing = (flags & (O_WRONLY | O_RDWR)) !== 0;
  if (writing || creating) head.beginChange(operation);
  else head.begin();
  const firstNewInode = head.record.nextInode;
  const inode = findOrMake(head, operation, path, flags, mode);
  const file = new OpenFile(inode, flags);
  inode.openCount++;
  // What was made just now is empty, and has the time of this.
  if (writing && (flags & O_TRUNC) !== 0 && inode.number < firstNewInode) {
    try {
      emptyContent(head, operation, inode);
    } catch (error) {
      closeFile(head, file);
      throw error;
    }
  }
  return file;
}

function findOrMake(head: Head, operation: Operation, path: string, flags: number, mode: number): Inode {
  const { walker } = head;
  const creating = (flags & O_CREAT) !== 0;
  const exclusive = creating && (flags & O_EXCL) !== 0;
  do {
    // Who only looks needs no room: a volume that is read-only, full or latched still reads.
    if (creating) head.staging.begin(operation, PUTS_TO_CREATE, false);
    if (!walker.locate(operation, path, !exclusive && (flags & O_NOFOLLOW) === 0)) operation.fail('ENOENT');
    const inode = walker.inode();
    if (inode !== null) {
      if (exclusive) operation.fail('EEXIST');
      if (inode.isSymlink) operation.fail('ELOOP');
      if (inode.isDirectory && (creating || (flags & (O_WRONLY | O_RDWR)) !== 0)) operation.fail('EISDIR');
      if (!inode.isDirectory && (flags & O_DIRECTORY) !== 0) operation.fail('ENOTDIR');
      return inode;
    }
    if (!creating) operation.fail('ENOENT');
    if (walker.endsInSlash) operation.fail('EISDIR');
    if (!head.hasInodeNumbers) operation.fail('ENOSPC');
    needToCreate(head, operation, walker.directory, walker.name);
  } while (!head.staging.reserve(operation, PUTS_TO_CREATE, false));
  const { directory, name } = walker;
  const inode = head.makeInode(newMode(head, MODE_FILE, mode));
  inode.linkCount = 1;
  giveName(head, directory, name, inode);
  return inode;
}

/**
 * Makes or replaces the file `path` with a small content, as one atomic change; false, with nothing changed, when that is not possible
 * (too large, or a file that `filemap` keeps) and the caller has to open, cut and write it.
 */
export function writeSmallFile(
  head: Head,
  operation: Operation,
  path: string,
  mode: number,
  content: Uint8Array,
): boolean {
  if (content.length > head.inlineLimitBytes) return false;
  head.beginChange(operation);
  const { walker } = head;
  let inode: Inode | null;
  do {
    head.staging.begin(operation, PUTS_TO_CREATE, false);
    if (!walker.locate(operation, path, true)) operation.fail('ENOENT');
    inode = walker.inode();
    if (inode !== null) {
      if (inode.isDirectory) operation.fail('EISDIR');
      if (inode.isMapped) return false;
      head.staging.needInode(operation, inode, false);
      head.staging.needContent(operation, inode, false);
    } else {
      if (walker.endsInSlash) operation.fail('EISDIR');
      if (!head.hasInodeNumbers) operation.fail('ENOSPC');
      needToCreate(head, operation, walker.directory, walker.name);
    }
  } while (!head.staging.reserve(operation, PUTS_TO_CREATE, false));
  if (inode === null) {
    const { directory, name } = walker;
    inode = head.makeInode(newMode(head, MODE_FILE, mode));
    inode.linkCount = 1;
    giveName(head, directory, name, inode);
    if (content.length === 0) return true;
  }
  replaceInline(head, inode, content);
  return true;
}

export function closeFile(head: Head, file: OpenFile): void {
  if (file.closed) return;
  file.closed = true;
  release(head, file.inode);
}

/** One user of `inode` is gone. */
function release(head: Head, inode: Inode): void {
  inode.openCount--;
  if (!head.closed) head.orphans.settle(inode);
}

/** Reads at `position`, or at the file's own position (null), which then moves on. Returns the bytes read; 0 at the end. */
export function readFile(
  head: Head,
  operation: Operation,
  file: OpenFile,
  target: Uint8Array,
  position: number | null,
): number {
  head.begin();
  if (file.closed || !file.readable) operation.fail('EBADF');
  if (file.inode.isDirectory) operation.fail('EISDIR');
  const byteCount = readContent(head, file.inode, position ?? file.position, target);
  if (position === null) file.position += byteCount;
  return byteCount;
}

function beginWrite(head: Head, operation: Operation, file: OpenFile): void {
  head.beginChange(operation);
  if (file.closed || !file.writable) operation.fail('EBADF');
}

/** Where a write begins that takes place now. One that appends goes behind the file, and behind the writes that will make it longer. */
function startOf(file: OpenFile, position: number | null): number {
  if (!file.append) return position ?? file.position;
  return Math.max(contentSize(file.inode), file.inode.background?.end ?? 0);
}

/**
 * Writes at `position`, at the file's own position (null), or at the end if the file was opened to append. Writes all of `source`. It waits
 * for nothing: an append goes behind the place of those that run in the background, whether they fill it or not. Without bytes it only checks
 * whether the file can be written: nothing moves.
 */
export function writeFile(
  head: Head,
  operation: Operation,
  file: OpenFile,
  source: Uint8Array,
  position: number | null,
): void {
  beginWrite(head, operation, file);
  if (source.length === 0) return;
  writeNow(head, operation, file, source, position);
  if (file.synchronous) head.store.commitSync();
}

function writeNow(head: Head, operation: Operation, file: OpenFile, source: Uint8Array, position: number | null): void {
  const start = startOf(file, position);
  writeContent(head, operation, file.inode, start, source);
  if (position === null) file.position = start + source.length;
}

/**
 * As `writeFile`; `source` must not change until the promise settles. A short write has taken place when the promise is returned, but for an
 * append while others are under way: those take place one after the other, in the order of the calls. The file's own position moves when
 * the write begins, and back if it is refused; then a beginning of a long one may have been written.
 */
export async function writeFileInBackground(
  head: Head,
  operation: Operation,
  file: OpenFile,
  source: Uint8Array,
  position: number | null,
): Promise<void> {
  beginWrite(head, operation, file);
  if (source.length === 0) return;
  const others = file.append ? file.inode.background : null;
  if (others !== null) {
    await track(head, file.inode, appendAfter(head, operation, file, source, position, others.settled()));
  } else if (isForBackground(source)) {
    await track(head, file.inode, runWrite(head, operation, file, source, position));
  } else {
    writeNow(head, operation, file, source, position);
  }
  if (file.synchronous) await head.store.commit();
}

/** Lets the end of the volume and later appends know of a write until it has ended. */
async function track(head: Head, inode: Inode, write: Promise<void>): Promise<void> {
  const background = backgroundOf(inode);
  background.add(write);
  head.backgroundWrites.add(write);
  try {
    await write;
  } finally {
    head.backgroundWrites.delete(write);
    if (background.isIdle) inode.background = null;
  }
}

function backgroundOf(inode: Inode): BackgroundWrites {
  inode.background ??= new BackgroundWrites();
  return inode.background;
}

/** Appends when `others` have ended. The file may be closed meanwhile: who waits is a user of the inode. */
async function appendAfter(
  head: Head,
  operation: Operation,
  file: OpenFile,
  source: Uint8Array,
  position: number | null,
  others: Promise<unknown>,
): Promise<void> {
  file.inode.openCount++;
  try {
    await others;
    head.beginChange(operation);
    await runWrite(head, operation, file, source, position);
  } finally {
    release(head, file.inode);
  }
}

async function runWrite(
  head: Head,
  operation: Operation,
  file: OpenFile,
  source: Uint8Array,
  position: number | null,
): Promise<void> {
  if (!isForBackground(source)) {
    writeNow(head, operation, file, source, position);
    return;
  }
  const start = startOf(file, position);
  const end = start + source.length;
  const takeBack = position === null ? file.move(end) : null;
  try {
    await backgroundOf(file.inode).run(end, () => writeContentInBackground(head, operation, file.inode, start, source));
  } catch (error) {
    takeBack?.();
    throw error;
  }
}

/** Descriptors: small numbers, the lowest free one first. */
export class DescriptorTable {
  readonly #files: (OpenFile | null)[] = [];
  #lowestFree = 0;
  #openCount = 0;

  get openCount(): number {
    return this.#openCount;
  }

  add(file: OpenFile): number {
    let index = this.#lowestFree;
    while (index < this.#files.length && this.#files[index] !== null) index++;
    this.#files[index] = file;
    this.#lowestFree = index + 1;
    this.#openCount++;
    return index + FIRST_DESCRIPTOR;
  }

  get(descriptor: number, syscall: string): OpenFile {
    return this.#files[descriptor - FIRST_DESCRIPTOR] ?? new Operation(syscall).fail('EBADF');
  }

  remove(descriptor: number, syscall: string): OpenFile {
    const file = this.get(descriptor, syscall);
    const index = descriptor - FIRST_DESCRIPTOR;
    this.#files[index] = null;
    this.#lowestFree = Math.min(this.#lowestFree, index);
    this.#openCount--;
    return file;
  }

  /** Closes all files. For the end of the volume. */
  closeAll(head: Head): void {
    for (const file of this.#files) if (file !== null) closeFile(head, file);
    this.#files.length = 0;
    this.#lowestFree = 0;
    this.#openCount = 0;
  }
}

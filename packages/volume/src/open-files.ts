/**
 * Opening files by path, and the table of descriptors.
 */
import { giveName, needToCreate, newMode, PUTS_TO_CREATE } from './directory-operations.ts';
import { emptyContent, replaceInline } from './file-content.ts';
import { invalidType, Operation } from './fs-errors.ts';
import { fsConstants } from './fs-flags.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import { MODE_FILE } from './inode-mode.ts';
import { OpenFile } from './open-file.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDWR, O_TRUNC, O_WRONLY } = fsConstants;
/** Lowest descriptor: the first three mean other things to most programs. */
const FIRST_DESCRIPTOR = 3;

/** Opens `path`; makes the file when the flags ask for it. */
export function openFile(head: Head, operation: Operation, path: string, flags: number, mode: number): OpenFile {
  const creating = (flags & O_CREAT) !== 0;
  const writing = (flags & (O_WRONLY | O_RDWR)) !== 0;
  if (writing || creating) head.beginChange(operation);
  else head.begin();
  const firstNewInode = head.record.nextInode;
  const inode = findOrMake(head, operation, path, flags, mode);
  const file = new OpenFile(head, inode, flags);
  // What was made just now is empty, and has the time of this.
  if (writing && (flags & O_TRUNC) !== 0 && inode.number < firstNewInode) {
    try {
      emptyContent(head, operation, inode);
    } catch (error) {
      file.close();
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
    if (typeof descriptor !== 'number') throw invalidType('fd', 'a number', descriptor);
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
  closeAll(): void {
    for (const file of this.#files) file?.close();
    this.#files.length = 0;
    this.#lowestFree = 0;
    this.#openCount = 0;
  }
}

/**
 * What `stat`, `readdir` and `statfs` return: objects shaped like Node's.
 */

import { contentSize, mapOf } from './file-content.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import {
  ENTRY_DIRECTORY,
  ENTRY_FILE,
  ENTRY_SYMLINK,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  MODE_TYPE_MASK,
} from './inode-mode.ts';
import { millisecondsOf, nanosecondsOf } from './timestamp.ts';

/** `blocks` counts in this unit, whatever the block size. */
const STAT_BLOCK_BYTES = 512;

/** 512-byte units that the content of `inode` occupies. */
function occupiedBlocks(head: Head, inode: Inode): number {
  if (!inode.isMapped) return inode.isFile ? Math.ceil(inode.sizeBytes / STAT_BLOCK_BYTES) : 0;
  // A map knows of what commits give to the file; without one, nothing changes.
  if (inode.map !== null || inode.allocatedBytes < 0) inode.allocatedBytes = mapOf(head, inode).allocatedBytes();
  return Math.ceil(inode.allocatedBytes / STAT_BLOCK_BYTES);
}

abstract class FileType {
  protected abstract readonly typeBits: number;

  isFile(): boolean {
    return this.typeBits === MODE_FILE;
  }

  isDirectory(): boolean {
    return this.typeBits === MODE_DIRECTORY;
  }

  isSymbolicLink(): boolean {
    return this.typeBits === MODE_SYMLINK;
  }

  isBlockDevice(): boolean {
    return false;
  }

  isCharacterDevice(): boolean {
    return false;
  }

  isFIFO(): boolean {
    return false;
  }

  isSocket(): boolean {
    return false;
  }
}

/** As `fs.Stats`. `size` is in bytes, for a directory the number of its names; times are milliseconds since 1970. */
export class Stats extends FileType {
  readonly dev: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly blksize: number;
  readonly ino: number;
  readonly size: number;
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;

  constructor(head: Head, inode: Inode) {
    super();
    this.dev = 0;
    this.mode = inode.mode;
    this.nlink = inode.linkCount;
    this.uid = inode.uid;
    this.gid = inode.gid;
    this.rdev = 0;
    this.blksize = head.log.blockSize;
    this.ino = inode.number;
    this.size = contentSize(inode);
    this.blocks = occupiedBlocks(head, inode);
    this.atimeMs = millisecondsOf(inode.atimeSeconds, inode.atimeNanoseconds);
    this.mtimeMs = millisecondsOf(inode.mtimeSeconds, inode.mtimeNanoseconds);
    this.ctimeMs = millisecondsOf(inode.ctimeSeconds, inode.ctimeNanoseconds);
    this.birthtimeMs = millisecondsOf(inode.birthtimeSeconds, inode.birthtimeNanoseconds);
  }

  protected get typeBits(): number {
    return this.mode & MODE_TYPE_MASK;
  }

  get atime(): Date {
    return new Date(Math.floor(this.atimeMs + 0.5));
  }

  get mtime(): Date {
    return new Date(Math.floor(this.mtimeMs + 0.5));
  }

  get ctime(): Date {
    return new Date(Math.floor(this.ctimeMs + 0.5));
  }

  get birthtime(): Date {
    return new Date(Math.floor(this.birthtimeMs + 0.5));
  }

  /** With the dates, which are made when they are asked for and so are not among the object's own properties. */
  toJSON(): object {
    return { ...this, atime: this.atime, mtime: this.mtime, ctime: this.ctime, birthtime: this.birthtime };
  }
}

/** As `fs.BigIntStats`: all numbers are bigints, and times come in nanoseconds, too. */
export class BigIntStats extends FileType {
  readonly dev: bigint;
  readonly mode: bigint;
  readonly nlink: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly rdev: bigint;
  readonly blksize: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly blocks: bigint;
  readonly atimeMs: bigint;
  readonly mtimeMs: bigint;
  readonly ctimeMs: bigint;
  readonly birthtimeMs: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthtimeNs: bigint;

  constructor(head: Head, inode: Inode) {
    super();
    this.dev = 0n;
    this.mode = BigInt(inode.mode);
    this.nlink = BigInt(inode.linkCount);
    this.uid = BigInt(inode.uid);
    this.gid = BigInt(inode.gid);
    this.rdev = 0n;
    this.blksize = BigInt(head.log.blockSize);
    this.ino = BigInt(inode.number);
    this.size = BigInt(contentSize(inode));
    this.blocks = BigInt(occupiedBlocks(head, inode));
    this.atimeNs = nanosecondsOf(inode.atimeSeconds, inode.atimeNanoseconds);
    this.mtimeNs = nanosecondsOf(inode.mtimeSeconds, inode.mtimeNanoseconds);
    this.ctimeNs = nanosecondsOf(inode.ctimeSeconds, inode.ctimeNanoseconds);
    this.birthtimeNs = nanosecondsOf(inode.birthtimeSeconds, inode.birthtimeNanoseconds);
    this.atimeMs = this.atimeNs / 1_000_000n;
    this.mtimeMs = this.mtimeNs / 1_000_000n;
    this.ctimeMs = this.ctimeNs / 1_000_000n;
    this.birthtimeMs = this.birthtimeNs / 1_000_000n;
  }

  protected get typeBits(): number {
    return Number(this.mode) & MODE_TYPE_MASK;
  }

  get atime(): Date {
    return new Date(Number(this.atimeMs));
  }

  get mtime(): Date {
    return new Date(Number(this.mtimeMs));
  }

  get ctime(): Date {
    return new Date(Number(this.ctimeMs));
  }

  get birthtime(): Date {
    return new Date(Number(this.birthtimeMs));
  }
}

/** As `fs.Dirent`. */
export class Dirent<Name = string> extends FileType {
  readonly name: Name;
  /** The directory that holds the name, as it was given. */
  readonly parentPath: string;
  /** An older name of `parentPath`. */
  readonly path: string;
  readonly #type: number;

  constructor(name: Name, parentPath: string, type: number) {
    super();
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#type = type;
  }

  protected get typeBits(): number {
    switch (this.#type) {
      case ENTRY_FILE:
        return MODE_FILE;
      case ENTRY_DIRECTORY:
        return MODE_DIRECTORY;
      case ENTRY_SYMLINK:
        return MODE_SYMLINK;
      default:
        return 0;
    }
  }
}

/** As `fs.StatsFs`. Sizes are in blocks of `bsize` bytes; `bavail` leaves out the reserve that only deletes may use. */
export interface StatsFs<N extends number | bigint = number> {
  readonly type: N;
  readonly bsize: N;
  readonly blocks: N;
  readonly bfree: N;
  readonly bavail: N;
  readonly files: N;
  readonly ffree: N;
}

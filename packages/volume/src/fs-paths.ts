/**
 * The `fs` face, second part: operations on names. Signatures and errors are those of `node:fs`.
 *
 * Owners and permissions are kept, not enforced: every caller is allowed everything, as root is. Access times change by `utimes` only.
 */
import { beginAttributes, changeMode, changeOwner, changeTimes, modeOf } from './attributes.ts';
import { findDirectory, listNames, makeDirectory, removeDirectory } from './directory-operations.ts';
import { resizeContent } from './file-content.ts';
import { DescriptorFs, lengthOf, type StatOptions } from './fs-descriptors.ts';
import {
  type BufferEncodingOption,
  bytesOf,
  type DataLike,
  type EncodingOption,
  nameCoder,
  type PathLike,
  pathOf,
} from './fs-encoding.ts';
import { FsError, Operation } from './fs-errors.ts';
import { fsConstants } from './fs-flags.ts';
import { BigIntStats, Dirent, Stats, type StatsFs } from './fs-stats.ts';
import type { Inode } from './inode.ts';
import { ENTRY_DIRECTORY } from './inode-mode.ts';
import { link, readLink, symlink, unlink } from './links.ts';
import { rename } from './rename.ts';
import { type TimeLike, timestampOf } from './timestamp.ts';
import { joinPath, makeDirectories, remove, removeDirectories } from './tree-operations.ts';
import { getXattr, listXattrs, removeXattr, setXattr, type XattrMode } from './xattrs.ts';

export interface MkdirOptions {
  readonly recursive?: boolean | undefined;
  readonly mode?: number | string | null | undefined;
}

export interface ReaddirOptions {
  readonly encoding?: string | null | undefined;
  readonly withFileTypes?: boolean | undefined;
  readonly recursive?: boolean | undefined;
}

export interface RmdirOptions {
  readonly recursive?: boolean | undefined;
}

export interface RmOptions {
  readonly force?: boolean | undefined;
  readonly recursive?: boolean | undefined;
}

const NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** `f_type` of `statfs`: "OWFS" read as bytes. */
const STATFS_TYPE = 0x5346574f;

export class PathFs<Bytes extends Uint8Array = Uint8Array> extends DescriptorFs<Bytes> {
  accessSync(path: PathLike, mode: number = fsConstants.F_OK): void {
    const name = pathOf(path);
    const operation = new Operation('access', name);
    this.head.begin();
    const inode = this.head.walker.resolve(operation, name, true);
    if ((mode & fsConstants.W_OK) !== 0 && this.head.readOnly) operation.fail('EROFS');
    // As for root: execution needs one executable bit.
    if ((mode & fsConstants.X_OK) !== 0 && !inode.isDirectory && (inode.mode & 0o111) === 0) operation.fail('EACCES');
  }

  existsSync(path: PathLike): boolean {
    try {
      this.head.begin();
      const name = pathOf(path);
      return this.head.walker.find(new Operation('access', name), name, true) !== null;
    } catch (error) {
      if (error instanceof FsError || error instanceof TypeError) return false;
      throw error;
    }
  }

  statSync(path: PathLike, options: StatOptions & { bigint: true; throwIfNoEntry?: true | undefined }): BigIntStats;
  statSync(
    path: PathLike,
    options?: StatOptions & { bigint?: false | undefined; throwIfNoEntry?: true | undefined },
  ): Stats;
  statSync(
    path: PathLike,
    options: StatOptions & { bigint?: false | undefined; throwIfNoEntry: false },
  ): Stats | undefined;
  statSync(path: PathLike, options?: StatOptions): Stats | BigIntStats | undefined;
  statSync(path: PathLike, options?: StatOptions): Stats | BigIntStats | undefined {
    return this.#stat('stat', path, true, options);
  }

  lstatSync(path: PathLike, options: StatOptions & { bigint: true; throwIfNoEntry?: true | undefined }): BigIntStats;
  lstatSync(
    path: PathLike,
    options?: StatOptions & { bigint?: false | undefined; throwIfNoEntry?: true | undefined },
  ): Stats;
  lstatSync(
    path: PathLike,
    options: StatOptions & { bigint?: false | undefined; throwIfNoEntry: false },
  ): Stats | undefined;
  lstatSync(path: PathLike, options?: StatOptions): Stats | BigIntStats | undefined;
  lstatSync(path: PathLike, options?: StatOptions): Stats | BigIntStats | undefined {
    return this.#stat('lstat', path, false, options);
  }

  #stat(syscall: string, path: PathLike, follow: boolean, options?: StatOptions): Stats | BigIntStats | undefined {
    const name = pathOf(path);
    const operation: Operation = new Operation(syscall, name);
    this.head.begin();
    const inode = this.head.walker.find(operation, name, follow);
    if (inode === null) {
      if (options?.throwIfNoEntry === false) return undefined;
      operation.fail('ENOENT');
    }
    return options?.bigint === true ? new BigIntStats(this.head, inode) : new Stats(this.head, inode);
  }

  statfsSync(path: PathLike, options: { bigint: true }): StatsFs<bigint>;
  statfsSync(path: PathLike, options?: { bigint?: false | undefined }): StatsFs<number>;
  statfsSync(path: PathLike, options?: { bigint?: boolean | undefined }): StatsFs<number> | StatsFs<bigint> {
    const name = pathOf(path);
    this.head.begin();
    this.head.walker.resolve(new Operation('statfs', name), name, true);
    const space = this.head.space();
    const numbers: StatsFs<number> = {
      type: STATFS_TYPE,
      bsize: this.head.log.blockSize,
      blocks: space.blockCount,
      bfree: space.freeBlockCount,
      bavail: space.availableBlockCount,
      files: this.head.record.inodeCount,
      ffree: space.availableBlockCount,
    };
    if (options?.bigint !== true) return numbers;
    const entries = Object.entries(numbers).map(([key, value]) => [key, BigInt(value)]);
    return Object.fromEntries(entries) as unknown as StatsFs<bigint>;
  }

  realpathSync(path: PathLike, options: BufferEncodingOption): Bytes;
  realpathSync(path: PathLike, options?: EncodingOption): string;
  realpathSync(path: PathLike, options?: EncodingOption): string | Bytes {
    const coded = nameCoder(this.codec, options);
    const name = pathOf(path);
    const operation = new Operation('realpath', name);
    this.head.begin();
    const { walker } = this.head;
    if (!walker.locateWithStack(operation, name, true) || walker.inode() === null) operation.fail('ENOENT');
    return coded(walker.realPath());
  }

  mkdirSync(path: PathLike, options: MkdirOptions & { recursive: true }): string | undefined;
  mkdirSync(path: PathLike, options?: MkdirOptions | number | string | null): string | undefined;
  mkdirSync(path: PathLike, options?: MkdirOptions | number | string | null): string | undefined {
    const name = pathOf(path);
    const operation = new Operation('mkdir', name);
    const given = typeof options === 'object' && options !== null ? options : { mode: options };
    const mode = modeOf(given.mode ?? 0o777);
    if ('recursive' in given && given.recursive === true) return makeDirectories(this.head, operation, name, mode);
    makeDirectory(this.head, operation, name, mode);
    return undefined;
  }

  mkdtempSync(prefix: PathLike, options: BufferEncodingOption): Bytes;
  mkdtempSync(prefix: PathLike, options?: EncodingOption): string;
  mkdtempSync(prefix: PathLike, options?: EncodingOption): string | Bytes {
    const coded = nameCoder(this.codec, options);
    const start = pathOf(prefix, 'prefix');
    const operation = new Operation('mkdtemp', `${start}XXXXXX`);
    for (;;) {
      let path = start;
      for (let i = 0; i < 6; i++) path += NAME_CHARACTERS[Math.floor(Math.random() * NAME_CHARACTERS.length)];
      try {
        makeDirectory(this.head, operation, path, 0o700);
        return coded(path);
      } catch (error) {
        if (!(error instanceof FsError && error.code === 'EEXIST')) throw error;
      }
    }
  }

  readdirSync(path: PathLike, options: ReaddirOptions & { withFileTypes: true; encoding: 'buffer' }): Dirent<Bytes>[];
  readdirSync(path: PathLike, options: ReaddirOptions & { withFileTypes: true }): Dirent[];
  readdirSync(path: PathLike, options: (ReaddirOptions & { encoding: 'buffer' }) | 'buffer'): Bytes[];
  readdirSync(
    path: PathLike,
    options?: (ReaddirOptions & { withFileTypes?: false | undefined }) | string | null,
  ): string[];
  readdirSync(
    path: PathLike,
    options?: ReaddirOptions | string | null,
  ): string[] | Bytes[] | Dirent[] | Dirent<Bytes>[] {
    const given = typeof options === 'object' && options !== null ? options : {};
    const withTypes = given.withFileTypes === true;
    const recursive = given.recursive === true;
    const coded = nameCoder(this.codec, options);
    const base = pathOf(path);
    const found: (string | Bytes | Dirent | Dirent<Bytes>)[] = [];
    // Directories to list, relative to `base`, breadth first as in Node.
    const queue = [''];
    for (let i = 0; i < queue.length; i++) {
      const relative = queue[i];
      const directory = relative === '' ? base : joinPath(base, relative);
      const operation = new Operation('scandir', directory);
      this.head.begin();
      const inode = findDirectory(this.head, operation, directory);
      for (const { name, type } of listNames(this.head, inode, null, Number.POSITIVE_INFINITY)) {
        const below = relative === '' ? name : joinPath(relative, name);
        if (recursive && type === ENTRY_DIRECTORY) queue.push(below);
        found.push(withTypes ? (new Dirent(coded(name), directory, type) as Dirent | Dirent<Bytes>) : coded(below));
      }
    }
    return found as string[] | Bytes[] | Dirent[] | Dirent<Bytes>[];
  }

  rmdirSync(path: PathLike, options?: RmdirOptions): void {
    const name = pathOf(path);
    const operation = new Operation('rmdir', name);
    if (options?.recursive === true) removeDirectories(this.head, operation, name);
    else removeDirectory(this.head, operation, name);
  }

  rmSync(path: PathLike, options?: RmOptions): void {
    remove(this.head, pathOf(path), { recursive: options?.recursive === true, force: options?.force === true });
  }

  unlinkSync(path: PathLike): void {
    const name = pathOf(path);
    unlink(this.head, new Operation('unlink', name), name);
  }

  renameSync(oldPath: PathLike, newPath: PathLike): void {
    const from = pathOf(oldPath, 'oldPath');
    const to = pathOf(newPath, 'newPath');
    rename(this.head, new Operation('rename', from, to), from, to);
  }

  linkSync(existingPath: PathLike, newPath: PathLike): void {
    const from = pathOf(existingPath, 'existingPath');
    const to = pathOf(newPath, 'newPath');
    link(this.head, new Operation('link', from, to), from, to);
  }

  /** `type` is for Windows and ignored. */
  symlinkSync(target: PathLike, path: PathLike, _type?: string | null): void {
    const text = pathOf(target, 'target');
    const name = pathOf(path);
    symlink(this.head, new Operation('symlink', text, name), text, name);
  }

  readlinkSync(path: PathLike, options: BufferEncodingOption): Bytes;
  readlinkSync(path: PathLike, options?: EncodingOption): string;
  readlinkSync(path: PathLike, options?: EncodingOption): string | Bytes {
    const coded = nameCoder(this.codec, options);
    const name = pathOf(path);
    return coded(readLink(this.head, new Operation('readlink', name), name));
  }

  truncateSync(path: PathLike, length: number = 0): void {
    const name = pathOf(path);
    const operation = new Operation('truncate', name);
    const sizeBytes = lengthOf(length);
    this.head.beginChange(operation);
    const inode = this.head.walker.resolve(operation, name, true);
    if (inode.isDirectory) operation.fail('EISDIR');
    resizeContent(this.head, operation, inode, sizeBytes);
  }

  chmodSync(path: PathLike, mode: number | string): void {
    this.#chmod('chmod', path, true, mode);
  }

  /** Permissions of a symbolic link are kept, and mean nothing. */
  lchmodSync(path: PathLike, mode: number | string): void {
    this.#chmod('lchmod', path, false, mode);
  }

  #chmod(syscall: string, path: PathLike, follow: boolean, mode: number | string): void {
    const name = pathOf(path);
    const permissions = modeOf(mode);
    changeMode(this.head, beginAttributes(this.head, new Operation(syscall, name), name, follow), permissions);
  }

  chownSync(path: PathLike, uid: number, gid: number): void {
    const name = pathOf(path);
    changeOwner(this.head, beginAttributes(this.head, new Operation('chown', name), name, true), uid, gid);
  }

  lchownSync(path: PathLike, uid: number, gid: number): void {
    const name = pathOf(path);
    changeOwner(this.head, beginAttributes(this.head, new Operation('lchown', name), name, false), uid, gid);
  }

  utimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
    this.#utimes('utime', path, true, atime, mtime);
  }

  lutimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
    this.#utimes('lutime', path, false, atime, mtime);
  }

  #utimes(syscall: string, path: PathLike, follow: boolean, atime: TimeLike, mtime: TimeLike): void {
    const name = pathOf(path);
    const accessed = timestampOf('atime', atime);
    const modified = timestampOf('mtime', mtime);
    changeTimes(this.head, beginAttributes(this.head, new Operation(syscall, name), name, follow), accessed, modified);
  }

  /** Beyond Node: the value of the extended attribute `name`. Throws `ENODATA`. */
  getxattrSync(path: PathLike, name: string): Bytes {
    const text = pathOf(path);
    const operation = new Operation('getxattr', text);
    this.head.begin();
    const value = getXattr(this.head, operation, this.head.walker.resolve(operation, text, true), name);
    const bytes = this.codec.allocate(value.length);
    bytes.set(value);
    return bytes;
  }

  /** Beyond Node. `mode` 'create' and 'replace' fail with `EEXIST` and `ENODATA`. */
  setxattrSync(path: PathLike, name: string, value: DataLike, mode: XattrMode = 'any'): void {
    const text = pathOf(path);
    const operation = new Operation('setxattr', text);
    const bytes = bytesOf(value, 'utf8', this.codec);
    setXattr(this.head, operation, () => this.#find(operation, text), name, bytes, mode);
  }

  /** Beyond Node. Throws `ENODATA`. */
  removexattrSync(path: PathLike, name: string): void {
    const text = pathOf(path);
    const operation = new Operation('removexattr', text);
    removeXattr(this.head, operation, () => this.#find(operation, text), name);
  }

  /** Beyond Node: the names of all extended attributes, in the order of their bytes. */
  listxattrSync(path: PathLike): string[] {
    const text = pathOf(path);
    this.head.begin();
    return listXattrs(this.head, this.#find(new Operation('listxattr', text), text));
  }

  #find(operation: Operation, path: string): Inode {
    return this.head.walker.resolve(operation, path, true);
  }
}

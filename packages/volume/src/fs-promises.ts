/**
 * The `fs` face with promises, as `node:fs/promises`.
 *
 * Look-ups and changes in memory are done before the promise is returned: the device is read synchronously, so there is nothing to wait
 * for. What does wait: large writes, which run in the background from the caller's memory, appends while such writes are under way, and
 * commits.
 */

import { type AbortOption, checkSignal } from './abort-signal.ts';
import { FileHandle, type HandleContext } from './file-handle.ts';
import type { StatOptions } from './fs-descriptors.ts';
import {
  type BufferEncodingOption,
  bytesOf,
  type Codec,
  type DataLike,
  type EncodingOption,
  type PathLike,
} from './fs-encoding.ts';
import { flagsOf, fsConstants, type OpenFlags } from './fs-flags.ts';
import type { MkdirOptions, ReaddirOptions, RmdirOptions, RmOptions } from './fs-paths.ts';
import type { BigIntStats, Dirent, Stats, StatsFs } from './fs-stats.ts';
import {
  bindMethods,
  type OpendirOptions,
  type ReadFileOptions,
  type SyncFs,
  type WriteFileOptions,
} from './fs-sync.ts';
import type { Head } from './head.ts';
import type { Dir } from './open-directory.ts';
import type { OpenFile } from './open-file.ts';
import type { TimeLike } from './timestamp.ts';
import type { XattrMode } from './xattrs.ts';

/** Writes of at least this many bytes run in the background. */
const BACKGROUND_BYTES = 256 * 1024;

export interface PromisesParts<Bytes extends Uint8Array> {
  readonly head: Head;
  readonly codec: Codec<Bytes>;
  readonly fs: SyncFs<Bytes>;
  file(fd: number): OpenFile;
}

export class FsPromises<Bytes extends Uint8Array = Uint8Array> {
  readonly constants: typeof fsConstants = fsConstants;
  readonly #fs: SyncFs<Bytes>;
  readonly #codec: Codec<Bytes>;
  readonly #context: HandleContext<Bytes>;

  constructor(parts: PromisesParts<Bytes>) {
    this.#fs = parts.fs;
    this.#codec = parts.codec;
    this.#context = parts;
    bindMethods(this);
  }

  /** Makes the handle of a descriptor; the `node` entry makes one that has streams. */
  protected handleOf(context: HandleContext<Bytes>, fd: number): FileHandle<Bytes> {
    return new FileHandle(context, fd);
  }

  async open(path: PathLike, flags?: OpenFlags | null, mode?: number | string | null): Promise<FileHandle<Bytes>> {
    return this.handleOf(this.#context, this.#fs.openSync(path, flags, mode));
  }

  readFile(
    path: PathLike | FileHandle<Bytes>,
    options: ({ encoding: string; flag?: OpenFlags | undefined } & AbortOption) | string,
  ): Promise<string>;
  readFile(
    path: PathLike | FileHandle<Bytes>,
    options?: ({ encoding?: null | undefined; flag?: OpenFlags | undefined } & AbortOption) | null,
  ): Promise<Bytes>;
  readFile(
    path: PathLike | FileHandle<Bytes>,
    options?: (ReadFileOptions & AbortOption) | string | null,
  ): Promise<string | Bytes>;
  async readFile(
    path: PathLike | FileHandle<Bytes>,
    options?: (ReadFileOptions & AbortOption) | string | null,
  ): Promise<string | Bytes> {
    if (path instanceof FileHandle) return path.readFile(options);
    checkSignal(options);
    return this.#fs.readFileSync(path, options);
  }

  async writeFile(
    path: PathLike | FileHandle<Bytes>,
    data: DataLike,
    options?: (WriteFileOptions & AbortOption) | string | null,
  ): Promise<void> {
    if (path instanceof FileHandle) {
      await path.writeFile(data, options);
      return;
    }
    checkSignal(options);
    const given = typeof options === 'object' && options !== null ? options : { encoding: options };
    const bytes = bytesOf(data, given.encoding ?? 'utf8', this.#codec);
    const flags = flagsOf('flag' in given ? given.flag : undefined, 'w');
    // Appends may have to wait for others, and begin at once otherwise, so that they keep the order of the calls.
    if (bytes.length < BACKGROUND_BYTES && (flags & fsConstants.O_APPEND) === 0) {
      this.#fs.writeFileSync(path, bytes, { ...given, flush: false });
    } else {
      const mode = 'mode' in given ? given.mode : undefined;
      const handle = this.handleOf(this.#context, this.#fs.openSync(path, flags, mode ?? null));
      try {
        await handle.writeFile(bytes);
      } finally {
        await handle.close();
      }
    }
    if ('flush' in given && given.flush === true) await this.#context.head.store.commit();
  }

  async appendFile(
    path: PathLike | FileHandle<Bytes>,
    data: DataLike,
    options?: (WriteFileOptions & AbortOption) | string | null,
  ): Promise<void> {
    const given = typeof options === 'object' && options !== null ? options : { encoding: options };
    await this.writeFile(path, data, { ...given, flag: ('flag' in given && given.flag) || 'a' });
  }

  async access(path: PathLike, mode?: number): Promise<void> {
    this.#fs.accessSync(path, mode);
  }

  stat(path: PathLike, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  stat(path: PathLike, options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  async stat(path: PathLike, options?: StatOptions): Promise<Stats | BigIntStats> {
    return this.#fs.statSync(path, { bigint: options?.bigint }) as Stats | BigIntStats;
  }

  lstat(path: PathLike, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  lstat(path: PathLike, options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  async lstat(path: PathLike, options?: StatOptions): Promise<Stats | BigIntStats> {
    return this.#fs.lstatSync(path, { bigint: options?.bigint }) as Stats | BigIntStats;
  }

  statfs(path: PathLike, options: { bigint: true }): Promise<StatsFs<bigint>>;
  statfs(path: PathLike, options?: { bigint?: false | undefined }): Promise<StatsFs<number>>;
  async statfs(path: PathLike, options?: { bigint?: boolean | undefined }): Promise<StatsFs<number> | StatsFs<bigint>> {
    return options?.bigint === true ? this.#fs.statfsSync(path, { bigint: true }) : this.#fs.statfsSync(path);
  }

  realpath(path: PathLike, options: BufferEncodingOption): Promise<Bytes>;
  realpath(path: PathLike, options?: EncodingOption): Promise<string>;
  async realpath(path: PathLike, options?: EncodingOption): Promise<string | Bytes> {
    return this.#fs.realpathSync(path, options);
  }

  async mkdir(path: PathLike, options?: MkdirOptions | number | string | null): Promise<string | undefined> {
    return this.#fs.mkdirSync(path, options);
  }

  mkdtemp(prefix: PathLike, options: BufferEncodingOption): Promise<Bytes>;
  mkdtemp(prefix: PathLike, options?: EncodingOption): Promise<string>;
  async mkdtemp(prefix: PathLike, options?: EncodingOption): Promise<string | Bytes> {
    return this.#fs.mkdtempSync(prefix, options);
  }

  readdir(
    path: PathLike,
    options: ReaddirOptions & { withFileTypes: true; encoding: 'buffer' },
  ): Promise<Dirent<Bytes>[]>;
  readdir(path: PathLike, options: ReaddirOptions & { withFileTypes: true }): Promise<Dirent[]>;
  readdir(path: PathLike, options: (ReaddirOptions & { encoding: 'buffer' }) | 'buffer'): Promise<Bytes[]>;
  readdir(
    path: PathLike,
    options?: (ReaddirOptions & { withFileTypes?: false | undefined }) | string | null,
  ): Promise<string[]>;
  async readdir(
    path: PathLike,
    options?: ReaddirOptions | string | null,
  ): Promise<string[] | Bytes[] | Dirent[] | Dirent<Bytes>[]> {
    return this.#fs.readdirSync(path, options as string);
  }

  opendir(path: PathLike, options: BufferEncodingOption): Promise<Dir<Bytes>>;
  opendir(path: PathLike, options?: OpendirOptions | string | null): Promise<Dir>;
  async opendir(path: PathLike, options?: OpendirOptions | string | null): Promise<Dir | Dir<Bytes>> {
    return this.#fs.opendirSync(path, options);
  }

  async rmdir(path: PathLike, options?: RmdirOptions): Promise<void> {
    this.#fs.rmdirSync(path, options);
  }

  async rm(path: PathLike, options?: RmOptions): Promise<void> {
    this.#fs.rmSync(path, options);
  }

  async unlink(path: PathLike): Promise<void> {
    this.#fs.unlinkSync(path);
  }

  async rename(oldPath: PathLike, newPath: PathLike): Promise<void> {
    this.#fs.renameSync(oldPath, newPath);
  }

  async copyFile(source: PathLike, destination: PathLike, mode?: number): Promise<void> {
    this.#fs.copyFileSync(source, destination, mode);
  }

  async link(existingPath: PathLike, newPath: PathLike): Promise<void> {
    this.#fs.linkSync(existingPath, newPath);
  }

  async symlink(target: PathLike, path: PathLike, type?: string | null): Promise<void> {
    this.#fs.symlinkSync(target, path, type);
  }

  readlink(path: PathLike, options: BufferEncodingOption): Promise<Bytes>;
  readlink(path: PathLike, options?: EncodingOption): Promise<string>;
  async readlink(path: PathLike, options?: EncodingOption): Promise<string | Bytes> {
    return this.#fs.readlinkSync(path, options);
  }

  async truncate(path: PathLike, length?: number): Promise<void> {
    this.#fs.truncateSync(path, length);
  }

  async chmod(path: PathLike, mode: number | string): Promise<void> {
    this.#fs.chmodSync(path, mode);
  }

  async lchmod(path: PathLike, mode: number | string): Promise<void> {
    this.#fs.lchmodSync(path, mode);
  }

  async chown(path: PathLike, uid: number, gid: number): Promise<void> {
    this.#fs.chownSync(path, uid, gid);
  }

  async lchown(path: PathLike, uid: number, gid: number): Promise<void> {
    this.#fs.lchownSync(path, uid, gid);
  }

  async utimes(path: PathLike, atime: TimeLike, mtime: TimeLike): Promise<void> {
    this.#fs.utimesSync(path, atime, mtime);
  }

  async lutimes(path: PathLike, atime: TimeLike, mtime: TimeLike): Promise<void> {
    this.#fs.lutimesSync(path, atime, mtime);
  }

  /** Beyond Node, as the three that follow: extended attributes. */
  async getxattr(path: PathLike, name: string): Promise<Bytes> {
    return this.#fs.getxattrSync(path, name);
  }

  async setxattr(path: PathLike, name: string, value: DataLike, mode?: XattrMode): Promise<void> {
    this.#fs.setxattrSync(path, name, value, mode);
  }

  async removexattr(path: PathLike, name: string): Promise<void> {
    this.#fs.removexattrSync(path, name);
  }

  async listxattr(path: PathLike): Promise<string[]> {
    return this.#fs.listxattrSync(path);
  }
}

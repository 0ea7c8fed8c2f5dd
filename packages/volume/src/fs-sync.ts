/**
 * The `fs` face, third part: whole files, copies and open directories; together with the first two all synchronous functions.
 *
 * Methods are bound, so they can be taken off the object as people do with `node:fs`.
 */

import { beginOpenAttributes, changeMode, modeOf } from './attributes.ts';
import { copyContent } from './content-copy.ts';
import { findDirectory } from './directory-operations.ts';
import { contentSize, readContent } from './file-content.ts';
import {
  type BufferEncodingOption,
  bytesOf,
  type Codec,
  type DataLike,
  encodingOf,
  nameCoder,
  type PathLike,
  pathOf,
} from './fs-encoding.ts';
import { fileTooLarge, Operation } from './fs-errors.ts';
import { flagsOf, fsConstants, type OpenFlags } from './fs-flags.ts';
import { PathFs } from './fs-paths.ts';
import type { Head } from './head.ts';
import { Dir } from './open-directory.ts';
import type { OpenFile } from './open-file.ts';
import { openFile, writeSmallFile } from './open-files.ts';

export interface ReadFileOptions {
  readonly encoding?: string | null | undefined;
  readonly flag?: OpenFlags | undefined;
}

export interface WriteFileOptions {
  readonly encoding?: string | null | undefined;
  readonly mode?: number | string | undefined;
  readonly flag?: OpenFlags | undefined;
  /** Commit before returning. */
  readonly flush?: boolean | undefined;
}

export interface OpendirOptions {
  readonly encoding?: string | null | undefined;
  /** Names read at once are as many as suit the volume. */
  readonly bufferSize?: number | undefined;
  readonly recursive?: boolean | undefined;
}

const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE, O_CREAT, O_EXCL, O_TRUNC, O_WRONLY } = fsConstants;
const WRITE_FLAGS = O_WRONLY | O_CREAT | O_TRUNC;

export class SyncFs<Bytes extends Uint8Array = Uint8Array> extends PathFs<Bytes> {
  readonly constants: typeof fsConstants = fsConstants;

  constructor(head: Head, codec: Codec<Bytes>) {
    super(head, codec);
    bindMethods(this);
  }

  readFileSync(path: PathLike | number, options: { encoding: string; flag?: OpenFlags | undefined } | string): string;
  readFileSync(
    path: PathLike | number,
    options?: { encoding?: null | undefined; flag?: OpenFlags | undefined } | null,
  ): Bytes;
  readFileSync(path: PathLike | number, options?: ReadFileOptions | string | null): string | Bytes;
  readFileSync(path: PathLike | number, options?: ReadFileOptions | string | null): string | Bytes {
    const encoding = encodingOf(options);
    const bytes = this.#readWhole(path, options);
    return encoding === null || encoding === 'buffer' ? bytes : this.codec.decode(bytes, encoding);
  }

  #readWhole(path: PathLike | number, options?: ReadFileOptions | string | null): Bytes {
    if (typeof path === 'number') return this.readRest(this.descriptors.get(path, 'read'));
    const flag = typeof options === 'object' && options !== null ? options.flag : undefined;
    const name = pathOf(path);
    if (flag !== undefined && flag !== 'r') {
      const file = this.open(name, flag, 0o666);
      try {
        return this.readRest(file);
      } finally {
        file.close();
      }
    }
    this.head.begin();
    const inode = this.head.walker.resolve(new Operation('open', name), name, true);
    if (inode.isDirectory) new Operation('read').fail('EISDIR');
    const bytes = this.#allocate(contentSize(inode));
    const byteCount = readContent(this.head, inode, 0, bytes);
    return byteCount === bytes.length ? bytes : (bytes.subarray(0, byteCount) as Bytes);
  }

  /** All bytes from the file's own position on. */
  protected readRest(file: OpenFile): Bytes {
    const byteCount = Math.max(0, contentSize(file.inode) - file.position);
    const bytes = this.#allocate(file.inode.isDirectory ? 0 : byteCount);
    const readCount = file.read(new Operation('read'), bytes, null);
    return readCount === bytes.length ? bytes : (bytes.subarray(0, readCount) as Bytes);
  }

  #allocate(sizeBytes: number): Bytes {
    try {
      return this.codec.allocate(sizeBytes);
    } catch (error) {
      throw error instanceof RangeError ? fileTooLarge(sizeBytes) : error;
    }
  }

  /** Writes a whole file. A small one is replaced as one atomic change; a large one is cut and then written. */
  writeFileSync(path: PathLike | number, data: DataLike, options?: WriteFileOptions | string | null): void {
    const given = typeof options === 'object' && options !== null ? options : { encoding: options };
    const bytes = bytesOf(data, given.encoding ?? 'utf8', this.codec);
    const flush = 'flush' in given && given.flush === true;
    if (typeof path === 'number') {
      this.descriptors.get(path, 'write').write(new Operation('write'), bytes, null);
    } else {
      const flags = flagsOf('flag' in given ? given.flag : undefined, WRITE_FLAGS);
      const mode = modeOf(('mode' in given ? given.mode : undefined) ?? 0o666);
      const name = pathOf(path);
      const operation = new Operation('open', name);
      if (flags !== WRITE_FLAGS || !writeSmallFile(this.head, operation, name, mode, bytes)) {
        const file = openFile(this.head, operation, name, flags, mode);
        try {
          file.write(new Operation('write', name), bytes, null);
        } finally {
          file.close();
        }
      }
    }
    if (flush) this.commitNow();
  }

  appendFileSync(path: PathLike | number, data: DataLike, options?: WriteFileOptions | string | null): void {
    const given = typeof options === 'object' && options !== null ? options : { encoding: options };
    this.writeFileSync(path, data, { ...given, flag: ('flag' in given && given.flag) || 'a' });
  }

  /** Copies content and permissions. Blocks are copied, never shared; holes stay holes. */
  copyFileSync(source: PathLike, destination: PathLike, mode: number = 0): void {
    const from = pathOf(source, 'src');
    const to = pathOf(destination, 'dest');
    const operation = new Operation('copyfile', from, to);
    if ((mode & COPYFILE_FICLONE_FORCE) !== 0) operation.fail('EINVAL');
    this.head.beginChange(operation);
    const inode = this.head.walker.resolve(operation, from, true);
    if (inode.isDirectory) operation.fail('EISDIR');
    const permissions = inode.mode;
    if (this.head.walker.find(operation, to, true) === inode) {
      if ((mode & COPYFILE_EXCL) !== 0) operation.fail('EEXIST');
      return;
    }
    const input = openFile(this.head, operation, from, 0, 0);
    try {
      const flags = WRITE_FLAGS | ((mode & COPYFILE_EXCL) !== 0 ? O_EXCL : 0);
      const output = openFile(this.head, operation, to, flags, permissions);
      try {
        // Exactly those of the source: the umask is for new files, and a file that was there takes them on, too.
        beginOpenAttributes(this.head, operation, output.inode);
        changeMode(this.head, output.inode, permissions);
        copyContent(this.head, operation, input, output);
      } finally {
        output.close();
      }
    } finally {
      input.close();
    }
  }

  opendirSync(path: PathLike, options: BufferEncodingOption): Dir<Bytes>;
  opendirSync(path: PathLike, options?: OpendirOptions | string | null): Dir;
  opendirSync(path: PathLike, options?: OpendirOptions | string | null): Dir | Dir<Bytes> {
    const coded = nameCoder(this.codec, options) as (name: string) => string;
    const recursive = typeof options === 'object' && options?.recursive === true;
    const name = pathOf(path);
    this.head.begin();
    const inode = findDirectory(this.head, new Operation('opendir', name), name);
    return new Dir(this.head, inode, name, { recursive, coded });
  }
}

/** Makes own properties of all methods, bound to `object`. */
export function bindMethods(object: object): void {
  for (let level = Object.getPrototypeOf(object); level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name === 'constructor' || Object.hasOwn(object, name)) continue;
      const method = Object.getOwnPropertyDescriptor(level, name)?.value;
      if (typeof method !== 'function') continue;
      Object.defineProperty(object, name, { value: method.bind(object), writable: true, configurable: true });
    }
  }
}

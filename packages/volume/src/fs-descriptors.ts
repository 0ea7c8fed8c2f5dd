/**
 * The `fs` face, first part: operations on descriptors. Signatures and errors are those of `node:fs`.
 *
 * `fsync` and `fdatasync` commit the volume: one flush makes everything durable that was done before.
 */
import { beginOpenAttributes, changeMode, changeOwner, changeTimes, modeOf } from './attributes.ts';
import { dataFrom, holeFrom, punchContent, resizeContent } from './file-content.ts';
import { bytesOf, type Codec, type DataLike, type PathLike, pathOf } from './fs-encoding.ts';
import { invalidType, Operation, outOfRange } from './fs-errors.ts';
import { flagsOf, type OpenFlags } from './fs-flags.ts';
import { BigIntStats, Stats } from './fs-stats.ts';
import type { Head } from './head.ts';
import type { OpenFile } from './open-file.ts';
import { DescriptorTable, openFile } from './open-files.ts';
import { type TimeLike, timestampOf } from './timestamp.ts';

/** Where in the buffer and in the file to read or write. */
export interface TransferOptions {
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  readonly position?: number | bigint | null | undefined;
}

export interface StatOptions {
  readonly bigint?: boolean | undefined;
  readonly throwIfNoEntry?: boolean | undefined;
}

/** Checks a length or position in a file: an integer from 0 to 2^53 - 1. */
export function checkSize(argument: string, value: number): number {
  if (typeof value !== 'number') throw invalidType(argument, 'a number', value);
  if (!Number.isSafeInteger(value) || value < 0) throw outOfRange(argument, 'an integer from 0 to 2^53 - 1', value);
  return value;
}

/** A length to cut to. As in Node, a negative integer means nothing at all. */
export function lengthOf(length: number): number {
  return checkSize('len', Number.isSafeInteger(length) ? Math.max(0, length) : length);
}

/** A position as callers give it: null, undefined and negative numbers mean the file's own. */
export function positionOf(position: number | bigint | null | undefined): number | null {
  if (position === null || position === undefined) return null;
  const value = typeof position === 'bigint' ? Number(position) : position;
  if (typeof value !== 'number') throw invalidType('position', 'an integer, a bigint or null', position);
  if (value === -1) return null;
  return checkSize('position', value);
}

/** The part of `buffer` that a transfer means. */
export function partOf(buffer: ArrayBufferView, options: TransferOptions): Uint8Array {
  if (!ArrayBuffer.isView(buffer)) throw invalidType('buffer', 'a view of bytes', buffer);
  const offset = options.offset ?? 0;
  if (!Number.isInteger(offset) || offset < 0 || offset > buffer.byteLength) {
    throw outOfRange('offset', `an integer from 0 to ${buffer.byteLength}`, offset);
  }
  const length = options.length ?? buffer.byteLength - offset;
  if (!Number.isInteger(length) || length < 0 || length > buffer.byteLength - offset) {
    throw outOfRange('length', `an integer from 0 to ${buffer.byteLength - offset}`, length);
  }
  if (offset === 0 && length === buffer.byteLength && buffer instanceof Uint8Array) return buffer;
  return new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length);
}

/** Several buffers, all of which are checked before anything is done with one. */
function partsOf(buffers: readonly ArrayBufferView[]): Uint8Array[] {
  if (!Array.isArray(buffers)) throw invalidType('buffers', 'an array of views of bytes', buffers);
  return buffers.map((buffer) => partOf(buffer, {}));
}

/** What a write of several buffers means, as one. */
export function joined(buffers: readonly ArrayBufferView[]): Uint8Array {
  const parts = partsOf(buffers);
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export class DescriptorFs<Bytes extends Uint8Array = Uint8Array> {
  protected readonly head: Head;
  protected readonly codec: Codec<Bytes>;
  protected readonly descriptors: DescriptorTable = new DescriptorTable();

  constructor(head: Head, codec: Codec<Bytes>) {
    this.head = head;
    this.codec = codec;
  }

  openSync(path: PathLike, flags?: OpenFlags | null, mode?: number | string | null): number {
    return this.descriptors.add(this.open(path, flags, mode));
  }

  /** An open file without a descriptor. */
  protected open(path: PathLike, flags?: OpenFlags | null, mode?: number | string | null): OpenFile {
    const name = pathOf(path);
    return openFile(this.head, new Operation('open', name), name, flagsOf(flags, 'r'), modeOf(mode ?? 0o666));
  }

  closeSync(fd: number): void {
    this.descriptors.remove(fd, 'close').close();
  }

  /** Closes all descriptors, for the end of the volume. */
  closeDescriptors(): void {
    this.descriptors.closeAll();
  }

  get openDescriptorCount(): number {
    return this.descriptors.openCount;
  }

  readSync(
    fd: number,
    buffer: ArrayBufferView,
    offsetOrOptions?: number | TransferOptions | null,
    length?: number | null,
    position?: number | bigint | null,
  ): number {
    const file = this.descriptors.get(fd, 'read');
    const options =
      typeof offsetOrOptions === 'object' && offsetOrOptions !== null
        ? offsetOrOptions
        : { offset: offsetOrOptions ?? undefined, length: length ?? undefined, position };
    return file.read(new Operation('read'), partOf(buffer, options), positionOf(options.position));
  }

  readvSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number {
    const file = this.descriptors.get(fd, 'read');
    const operation = new Operation('read');
    let at = positionOf(position);
    let byteCount = 0;
    for (const part of partsOf(buffers)) {
      const readCount = file.read(operation, part, at);
      byteCount += readCount;
      if (readCount < part.length) break;
      if (at !== null) at += readCount;
    }
    return byteCount;
  }

  writeSync(
    fd: number,
    data: DataLike,
    offsetOrOptions?: number | TransferOptions | null,
    lengthOrEncoding?: number | string | null,
    position?: number | bigint | null,
  ): number {
    const file = this.descriptors.get(fd, 'write');
    let source: Uint8Array;
    let at: number | null;
    if (typeof data === 'string') {
      const encoding = typeof lengthOrEncoding === 'string' ? lengthOrEncoding : 'utf8';
      source = bytesOf(data, encoding, this.codec);
      at = positionOf(typeof offsetOrOptions === 'number' ? offsetOrOptions : offsetOrOptions?.position);
    } else {
      const length = typeof lengthOrEncoding === 'number' ? lengthOrEncoding : undefined;
      const options =
        typeof offsetOrOptions === 'object' && offsetOrOptions !== null
          ? offsetOrOptions
          : { offset: offsetOrOptions ?? undefined, length, position };
      source = partOf(data, options);
      at = positionOf(options.position);
    }
    file.write(new Operation('write'), source, at);
    return source.length;
  }

  /** Writes all buffers as one. */
  writevSync(fd: number, buffers: readonly ArrayBufferView[], position?: number | null): number {
    const file = this.descriptors.get(fd, 'write');
    const source = joined(buffers);
    file.write(new Operation('write'), source, positionOf(position));
    return source.length;
  }

  fstatSync(fd: number, options: StatOptions & { bigint: true }): BigIntStats;
  fstatSync(fd: number, options?: StatOptions & { bigint?: false | undefined }): Stats;
  fstatSync(fd: number, options?: StatOptions): Stats | BigIntStats;
  fstatSync(fd: number, options?: StatOptions): Stats | BigIntStats {
    const { inode } = this.descriptors.get(fd, 'fstat');
    this.head.begin();
    return options?.bigint === true ? new BigIntStats(this.head, inode) : new Stats(this.head, inode);
  }

  ftruncateSync(fd: number, length: number = 0): void {
    const file = this.descriptors.get(fd, 'ftruncate');
    const operation = new Operation('ftruncate');
    this.head.beginChange(operation);
    if (!file.writable) operation.fail('EINVAL');
    resizeContent(this.head, operation, file.inode, lengthOf(length));
  }

  fsyncSync(fd: number): void {
    this.descriptors.get(fd, 'fsync');
    this.commitNow();
  }

  fdatasyncSync(fd: number): void {
    this.descriptors.get(fd, 'fdatasync');
    this.commitNow();
  }

  protected commitNow(): void {
    this.head.begin();
    if (!this.head.readOnly) this.head.store.commitSync();
  }

  fchmodSync(fd: number, mode: number | string): void {
    const { inode } = this.descriptors.get(fd, 'fchmod');
    const permissions = modeOf(mode);
    beginOpenAttributes(this.head, new Operation('fchmod'), inode);
    changeMode(this.head, inode, permissions);
  }

  fchownSync(fd: number, uid: number, gid: number): void {
    const { inode } = this.descriptors.get(fd, 'fchown');
    beginOpenAttributes(this.head, new Operation('fchown'), inode);
    changeOwner(this.head, inode, uid, gid);
  }

  futimesSync(fd: number, atime: TimeLike, mtime: TimeLike): void {
    const { inode } = this.descriptors.get(fd, 'futime');
    const accessed = timestampOf('atime', atime);
    const modified = timestampOf('mtime', mtime);
    beginOpenAttributes(this.head, new Operation('futime'), inode);
    changeTimes(this.head, inode, accessed, modified);
  }

  /** Beyond Node: gives back the blocks of `length` bytes at `position`; they read as zeros, and the size stays. */
  punchHoleSync(fd: number, position: number, length: number): void {
    const file = this.descriptors.get(fd, 'fallocate');
    const operation = new Operation('fallocate');
    this.head.beginChange(operation);
    if (!file.writable) operation.fail('EBADF');
    punchContent(this.head, operation, file.inode, checkSize('position', position), checkSize('length', length));
  }

  /** Beyond Node, as `lseek` with `SEEK_DATA`: the first position at or after `position` that holds data; -1 when there is none. */
  seekDataSync(fd: number, position: number): number {
    const { inode } = this.descriptors.get(fd, 'lseek');
    this.head.begin();
    checkSize('position', position);
    return dataFrom(this.head, inode, position);
  }

  /** Beyond Node, as `lseek` with `SEEK_HOLE`: the first position at or after `position` in a hole; the end counts as one; -1 beyond it. */
  seekHoleSync(fd: number, position: number): number {
    const { inode } = this.descriptors.get(fd, 'lseek');
    this.head.begin();
    checkSize('position', position);
    return holeFrom(this.head, inode, position);
  }
}

/**
 * File handles of the promise face, as `FileHandle` of `node:fs/promises`.
 *
 * Large writes go on in the background, from the caller's memory; a handle that is closed meanwhile waits for them first.
 */

import { type AbortOption, checkSignal } from './abort-signal.ts';
import { joined, partOf, positionOf, type StatOptions, type TransferOptions } from './fs-descriptors.ts';
import { bytesOf, type Codec, type DataLike, encodingOf } from './fs-encoding.ts';
import { invalidType, Operation } from './fs-errors.ts';
import type { BigIntStats, Stats } from './fs-stats.ts';
import type { SyncFs } from './fs-sync.ts';
import type { Head } from './head.ts';
import { asyncDispose } from './host.ts';
import type { OpenFile } from './open-file.ts';
import type { TimeLike } from './timestamp.ts';

/** For functions on whole files. */
type WholeFileOptions = ({ readonly encoding?: string | null | undefined } & AbortOption) | string | null | undefined;

/** A read in one argument. Without a buffer one of 16 KiB is made. */
export interface ReadOptions<Target extends ArrayBufferView> extends TransferOptions {
  readonly buffer?: Target | undefined;
}

const READ_BYTES = 16_384;

/** What a handle needs of the face that opened it. */
export interface HandleContext<Bytes extends Uint8Array> {
  readonly head: Head;
  readonly codec: Codec<Bytes>;
  readonly fs: SyncFs<Bytes>;
  file(fd: number): OpenFile;
}

export class FileHandle<Bytes extends Uint8Array = Uint8Array> {
  /** What is open here. Descriptors are given out again once they are closed; this is not. */
  protected readonly file: OpenFile;
  protected readonly descriptor: number;
  readonly #context: HandleContext<Bytes>;
  /** Writes and commits that have not ended. */
  readonly #pending: Set<Promise<unknown>> = new Set();
  #closing: Promise<void> | null = null;

  constructor(context: HandleContext<Bytes>, fd: number) {
    this.#context = context;
    this.descriptor = fd;
    this.file = context.file(fd);
  }

  /** The descriptor; -1 once it is closed. */
  get fd(): number {
    return this.file.closed ? -1 : this.descriptor;
  }

  /** Whether the handle is closed or was told to. */
  protected get isClosing(): boolean {
    return this.#closing !== null || this.file.closed;
  }

  /** Ends what else uses the file, and waits for it. For handles that have streams. */
  protected async endStreams(): Promise<void> {}

  #check(syscall: string): void {
    if (this.isClosing) new Operation(syscall).fail('EBADF');
  }

  read<Target extends ArrayBufferView>(
    buffer: Target,
    offsetOrOptions?: number | TransferOptions | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<{ bytesRead: number; buffer: Target }>;
  read<Target extends ArrayBufferView = Bytes>(
    options?: ReadOptions<Target> | null,
  ): Promise<{ bytesRead: number; buffer: Target }>;
  async read(
    bufferOrOptions?: ArrayBufferView | ReadOptions<ArrayBufferView> | null,
    offsetOrOptions?: number | TransferOptions | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<{ bytesRead: number; buffer: ArrayBufferView }> {
    this.#check('read');
    const { fs } = this.#context;
    if (ArrayBuffer.isView(bufferOrOptions)) {
      const bytesRead = fs.readSync(this.fd, bufferOrOptions, offsetOrOptions, length, position);
      return { bytesRead, buffer: bufferOrOptions };
    }
    const options = bufferOrOptions ?? {};
    if (typeof options !== 'object') throw invalidType('buffer', 'a view of bytes, or options', options);
    const buffer = options.buffer ?? this.#context.codec.allocate(READ_BYTES).fill(0);
    return { bytesRead: fs.readSync(this.fd, buffer, options), buffer };
  }

  async readv<Target extends ArrayBufferView>(
    buffers: readonly Target[],
    position?: number | null,
  ): Promise<{ bytesRead: number; buffers: readonly Target[] }> {
    this.#check('read');
    return { bytesRead: this.#context.fs.readvSync(this.fd, buffers, position), buffers };
  }

  async write<Source extends DataLike>(
    data: Source,
    offsetOrOptions?: number | TransferOptions | null,
    lengthOrEncoding?: number | string | null,
    position?: number | bigint | null,
  ): Promise<{ bytesWritten: number; buffer: Source }> {
    this.#check('write');
    let source: Uint8Array;
    let at: number | null;
    if (typeof data === 'string') {
      const encoding = typeof lengthOrEncoding === 'string' ? lengthOrEncoding : 'utf8';
      source = bytesOf(data, encoding, this.#context.codec);
      at = positionOf(typeof offsetOrOptions === 'number' ? offsetOrOptions : offsetOrOptions?.position);
    } else {
      const length = typeof lengthOrEncoding === 'number' ? lengthOrEncoding : undefined;
      const options =
        typeof offsetOrOptions === 'object' && offsetOrOptions !== null
          ? offsetOrOptions
          : { offset: offsetOrOptions ?? undefined, length, position };
      source = partOf(data as ArrayBufferView, options);
      at = positionOf(options.position);
    }
    await this.#write(source, at);
    return { bytesWritten: source.length, buffer: data };
  }

  /** Writes all buffers as one. */
  async writev<Source extends ArrayBufferView>(
    buffers: readonly Source[],
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffers: readonly Source[] }> {
    this.#check('write');
    const source = joined(buffers);
    await this.#write(source, positionOf(position));
    return { bytesWritten: source.length, buffers };
  }

  async #write(source: Uint8Array, position: number | null): Promise<void> {
    await this.#track(this.file.writeInBackground(new Operation('write'), source, position));
  }

  /** Keeps the handle open until `task` has ended. */
  async #track(task: Promise<unknown>): Promise<void> {
    this.#pending.add(task);
    try {
      await task;
    } finally {
      this.#pending.delete(task);
    }
  }

  readFile(options: ({ encoding: string } & AbortOption) | string): Promise<string>;
  readFile(options?: ({ encoding?: null | undefined } & AbortOption) | null): Promise<Bytes>;
  readFile(options?: WholeFileOptions): Promise<string | Bytes>;
  async readFile(options?: WholeFileOptions): Promise<string | Bytes> {
    checkSignal(options);
    this.#check('read');
    return this.#context.fs.readFileSync(this.fd, encodingOf(options));
  }

  async writeFile(data: DataLike, options?: WholeFileOptions): Promise<void> {
    checkSignal(options);
    this.#check('write');
    await this.#write(bytesOf(data, encodingOf(options) ?? 'utf8', this.#context.codec), null);
  }

  async appendFile(data: DataLike, options?: WholeFileOptions): Promise<void> {
    await this.writeFile(data, options);
  }

  stat(options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  stat(options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  async stat(options?: StatOptions): Promise<Stats | BigIntStats> {
    this.#check('fstat');
    return this.#context.fs.fstatSync(this.fd, options);
  }

  async truncate(length?: number): Promise<void> {
    this.#check('ftruncate');
    this.#context.fs.ftruncateSync(this.fd, length);
  }

  /** Commits the volume. */
  async sync(): Promise<void> {
    this.#check('fsync');
    await this.#commit();
  }

  /** Commits the volume. */
  async datasync(): Promise<void> {
    this.#check('fdatasync');
    await this.#commit();
  }

  async #commit(): Promise<void> {
    this.#context.head.begin();
    if (!this.#context.head.readOnly) await this.#track(this.#context.head.store.commit());
  }

  async chmod(mode: number | string): Promise<void> {
    this.#check('fchmod');
    this.#context.fs.fchmodSync(this.fd, mode);
  }

  async chown(uid: number, gid: number): Promise<void> {
    this.#check('fchown');
    this.#context.fs.fchownSync(this.fd, uid, gid);
  }

  async utimes(atime: TimeLike, mtime: TimeLike): Promise<void> {
    this.#check('futime');
    this.#context.fs.futimesSync(this.fd, atime, mtime);
  }

  /** Beyond Node: see `punchHoleSync`. */
  async punchHole(position: number, length: number): Promise<void> {
    this.#check('fallocate');
    this.#context.fs.punchHoleSync(this.fd, position, length);
  }

  /** Closes when the writes and commits under way have ended. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.endStreams();
    await Promise.allSettled(this.#pending);
    if (!this.file.closed) this.#context.fs.closeSync(this.fd);
  }

  /** Closes: `await using` does it at the end of a block. */
  async [asyncDispose()](): Promise<void> {
    await this.close();
  }
}

/**
 * The `fs` object of a volume in Node: bytes are `Buffer`s, and files can be read and written as Node streams.
 *
 * The streams are Node's own `ReadStream` and `WriteStream`, which take the functions that they call from their options.
 */
import { createReadStream, createWriteStream, type ReadStream, type WriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { FileHandle, type HandleContext } from '../file-handle.ts';
import type { PathLike } from '../fs-encoding.ts';
import { Operation } from '../fs-errors.ts';
import { FsPromises } from '../fs-promises.ts';
import type { SyncFs } from '../fs-sync.ts';
import type { Head } from '../head.ts';
import { writeFileInBackground } from '../open-files.ts';
import { VolumeFs } from '../volume-fs.ts';
import { bufferCodec } from './buffer-codec.ts';

/** As Node's options; `fs` and `signal` of theirs are not needed here. */
export interface ReadStreamOptions {
  readonly flags?: string | undefined;
  readonly encoding?: BufferEncoding | undefined;
  readonly fd?: number | undefined;
  readonly mode?: number | undefined;
  readonly autoClose?: boolean | undefined;
  readonly emitClose?: boolean | undefined;
  readonly start?: number | undefined;
  /** Position of the last byte; it is read, too. */
  readonly end?: number | undefined;
  readonly highWaterMark?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WriteStreamOptions {
  readonly flags?: string | undefined;
  readonly encoding?: BufferEncoding | undefined;
  readonly fd?: number | undefined;
  readonly mode?: number | undefined;
  readonly autoClose?: boolean | undefined;
  readonly emitClose?: boolean | undefined;
  readonly start?: number | undefined;
  readonly highWaterMark?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Commit before the descriptor is closed. */
  readonly flush?: boolean | undefined;
}

type Callback<Results extends unknown[]> = (error: unknown, ...results: Results) => void;

/** The functions that Node's streams call, over those of a volume. */
class StreamFunctions {
  readonly #fs: SyncFs<Buffer>;
  readonly #context: HandleContext<Buffer>;
  readonly #close: ((fd: number) => Promise<void>) | null;

  /** `close` takes the place of closing the descriptor. */
  constructor(context: HandleContext<Buffer>, close: ((fd: number) => Promise<void>) | null) {
    this.#context = context;
    this.#fs = context.fs;
    this.#close = close;
  }

  readonly open = (path: string, flags: string, mode: number, done: Callback<[number]>): void => {
    settle(async () => this.#fs.openSync(path, flags, mode), done);
  };

  readonly read = (
    fd: number,
    buffer: Buffer,
    offset: number,
    length: number,
    position: number | null,
    done: Callback<[number, Buffer]>,
  ): void => {
    settle(
      async () => this.#fs.readSync(fd, buffer, offset, length, position),
      (error, byteCount) => done(error, byteCount as number, buffer),
    );
  };

  readonly write = (
    fd: number,
    buffer: Buffer,
    offset: number,
    length: number,
    position: number | null,
    done: Callback<[number, Buffer]>,
  ): void => {
    const source = buffer.subarray(offset, offset + length);
    settle(
      async () => await this.#write(fd, source, position ?? null),
      (error) => done(error, length, buffer),
    );
  };

  readonly writev = (
    fd: number,
    buffers: readonly Buffer[],
    position: number | null,
    done: Callback<[number, readonly Buffer[]]>,
  ): void => {
    // One large write is cheaper than many small ones, and goes to the device as it is.
    const source = buffers.length === 1 ? buffers[0] : Buffer.concat(buffers as Buffer[]);
    settle(
      async () => await this.#write(fd, source, position ?? null),
      (error) => done(error, source.length, buffers),
    );
  };

  readonly fsync = (fd: number, done: Callback<[]>): void => {
    settle(async () => {
      this.#context.file(fd);
      this.#context.head.begin();
      if (!this.#context.head.readOnly) await this.#context.head.store.commit();
    }, done);
  };

  readonly close = (fd: number, done: Callback<[]>): void => {
    settle(async () => (this.#close === null ? this.#fs.closeSync(fd) : await this.#close(fd)), done);
  };

  #write(fd: number, source: Buffer, position: number | null): Promise<void> {
    return writeFileInBackground(this.#context.head, new Operation('write'), this.#context.file(fd), source, position);
  }
}

/** Runs `task` and calls `done` with its end, never before this function has returned. */
function settle<Result>(task: () => Promise<Result>, done: (error: unknown, result: Result) => void): void {
  task().then(
    (result) => process.nextTick(done, null, result),
    (error: unknown) => process.nextTick(done, error),
  );
}

function readStream(functions: StreamFunctions, path: PathLike, options: ReadStreamOptions): ReadStream {
  return createReadStream(path as string, { ...options, fs: functions } as Parameters<typeof createReadStream>[1]);
}

function writeStream(functions: StreamFunctions, path: PathLike, options: WriteStreamOptions): WriteStream {
  return createWriteStream(path as string, { ...options, fs: functions } as Parameters<typeof createWriteStream>[1]);
}

export class NodeFileHandle extends FileHandle<Buffer> {
  readonly #functions: StreamFunctions;

  constructor(context: HandleContext<Buffer>, fd: number) {
    super(context, fd);
    this.#functions = new StreamFunctions(context, () => this.close());
  }

  createReadStream(options: ReadStreamOptions = {}): ReadStream {
    return readStream(this.#functions, '', { ...options, fd: this.fd });
  }

  createWriteStream(options: WriteStreamOptions = {}): WriteStream {
    return writeStream(this.#functions, '', { ...options, fd: this.fd });
  }

  /** The rest of the file as a web stream of bytes. */
  readableWebStream(): ReadableStream<Uint8Array> {
    return Readable.toWeb(this.createReadStream({ autoClose: false })) as ReadableStream<Uint8Array>;
  }
}

export class NodePromises extends FsPromises<Buffer> {
  protected override handleOf(context: HandleContext<Buffer>, fd: number): NodeFileHandle {
    return new NodeFileHandle(context, fd);
  }

  override open(...parameters: Parameters<FsPromises<Buffer>['open']>): Promise<NodeFileHandle> {
    return super.open(...parameters) as Promise<NodeFileHandle>;
  }
}

export class NodeFs extends VolumeFs<Buffer> {
  declare readonly promises: NodePromises;
  readonly #functions: StreamFunctions;

  constructor(head: Head) {
    super(head, bufferCodec);
    this.#functions = new StreamFunctions({ head, codec: bufferCodec, fs: this, file: (fd) => this.fileOf(fd) }, null);
  }

  protected override makePromises(head: Head): NodePromises {
    return new NodePromises({ head, codec: bufferCodec, fs: this, file: (fd) => this.fileOf(fd) });
  }

  createReadStream(path: PathLike, options: ReadStreamOptions | BufferEncoding = {}): ReadStream {
    return readStream(this.#functions, path, typeof options === 'string' ? { encoding: options } : options);
  }

  createWriteStream(path: PathLike, options: WriteStreamOptions | BufferEncoding = {}): WriteStream {
    return writeStream(this.#functions, path, typeof options === 'string' ? { encoding: options } : options);
  }
}

/**
 * The `fs` object of a volume in Node: bytes are `Buffer`s, and files can be read and written as Node streams.
 *
 * The streams are Node's own `ReadStream` and `WriteStream`, which take the functions that they call from their options.
 */
import { errorMonitor } from 'node:events';
import { createReadStream, createWriteStream, type ReadStream, type WriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { FileHandle, type HandleContext } from '../file-handle.ts';
import { positionOf } from '../fs-descriptors.ts';
import type { PathLike } from '../fs-encoding.ts';
import { Operation } from '../fs-errors.ts';
import { FsPromises } from '../fs-promises.ts';
import type { SyncFs } from '../fs-sync.ts';
import type { Head } from '../head.ts';
import type { OpenFile } from '../open-file.ts';
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

/** The file that a stream reads or writes. */
interface StreamFile {
  file(fd: number): OpenFile;
  close(fd: number): Promise<void>;
}

/** The functions that Node's streams call, over those of a volume. */
class StreamFunctions {
  readonly #fs: SyncFs<Buffer>;
  readonly #head: Head;
  readonly #source: StreamFile;

  constructor({ head, fs }: HandleContext<Buffer>, source: StreamFile) {
    this.#head = head;
    this.#fs = fs;
    this.#source = source;
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
      async () => this.#read(fd, buffer.subarray(offset, offset + length), positionOf(position)),
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
      this.#source.file(fd);
      this.#head.begin();
      if (!this.#head.readOnly) await this.#head.store.commit();
    }, done);
  };

  readonly close = (fd: number, done: Callback<[]>): void => {
    settle(async () => await this.#source.close(fd), done);
  };

  #read(fd: number, target: Buffer, position: number | null): number {
    return this.#source.file(fd).read(new Operation('read'), target, position);
  }

  #write(fd: number, source: Buffer, position: number | null): Promise<void> {
    return this.#source.file(fd).writeInBackground(new Operation('write'), source, position);
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

/** A stream over the file of a handle, until it lets go of it. */
class HandleStream implements StreamFile {
  readonly #file: OpenFile;
  readonly #onClose: () => Promise<void>;
  readonly #released: Promise<void>;
  #release: () => void = () => {};
  #stream: ReadStream | WriteStream | null = null;

  constructor(file: OpenFile, onClose: () => Promise<void>) {
    this.#file = file;
    this.#onClose = onClose;
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  attach(stream: ReadStream | WriteStream): void {
    this.#stream = stream;
  }

  /** The file of the handle, whatever other file has got its descriptor since. */
  file(): OpenFile {
    return this.#file;
  }

  async close(): Promise<void> {
    this.#release();
    await this.#onClose();
  }

  /** Has a writing stream write what it holds, and ends the stream. Resolves when it does not use the file any more. */
  async end(): Promise<void> {
    const stream = this.#stream;
    if (stream === null) return;
    if ('writableFinished' in stream && !stream.writableFinished && stream.errored === null) {
      // Without `autoClose` a stream that fails would stay as it is.
      stream.once(errorMonitor, () => stream.destroy());
      stream.close();
    } else {
      stream.destroy();
    }
    await this.#released;
  }
}

export class NodeFileHandle extends FileHandle<Buffer> implements AsyncDisposable {
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly #context: HandleContext<Buffer>;
  readonly #streams: Set<HandleStream> = new Set();

  constructor(context: HandleContext<Buffer>, fd: number) {
    super(context, fd);
    this.#context = context;
  }

  /** As in Node the stream is a user of the handle: `close` waits until it has written what it holds. */
  createReadStream(options: ReadStreamOptions = {}): ReadStream {
    return this.#attach((functions) => readStream(functions, '', { ...options, fd: this.descriptor }));
  }

  createWriteStream(options: WriteStreamOptions = {}): WriteStream {
    return this.#attach((functions) => writeStream(functions, '', { ...options, fd: this.descriptor }));
  }

  #attach<Stream extends ReadStream | WriteStream>(make: (functions: StreamFunctions) => Stream): Stream {
    const use = new HandleStream(this.file, () => {
      this.#streams.delete(use);
      return this.close();
    });
    const stream = make(new StreamFunctions(this.#context, use));
    use.attach(stream);
    if (!this.isClosing) this.#streams.add(use);
    return stream;
  }

  protected override async endStreams(): Promise<void> {
    await Promise.all(Array.from(this.#streams, (stream) => stream.end()));
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
    const context = { head, codec: bufferCodec, fs: this, file: (fd: number) => this.fileOf(fd) };
    this.#functions = new StreamFunctions(context, { file: context.file, close: async (fd) => this.closeSync(fd) });
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

/**
 * A device in memory: sparse, so that a large device costs what was written to it.
 *
 * Content lives in chunks that are allocated on first write; a chunk that is absent reads as zeros. Everything is
 * finished when a call returns, flushes have nothing to do, and the promises of the asynchronous twins are there for
 * the interface only. For crashes and faults see `SimulatedDevice` in the `testing` entry.
 */
import { type BlockDevice, checkRange, checkSize, checkTransfer, checkWrite } from './block-device.ts';
import { ClosedError, NoSpaceError, ReadOnlyError } from './errors.ts';

const CHUNK_BYTES = 65536;

const DEFAULT_MAX_SIZE_BYTES: number = 2 ** 44;

export interface MemoryDeviceOptions {
  /** Size at the beginning, a multiple of 512; 0 by default. */
  sizeBytes?: number;
  /** Limit of `grow`; 16 TiB by default, at least `sizeBytes`. */
  maxSizeBytes?: number;
  readOnly?: boolean;
}

export class MemoryDevice implements BlockDevice {
  readonly maxSizeBytes: number;
  readonly readOnly: boolean;
  #sizeBytes: number;
  #closed = false;
  readonly #chunks: (Uint8Array | undefined)[] = [];

  constructor(options: MemoryDeviceOptions = {}) {
    this.#sizeBytes = options.sizeBytes ?? 0;
    this.maxSizeBytes = options.maxSizeBytes ?? Math.max(DEFAULT_MAX_SIZE_BYTES, this.#sizeBytes);
    this.readOnly = options.readOnly ?? false;
    checkSize(this.#sizeBytes);
    checkSize(this.maxSizeBytes);
    if (this.#sizeBytes > this.maxSizeBytes) throw new RangeError('sizeBytes is larger than maxSizeBytes');
  }

  /** A device with a copy of `image` as its content; the length of the image, a multiple of 512, is the size. */
  static fromImage(image: Uint8Array, options: Omit<MemoryDeviceOptions, 'sizeBytes'> = {}): MemoryDevice {
    const device = new MemoryDevice({ ...options, sizeBytes: image.length });
    device.#store(0, image);
    return device;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Memory that holds content, in bytes: what was written, in whole chunks. */
  get allocatedBytes(): number {
    let chunkCount = 0;
    for (const index in this.#chunks) if (this.#chunks[index] !== undefined) chunkCount++;
    return chunkCount * CHUNK_BYTES;
  }

  /** A copy of the whole content. Works on a closed device too. */
  snapshot(): Uint8Array {
    const image = new Uint8Array(this.#sizeBytes);
    this.#load(0, image);
    return image;
  }

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkOpen();
    checkTransfer(this, position, buffers);
    let at = position;
    for (let i = 0; i < buffers.length; i++) {
      this.#load(at, buffers[i]!);
      at += buffers[i]!.length;
    }
  }

  writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkOpen();
    checkWrite(this, position, buffers);
    let at = position;
    for (let i = 0; i < buffers.length; i++) {
      this.#store(at, buffers[i]!);
      at += buffers[i]!.length;
    }
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.writeSync(position, buffers);
  }

  flushSync(): void {
    this.#checkOpen();
  }

  async flush(): Promise<void> {
    this.flushSync();
  }

  grow(sizeBytes: number): void {
    this.#checkOpen();
    if (this.readOnly) throw new ReadOnlyError('the device');
    checkSize(sizeBytes);
    if (sizeBytes <= this.#sizeBytes) return;
    if (sizeBytes > this.maxSizeBytes) {
      throw new NoSpaceError(`the device cannot grow to ${sizeBytes} bytes; its limit is ${this.maxSizeBytes} bytes`);
    }
    this.#sizeBytes = sizeBytes;
  }

  trim(position: number, lengthBytes: number): void {
    this.#checkOpen();
    if (this.readOnly) throw new ReadOnlyError('the device');
    checkRange(this, position, lengthBytes);
    const end = position + lengthBytes;
    for (let at = position; at < end; ) {
      const index = Math.floor(at / CHUNK_BYTES);
      const chunkStart = index * CHUNK_BYTES;
      const pieceEnd = Math.min(end, chunkStart + CHUNK_BYTES);
      if (pieceEnd - at === CHUNK_BYTES) delete this.#chunks[index];
      else this.#chunks[index]?.fill(0, at - chunkStart, pieceEnd - chunkStart);
      at = pieceEnd;
    }
  }

  closeSync(): void {
    this.#closed = true;
  }

  async close(): Promise<void> {
    this.closeSync();
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('the device');
  }

  #load(position: number, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) {
      const index = Math.floor((position + done) / CHUNK_BYTES);
      const start = position + done - index * CHUNK_BYTES;
      const length = Math.min(target.length - done, CHUNK_BYTES - start);
      const chunk = this.#chunks[index];
      if (chunk === undefined) target.fill(0, done, done + length);
      else target.set(chunk.subarray(start, start + length), done);
      done += length;
    }
  }

  #store(position: number, source: Uint8Array): void {
    for (let done = 0; done < source.length; ) {
      const index = Math.floor((position + done) / CHUNK_BYTES);
      const start = position + done - index * CHUNK_BYTES;
      const length = Math.min(source.length - done, CHUNK_BYTES - start);
      let chunk = this.#chunks[index];
      if (chunk === undefined) {
        chunk = new Uint8Array(CHUNK_BYTES);
        this.#chunks[index] = chunk;
      }
      chunk.set(source.subarray(done, done + length), start);
      done += length;
    }
  }
}

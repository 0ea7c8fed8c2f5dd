/**
 * A device on a file, or on a real block device, of the operating system.
 *
 * Two descriptions of the file are open. Synchronous writes and flushes use the first, asynchronous ones the second: a
 * write error is reported once for each description, so neither path can take the other's error away. Reads, which
 * report no such error, use the first when they are long and the second when they are short: the kernel reads ahead of a
 * stream on a description, and a short read in between would end it (a sixth of the speed, measured). `flush`
 * is fdatasync, which covers the whole file whatever description wrote. Reads and writes go through the operating
 * system's cache; while much is being written, a third description begins to write it out (`writeback.ts`).
 *
 * A file grows by `ftruncate` in steps (1 to 64 MiB, in proportion to its size), so that durable writes within a step
 * change no metadata of the file; it never shrinks. New space is a hole until it is written: a full file system shows
 * as a failed write. A block device has the size it has.
 *
 * Lifecycle: made by `openFileDevice` with its descriptions open and the lock held; used; `close`: wait for what is in
 * flight, close them, unlock.
 */
import fs from 'node:fs';
import { type BlockDevice, checkSize, checkTransfer, checkWrite } from '../block-device.ts';
import {
  ClosedError,
  DeviceError,
  type DeviceOperation,
  NoSpaceError,
  ReadOnlyError,
  TruncatedError,
} from '../errors.ts';
import { SharedFlush } from '../shared-flush.ts';
import type { FileLock } from './file-lock.ts';
import type { FileWatch } from './file-watch.ts';
import type { OpenFileEntry } from './open-files.ts';
import type { Writeback } from './writeback.ts';

const MIB = 1048576;
const MIN_GROWTH_STEP_BYTES = MIB;
const MAX_GROWTH_STEP_BYTES = 64 * MIB;

/** A read from this length on belongs to a stream. */
const STREAM_READ_BYTES = 65536;

/** Most buffers in one vectored call on every platform (IOV_MAX). */
const MAX_BUFFERS_A_CALL = 1024;

/** What a device is made of when everything is open. */
export interface FileDeviceParts {
  readonly path: string;
  readonly readOnly: boolean;
  readonly syncDescriptor: number;
  readonly asyncDescriptor: number;
  /** null for a read-only device. */
  readonly writeback: Writeback | null;
  readonly sizeBytes: number;
  readonly maxSizeBytes: number;
  /** 0: in proportion to the size. */
  readonly growthStepBytes: number;
  readonly entry: OpenFileEntry | null;
  readonly lock: FileLock | null;
  /** Where the lock could not be taken. */
  readonly watch: FileWatch | null;
}

/** See the head of the module; made by `openFileDevice`. */
export class FileDevice implements BlockDevice {
  readonly path: string;
  readonly maxSizeBytes: number;
  readonly readOnly: boolean;
  readonly #syncDescriptor: number;
  readonly #asyncDescriptor: number;
  readonly #writeback: Writeback | null;
  readonly #growthStepBytes: number;
  readonly #entry: OpenFileEntry | null;
  readonly #lock: FileLock | null;
  readonly #watch: FileWatch | null;
  readonly #flushes: SharedFlush;
  #sizeBytes: number;
  #writesInFlight = 0;
  #flushesInFlight = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closed: Promise<void> | null = null;
  #whenIdle: (() => void) | null = null;

  /** @internal */
  constructor(parts: FileDeviceParts) {
    this.path = parts.path;
    this.readOnly = parts.readOnly;
    this.maxSizeBytes = parts.maxSizeBytes;
    this.#sizeBytes = parts.sizeBytes;
    this.#syncDescriptor = parts.syncDescriptor;
    this.#asyncDescriptor = parts.asyncDescriptor;
    this.#writeback = parts.writeback;
    this.#growthStepBytes = parts.growthStepBytes;
    this.#entry = parts.entry;
    this.#lock = parts.lock;
    this.#watch = parts.watch;
    this.#flushes = new SharedFlush(() => this.#flushOnce());
  }

  get name(): string {
    return this.path;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkOpen();
    const lengthBytes = checkTransfer(this, position, buffers);
    const descriptor = lengthBytes >= STREAM_READ_BYTES ? this.#syncDescriptor : this.#asyncDescriptor;
    let done = 0;
    try {
      while (done < lengthBytes) {
        const rest = restOfTransfer(buffers, done);
        const count =
          rest.length === 1
            ? fs.readSync(descriptor, rest[0]!, 0, rest[0]!.length, position + done)
            : fs.readvSync(descriptor, rest as Uint8Array[], position + done);
        if (count === 0) {
          throw new TruncatedError(this.path, { expectedBytes: this.#sizeBytes, actualBytes: position + done });
        }
        done += count;
      }
    } catch (error) {
      throw this.#failure('read', error, position, lengthBytes);
    }
  }

  writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkOpen();
    const lengthBytes = checkWrite(this, position, buffers);
    let done = 0;
    try {
      while (done < lengthBytes) {
        const rest = restOfTransfer(buffers, done);
        done +=
          rest.length === 1
            ? fs.writeSync(this.#syncDescriptor, rest[0]!, 0, rest[0]!.length, position + done)
            : fs.writevSync(this.#syncDescriptor, rest as Uint8Array[], position + done);
      }
    } catch (error) {
      throw this.#failure('write', error, position, lengthBytes);
    }
    this.#writeback?.wrote(lengthBytes);
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen();
    const lengthBytes = checkWrite(this, position, buffers);
    this.#writesInFlight++;
    try {
      for (let done = 0; done < lengthBytes; ) {
        done += await writeVector(this.#asyncDescriptor, restOfTransfer(buffers, done), position + done);
      }
      this.#writeback?.wrote(lengthBytes);
    } catch (error) {
      throw this.#failure('write', error, position, lengthBytes);
    } finally {
      this.#writesInFlight--;
      this.#noticeIdle();
    }
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    if (this.readOnly) return;
    this.#flushesInFlight++;
    try {
      await this.#flushes.request();
    } finally {
      this.#flushesInFlight--;
      this.#noticeIdle();
    }
  }

  flushSync(): void {
    this.#checkOpen();
    if (this.readOnly) return;
    this.#writeback?.flushBegins();
    try {
      fs.fdatasyncSync(this.#syncDescriptor);
      if (this.#writeback !== null && this.#writeback.failure !== null) throw this.#writeback.failure;
    } catch (error) {
      throw this.#failure('flush', error);
    }
    this.#writeback?.flushedSync();
  }

  grow(sizeBytes: number): void {
    this.#checkOpen();
    if (this.readOnly) throw new ReadOnlyError(this.path);
    checkSize(sizeBytes);
    if (sizeBytes <= this.#sizeBytes) return;
    if (sizeBytes > this.maxSizeBytes) {
      throw new NoSpaceError(`${this.path} cannot grow to ${sizeBytes} bytes; its limit is ${this.maxSizeBytes} bytes`);
    }
    const step = this.#growthStepBytes === 0 ? proportionalStep(sizeBytes) : this.#growthStepBytes;
    const target = Math.min(Math.ceil(sizeBytes / step) * step, this.maxSizeBytes);
    try {
      fs.ftruncateSync(this.#syncDescriptor, target);
    } catch (error) {
      const code = platformCode(error);
      if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
        throw new NoSpaceError(`${this.path} cannot grow to ${target} bytes: ${messageOf(error)}`, { cause: error });
      }
      throw this.#failure('grow', error, this.#sizeBytes, target - this.#sizeBytes);
    }
    this.#sizeBytes = target;
  }

  close(): Promise<void> {
    if (this.#closed === null) {
      if (this.#state === 'closed') return Promise.resolve();
      this.#state = 'closing';
      this.#entry?.markClosing();
      this.#closed = this.#idle().then(() => this.#release());
    }
    return this.#closed;
  }

  closeSync(): void {
    if (this.#state === 'closed') return;
    if (this.#inFlight() > 0) {
      throw new DeviceError(
        { operation: 'close' },
        `${this.path} has ${this.#writesInFlight} writes and ${this.#flushesInFlight} flushes in flight; await close() instead`,
      );
    }
    this.#release();
  }

  /**
   * For a device opened with `lock: 'or-watch'`: whether what was read until now is one state of the file, as it
   * always is where the lock could be taken. May be asked after closing, too.
   */
  isUndisturbed(): boolean {
    return this.#watch === null || this.#watch.isUndisturbed();
  }

  #release(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const failures: unknown[] = [];
    for (const release of [
      () => fs.closeSync(this.#syncDescriptor),
      () => fs.closeSync(this.#asyncDescriptor),
      () => this.#writeback?.close(),
      () => this.#lock?.release(),
    ]) {
      try {
        release();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#entry?.remove();
    if (failures.length > 0) throw this.#failure('close', failures[0]);
  }

  #flushOnce(): Promise<void> {
    this.#writeback?.flushBegins();
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#asyncDescriptor, (error) => {
        // What a flush in the background has lost, no later one makes durable.
        const failure = error ?? this.#writeback?.failure ?? null;
        if (failure === null) resolve();
        else reject(this.#failure('flush', failure));
      });
    });
  }

  #idle(): Promise<void> {
    if (this.#inFlight() === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #noticeIdle(): void {
    if (this.#whenIdle !== null && this.#inFlight() === 0) this.#whenIdle();
  }

  #inFlight(): number {
    return this.#writesInFlight + this.#flushesInFlight;
  }

  #checkOpen(): void {
    if (this.#state !== 'open') throw new ClosedError(this.path);
  }

  #failure(operation: DeviceOperation, cause: unknown, position: number = 0, lengthBytes: number = 0): DeviceError {
    const where = lengthBytes === 0 ? '' : ` of ${lengthBytes} bytes at ${position}`;
    return new DeviceError(
      { operation, position, lengthBytes },
      `${operation}${where} failed on ${this.path}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** What is left of a transfer after `done` bytes, at most as many buffers as one call takes. */
function restOfTransfer(buffers: readonly Uint8Array[], done: number): readonly Uint8Array[] {
  if (done === 0 && buffers.length <= MAX_BUFFERS_A_CALL) return buffers;
  let index = 0;
  let skip = done;
  while (skip >= buffers[index]!.length) {
    skip -= buffers[index]!.length;
    index++;
  }
  const rest = buffers.slice(index, index + MAX_BUFFERS_A_CALL);
  if (skip > 0) rest[0] = rest[0]!.subarray(skip);
  return rest;
}

function writeVector(descriptor: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(descriptor, buffers as Uint8Array[], position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

function proportionalStep(sizeBytes: number): number {
  let step = MIN_GROWTH_STEP_BYTES;
  while (step < MAX_GROWTH_STEP_BYTES && step * 8 < sizeBytes) step *= 2;
  return step;
}

export function platformCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

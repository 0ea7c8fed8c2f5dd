/**
 * A device on a file, or on a real block device, of the operating system.
 *
 * Two descriptions of the file are open. Synchronous reads, writes and flushes use the first, asynchronous ones the second: a write
 * error is reported once for each description, so neither path can take the other's error away. `flush` is fdatasync, which covers the
 * whole file whatever description wrote. Reads and writes go through the operating system's cache.
 *
 * A file grows by `ftruncate` in steps (1 to 64 MiB, in proportion to its size), so that durable writes within a step change no
 * metadata of the file; it never shrinks. New space is a hole until it is written: a full file system shows as a failed write. A block
 * device has the size it has.
 *
 * Lifecycle: lock (see `file-lock.ts`, `open-files.ts`), open both, use, `close`: wait for what is in flight, close both, unlock.
 */
import fs from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { type BlockDevice, checkSize, checkTransfer, checkWrite, SECTOR_BYTES } from '../block-device.ts';
import {
  ClosedError,
  DeviceError,
  type DeviceOperation,
  type ErrorCode,
  NoSpaceError,
  OutwriteError,
  ReadOnlyError,
  TruncatedError,
} from '../errors.ts';
import { SharedFlush } from '../shared-flush.ts';
import { acquireFileLock, type FileLock } from './file-lock.ts';
import { enterOpenFile, type OpenFileEntry } from './open-files.ts';

export interface FileDeviceOptions {
  /**
   * false (default): the file must exist. true: it is created if it is absent. 'exclusive': it must be absent.
   * The name of a created file is durable when the opener returns.
   */
  create?: boolean | 'exclusive';
  readOnly?: boolean;
  /** Hold the file exclusively, read-only or not. Default true; false, an unsafe view of what others may change, needs `readOnly`. */
  lock?: boolean;
  /** Limit of `grow` for a file; 2^53 - 512 by default. For a block device its size is the limit. */
  maxSizeBytes?: number;
  /** `grow` rounds up to multiples of this, a multiple of 512. By default 1 MiB to 64 MiB, about an eighth of the size. */
  growthStepBytes?: number;
}

const MIB = 1048576;
const MIN_GROWTH_STEP_BYTES = MIB;
const MAX_GROWTH_STEP_BYTES = 64 * MIB;
const LARGEST_SIZE_BYTES = Number.MAX_SAFE_INTEGER - (SECTOR_BYTES - 1);

/** Most buffers in one vectored call on every platform (IOV_MAX). */
const MAX_BUFFERS_A_CALL = 1024;

/** The codes of a failed opening that say more than EIO. */
const OPENING_CODES: readonly ErrorCode[] = [
  'ENOENT',
  'EEXIST',
  'EACCES',
  'EPERM',
  'EISDIR',
  'ENOTDIR',
  'EROFS',
  'ELOOP',
  'ENAMETOOLONG',
];

/** Opens `path` as a device. Throws an `OutwriteError`: ELOCKED, ENOENT, EEXIST, EACCES, EISDIR, ..., or EIO. */
export function openFileDevice(path: string, options: FileDeviceOptions = {}): FileDevice {
  const readOnly = options.readOnly ?? false;
  const wantsLock = options.lock ?? true;
  const create = options.create ?? false;
  if (!wantsLock && !readOnly)
    throw new TypeError('lock: false is for read-only devices; a writable one must hold the lock');
  if (create !== false && readOnly) throw new TypeError('a device that is created cannot be read-only');
  if (options.maxSizeBytes !== undefined) checkSize(options.maxSizeBytes);
  if (options.growthStepBytes !== undefined) {
    checkSize(options.growthStepBytes);
    if (options.growthStepBytes === 0) throw new RangeError('growthStepBytes must be positive');
  }

  const acquired: { release(): void }[] = [];
  const descriptors: number[] = [];
  try {
    if (create !== false) createFile(path, create === 'exclusive');
    const realPath = fs.realpathSync(path);
    const status = fs.statSync(realPath, { bigint: true });
    if (status.isDirectory())
      throw new OutwriteError('EISDIR', `${path} is a directory; a device is a file or a block device`);
    const isBlockDevice = status.isBlockDevice();
    if (!isBlockDevice && !status.isFile()) {
      throw new OutwriteError('EINVAL', `${path} is neither a file nor a block device`);
    }
    let entry: OpenFileEntry | null = null;
    let lock: FileLock | null = null;
    if (wantsLock) {
      const entered = enterOpenFile(path, status, hostname());
      entry = entered;
      acquired.push({ release: () => entered.remove() });
      lock = takeLock(realPath, readOnly);
      if (lock !== null) acquired.push(lock);
    }
    const access = readOnly ? fs.constants.O_RDONLY : fs.constants.O_RDWR;
    // On a block device O_EXCL keeps file systems from mounting it meanwhile, and fails if one has. One description can hold that claim.
    const claim = isBlockDevice && wantsLock && process.platform === 'linux' ? fs.constants.O_EXCL : 0;
    descriptors.push(fs.openSync(realPath, access | claim));
    descriptors.push(fs.openSync(realPath, access));
    const [syncDescriptor, asyncDescriptor] = descriptors as [number, number];
    const opened = fs.fstatSync(syncDescriptor, { bigint: true });
    if (opened.dev !== status.dev || opened.ino !== status.ino) {
      throw new DeviceError({ operation: 'open' }, `${path} was replaced while it was being opened; try again`);
    }
    const fileSizeBytes = isBlockDevice ? measureBlockDevice(syncDescriptor) : Number(opened.size);
    const sizeBytes = fileSizeBytes - (fileSizeBytes % SECTOR_BYTES);
    return new FileDevice({
      path,
      readOnly,
      syncDescriptor,
      asyncDescriptor,
      sizeBytes,
      maxSizeBytes:
        isBlockDevice || readOnly ? sizeBytes : Math.max(options.maxSizeBytes ?? LARGEST_SIZE_BYTES, sizeBytes),
      growthStepBytes: options.growthStepBytes ?? 0,
      entry,
      lock,
    });
  } catch (error) {
    for (const descriptor of descriptors) fs.closeSync(descriptor);
    for (const resource of acquired.reverse()) resource.release();
    throw openingError(path, error);
  }
}

interface FileDeviceParts {
  readonly path: string;
  readonly readOnly: boolean;
  readonly syncDescriptor: number;
  readonly asyncDescriptor: number;
  readonly sizeBytes: number;
  readonly maxSizeBytes: number;
  /** 0: in proportion to the size. */
  readonly growthStepBytes: number;
  readonly entry: OpenFileEntry | null;
  readonly lock: FileLock | null;
}

/** See the head of the module; made by `openFileDevice`. */
export class FileDevice implements BlockDevice {
  readonly path: string;
  readonly maxSizeBytes: number;
  readonly readOnly: boolean;
  readonly #syncDescriptor: number;
  readonly #asyncDescriptor: number;
  readonly #growthStepBytes: number;
  readonly #entry: OpenFileEntry | null;
  readonly #lock: FileLock | null;
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
    this.#growthStepBytes = parts.growthStepBytes;
    this.#entry = parts.entry;
    this.#lock = parts.lock;
    this.#flushes = new SharedFlush(() => this.#flushOnce());
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkOpen();
    const lengthBytes = checkTransfer(this, position, buffers);
    let done = 0;
    try {
      while (done < lengthBytes) {
        const rest = restOfTransfer(buffers, done);
        const count =
          rest.length === 1
            ? fs.readSync(this.#syncDescriptor, rest[0]!, 0, rest[0]!.length, position + done)
            : fs.readvSync(this.#syncDescriptor, rest as Uint8Array[], position + done);
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
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen();
    const lengthBytes = checkWrite(this, position, buffers);
    this.#writesInFlight++;
    try {
      for (let done = 0; done < lengthBytes; ) {
        done += await writeVector(this.#asyncDescriptor, restOfTransfer(buffers, done), position + done);
      }
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
    try {
      fs.fdatasyncSync(this.#syncDescriptor);
    } catch (error) {
      throw this.#failure('flush', error);
    }
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

  #release(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const failures: unknown[] = [];
    for (const release of [
      () => fs.closeSync(this.#syncDescriptor),
      () => fs.closeSync(this.#asyncDescriptor),
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
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#asyncDescriptor, (error) => {
        if (error === null) resolve();
        else reject(this.#failure('flush', error));
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

function createFile(path: string, exclusive: boolean): void {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, 'wx');
  } catch (error) {
    if (!exclusive && platformCode(error) === 'EEXIST') return;
    throw error;
  }
  fs.closeSync(descriptor);
  // A new name is durable once its directory is flushed; Windows neither needs nor allows that.
  if (process.platform === 'win32') return;
  const directory = fs.openSync(dirname(path), 'r');
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}

function takeLock(realPath: string, readOnly: boolean): FileLock | null {
  try {
    return acquireFileLock(realPath);
  } catch (error) {
    // Where no lock file can be written because the file system is read-only, nobody can change the file either.
    if (readOnly && platformCode(error) === 'EROFS') return null;
    throw error;
  }
}

/** fstat knows no size for a block device, so the end is found by reading: by doubling, then by bisection. */
function measureBlockDevice(descriptor: number): number {
  const sector = new Uint8Array(SECTOR_BYTES);
  const hasSector = (index: number): boolean =>
    fs.readSync(descriptor, sector, 0, SECTOR_BYTES, index * SECTOR_BYTES) === SECTOR_BYTES;
  if (!hasSector(0)) return 0;
  let present = 0;
  let absent = 1;
  const limit = LARGEST_SIZE_BYTES / SECTOR_BYTES;
  while (absent < limit && hasSector(absent)) {
    present = absent;
    absent *= 2;
  }
  while (absent - present > 1) {
    const middle = Math.floor((present + absent) / 2);
    if (hasSector(middle)) present = middle;
    else absent = middle;
  }
  return absent * SECTOR_BYTES;
}

function proportionalStep(sizeBytes: number): number {
  let step = MIN_GROWTH_STEP_BYTES;
  while (step < MAX_GROWTH_STEP_BYTES && step * 8 < sizeBytes) step *= 2;
  return step;
}

function openingError(path: string, error: unknown): unknown {
  if (error instanceof OutwriteError) return error;
  const code = platformCode(error);
  if (code === undefined) return error;
  const known = OPENING_CODES.find((candidate) => candidate === code);
  const message = `cannot open ${path}: ${messageOf(error)}`;
  if (known !== undefined) return new OutwriteError(known, message, { cause: error });
  const advice = code === 'EBUSY' ? '; it is in use, perhaps mounted' : '';
  return new DeviceError({ operation: 'open' }, message + advice, { cause: error });
}

function platformCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

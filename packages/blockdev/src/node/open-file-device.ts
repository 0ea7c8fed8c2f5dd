/**
 * Opening a file device: creation, identity, lock, descriptions and size, and giving all of it back when a step fails.
 *
 * The order matters. The register of this process and the lock file come before the descriptions, so no device exists
 * that could write without the lock; and the file that was locked is compared with the one that was opened, because a
 * path can be replaced in between.
 */
import fs, { type BigIntStats } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { checkSize, SECTOR_BYTES } from '../block-device.ts';
import { DeviceError, type ErrorCode, OutwriteError } from '../errors.ts';
import { FileDevice, messageOf, platformCode } from './file-device.ts';
import { acquireFileLock, type FileLock } from './file-lock.ts';
import { FileWatch } from './file-watch.ts';
import { enterOpenFile, type OpenFileEntry } from './open-files.ts';
import { Writeback } from './writeback.ts';

export interface FileDeviceOptions {
  /**
   * false (default): the file must exist. true: it is created if it is absent. 'exclusive': it must be absent.
   * The name of a created file is durable when the opener returns.
   */
  create?: boolean | 'exclusive';
  readOnly?: boolean;
  /**
   * Hold the file exclusively, read-only or not. Default true. The others need `readOnly`: false is an unsafe view of
   * what others may change; with 'or-watch' a file beside which no lock can be made is opened nevertheless, unless
   * somebody holds the lock, and `FileDevice.isUndisturbed` tells after the last read whether all of them count.
   */
  lock?: boolean | 'or-watch';
  /** Limit of `grow` for a file; 2^53 - 512 by default. For a block device its size is the limit. */
  maxSizeBytes?: number;
  /**
   * `grow` rounds up to multiples of this, a multiple of 512. By default 1 MiB to 64 MiB, about an eighth of the size.
   */
  growthStepBytes?: number;
}

const LARGEST_SIZE_BYTES = Number.MAX_SAFE_INTEGER - (SECTOR_BYTES - 1);

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

/** What the message of the platform does not say. */
const ADVICE: Readonly<Record<string, string>> = {
  EBUSY: '; it is in use, perhaps mounted',
  EEXIST: '; open what is there, overwrite it, or choose another path',
};

/** Opens `path` as a device. Throws an `OutwriteError`: ELOCKED, ENOENT, EEXIST, EACCES, EISDIR, ..., or EIO; a `TypeError` for what is no path. */
export function openFileDevice(path: string, options: FileDeviceOptions = {}): FileDevice {
  checkPath(path);
  const readOnly = options.readOnly ?? false;
  const wantsLock = options.lock ?? true;
  const create = options.create ?? false;
  if (wantsLock !== true && !readOnly)
    throw new TypeError(`lock: ${wantsLock} is for read-only devices; a writable one must hold the lock`);
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
    let watch: FileWatch | null = null;
    if (wantsLock !== false) {
      const entered = enterOpenFile(path, status, hostname());
      entry = entered;
      acquired.push({ release: () => entered.remove() });
      // Writing to a block device does not show in its times.
      if (wantsLock === 'or-watch' && !isBlockDevice) [lock, watch] = takeLockOrWatch(realPath, status);
      else lock = takeLock(realPath, readOnly);
      if (lock !== null) acquired.push(lock);
    }
    const access = readOnly ? fs.constants.O_RDONLY : fs.constants.O_RDWR;
    // On a block device O_EXCL keeps file systems from mounting it meanwhile, and fails if one has. One description can
    // hold that claim.
    const claim = isBlockDevice && wantsLock !== false && process.platform === 'linux' ? fs.constants.O_EXCL : 0;
    descriptors.push(fs.openSync(realPath, access | claim));
    descriptors.push(fs.openSync(realPath, access));
    if (!readOnly) descriptors.push(fs.openSync(realPath, access));
    const [syncDescriptor, asyncDescriptor, writebackDescriptor] = descriptors as [number, number, number?];
    const all = descriptors.map((descriptor) => fs.fstatSync(descriptor, { bigint: true }));
    if (all.some((opened) => opened.dev !== status.dev || opened.ino !== status.ino)) {
      throw new DeviceError({ operation: 'open' }, `${path} was replaced while it was being opened; try again`);
    }
    const fileSizeBytes = isBlockDevice ? measureBlockDevice(syncDescriptor) : Number(all[0]!.size);
    const sizeBytes = fileSizeBytes - (fileSizeBytes % SECTOR_BYTES);
    return new FileDevice({
      path,
      readOnly,
      syncDescriptor,
      asyncDescriptor,
      writeback: writebackDescriptor === undefined ? null : new Writeback(writebackDescriptor),
      sizeBytes,
      maxSizeBytes:
        isBlockDevice || readOnly ? sizeBytes : Math.max(options.maxSizeBytes ?? LARGEST_SIZE_BYTES, sizeBytes),
      growthStepBytes: options.growthStepBytes ?? 0,
      entry,
      lock,
      watch,
    });
  } catch (error) {
    for (const descriptor of descriptors) fs.closeSync(descriptor);
    for (const resource of acquired.reverse()) resource.release();
    throw openingError(path, error);
  }
}

function checkPath(path: unknown): asserts path is string {
  if (typeof path !== 'string') {
    throw new TypeError('the path of a device has to be a string; fileURLToPath of node:url makes one of a file URL');
  }
  if (path.includes('\0')) throw new TypeError('the path of a device has no null characters');
  if (path === '') throw new OutwriteError('ENOENT', 'the path of a device is empty; name a file or a block device');
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
    const code = platformCode(error);
    // Where no lock file can be written because the file system is read-only, nobody can change the file either.
    if (readOnly && code === 'EROFS') return null;
    if (!cannotLock(error)) throw error;
    const orNot = readOnly ? ', or read it without a lock, while others may change it' : '';
    const advice = `its lock is a file beside it; copy it to a folder where you may make files${orNot}`;
    const message = `cannot lock ${realPath}: ${messageOf(error)}; ${advice}`;
    throw new OutwriteError(code as ErrorCode, message, { cause: error });
  }
}

function takeLockOrWatch(realPath: string, status: BigIntStats): [FileLock | null, FileWatch | null] {
  try {
    return [takeLock(realPath, true), null];
  } catch (error) {
    if (!cannotLock(error)) throw error;
    return [null, new FileWatch(realPath, status)];
  }
}

/** Whether this user cannot make files in the folder, or the file system has no links. */
function cannotLock(error: unknown): boolean {
  const code = platformCode(error);
  return code === 'EACCES' || code === 'EPERM';
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

function openingError(path: string, error: unknown): unknown {
  if (error instanceof OutwriteError) return error;
  const code = platformCode(error);
  if (code === undefined) return error;
  const known = OPENING_CODES.find((candidate) => candidate === code);
  const message = `cannot open ${path}: ${messageOf(error)}${ADVICE[code] ?? ''}`;
  if (known !== undefined) return new OutwriteError(known, message, { cause: error });
  return new DeviceError({ operation: 'open' }, message, { cause: error });
}

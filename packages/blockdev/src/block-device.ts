/**
 * The interface between Outwrite and what stores its bytes.
 *
 * A device is an array of bytes on stable storage, addressed in multiples of 512 bytes. It knows nothing of blocks, of
 * a volume's block size, or of what the bytes mean. What a layer above may rely on, and no more:
 *
 * - A read sees what was last written, durable or not. Space that was never written reads as zeros.
 * - A write that has returned is durable once a flush that was *begun after* it has returned without an error. Before
 *   that, any subset of it may survive a crash, in units of 512 bytes, in any order with other writes; a sector under a
 *   write may even become garbage.
 * - Writes to different bytes do not affect each other. Two writes in flight at once to the same bytes leave either, or
 *   a mixture.
 * - After a failed write or flush nothing is known about the bytes concerned: they may be visible now and lost later,
 *   and the next flush may well succeed. Whoever needs durability must stop (the volume latches).
 *
 * Lifecycle: open (by a factory of the implementation), use, `close`. Every call after that throws a `ClosedError`,
 * except `close`.
 */
import { isUint8Array } from './bytes.ts';
import { ReadOnlyError } from './errors.ts';

/** Positions and lengths of every transfer are multiples of this. */
export const SECTOR_BYTES = 512;

export interface BlockDevice {
  /** What people know it by, as the path of its file: for messages. Absent where there is no such thing. */
  readonly name?: string | undefined;
  /** The present size in bytes. Transfers that reach beyond it are wrong use (a `RangeError`). */
  readonly sizeBytes: number;
  /** `grow` to more than this throws a `NoSpaceError`. */
  readonly maxSizeBytes: number;
  readonly readOnly: boolean;

  /** Fills all `buffers` in order from `position` on, or throws a `DeviceError` (their content is then undefined). */
  readSync(position: number, buffers: readonly Uint8Array[]): void;

  /**
   * Writes all `buffers` in order from `position` on; rejects with a `DeviceError`. Neither the list nor the buffers
   * may change until the promise settles. Arguments are checked, and wrong use thrown, by rejecting as well.
   */
  write(position: number, buffers: readonly Uint8Array[]): Promise<void>;

  /** As `write`, finished when it returns. The cheaper of the two for small batches. */
  writeSync(position: number, buffers: readonly Uint8Array[]): void;

  /**
   * Makes durable all writes that returned before this call, then resolves; rejects with a `DeviceError`. At most one
   * such flush is in flight at a time: who calls meanwhile shares the next one, and fails with the one in flight should
   * that fail.
   */
  flush(): Promise<void>;

  /**
   * As `flush`, finished when it returns; goes its own way and so neither waits for nor shares an asynchronous flush in
   * flight.
   */
  flushSync(): void;

  /**
   * Makes the device at least `sizeBytes` large (it may round up). Throws a `NoSpaceError` and then has changed
   * nothing.
   */
  grow(sizeBytes: number): void;

  /**
   * Tells the device that a range's content is no longer needed. It then reads as zeros or as before. Absent where
   * there is no such thing.
   */
  trim?(position: number, lengthBytes: number): void;

  /**
   * Waits for the writes and flushes in flight, however they end, and releases everything. Does not flush. Idempotent.
   */
  close(): Promise<void>;

  /** As `close`; throws a `DeviceError` that says what is in flight, and stays open, if anything is. */
  closeSync(): void;
}

/** What a message calls the device. */
export function deviceName(device: BlockDevice): string {
  return device.name ?? 'the device';
}

const METHODS = ['readSync', 'write', 'writeSync', 'flush', 'flushSync', 'grow', 'close', 'closeSync'] as const;

/** Throws a `TypeError` unless `device` has what the interface asks for; it names the first thing that is missing. */
export function checkDevice(device: BlockDevice): void {
  const given: unknown = device;
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(
      `a device is an object that implements BlockDevice, not ${given === null ? 'null' : typeof given}`,
    );
  }
  for (const method of METHODS) {
    if (typeof device[method] !== 'function')
      throw new TypeError(`a device implements BlockDevice; ${method} is missing`);
  }
  for (const size of ['sizeBytes', 'maxSizeBytes'] as const) {
    if (!(device[size] >= 0)) throw new TypeError(`a device implements BlockDevice; its ${size} is no number of bytes`);
  }
}

/** The bytes of a list of buffers together. */
export function totalBytes(buffers: readonly Uint8Array[]): number {
  let lengthBytes = 0;
  for (let i = 0; i < buffers.length; i++) lengthBytes += buffers[i]!.length;
  return lengthBytes;
}

/**
 * Checks the arguments of a read against the interface and returns the length in bytes. Every device calls it first.
 * Throws a `TypeError` for what is not a list of `Uint8Array`s and a `RangeError` for unaligned or outlying transfers.
 */
export function checkTransfer(
  device: { readonly sizeBytes: number },
  position: number,
  buffers: readonly Uint8Array[],
): number {
  if (!Array.isArray(buffers)) throw new TypeError('a transfer takes an array of Uint8Arrays');
  let lengthBytes = 0;
  for (let i = 0; i < buffers.length; i++) {
    const buffer = buffers[i];
    if (!isUint8Array(buffer)) throw new TypeError(`buffer ${i} of a transfer is not a Uint8Array`);
    if (buffer.length % SECTOR_BYTES !== 0) {
      throw new RangeError(
        `buffer ${i} of a transfer has ${buffer.length} bytes, which is no multiple of ${SECTOR_BYTES}`,
      );
    }
    lengthBytes += buffer.length;
  }
  checkRange(device, position, lengthBytes);
  return lengthBytes;
}

/** As `checkTransfer`, for a write: also throws a `ReadOnlyError`. */
export function checkWrite(
  device: { readonly sizeBytes: number; readonly readOnly: boolean },
  position: number,
  buffers: readonly Uint8Array[],
): number {
  if (device.readOnly) throw new ReadOnlyError('the device');
  return checkTransfer(device, position, buffers);
}

/** Checks that `[position, position + lengthBytes)` is made of whole sectors of the device; throws a `RangeError`. */
export function checkRange(device: { readonly sizeBytes: number }, position: number, lengthBytes: number): void {
  if (!Number.isSafeInteger(position) || position < 0 || position % SECTOR_BYTES !== 0) {
    throw new RangeError(`position ${position} is no multiple of ${SECTOR_BYTES}`);
  }
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0 || lengthBytes % SECTOR_BYTES !== 0) {
    throw new RangeError(`length ${lengthBytes} is no multiple of ${SECTOR_BYTES}`);
  }
  if (position + lengthBytes > device.sizeBytes) {
    throw new RangeError(
      `bytes ${position} to ${position + lengthBytes} lie beyond the device's ${device.sizeBytes} bytes`,
    );
  }
}

/** Checks a size as `grow` and the factories take it: a multiple of 512 within 2^53. Throws a `RangeError`. */
export function checkSize(sizeBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes % SECTOR_BYTES !== 0) {
    throw new RangeError(`size ${sizeBytes} is no multiple of ${SECTOR_BYTES}`);
  }
}

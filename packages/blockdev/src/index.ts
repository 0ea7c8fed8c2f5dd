/**
 * `@outwrite/blockdev`: the device interface, devices that run everywhere, and the primitives that every layer shares.
 *
 * The file device is in `@outwrite/blockdev/node`; the simulated device and the conformance suite are in
 * `@outwrite/blockdev/testing`.
 */
export { AssertionError, assert, setVerification, verificationIsOn, verify } from './assert.ts';
export {
  type BlockDevice,
  checkDevice,
  checkRange,
  checkSize,
  checkTransfer,
  checkWrite,
  deviceName,
  SECTOR_BYTES,
  totalBytes,
} from './block-device.ts';
export { ByteReader, ByteWriter } from './byte-cursor.ts';
export {
  commonPrefixLength,
  compareBytes,
  getU16,
  getU32,
  getU48,
  getVarint,
  isUint8Array,
  MAX_VARINT_BYTES,
  setU16,
  setU32,
  setU48,
  setVarint,
  varintLength,
  varintSize,
} from './bytes.ts';
export {
  ClosedError,
  type CorruptionDetail,
  CorruptionError,
  DeviceError,
  type DeviceOperation,
  type ErrorCode,
  LatchedError,
  LockedError,
  type LockHolder,
  NoSpaceError,
  NotAVolumeError,
  OutwriteError,
  ReadOnlyError,
  TooLargeError,
  TruncatedError,
  UnsupportedError,
} from './errors.ts';
export { ForwardingDevice } from './forwarding-device.ts';
export { MemoryDevice, type MemoryDeviceOptions } from './memory-device.ts';
export {
  type DeviceCounters,
  type KindCount,
  MeteringDevice,
  type MeteringOptions,
  subtractCounters,
  type TransferCount,
} from './metering-device.ts';
export {
  BLOCK_NUMBER_LIMIT,
  type BlockNumber,
  blockNumber,
  DELTA_NUMBER_LIMIT,
  type DeltaNumber,
  deltaNumber,
  isBlockNumber,
  isDeltaNumber,
  NIL_BLOCK,
} from './numbers.ts';
export { SharedFlush } from './shared-flush.ts';
export { checkSynchronous } from './synchronous.ts';
export { xxh32, xxh32Blocks, xxh32Each, xxh32Words } from './xxh32.ts';

/**
 * The inode record, the value of a directory entry, and the volume record.
 *
 * All integers are little endian. A time is two u32: the low 32 bits of the seconds since 1901-12-13T20:45:52Z, then 30 bits of
 * nanoseconds above 2 bits of further seconds; it reaches to the year 2446. The target of a short symbolic link follows its record.
 * Decoders check every field: type, permission bits, reserved flags, nanoseconds, sizes.
 */
import { assert, CorruptionError, getU16, getU32, getU48, setU16, setU32, setU48 } from '@outwrite/blockdev';
import { decodeUtf8, encodeUtf8 } from './host.ts';
import { Inode } from './inode.ts';
import {
  ENTRY_FILE,
  ENTRY_SYMLINK,
  FLAG_LONG_TARGET,
  FLAG_MAPPED,
  KNOWN_FLAGS,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  MODE_TYPE_MASK,
} from './inode-mode.ts';
import { INODE_NUMBER_LIMIT, ROOT_INODE } from './key-format.ts';
import type { ObjectPool } from './object-pool.ts';

// Offsets of the record, chained.
const MODE_AT = 0; // u16
const FLAGS_AT: number = MODE_AT + 2; // u16
const UID_AT: number = FLAGS_AT + 2; // u32
const GID_AT: number = UID_AT + 4; // u32
const LINK_COUNT_AT: number = GID_AT + 4; // u32
export const SIZE_AT: number = LINK_COUNT_AT + 4; // u64 below 2^53: bytes of a file or target, names of a directory
const ATIME_AT: number = SIZE_AT + 8;
const MTIME_AT: number = ATIME_AT + 8;
const CTIME_AT: number = MTIME_AT + 8;
const BIRTHTIME_AT: number = CTIME_AT + 8;
/** Bytes of an inode record without a link target. */
export const INODE_RECORD_BYTES: number = BIRTHTIME_AT + 8;
/** Targets up to this many bytes stand in the record, so that it fits a leaf of the smallest block size. */
export const SHORT_TARGET_BYTES = 72;
/** The longest target of a symbolic link, in bytes. */
export const TARGET_BYTES_LIMIT = 4095;

assert(INODE_RECORD_BYTES === 56, 'the inode record has 56 bytes');
assert(INODE_RECORD_BYTES + SHORT_TARGET_BYTES === 512 / 4, 'the largest record fits the smallest block');

/** Seconds from the beginning of stored time (1901) to 1970. */
const SECONDS_BIAS = 0x80000000;
export const SECONDS_MIN: number = -SECONDS_BIAS;
export const SECONDS_MAX: number = 0x400000000 - SECONDS_BIAS - 1;
export const LINK_COUNT_LIMIT = 0xffffffff;

function writeTime(bytes: Uint8Array, offset: number, seconds: number, nanoseconds: number): void {
  const biased = seconds + SECONDS_BIAS;
  setU32(bytes, offset, biased >>> 0);
  setU32(bytes, offset + 4, ((nanoseconds << 2) | Math.floor(biased / 0x100000000)) >>> 0);
}

function readSeconds(bytes: Uint8Array, offset: number): number {
  return getU32(bytes, offset) + (bytes[offset + 4] & 3) * 0x100000000 - SECONDS_BIAS;
}

function readNanoseconds(bytes: Uint8Array, offset: number, inode: number): number {
  const nanoseconds = getU32(bytes, offset + 4) >>> 2;
  if (nanoseconds >= 1e9) damaged(inode, 'a time has too many nanoseconds', nanoseconds);
  return nanoseconds;
}

function damaged(inode: number, problem: string, actual?: number | string): never {
  throw new CorruptionError(`record of inode ${inode}`, problem, { actual });
}

/** Writes the record of `inode` to `target` and returns its length: at most `INODE_RECORD_BYTES + SHORT_TARGET_BYTES`. */
export function encodeInode(inode: Inode, target: Uint8Array): number {
  setU16(target, MODE_AT, inode.mode);
  setU16(target, FLAGS_AT, inode.flags);
  setU32(target, UID_AT, inode.uid);
  setU32(target, GID_AT, inode.gid);
  setU32(target, LINK_COUNT_AT, inode.linkCount);
  setU32(target, SIZE_AT, inode.sizeBytes >>> 0);
  setU32(target, SIZE_AT + 4, Math.floor(inode.sizeBytes / 0x100000000));
  writeTime(target, ATIME_AT, inode.atimeSeconds, inode.atimeNanoseconds);
  writeTime(target, MTIME_AT, inode.mtimeSeconds, inode.mtimeNanoseconds);
  writeTime(target, CTIME_AT, inode.ctimeSeconds, inode.ctimeNanoseconds);
  writeTime(target, BIRTHTIME_AT, inode.birthtimeSeconds, inode.birthtimeNanoseconds);
  if (!inode.isSymlink || (inode.flags & FLAG_LONG_TARGET) !== 0) return INODE_RECORD_BYTES;
  assert(inode.linkTarget !== null, 'a short link target is loaded with its record');
  return encodeUtf8(inode.linkTarget, target, INODE_RECORD_BYTES);
}

/** The inode whose record is `bytes`, made by `pool` if there is one. Throws a `CorruptionError`. */
export function decodeInode(number: number, bytes: Uint8Array, pool: ObjectPool | null = null): Inode {
  if (bytes.length < INODE_RECORD_BYTES) damaged(number, 'it is too short', bytes.length);
  const mode = getU16(bytes, MODE_AT);
  const flags = getU16(bytes, FLAGS_AT);
  const type = mode & MODE_TYPE_MASK;
  if (type !== MODE_FILE && type !== MODE_DIRECTORY && type !== MODE_SYMLINK)
    damaged(number, 'unknown file type', mode);
  if ((flags & ~KNOWN_FLAGS) !== 0) damaged(number, 'unknown flags', flags);
  if ((flags & FLAG_MAPPED) !== 0 && type !== MODE_FILE) damaged(number, 'only a file can have extents', flags);
  if ((flags & FLAG_LONG_TARGET) !== 0 && type !== MODE_SYMLINK)
    damaged(number, 'only a link can have a target', flags);
  const sizeHigh = getU32(bytes, SIZE_AT + 4);
  if (sizeHigh >= 0x200000) damaged(number, 'the size is 2^53 or more', sizeHigh);
  const inode = pool === null ? new Inode(number, mode) : pool.makeInode(number, mode);
  inode.flags = flags;
  inode.uid = getU32(bytes, UID_AT);
  inode.gid = getU32(bytes, GID_AT);
  inode.linkCount = getU32(bytes, LINK_COUNT_AT);
  inode.sizeBytes = sizeHigh * 0x100000000 + getU32(bytes, SIZE_AT);
  inode.atimeSeconds = readSeconds(bytes, ATIME_AT);
  inode.atimeNanoseconds = readNanoseconds(bytes, ATIME_AT, number);
  inode.mtimeSeconds = readSeconds(bytes, MTIME_AT);
  inode.mtimeNanoseconds = readNanoseconds(bytes, MTIME_AT, number);
  inode.ctimeSeconds = readSeconds(bytes, CTIME_AT);
  inode.ctimeNanoseconds = readNanoseconds(bytes, CTIME_AT, number);
  inode.birthtimeSeconds = readSeconds(bytes, BIRTHTIME_AT);
  inode.birthtimeNanoseconds = readNanoseconds(bytes, BIRTHTIME_AT, number);
  inode.stored = true;
  const targetBytes = bytes.length - INODE_RECORD_BYTES;
  if (type === MODE_SYMLINK) {
    if ((flags & FLAG_LONG_TARGET) === 0) {
      if (targetBytes !== inode.sizeBytes || targetBytes === 0 || targetBytes > SHORT_TARGET_BYTES) {
        damaged(number, 'a link target has the wrong length', targetBytes);
      }
      inode.linkTarget = decodeUtf8(bytes, INODE_RECORD_BYTES, bytes.length);
      if (inode.linkTarget === null) damaged(number, 'a link target is not UTF-8');
    } else if (targetBytes !== 0 || inode.sizeBytes > TARGET_BYTES_LIMIT) {
      damaged(number, 'a long link target has the wrong length', targetBytes);
    }
  } else if (targetBytes !== 0) {
    damaged(number, 'bytes follow it', targetBytes);
  }
  return inode;
}

// The value of a directory entry: inode u48, type u8.
const ENTRY_INODE_AT = 0;
const ENTRY_TYPE_AT: number = ENTRY_INODE_AT + 6;
export const ENTRY_VALUE_BYTES: number = ENTRY_TYPE_AT + 1;

export function encodeEntry(inode: number, type: number, target: Uint8Array): void {
  setU48(target, ENTRY_INODE_AT, inode);
  target[ENTRY_TYPE_AT] = type;
}

/** Checks the value of a directory entry; its fields are then read by `entryInode` and `entryType`. Throws a `CorruptionError`. */
export function checkEntry(directory: number, bytes: Uint8Array): void {
  if (bytes.length !== ENTRY_VALUE_BYTES) badEntry(directory, 'its value has the wrong length', bytes.length);
  const type = bytes[ENTRY_TYPE_AT];
  if (type < ENTRY_FILE || type > ENTRY_SYMLINK) badEntry(directory, 'unknown type', type);
  const inode = entryInode(bytes);
  if (inode <= ROOT_INODE) badEntry(directory, 'it leads to a reserved inode', inode);
}

function badEntry(directory: number, problem: string, actual: number): never {
  throw new CorruptionError(`name in directory ${directory}`, problem, { actual });
}

export function entryInode(bytes: Uint8Array): number {
  return getU48(bytes, ENTRY_INODE_AT);
}

export function entryType(bytes: Uint8Array): number {
  return bytes[ENTRY_TYPE_AT];
}

// The volume record: what holds for the whole volume. The magic tells a volume from a bare key-value store.
const MAGIC = 0x4c565741; // "AWVL" read as bytes
const MAGIC_AT = 0; // u32
const VERSION_AT: number = MAGIC_AT + 4; // u16
const RESERVED_AT: number = VERSION_AT + 2; // u16, zero
const NEXT_INODE_AT: number = RESERVED_AT + 2; // u48
const INODE_COUNT_AT: number = NEXT_INODE_AT + 6; // u48
export const VOLUME_RECORD_BYTES: number = INODE_COUNT_AT + 6;
export const VOLUME_RECORD_VERSION = 1;

assert(VOLUME_RECORD_BYTES === 20, 'the volume record has 20 bytes');

/** What the volume record holds. Inode numbers are never given twice. */
export interface VolumeRecord {
  nextInode: number;
  /** Inodes that exist, orphans and the root included. */
  inodeCount: number;
}

export function encodeVolumeRecord(record: VolumeRecord, target: Uint8Array): void {
  setU32(target, MAGIC_AT, MAGIC);
  setU16(target, VERSION_AT, VOLUME_RECORD_VERSION);
  setU16(target, RESERVED_AT, 0);
  setU48(target, NEXT_INODE_AT, record.nextInode);
  setU48(target, INODE_COUNT_AT, record.inodeCount);
}

/** Throws a `CorruptionError`; `version` is checked by the caller, who knows what it supports. */
export function decodeVolumeRecord(bytes: Uint8Array): VolumeRecord & { version: number } {
  const structure = 'volume record';
  if (bytes.length < VERSION_AT + 2 || getU32(bytes, MAGIC_AT) !== MAGIC) {
    throw new CorruptionError(structure, 'it does not begin with the mark of a volume');
  }
  const version = getU16(bytes, VERSION_AT);
  if (version !== VOLUME_RECORD_VERSION) return { version, nextInode: 0, inodeCount: 0 };
  if (bytes.length !== VOLUME_RECORD_BYTES) {
    throw new CorruptionError(structure, 'it has the wrong length', {
      expected: VOLUME_RECORD_BYTES,
      actual: bytes.length,
    });
  }
  if (getU16(bytes, RESERVED_AT) !== 0) throw new CorruptionError(structure, 'reserved bytes are not zero');
  const nextInode = getU48(bytes, NEXT_INODE_AT);
  const inodeCount = getU48(bytes, INODE_COUNT_AT);
  if (nextInode <= ROOT_INODE || nextInode >= INODE_NUMBER_LIMIT || inodeCount >= nextInode) {
    throw new CorruptionError(structure, 'its counts cannot be', { actual: nextInode });
  }
  return { version, nextInode, inodeCount };
}

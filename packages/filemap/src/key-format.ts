/**
 * The keys under which a file's bytes are kept: file number, kind, block index, all big endian so that they sort by file and position.
 *
 * The owner of the tree (a volume) keeps other kinds under the same file number; the kinds of this package are the ones listed here and
 * nothing else. They are on-disk codes: do not renumber.
 */
import { assert, CorruptionError } from '@outwrite/blockdev';

/** The whole content of a small file as one value, at block index 0. */
export const KIND_INLINE = 0x30;
/** A range of blocks that has been given up and is being reclaimed, at block index 0. */
export const KIND_RECLAIM = 0x38;
/** Consecutive blocks of the device, at the block index of the first. */
export const KIND_EXTENT = 0x40;

const FILE_ID_OFFSET = 0;
const FILE_ID_BYTES = 6;
const KIND_OFFSET = FILE_ID_OFFSET + FILE_ID_BYTES;
const KIND_BYTES = 1;
const BLOCK_INDEX_OFFSET = KIND_OFFSET + KIND_BYTES;
const BLOCK_INDEX_BYTES = 6;

/** Bytes of every key of this package. */
export const FILE_KEY_BYTES = BLOCK_INDEX_OFFSET + BLOCK_INDEX_BYTES;

assert(FILE_KEY_BYTES === 13, 'a file key has 13 bytes');

/** File numbers are stored in 48 bits. */
export const FILE_ID_LIMIT: number = 2 ** 48;

/** Block indexes are stored in 48 bits; this one is beyond every file and stands for "to the end". */
export const BLOCK_INDEX_LIMIT: number = 2 ** 48;

/** Writes a key into the first 13 bytes of `target` and returns it. `blockIndex` may be the limit: the key is then past all of that kind. */
export function setFileKey(target: Uint8Array, fileId: number, kind: number, blockIndex: number): Uint8Array {
  setU48BigEndian(target, FILE_ID_OFFSET, fileId);
  if (blockIndex < BLOCK_INDEX_LIMIT) {
    target[KIND_OFFSET] = kind;
    setU48BigEndian(target, BLOCK_INDEX_OFFSET, blockIndex);
  } else {
    target[KIND_OFFSET] = kind + 1;
    setU48BigEndian(target, BLOCK_INDEX_OFFSET, 0);
  }
  return target;
}

/** A new key, as `setFileKey` writes it. */
export function fileKey(fileId: number, kind: number, blockIndex: number): Uint8Array {
  return setFileKey(new Uint8Array(FILE_KEY_BYTES), fileId, kind, blockIndex);
}

/** Whether `key[0, keyLength)` is a key of `fileId` and `kind`. */
export function isFileKey(key: Uint8Array, keyLength: number, fileId: number, kind: number): boolean {
  return keyLength === FILE_KEY_BYTES && key[KIND_OFFSET] === kind && getU48BigEndian(key, FILE_ID_OFFSET) === fileId;
}

/** The block index of a key that `isFileKey` accepted. */
export function blockIndexOf(key: Uint8Array): number {
  return getU48BigEndian(key, BLOCK_INDEX_OFFSET);
}

/** What a key of this package says. */
export interface FileKey {
  readonly fileId: number;
  readonly kind: typeof KIND_INLINE | typeof KIND_RECLAIM | typeof KIND_EXTENT;
  readonly blockIndex: number;
}

/** Decodes a key of one of this package's kinds; `null` for a key of another kind. Throws a `CorruptionError` for a malformed one. */
export function decodeFileKey(key: Uint8Array): FileKey | null {
  if (key.length < KIND_OFFSET + KIND_BYTES) return null;
  const kind = key[KIND_OFFSET];
  if (kind !== KIND_INLINE && kind !== KIND_RECLAIM && kind !== KIND_EXTENT) return null;
  if (key.length !== FILE_KEY_BYTES) {
    throw new CorruptionError('file map', 'a key has the wrong length', {
      expected: FILE_KEY_BYTES,
      actual: key.length,
    });
  }
  const blockIndex = blockIndexOf(key);
  if (kind !== KIND_EXTENT && blockIndex !== 0) {
    throw new CorruptionError('file map', 'a key that stands alone has a block index', {
      expected: 0,
      actual: blockIndex,
    });
  }
  return { fileId: getU48BigEndian(key, FILE_ID_OFFSET), kind, blockIndex };
}

const TWO_TO_16 = 0x10000;

function setU48BigEndian(target: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / TWO_TO_16);
  target[offset] = high >>> 24;
  target[offset + 1] = high >>> 16;
  target[offset + 2] = high >>> 8;
  target[offset + 3] = high;
  const low = value % TWO_TO_16;
  target[offset + 4] = low >>> 8;
  target[offset + 5] = low;
}

function getU48BigEndian(bytes: Uint8Array, offset: number): number {
  const high =
    ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0;
  return high * TWO_TO_16 + ((bytes[offset + 4]! << 8) | bytes[offset + 5]!);
}

/**
 * Keys of the head tree: whose, what, and where within it.
 *
 * | bytes | field | |
 * |---|---|---|
 * | 0 to 5 | inode number, u48, big endian | 0 for records of the whole volume |
 * | 6 | kind, u8 | the table `KIND`; do not renumber |
 * | 7 on | rest | by kind: nothing, a name in UTF-8, or a u48, big endian |
 *
 * So all that belongs to an inode stands together, a directory's names in the order of their bytes, a file's extents in the order of
 * its blocks, and inodes in the order in which they were made.
 *
 * `KeyScratch` builds keys without allocating: one array for each length, all over the same bytes. A key is valid until the next one is
 * built; the tree copies what it keeps.
 */
import { assert, CorruptionError } from '@outwrite/blockdev';
import { decodeUtf8, encodeUtf8 } from './host.ts';

/** The kinds of entries. On disk: do not renumber. 0x30 and 0x40 belong to the package `filemap`. */
export const KIND = {
  /** Inode record (`inode-format.ts`); for inode 0 the volume record (`volume-record.ts`). */
  record: 0x10,
  /** Target of a symbolic link that is too long for the record. */
  symlink: 0x18,
  /** Extended attribute; the rest is its name. */
  xattr: 0x20,
  /** Content of a small file; the rest is block index 0. */
  inline: 0x30,
  /** Extent; the rest is the index of its first block in the file. */
  extent: 0x40,
  /** Name in a directory; the rest is the name. */
  name: 0x50,
  /** Of inode 0: an inode without a name that waits to be reclaimed; the rest is its number. */
  orphan: 0x60,
} as const;

export const KIND_OFFSET = 6;
export const REST_OFFSET: number = KIND_OFFSET + 1;
/** Length of a key whose rest is empty. */
export const RECORD_KEY_BYTES: number = REST_OFFSET;
/** Length of a key whose rest is a u48. */
export const NUMBERED_KEY_BYTES: number = REST_OFFSET + 6;

/** Inode of the volume-wide records. */
export const VOLUME_INODE = 0;
/** Inode of the root directory. */
export const ROOT_INODE = 1;
/** Inode numbers are stored in 48 bits. */
export const INODE_NUMBER_LIMIT: number = 2 ** 48;

/** Names have at most this many bytes, whatever the block size. */
export const NAME_BYTES_LIMIT = 255;

/** The longest name, in bytes of UTF-8, that a volume with this block size can hold: its key is at most a quarter of a block. */
export function maxNameBytes(blockSize: number): number {
  return Math.min(NAME_BYTES_LIMIT, blockSize / 4 - REST_OFFSET - 1);
}

assert(maxNameBytes(512) === 120 && maxNameBytes(4096) === 255, 'name limits are those of the documents');

function writeU48BigEndian(bytes: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 0x100000000);
  const low = value >>> 0;
  bytes[offset] = high >>> 8;
  bytes[offset + 1] = high;
  bytes[offset + 2] = low >>> 24;
  bytes[offset + 3] = low >>> 16;
  bytes[offset + 4] = low >>> 8;
  bytes[offset + 5] = low;
}

/** The big-endian u48 at `offset`. */
export function readU48BigEndian(bytes: Uint8Array, offset: number): number {
  const high = (bytes[offset] << 8) | bytes[offset + 1];
  const low =
    ((bytes[offset + 2] << 24) | (bytes[offset + 3] << 16) | (bytes[offset + 4] << 8) | bytes[offset + 5]) >>> 0;
  return high * 0x100000000 + low;
}

/** Bytes to build something in, and views of its beginning that are made once and kept. */
export class Scratch {
  readonly bytes: Uint8Array;
  readonly #views: Uint8Array[] = [];

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  /** The first `length` bytes: always the same array for the same length. */
  view(length: number): Uint8Array {
    let view = this.#views[length];
    if (view === undefined) {
      while (this.#views.length <= length) this.#views.push(this.bytes.subarray(0, this.#views.length));
      view = this.#views[length];
    }
    return view;
  }
}

/** Builds keys in place. Each method returns a view that is valid until the next call. */
export class KeyScratch extends Scratch {
  constructor() {
    super(REST_OFFSET + 3 * (NAME_BYTES_LIMIT + 1));
  }

  /** Key without a rest: a record, a link target, or where a kind begins. */
  plain(inode: number, kind: number): Uint8Array {
    writeU48BigEndian(this.bytes, 0, inode);
    this.bytes[KIND_OFFSET] = kind;
    return this.view(RECORD_KEY_BYTES);
  }

  /** Key whose rest is a number: inline content, an extent, an orphan. */
  numbered(inode: number, kind: number, rest: number): Uint8Array {
    writeU48BigEndian(this.bytes, 0, inode);
    this.bytes[KIND_OFFSET] = kind;
    writeU48BigEndian(this.bytes, REST_OFFSET, rest);
    return this.view(NUMBERED_KEY_BYTES);
  }

  /** Key whose rest is a name that has been checked for its length. */
  named(inode: number, kind: number, name: string): Uint8Array {
    writeU48BigEndian(this.bytes, 0, inode);
    this.bytes[KIND_OFFSET] = kind;
    return this.view(encodeUtf8(name, this.bytes, REST_OFFSET));
  }
}

/** A decoded key. `rest` is left where it is: bytes from `REST_OFFSET` on. */
export interface KeyHead {
  readonly inode: number;
  readonly kind: number;
}

/** The fixed part of a key of the tree. Throws a `CorruptionError` when it is too short for one. */
export function decodeKeyHead(key: Uint8Array): KeyHead {
  if (key.length < RECORD_KEY_BYTES) {
    throw new CorruptionError('tree key', 'it is too short for an inode and a kind', { actual: key.length });
  }
  return { inode: readU48BigEndian(key, 0), kind: key[KIND_OFFSET] };
}

const NUL = 0x00;
const SLASH = 0x2f;

/**
 * The name in `key[0, keyLength)`, the key of an entry of `directory`. Throws a `CorruptionError` for what no operation can have made: a name
 * that is empty, `.` or `..`, longer than `limitBytes`, no UTF-8, or that has a slash or a NUL in it. Whoever puts names together to paths
 * of another file system relies on it.
 */
export function decodeName(directory: number, key: Uint8Array, keyLength: number, limitBytes: number): string {
  if (keyLength === REST_OFFSET) badName(directory, 'a name is empty');
  if (keyLength - REST_OFFSET > limitBytes) badName(directory, 'a name is too long', keyLength - REST_OFFSET);
  for (let i = REST_OFFSET; i < keyLength; i++) {
    const byte = key[i];
    if (byte === SLASH || byte === NUL) badName(directory, 'a name has a slash or a NUL in it', byte);
  }
  const name = decodeUtf8(key, REST_OFFSET, keyLength);
  if (name === null) badName(directory, 'a name is not UTF-8');
  if (name === '.' || name === '..') badName(directory, 'a name is one or two dots');
  return name;
}

function badName(directory: number, problem: string, actual?: number): never {
  throw new CorruptionError(`directory ${directory}`, problem, actual === undefined ? {} : { actual });
}

/**
 * What a tree store asks the log to remember: the payloads of its promises.
 *
 * Payload: type u8, tree id varint, then by type. A separator that is the last thing in a payload needs no length. Types 1 to 4 are told as
 * "gone" (they apply first), type 5 as "is at", with the pointer beside it.
 */
import { ByteReader, CorruptionError, compareBytes, setVarint, varintSize } from '@outwrite/blockdev';
import { TREE_ID_LIMIT } from './catalogue-format.ts';

// On disk: do not renumber.
/** The tree exists, empty. */
const TREE_CREATED = 1;
/** The tree is being dropped. */
const TREE_DYING = 2;
/** There is no leaf that begins at: separator. */
const LEAF_GONE = 3;
/** There are no leaves that begin in [first, end): length of first varint, first, end. */
const LEAVES_GONE = 4;
/** The leaf that begins at separator is where the pointer says. */
const LEAF_AT = 5;

export type GonePromise =
  | { type: 'created'; treeId: number }
  | { type: 'dying'; treeId: number }
  | { type: 'leaf'; treeId: number; separator: Uint8Array }
  | { type: 'leaves'; treeId: number; separator: Uint8Array; end: Uint8Array };

const NOTHING = new Uint8Array(0);

export function encodeCreated(treeId: number): Uint8Array {
  return encode(TREE_CREATED, treeId, NOTHING, 0);
}

export function encodeDying(treeId: number): Uint8Array {
  return encode(TREE_DYING, treeId, NOTHING, 0);
}

export function encodeLeafGone(treeId: number, separator: Uint8Array): Uint8Array {
  return encode(LEAF_GONE, treeId, separator, separator.length);
}

export function encodeLeavesGone(treeId: number, separator: Uint8Array, end: Uint8Array): Uint8Array {
  const tail = new Uint8Array(varintSize(separator.length) + separator.length + end.length);
  const at = setVarint(tail, 0, separator.length);
  tail.set(separator, at);
  tail.set(end, at + separator.length);
  return encode(LEAVES_GONE, treeId, tail, tail.length);
}

export function encodeLeafAt(treeId: number, separator: Uint8Array, length: number): Uint8Array {
  return encode(LEAF_AT, treeId, separator, length);
}

function encode(type: number, treeId: number, tail: Uint8Array, tailLength: number): Uint8Array {
  const payload = new Uint8Array(1 + varintSize(treeId) + tailLength);
  payload[0] = type;
  const at = setVarint(payload, 1, treeId);
  for (let i = 0; i < tailLength; i++) payload[at + i] = tail[i]!;
  return payload;
}

/** Throws a `CorruptionError` for a payload that no `encode` writes. */
export function decodeGone(payload: Uint8Array, maxSeparatorBytes: number): GonePromise {
  const reader = new ByteReader(payload, { structure: 'promise' });
  const type = reader.u8();
  const treeId = readTreeId(reader);
  switch (type) {
    case TREE_CREATED:
      reader.expectEnd();
      return { type: 'created', treeId };
    case TREE_DYING:
      reader.expectEnd();
      return { type: 'dying', treeId };
    case LEAF_GONE:
      return { type: 'leaf', treeId, separator: readRest(reader, maxSeparatorBytes) };
    case LEAVES_GONE: {
      const length = reader.varint();
      if (length > maxSeparatorBytes)
        reader.fail('a separator is too long', { expected: maxSeparatorBytes, actual: length });
      const separator = reader.view(length);
      const end = readRest(reader, maxSeparatorBytes);
      if (compareBytes(separator, 0, length, end, 0, end.length) >= 0)
        reader.fail('a range of leaves ends before it begins');
      return { type: 'leaves', treeId, separator, end };
    }
    default:
      throw new CorruptionError('promise', 'unknown type of a promise "gone"', { actual: type });
  }
}

/** Throws a `CorruptionError` for a payload that `encodeLeafAt` does not write. */
export function decodeAt(payload: Uint8Array, maxSeparatorBytes: number): { treeId: number; separator: Uint8Array } {
  const reader = new ByteReader(payload, { structure: 'promise' });
  const type = reader.u8();
  if (type !== LEAF_AT) reader.fail('unknown type of a promise "is at"', { expected: LEAF_AT, actual: type });
  const treeId = readTreeId(reader);
  return { treeId, separator: readRest(reader, maxSeparatorBytes) };
}

function readTreeId(reader: ByteReader): number {
  const treeId = reader.varint();
  if (treeId === 0 || treeId >= TREE_ID_LIMIT) reader.fail('bad tree id', { actual: treeId });
  return treeId;
}

function readRest(reader: ByteReader, limit: number): Uint8Array {
  if (reader.remaining > limit) reader.fail('a separator is too long', { expected: limit, actual: reader.remaining });
  return reader.view(reader.remaining);
}

/**
 * Notes on leaves that are looked up in again and again: where the cell of an entry lies, found by a fingerprint of its key.
 *
 * A look-up in a leaf that is not in the processor's cache waits for memory four times: header, heads, offset and cell, each of which says
 * where the next one is. A note holds all that leads to the cell, in one or two cache lines of memory that is a thirty-second of the leaves' and so
 * mostly near the processor; head and cell, which then prove the match, are fetched side by side. Where many heads are alike, as with paths, it
 * also saves comparing one cell after the other.
 *
 * The cache keeps the notes beside its frames and forgets one when the content of the frame changes; only clean leaves have them, from their
 * second look-up on. A leaf with more entries than a note has room for goes without, and so do the leaves of the catalogue.
 *
 * Layout: half words for state, length of the prefix and number of entries; a fingerprint for each entry, a byte; padded to half words, the offset
 * of each cell.
 */
import type { BufferCache, Frame, Slab } from '@outwrite/buffer-cache';
import { copyLeafRest, leafOffsetsOf } from './leaf-page.ts';
import {
  HEAD_BYTES,
  HEADER_BYTES,
  headOf,
  LEAF_CELL_HEADER_BYTES,
  MAX_BLOCK_BYTES,
  VALUE_LENGTH_MASK,
} from './node-format.ts';
import { entryCount, prefixLengthOf } from './node-header.ts';

const NOTE_HEADER_BYTES = 6;
/** A fingerprint and an offset. */
const NOTE_ENTRY_BYTES = 3;

// States; the cache sets the first.
const SEEN = 1;
const MADE = 2;
/** The leaf has more entries than a note can tell of. */
const NONE = 3;

/** The longest rest of which all bytes count. */
const HASHED_BYTES = 32;

const rest = new Uint8Array(MAX_BLOCK_BYTES >>> 2);

/** A byte that tells keys of a leaf apart: FNV-1a (Fowler, Noll and Vo) of the last bytes of `bytes[start, end)`, folded. */
function fingerprintOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start);
  for (let i = end - start > HASHED_BYTES ? end - HASHED_BYTES : start; i < end; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  }
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & 0xff;
}

/** Whether there is a note on a leaf, at byte `note` of the slab: then `findByNote` needs nothing else of it. */
export function hasNote(slab: Slab, note: number): boolean {
  return slab.u16[note >>> 1] === MADE;
}

/** The index of the first offset in a note of `count` entries, among the half words of the slab. */
function offsetsIn(note: number, count: number): number {
  return (note + NOTE_HEADER_BYTES + count + 1) >>> 1;
}

/** Notes that a leaf was looked up in, and makes the note on it the second time. */
export function noteLookUp(cache: BufferCache, frame: Frame, slab: Slab, base: number): void {
  if (!cache.mayNote(frame)) return;
  const { u8, u16 } = slab;
  const note = cache.noteAt(frame);
  const state = u16[note >>> 1]!;
  if (state === 0) u16[note >>> 1] = SEEN;
  if (state !== SEEN) return;
  const count = entryCount(slab, base);
  if (NOTE_HEADER_BYTES + count * NOTE_ENTRY_BYTES + 1 > cache.noteBytes) {
    u16[note >>> 1] = NONE;
    return;
  }
  u16[(note >>> 1) + 1] = prefixLengthOf(slab, base);
  u16[(note >>> 1) + 2] = count;
  const cells = leafOffsetsOf(base, count);
  const offsets = offsetsIn(note, count);
  const fingerprints = note + NOTE_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    u8[fingerprints + i] = fingerprintOf(rest, 0, copyLeafRest(slab, base, i, rest, 0));
    u16[offsets + i] = u16[cells + i]!;
  }
  u16[note >>> 1] = MADE;
}

/**
 * The cell of `key` in a leaf that has a note, as an index into the bytes of the slab; -1 if the leaf does not have the key, of which
 * `knownLength` bytes begin all keys of the leaf.
 */
export function findByNote(
  slab: Slab,
  base: number,
  blockSize: number,
  note: number,
  key: Uint8Array,
  keyLength: number,
  knownLength: number,
): number {
  const { u8, u16 } = slab;
  const prefixLength = u16[(note >>> 1) + 1]!;
  if (keyLength < prefixLength) return -1;
  const count = u16[(note >>> 1) + 2]!;
  const fingerprints = note + NOTE_HEADER_BYTES;
  const fingerprint = fingerprintOf(key, prefixLength, keyLength);
  for (let i = 0; i < count; i++) {
    if (u8[fingerprints + i] !== fingerprint) continue;
    const cell = base + u16[offsetsIn(note, count) + i]!;
    const head = slab.u32[((base + HEADER_BYTES) >>> 2) + i]!;
    if (isKeyAt(slab, base + blockSize - prefixLength, cell, head, key, keyLength, prefixLength, knownLength))
      return cell;
  }
  return -1;
}

/** Whether the key of the entry with that prefix, head and cell is `key`. */
function isKeyAt(
  slab: Slab,
  prefix: number,
  cell: number,
  head: number,
  key: Uint8Array,
  keyLength: number,
  prefixLength: number,
  knownLength: number,
): boolean {
  const { u8, u16 } = slab;
  const restLength = keyLength - prefixLength;
  if (u16[(cell >>> 1) + 1] !== restLength || head !== headOf(key, prefixLength, keyLength)) return false;
  const tail = cell + LEAF_CELL_HEADER_BYTES + (u16[cell >>> 1]! & VALUE_LENGTH_MASK) - HEAD_BYTES;
  for (let i = HEAD_BYTES; i < restLength; i++) if (u8[tail + i] !== key[prefixLength + i]) return false;
  for (let i = knownLength; i < prefixLength; i++) if (u8[prefix + i] !== key[i]) return false;
  return true;
}

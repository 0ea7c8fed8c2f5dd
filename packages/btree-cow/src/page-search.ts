/**
 * Search within one node: plain binary search on the heads, then, where heads are equal, on the tails.
 *
 * These functions are the hot path of every look-up. They read the node through the three views of its slab, allocate nothing and touch
 * as few cache lines as the layout allows: the header, some heads, and one cell. Keys are plain `Uint8Array`s of one kind (the callers
 * copy what users pass into a scratch array), so that the engine compiles each loop for one shape.
 */
import type { Slab } from '@outwrite/buffer-cache';
import {
  HEAD_BYTES,
  HEADER_BYTES,
  headOf,
  INDEX_CELL_HEADER_BYTES,
  LEAF_CELL_HEADER_BYTES,
  VALUE_LENGTH_MASK,
} from './node-format.ts';

const HEADER_WORDS: number = HEADER_BYTES >>> 2;
const HEADER_HALVES: number = HEADER_BYTES >>> 1;

/** Orders `key` against entry `position` of a leaf, whose prefix and head are those of the key: negative if the key comes first. */
function compareLeafTail(
  slab: Slab,
  base: number,
  position: number,
  key: Uint8Array,
  restStart: number,
  keyLength: number,
): number {
  const u16 = slab.u16;
  const u8 = slab.u8;
  const half = base >>> 1;
  const count = u16[half + 1]!;
  const cell = base + u16[half + HEADER_HALVES + 2 * count + position]!;
  const restLength = u16[(cell >>> 1) + 1]!;
  const keyRestLength = keyLength - restStart;
  const sharedLength = restLength < keyRestLength ? restLength : keyRestLength;
  const tail = cell + LEAF_CELL_HEADER_BYTES + (u16[cell >>> 1]! & VALUE_LENGTH_MASK) - HEAD_BYTES;
  for (let i = HEAD_BYTES; i < sharedLength; i++) {
    const difference = key[restStart + i]! - u8[tail + i]!;
    if (difference !== 0) return difference;
  }
  // Up to four bytes of rest, equal padded heads leave only the lengths to tell apart.
  return keyRestLength - restLength;
}

/**
 * The position of `key` in a leaf, or -1. The prefix is compared only if the head is there, and only from `knownLength` on: so many bytes of
 * the key begin all keys of the leaf, as its descent has shown.
 */
export function findInLeaf(
  slab: Slab,
  base: number,
  blockSize: number,
  key: Uint8Array,
  keyLength: number,
  knownLength: number = 0,
): number {
  const u32 = slab.u32;
  const half = base >>> 1;
  const count = slab.u16[half + 1]!;
  const prefixLength = slab.u16[half + 2]!;
  if (keyLength < prefixLength) return -1;
  const head = headOf(key, prefixLength, keyLength);
  const heads = (base >>> 2) + HEADER_WORDS;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (u32[heads + middle]! < head) low = middle + 1;
    else high = middle;
  }
  if (low === count || u32[heads + low] !== head) return -1;
  if (prefixLength > knownLength) {
    const u8 = slab.u8;
    const prefix = base + blockSize - prefixLength;
    for (let i = knownLength; i < prefixLength; i++) if (u8[prefix + i] !== key[i]) return -1;
  }
  const order = compareLeafTail(slab, base, low, key, prefixLength, keyLength);
  if (order === 0) return low;
  if (order < 0) return -1;
  const position = searchTails(
    slab,
    base,
    low + 1,
    endOfRun(u32, heads, low + 1, count, head),
    key,
    prefixLength,
    keyLength,
  );
  return position < 0 ? -1 : position;
}

/** The position of `key` in a leaf, or `-1 - p` where p is the position at which it would be inserted. */
export function searchLeaf(slab: Slab, base: number, blockSize: number, key: Uint8Array, keyLength: number): number {
  const u32 = slab.u32;
  const half = base >>> 1;
  const count = slab.u16[half + 1]!;
  const prefixLength = slab.u16[half + 2]!;
  const order = comparePrefix(slab.u8, base + blockSize - prefixLength, prefixLength, key, keyLength, 0);
  if (order !== 0) return order < 0 ? -1 : -1 - count;
  const head = headOf(key, prefixLength, keyLength);
  const heads = (base >>> 2) + HEADER_WORDS;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (u32[heads + middle]! < head) low = middle + 1;
    else high = middle;
  }
  if (low === count || u32[heads + low] !== head) return -1 - low;
  return searchTails(slab, base, low, endOfRun(u32, heads, low, count, head), key, prefixLength, keyLength);
}

/**
 * Which child of an index node a key belongs to: the last one whose separator is not greater than the key. `knownLength` bytes of the key begin
 * all keys below the node, as the descent to it has shown.
 */
export function childPosition(
  slab: Slab,
  base: number,
  blockSize: number,
  key: Uint8Array,
  keyLength: number,
  knownLength: number = 0,
): number {
  const u32 = slab.u32;
  const half = base >>> 1;
  const count = slab.u16[half + 1]!;
  if (count <= 1) return 0;
  const prefixLength = slab.u16[half + 2]!;
  if (prefixLength > knownLength) {
    const order = comparePrefix(slab.u8, base + blockSize - prefixLength, prefixLength, key, keyLength, knownLength);
    if (order !== 0) return order < 0 ? 0 : count - 1;
  }
  const head = headOf(key, prefixLength, keyLength);
  const heads = (base >>> 2) + HEADER_WORDS;
  let low = 1;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (u32[heads + middle]! <= head) low = middle + 1;
    else high = middle;
  }
  let last = low - 1;
  if (last === 0 || u32[heads + last] !== head) return last;
  if (compareIndexTail(slab, base, last, key, prefixLength, keyLength) >= 0) return last;
  // Several separators share the head: find the last of them that is not greater.
  let first = 1;
  high = last;
  while (first < high) {
    const middle = (first + high) >>> 1;
    if (u32[heads + middle]! < head) first = middle + 1;
    else high = middle;
  }
  while (first < last) {
    const middle = (first + last) >>> 1;
    if (compareIndexTail(slab, base, middle, key, prefixLength, keyLength) >= 0) first = middle + 1;
    else last = middle;
  }
  return first - 1;
}

/**
 * Going down from entry `position` of an index node: how many bytes of the key begin all keys of that child. Between two separators of one node
 * lies only what begins with its prefix; for the first and the last child it stays with what is known from above.
 */
export function knownBelow(slab: Slab, base: number, position: number, knownLength: number): number {
  const half = base >>> 1;
  if (position === 0 || position === slab.u16[half + 1]! - 1) return knownLength;
  const prefixLength = slab.u16[half + 2]!;
  return prefixLength > knownLength ? prefixLength : knownLength;
}

/** Orders `key` against separator `position` (1 or more) of an index node, whose prefix and head are those of the key. */
function compareIndexTail(
  slab: Slab,
  base: number,
  position: number,
  key: Uint8Array,
  restStart: number,
  keyLength: number,
): number {
  const u8 = slab.u8;
  const count = slab.u16[(base >>> 1) + 1]!;
  const cellOffset = slab.u32[(base >>> 2) + HEADER_WORDS + count + 4 * position + 3]! >>> 16;
  const keyRestLength = keyLength - restStart;
  if (cellOffset <= HEAD_BYTES) return keyRestLength - cellOffset;
  const restLength = slab.u16[(base + cellOffset) >>> 1]!;
  const sharedLength = restLength < keyRestLength ? restLength : keyRestLength;
  const tail = base + cellOffset + INDEX_CELL_HEADER_BYTES - HEAD_BYTES;
  for (let i = HEAD_BYTES; i < sharedLength; i++) {
    const difference = key[restStart + i]! - u8[tail + i]!;
    if (difference !== 0) return difference;
  }
  return keyRestLength - restLength;
}

/** 0 if `key`, of which `knownLength` bytes are known to, begins with the prefix at `prefix`; otherwise its order against all keys that do. */
function comparePrefix(
  u8: Uint8Array,
  prefix: number,
  prefixLength: number,
  key: Uint8Array,
  keyLength: number,
  knownLength: number,
): number {
  for (let i = knownLength; i < prefixLength; i++) {
    if (i === keyLength) return -1;
    const difference = key[i]! - u8[prefix + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The position after the run of heads that equal `head` and begin at `low`. Most runs are short, so it gallops. */
function endOfRun(u32: Uint32Array, heads: number, low: number, count: number, head: number): number {
  let step = 1;
  let start = low;
  let end = low;
  while (end < count && u32[heads + end] === head) {
    start = end + 1;
    end += step;
    step <<= 1;
  }
  let high = end < count ? end : count;
  while (start < high) {
    const middle = (start + high) >>> 1;
    if (u32[heads + middle] === head) start = middle + 1;
    else high = middle;
  }
  return start;
}

/** Binary search among entries `[low, high)` of a leaf, which all have the prefix and the head of `key`. */
function searchTails(
  slab: Slab,
  base: number,
  low: number,
  high: number,
  key: Uint8Array,
  restStart: number,
  keyLength: number,
): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareLeafTail(slab, base, middle, key, restStart, keyLength);
    if (order === 0) return middle;
    if (order > 0) low = middle + 1;
    else high = middle;
  }
  return -1 - low;
}

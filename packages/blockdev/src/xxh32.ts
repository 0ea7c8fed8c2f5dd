/**
 * XXH32, the checksum of the format: four independent 32-bit lanes, after the xxHash fast digest algorithm
 * specification 0.1.1.
 *
 * Whole blocks go through the vector instructions of WebAssembly where the host has them (`xxh32-vector.ts`), at 7 GB/s one by one and
 * 8 to 17 GB/s in runs; everything else, and every host without, through plain JavaScript (`Math.imul`) at 3.4 GB/s, which is faster than
 * the native CRC-32. The values are the same on every platform. `xxh32` takes bytes at any alignment, `xxh32Blocks` and `xxh32Each` many
 * blocks at once, `xxh32Words` whole little-endian words and always in plain JavaScript; `bench/checksum.ts` measures all. Checksums of
 * blocks use seed 0.
 */
import { assert } from './assert.ts';
import {
  makeVectorHash,
  VECTOR_BLOCKS,
  VECTOR_ROOM_BYTES,
  VECTOR_STEP_BYTES,
  type VectorHash,
} from './xxh32-vector.ts';

const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;
const PRIME_4 = 0x27d4eb2f | 0;
const PRIME_5 = 0x165667b1 | 0;

assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'a little-endian platform is needed');

/** From this many bytes on, making a view of words costs less than putting words together from bytes (measured). */
const VIEW_PAYS_FROM_BYTES = 256;

/**
 * Blocks that are not aligned to words are copied here first: that halves the time of reading them byte by byte
 * (measured).
 */
const SCRATCH_BYTES = 16384;
const scratchWords: Uint32Array = new Uint32Array(SCRATCH_BYTES / 4);
const scratchBytes: Uint8Array = new Uint8Array(scratchWords.buffer);

/** From this many bytes on, copying to the vectors' memory costs less than it saves (measured). */
const VECTORS_PAY_FROM_BYTES = 512;

/** Undefined until first needed; null where the host has no vectors. */
let vectors: VectorHash | null | undefined;

/** The vector form for blocks of `blockBytes` bytes, if there is one. */
function vectorsFor(blockBytes: number): VectorHash | null {
  if (blockBytes < VECTORS_PAY_FROM_BYTES || blockBytes > VECTOR_ROOM_BYTES / VECTOR_BLOCKS) return null;
  if (blockBytes % VECTOR_STEP_BYTES !== 0) return null;
  if (vectors === undefined) vectors = makeVectorHash(globalThis);
  return vectors;
}

/** XXH32 of `bytes[start, end)`, a number from 0 to 2^32 - 1. */
export function xxh32(bytes: Uint8Array, start: number = 0, end: number = bytes.length, seed: number = 0): number {
  const lengthBytes = end - start;
  const vector = seed === 0 ? vectorsFor(lengthBytes) : null;
  if (vector !== null) {
    vector.input.set(lengthBytes === bytes.length ? bytes : bytes.subarray(start, end));
    vector.one(lengthBytes);
    return vector.output[0]!;
  }
  if (lengthBytes >= VIEW_PAYS_FROM_BYTES && (lengthBytes & 3) === 0) {
    const byteOffset = bytes.byteOffset + start;
    if ((byteOffset & 3) === 0) {
      return xxh32Words(new Uint32Array(bytes.buffer, byteOffset, lengthBytes >>> 2), 0, lengthBytes >>> 2, seed);
    }
    if (lengthBytes <= SCRATCH_BYTES) {
      scratchBytes.set(bytes.subarray(start, end));
      return xxh32Words(scratchWords, 0, lengthBytes >>> 2, seed);
    }
  }
  return xxh32ByBytes(bytes, start, end, seed);
}

/**
 * XXH32 with seed 0 of each of the `target.length - targetStart` blocks of `blockSize` bytes (a multiple of 4) that
 * stand one after the other from `bytes[start]` on, into `target` from `targetStart` on. For runs of blocks in a
 * caller's memory: one view serves them all.
 */
export function xxh32Blocks(
  bytes: Uint8Array,
  start: number,
  blockSize: number,
  target: Uint32Array,
  targetStart: number = 0,
): void {
  const blockCount = target.length - targetStart;
  assert((blockSize & 3) === 0, 'a block consists of whole words');
  assert(start >= 0 && start + blockCount * blockSize <= bytes.length, 'the blocks lie within their bytes');
  const vector = vectorsFor(blockSize);
  if (vector !== null) {
    for (let i = 0; i < blockCount; i += VECTOR_BLOCKS) {
      const count = Math.min(VECTOR_BLOCKS, blockCount - i);
      const from = start + i * blockSize;
      vector.input.set(bytes.subarray(from, from + count * blockSize));
      takeChecksums(vector, blockSize, count, target, targetStart + i);
    }
    return;
  }
  const byteOffset = bytes.byteOffset + start;
  if ((byteOffset & 3) !== 0) {
    for (let i = 0; i < blockCount; i++) {
      target[targetStart + i] = xxh32(bytes, start + i * blockSize, start + (i + 1) * blockSize);
    }
    return;
  }
  const blockWords = blockSize >>> 2;
  const words = new Uint32Array(bytes.buffer, byteOffset, blockCount * blockWords);
  for (let i = 0; i < blockCount; i++) target[targetStart + i] = xxh32Words(words, i * blockWords, blockWords);
}

/**
 * XXH32 with seed 0 of each of the first `count` of `blocks`, which are equally long, into `target` from `targetStart` on. For blocks that
 * stand apart in memory.
 */
export function xxh32Each(
  blocks: readonly Uint8Array[],
  count: number,
  target: Uint32Array,
  targetStart: number = 0,
): void {
  if (count === 0) return;
  assert(count <= blocks.length && targetStart + count <= target.length, 'every block has a place for its checksum');
  const blockBytes = blocks[0]!.length;
  const vector = vectorsFor(blockBytes);
  for (let i = 0; i < count; ) {
    if (vector === null) {
      target[targetStart + i] = xxh32(blocks[i]!);
      i++;
      continue;
    }
    const groupCount = Math.min(VECTOR_BLOCKS, count - i);
    for (let k = 0; k < groupCount; k++) {
      const block = blocks[i + k]!;
      assert(block.length === blockBytes, 'blocks that are hashed together are equally long');
      vector.input.set(block, k * blockBytes);
    }
    takeChecksums(vector, blockBytes, groupCount, target, targetStart + i);
    i += groupCount;
  }
}

/** Hashes the `count` blocks that have been copied in; what is behind them in the memory is hashed along and not taken. */
function takeChecksums(vector: VectorHash, blockBytes: number, count: number, target: Uint32Array, at: number): void {
  if (count === 1) vector.one(blockBytes);
  else vector.four(blockBytes);
  for (let k = 0; k < count; k++) target[at + k] = vector.output[k]!;
}

function xxh32ByBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const lengthBytes = end - start;
  let at = start;
  let hash: number;
  if (lengthBytes >= 16) {
    let lane1 = (seed + PRIME_1 + PRIME_2) | 0;
    let lane2 = (seed + PRIME_2) | 0;
    let lane3 = seed | 0;
    let lane4 = (seed - PRIME_1) | 0;
    for (const lastStripe = end - 16; at <= lastStripe; at += 16) {
      lane1 = round(lane1, word(bytes, at));
      lane2 = round(lane2, word(bytes, at + 4));
      lane3 = round(lane3, word(bytes, at + 8));
      lane4 = round(lane4, word(bytes, at + 12));
    }
    hash = merge(lane1, lane2, lane3, lane4);
  } else {
    hash = (seed + PRIME_5) | 0;
  }
  hash = (hash + lengthBytes) | 0;
  for (; at + 4 <= end; at += 4) hash = mixWord(hash, word(bytes, at));
  for (; at < end; at++) {
    hash = (hash + Math.imul(bytes[at]!, PRIME_5)) | 0;
    hash = Math.imul((hash << 11) | (hash >>> 21), PRIME_1);
  }
  return avalanche(hash);
}

/** XXH32 of the bytes of `words[startWord, startWord + wordCount)`; the same value as `xxh32` over those bytes. */
export function xxh32Words(words: Uint32Array, startWord: number, wordCount: number, seed: number = 0): number {
  const endWord = startWord + wordCount;
  let at = startWord;
  let hash: number;
  if (wordCount >= 4) {
    let lane1 = (seed + PRIME_1 + PRIME_2) | 0;
    let lane2 = (seed + PRIME_2) | 0;
    let lane3 = seed | 0;
    let lane4 = (seed - PRIME_1) | 0;
    // Written out instead of calling `round`: the lanes stay in registers whatever the inliner decides.
    for (const lastStripe = endWord - 4; at <= lastStripe; at += 4) {
      lane1 = (lane1 + Math.imul(words[at]!, PRIME_2)) | 0;
      lane1 = Math.imul((lane1 << 13) | (lane1 >>> 19), PRIME_1);
      lane2 = (lane2 + Math.imul(words[at + 1]!, PRIME_2)) | 0;
      lane2 = Math.imul((lane2 << 13) | (lane2 >>> 19), PRIME_1);
      lane3 = (lane3 + Math.imul(words[at + 2]!, PRIME_2)) | 0;
      lane3 = Math.imul((lane3 << 13) | (lane3 >>> 19), PRIME_1);
      lane4 = (lane4 + Math.imul(words[at + 3]!, PRIME_2)) | 0;
      lane4 = Math.imul((lane4 << 13) | (lane4 >>> 19), PRIME_1);
    }
    hash = merge(lane1, lane2, lane3, lane4);
  } else {
    hash = (seed + PRIME_5) | 0;
  }
  hash = (hash + wordCount * 4) | 0;
  for (; at < endWord; at++) hash = mixWord(hash, words[at]! | 0);
  return avalanche(hash);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function round(lane: number, input: number): number {
  const sum = (lane + Math.imul(input, PRIME_2)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), PRIME_1);
}

function merge(lane1: number, lane2: number, lane3: number, lane4: number): number {
  return (
    (((lane1 << 1) | (lane1 >>> 31)) +
      ((lane2 << 7) | (lane2 >>> 25)) +
      ((lane3 << 12) | (lane3 >>> 20)) +
      ((lane4 << 18) | (lane4 >>> 14))) |
    0
  );
}

function mixWord(hash: number, input: number): number {
  const sum = (hash + Math.imul(input, PRIME_3)) | 0;
  return Math.imul((sum << 17) | (sum >>> 15), PRIME_4);
}

function avalanche(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 15), PRIME_2);
  h = Math.imul(h ^ (h >>> 13), PRIME_3);
  return (h ^ (h >>> 16)) >>> 0;
}

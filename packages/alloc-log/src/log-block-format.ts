/**
 * A log block: a header, a piece of the delta's record stream, and the header once more.
 *
 * The header names the life, the block's number in the chain, the delta and the block's place in it, the checksum of the block before,
 * and the place of the block that comes next. It stands at both ends so that after damage to one end (or the middle) the other still
 * leads on: recovery must tell a torn end from damage in the middle. `checksum` covers the whole block with the two checksum fields of
 * both headers taken as zero; `headerChecksum` covers the header alone.
 */
import { getU16, getU32, getU48, setU16, setU32, setU48, xxh32 } from '@outwrite/blockdev';
import { LIFE_ID_BYTES } from './superblock-format.ts';

/** "OWlg" in ASCII, little endian. */
const LOG_MAGIC = 0x676c574f;

export const LOG_HEADER_LAYOUT = {
  magic: 0,
  lifeId: 4,
  number: 12,
  delta: 18,
  index: 24,
  count: 28,
  flags: 32,
  payloadBytes: 34,
  previousChecksum: 36,
  nextBlock: 40,
  checksum: 44,
  headerChecksum: 48,
  reserved: 52,
} as const;

export const LOG_HEADER_BYTES = 56;

/** Flag: the delta's other blocks were flushed before this block was written; the delta lists none. Do not renumber. */
export const LOG_FLAG_FLUSHED_FIRST = 1;

export interface LogHeader {
  lifeId: Uint8Array;
  /** Position in the chain of this life, ascending by one. */
  number: number;
  delta: number;
  /** Which of the delta's log blocks this is, from 0. */
  index: number;
  /** How many log blocks the delta has. */
  count: number;
  flags: number;
  payloadBytes: number;
  /** `checksum` of the block before it in the chain. */
  previousChecksum: number;
  nextBlock: number;
  checksum: number;
}

const L = LOG_HEADER_LAYOUT;

/** Bytes of the record stream that one log block carries. */
export function logPayloadBytes(blockBytes: number): number {
  return blockBytes - 2 * LOG_HEADER_BYTES;
}

/**
 * Completes the log block in `block`, whose payload stands behind the first header already and whose rest is zero, and returns its
 * checksum. `header.checksum` is ignored.
 */
export function sealLogBlock(block: Uint8Array, header: LogHeader): number {
  const tail = block.length - LOG_HEADER_BYTES;
  writeHeader(block, 0, header, 0, 0);
  writeHeader(block, tail, header, 0, 0);
  const checksum = xxh32(block);
  writeHeader(block, 0, header, checksum, headerChecksum(header, checksum));
  block.copyWithin(tail, 0, LOG_HEADER_BYTES);
  return checksum;
}

function writeHeader(block: Uint8Array, at: number, header: LogHeader, checksum: number, ownChecksum: number): void {
  setU32(block, at + L.magic, LOG_MAGIC);
  block.set(header.lifeId, at + L.lifeId);
  setU48(block, at + L.number, header.number);
  setU48(block, at + L.delta, header.delta);
  setU32(block, at + L.index, header.index);
  setU32(block, at + L.count, header.count);
  setU16(block, at + L.flags, header.flags);
  setU16(block, at + L.payloadBytes, header.payloadBytes);
  setU32(block, at + L.previousChecksum, header.previousChecksum);
  setU32(block, at + L.nextBlock, header.nextBlock);
  setU32(block, at + L.checksum, checksum);
  setU32(block, at + L.headerChecksum, ownChecksum);
  setU32(block, at + L.reserved, 0);
}

const headerScratch = new Uint8Array(LOG_HEADER_BYTES);

function headerChecksum(header: LogHeader, checksum: number): number {
  writeHeader(headerScratch, 0, header, checksum, 0);
  return xxh32(headerScratch);
}

/** The header at one end of `block` if it is whole by itself, else null. Says nothing about the rest of the block. */
function readHeader(block: Uint8Array, at: number): LogHeader | null {
  if (getU32(block, at + L.magic) !== LOG_MAGIC) return null;
  const header: LogHeader = {
    lifeId: block.slice(at + L.lifeId, at + L.lifeId + LIFE_ID_BYTES),
    number: getU48(block, at + L.number),
    delta: getU48(block, at + L.delta),
    index: getU32(block, at + L.index),
    count: getU32(block, at + L.count),
    flags: getU16(block, at + L.flags),
    payloadBytes: getU16(block, at + L.payloadBytes),
    previousChecksum: getU32(block, at + L.previousChecksum),
    nextBlock: getU32(block, at + L.nextBlock),
    checksum: getU32(block, at + L.checksum),
  };
  if (getU32(block, at + L.reserved) !== 0) return null;
  if (headerChecksum(header, header.checksum) !== getU32(block, at + L.headerChecksum)) return null;
  if (header.payloadBytes > logPayloadBytes(block.length) || header.index >= header.count) return null;
  return header;
}

/** The headers that survive in a block that need not be whole: the first end's, the other end's, both or none. */
export function survivingLogHeaders(block: Uint8Array): LogHeader[] {
  const headers: LogHeader[] = [];
  for (const at of [0, block.length - LOG_HEADER_BYTES]) {
    const header = readHeader(block, at);
    if (header !== null) headers.push(header);
  }
  return headers;
}

/**
 * The header of a log block that is whole (both headers alike, checksum right, unused payload zero), else null. The checksum fields are
 * zeroed while it is computed, and put back.
 */
export function decodeLogBlock(block: Uint8Array): LogHeader | null {
  const header = readHeader(block, 0);
  if (header === null) return null;
  const tail = block.length - LOG_HEADER_BYTES;
  for (let i = 0; i < LOG_HEADER_BYTES; i++) if (block[i] !== block[tail + i]) return null;
  const ownChecksum = getU32(block, L.headerChecksum);
  for (const at of [0, tail]) setChecksums(block, at, 0, 0);
  const actual = xxh32(block);
  for (const at of [0, tail]) setChecksums(block, at, header.checksum, ownChecksum);
  if (actual !== header.checksum) return null;
  return isZero(block, LOG_HEADER_BYTES + header.payloadBytes, tail) ? header : null;
}

/** Whether `block[start, end)` is all zeros; `end` is a multiple of 4. By words, since of a small commit's block it is nearly all. */
function isZero(block: Uint8Array, start: number, end: number): boolean {
  if ((block.byteOffset & 3) !== 0) return block.subarray(start, end).every((byte) => byte === 0);
  const wordsStart = (start + 3) & ~3;
  for (let i = start; i < wordsStart && i < end; i++) if (block[i] !== 0) return false;
  if (wordsStart >= end) return true;
  const words = new Uint32Array(block.buffer, block.byteOffset + wordsStart, (end - wordsStart) >>> 2);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

function setChecksums(block: Uint8Array, at: number, checksum: number, ownChecksum: number): void {
  setU32(block, at + L.checksum, checksum);
  setU32(block, at + L.headerChecksum, ownChecksum);
}

export function sameLife(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

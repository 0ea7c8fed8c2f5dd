/**
 * The free map on disk: pages of bits, and above them nodes that point to pages.
 *
 * A page is a whole block of bits, one a block of the volume, 1 = used; bit i of page p stands for block p * 8 * blockBytes + i. Pages
 * carry no header: the pointer that leads to them holds their checksum. A node (level 1 points to pages, level n to nodes of level n-1)
 * holds a header and entries; an entry is a pointer and the number of used blocks below it, so that opening a volume reads the nodes
 * and no page. A nil pointer stands for a page without a used block (which may have a place all the same), or for a node that never had one below it.
 */
import { CorruptionError, getU16, getU32, NIL_BLOCK, setU16, setU32 } from '@outwrite/blockdev';
import { type BlockPointer, decodePointer, encodePointer, POINTER_BYTES } from './block-pointer.ts';

/** "OWfm" in ASCII, little endian. */
const NODE_MAGIC = 0x6d66574f;

export const FREE_MAP_NODE_LAYOUT = { magic: 0, level: 4, count: 6, firstPage: 8, reserved: 12, entries: 16 } as const;
export const FREE_MAP_ENTRY_BYTES: number = POINTER_BYTES + 4;

const L = FREE_MAP_NODE_LAYOUT;

export interface FreeMapEntry {
  pointer: BlockPointer;
  /** Used blocks in the subtree. */
  usedCount: number;
}

/** Blocks of the volume that one page stands for; a power of two. */
export function pageBlockCount(blockBytes: number): number {
  return blockBytes * 8;
}

/** Entries of a node. */
export function nodeFanOut(blockBytes: number): number {
  return Math.floor((blockBytes - L.entries) / FREE_MAP_ENTRY_BYTES);
}

export function encodeFreeMapNode(
  bytes: Uint8Array,
  node: { level: number; firstPage: number; entries: readonly FreeMapEntry[] },
): void {
  bytes.fill(0);
  setU32(bytes, L.magic, NODE_MAGIC);
  setU16(bytes, L.level, node.level);
  setU16(bytes, L.count, node.entries.length);
  setU32(bytes, L.firstPage, node.firstPage);
  let at: number = L.entries;
  for (const entry of node.entries) {
    encodePointer(bytes, at, entry.pointer);
    setU32(bytes, at + POINTER_BYTES, entry.usedCount);
    at += FREE_MAP_ENTRY_BYTES;
  }
}

/** Decodes a node that must be of `level` and begin with page `firstPage`; throws a `CorruptionError`. */
export function decodeFreeMapNode(
  bytes: Uint8Array,
  expected: {
    block: number;
    level: number;
    firstPage: number;
    entryCount: number;
    blockLimit: number;
    pagesPerEntry: number;
  },
): FreeMapEntry[] {
  const structure = 'free-map node';
  const fail = (problem: string, actual: number): never => {
    throw new CorruptionError(structure, problem, { block: expected.block, actual });
  };
  if (getU32(bytes, L.magic) !== NODE_MAGIC) fail('the magic is missing', getU32(bytes, L.magic));
  if (getU16(bytes, L.level) !== expected.level) fail('the level is wrong', getU16(bytes, L.level));
  if (getU16(bytes, L.count) !== expected.entryCount) fail('the number of entries is wrong', getU16(bytes, L.count));
  if (getU32(bytes, L.firstPage) !== expected.firstPage) fail('it stands for other pages', getU32(bytes, L.firstPage));
  const capacity = expected.pagesPerEntry * pageBlockCount(bytes.length);
  const entries: FreeMapEntry[] = [];
  let at: number = L.entries;
  for (let i = 0; i < expected.entryCount; i++) {
    const pointer = decodePointer(bytes, at, structure, expected.blockLimit);
    const usedCount = getU32(bytes, at + POINTER_BYTES);
    // What is stored may have no used block: a node since it was stored when it had one, a page since the image that it was given a place for took
    // its last ones, those of the image before.
    if (usedCount > capacity || (pointer.block === NIL_BLOCK && usedCount > 0)) {
      fail('a count of used blocks is impossible', usedCount);
    }
    entries.push({ pointer, usedCount });
    at += FREE_MAP_ENTRY_BYTES;
  }
  for (; at < bytes.length; at++) if (bytes[at] !== 0) fail('its padding is not zero', at);
  return entries;
}

/**
 * The superblock: the one place that is written in place, in two slots that take turns.
 *
 * Slots of 4096 bytes lie at byte 0 and at byte 131,072, whatever the block size. A slot is valid by its own checksum, magic and
 * version; of two valid slots the one of the higher generation counts. It names the roots of one checkpoint and the place of the log
 * block that comes next after it. On-disk values: do not renumber.
 */
import {
  BLOCK_NUMBER_LIMIT,
  CorruptionError,
  getU32,
  getU48,
  NIL_BLOCK,
  setU32,
  setU48,
  UnsupportedError,
  xxh32,
} from '@outwrite/blockdev';
import { type BlockPointer, decodePointer, encodePointer, POINTER_BYTES } from './block-pointer.ts';

export const SLOT_BYTES = 4096;
export const SLOT_POSITIONS: readonly number[] = [0, 131072];
export const FORMAT_VERSION = 1;
export const VOLUME_ID_BYTES = 16;
export const LIFE_ID_BYTES = 8;
export const MIN_BLOCK_BYTES = 512;
export const MAX_BLOCK_BYTES = 16384;

/** "OUTWRITE" in ASCII. */
const MAGIC: readonly number[] = [0x4f, 0x55, 0x54, 0x57, 0x52, 0x49, 0x54, 0x45];

/** Where each field of a slot begins, in order; the checksum covers everything before it. */
export const SUPERBLOCK_LAYOUT = {
  magic: 0,
  version: 8,
  /** Unknown flags here: the volume can still be used. */
  compatibleFlags: 12,
  /** Unknown flags here: the volume can be opened read-only. */
  readOnlyFlags: 16,
  /** Unknown flags here: the volume cannot be opened. */
  incompatibleFlags: 20,
  blockBytes: 24,
  blockLimit: 28,
  volumeId: 32,
  lifeId: 48,
  generation: 56,
  delta: 62,
  sizeBlocks: 68,
  /** Level of the catalogue's root. */
  rootLevel: 72,
  freeMapLevel: 76,
  freeMapPages: 80,
  nextLogBlock: 84,
  nextLogNumber: 88,
  previousLogChecksum: 94,
  root: 98,
  freeMapRoot: 98 + POINTER_BYTES,
  reserved: 98 + 2 * POINTER_BYTES,
  checksum: SLOT_BYTES - 4,
} as const;

export interface Superblock {
  compatibleFlags: number;
  readOnlyFlags: number;
  blockBytes: number;
  /** The volume never holds more blocks than this. */
  blockLimit: number;
  volumeId: Uint8Array;
  lifeId: Uint8Array;
  /** Counts up by one with every slot written. */
  generation: number;
  /** The checkpoint is the state at the end of this delta. */
  delta: number;
  /** Blocks from here on were never allocated when the checkpoint was taken. */
  sizeBlocks: number;
  root: BlockPointer;
  rootLevel: number;
  freeMapRoot: BlockPointer;
  freeMapLevel: number;
  freeMapPages: number;
  nextLogBlock: number;
  nextLogNumber: number;
  previousLogChecksum: number;
}

const L = SUPERBLOCK_LAYOUT;

export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const bytes = new Uint8Array(SLOT_BYTES);
  bytes.set(MAGIC, L.magic);
  setU32(bytes, L.version, FORMAT_VERSION);
  setU32(bytes, L.compatibleFlags, superblock.compatibleFlags);
  setU32(bytes, L.readOnlyFlags, superblock.readOnlyFlags);
  setU32(bytes, L.blockBytes, superblock.blockBytes);
  setU32(bytes, L.blockLimit, superblock.blockLimit);
  bytes.set(superblock.volumeId, L.volumeId);
  bytes.set(superblock.lifeId, L.lifeId);
  setU48(bytes, L.generation, superblock.generation);
  setU48(bytes, L.delta, superblock.delta);
  setU32(bytes, L.sizeBlocks, superblock.sizeBlocks);
  setU32(bytes, L.rootLevel, superblock.rootLevel);
  setU32(bytes, L.freeMapLevel, superblock.freeMapLevel);
  setU32(bytes, L.freeMapPages, superblock.freeMapPages);
  setU32(bytes, L.nextLogBlock, superblock.nextLogBlock);
  setU48(bytes, L.nextLogNumber, superblock.nextLogNumber);
  setU32(bytes, L.previousLogChecksum, superblock.previousLogChecksum);
  encodePointer(bytes, L.root, superblock.root);
  encodePointer(bytes, L.freeMapRoot, superblock.freeMapRoot);
  setU32(bytes, L.checksum, xxh32(bytes, 0, L.checksum));
  return bytes;
}

/** Whether the bytes begin like a superblock at all, valid or not. */
export function hasSuperblockMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((value, i) => bytes[L.magic + i] === value);
}

/**
 * Decodes a slot. Throws a `CorruptionError` for damage, an `UnsupportedError` for a version or an incompatible feature that this
 * release does not know (read-only flags are the caller's business).
 */
export function decodeSuperblock(bytes: Uint8Array): Superblock {
  const structure = 'superblock';
  if (!hasSuperblockMagic(bytes)) throw new CorruptionError(structure, 'the magic is missing');
  const expected = getU32(bytes, L.checksum);
  const actual = xxh32(bytes, 0, L.checksum);
  if (expected !== actual) throw new CorruptionError(structure, 'the checksum does not fit', { expected, actual });
  const version = getU32(bytes, L.version);
  if (version !== FORMAT_VERSION) {
    throw new UnsupportedError(
      `format version ${version} is not known to this release, which reads version ${FORMAT_VERSION}; use a newer one`,
    );
  }
  const incompatibleFlags = getU32(bytes, L.incompatibleFlags);
  if (incompatibleFlags !== 0) {
    throw new UnsupportedError(
      `the volume uses features that this release does not know (flags 0x${incompatibleFlags.toString(16)}); use a newer one`,
    );
  }
  const blockBytes = getU32(bytes, L.blockBytes);
  if (!isBlockSize(blockBytes)) throw new CorruptionError(structure, 'the block size is none', { actual: blockBytes });
  const blockLimit = getU32(bytes, L.blockLimit);
  if (blockLimit > BLOCK_NUMBER_LIMIT || blockLimit < minimalBlockCount(blockBytes)) {
    throw new CorruptionError(structure, 'the block limit is out of range', { actual: blockLimit });
  }
  const sizeBlocks = getU32(bytes, L.sizeBlocks);
  if (sizeBlocks > blockLimit)
    throw new CorruptionError(structure, 'the size is above the limit', { actual: sizeBlocks });
  const nextLogBlock = getU32(bytes, L.nextLogBlock);
  if (nextLogBlock >= blockLimit)
    throw new CorruptionError(structure, 'the log leads beyond the volume', { actual: nextLogBlock });
  for (let i = L.reserved; i < L.checksum; i++) {
    if (bytes[i] !== 0) throw new CorruptionError(structure, 'a reserved byte is not zero', { actual: bytes[i] });
  }
  const freeMapLevel = getU32(bytes, L.freeMapLevel);
  const freeMapPages = getU32(bytes, L.freeMapPages);
  const rootLevel = getU32(bytes, L.rootLevel);
  if (freeMapLevel > 16 || rootLevel > 64) throw new CorruptionError(structure, 'a tree is impossibly high');
  if (freeMapPages > Math.ceil(blockLimit / (blockBytes * 8))) {
    throw new CorruptionError(structure, 'the free map is larger than the volume', { actual: freeMapPages });
  }
  const freeMapRoot = decodePointer(bytes, L.freeMapRoot, structure, blockLimit);
  if ((freeMapRoot.block === NIL_BLOCK) !== (freeMapPages === 0)) {
    throw new CorruptionError(structure, 'the free map has no root', { actual: freeMapPages });
  }
  return {
    compatibleFlags: getU32(bytes, L.compatibleFlags),
    readOnlyFlags: getU32(bytes, L.readOnlyFlags),
    blockBytes,
    blockLimit,
    volumeId: bytes.slice(L.volumeId, L.volumeId + VOLUME_ID_BYTES),
    lifeId: bytes.slice(L.lifeId, L.lifeId + LIFE_ID_BYTES),
    generation: getU48(bytes, L.generation),
    delta: getU48(bytes, L.delta),
    sizeBlocks,
    root: decodePointer(bytes, L.root, structure, blockLimit),
    rootLevel,
    freeMapRoot,
    freeMapLevel,
    freeMapPages,
    nextLogBlock,
    nextLogNumber: getU48(bytes, L.nextLogNumber),
    previousLogChecksum: getU32(bytes, L.previousLogChecksum),
  };
}

export function isBlockSize(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_BLOCK_BYTES && value <= MAX_BLOCK_BYTES && (value & (value - 1)) === 0;
}

/** The blocks that the two slots cover, as extents; they are used from the beginning and never free. */
export function slotExtents(blockBytes: number): { start: number; count: number }[] {
  return SLOT_POSITIONS.map((position) => ({
    start: Math.floor(position / blockBytes),
    count: Math.max(1, SLOT_BYTES / blockBytes),
  }));
}

/** The smallest number of blocks a volume can have: up to the second slot, and some room to work in. */
export function minimalBlockCount(blockBytes: number): number {
  const second = slotExtents(blockBytes)[1]!;
  return second.start + second.count + 32;
}

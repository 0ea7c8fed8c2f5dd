/**
 * A pointer to a block: where it is, what it must contain, and in which delta it was first written.
 *
 * The same three values stand in every structure that refers to a block of its own, from the superblock down to an index entry, and
 * take 16 bytes on disk: block (u32), checksum (u32), birth (u48), two zero bytes.
 */
import {
  BLOCK_NUMBER_LIMIT,
  CorruptionError,
  getU16,
  getU32,
  getU48,
  NIL_BLOCK,
  setU16,
  setU32,
  setU48,
} from '@outwrite/blockdev';

export interface BlockPointer {
  /** Block number, or `NIL_BLOCK`. */
  block: number;
  /** XXH32 of the whole block. */
  checksum: number;
  /** Number of the delta in which the block was first written. */
  birth: number;
}

const BLOCK_AT = 0;
const CHECKSUM_AT = BLOCK_AT + 4;
const BIRTH_AT = CHECKSUM_AT + 4;
const PADDING_AT = BIRTH_AT + 6;
export const POINTER_BYTES: number = PADDING_AT + 2;

export function nilPointer(): BlockPointer {
  return { block: NIL_BLOCK, checksum: 0, birth: 0 };
}

export function encodePointer(bytes: Uint8Array, offset: number, pointer: BlockPointer): void {
  setU32(bytes, offset + BLOCK_AT, pointer.block);
  setU32(bytes, offset + CHECKSUM_AT, pointer.checksum);
  setU48(bytes, offset + BIRTH_AT, pointer.birth);
  setU16(bytes, offset + PADDING_AT, 0);
}

/** Reads a pointer that is nil or lies below `blockLimit`; throws a `CorruptionError` that names `structure`. */
export function decodePointer(bytes: Uint8Array, offset: number, structure: string, blockLimit: number): BlockPointer {
  const block = getU32(bytes, offset + BLOCK_AT);
  if (block !== NIL_BLOCK && block >= Math.min(blockLimit, BLOCK_NUMBER_LIMIT)) {
    throw new CorruptionError(structure, 'a pointer leads beyond the volume', {
      expected: `below ${blockLimit}`,
      actual: block,
    });
  }
  if (getU16(bytes, offset + PADDING_AT) !== 0)
    throw new CorruptionError(structure, 'the padding of a pointer is not zero');
  return { block, checksum: getU32(bytes, offset + CHECKSUM_AT), birth: getU48(bytes, offset + BIRTH_AT) };
}

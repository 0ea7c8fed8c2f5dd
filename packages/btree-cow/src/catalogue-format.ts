/**
 * Lines of the catalogue: the tree whose values say where the other trees are.
 *
 * Key: tree id, 48 bits, big-endian so that ids sort. The line of id 0, which no tree has, holds the next id to give out. The value of any
 * other line is a root reference of fixed size, so that checkpoints can store the final one in place.
 */
import { assert, BLOCK_NUMBER_LIMIT, CorruptionError, getU32, getU48, setU32, setU48 } from '@outwrite/blockdev';
import { MAX_LEVEL } from './node-format.ts';

export const CATALOGUE_KEY_BYTES = 6;

/** Value of the line of id 0: u48. */
export const NEXT_ID_BYTES = 6;

// Value of the line of a tree.
const ROOT_BLOCK_AT = 0; // u32
const ROOT_CHECKSUM_AT: number = ROOT_BLOCK_AT + 4; // u32
const ROOT_BIRTH_AT: number = ROOT_CHECKSUM_AT + 4; // u48
const LEVEL_AT: number = ROOT_BIRTH_AT + 6; // u8
const FLAGS_AT: number = LEVEL_AT + 1; // u8
export const TREE_LINE_BYTES: number = FLAGS_AT + 1;

/** Flag: the tree is dying. On disk: do not renumber. */
const DYING_FLAG = 0x01;

/** Ids stay below. */
export const TREE_ID_LIMIT: number = 2 ** 48;

assert(TREE_LINE_BYTES === 16, 'size of a line of the catalogue');

export interface TreeLine {
  rootBlock: number;
  rootChecksum: number;
  rootBirth: number;
  level: number;
  isDying: boolean;
}

export function encodeCatalogueKey(target: Uint8Array, id: number): void {
  let rest = id;
  for (let i = CATALOGUE_KEY_BYTES - 1; i >= 0; i--) {
    target[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

export function decodeCatalogueKey(key: Uint8Array): number {
  if (key.length !== CATALOGUE_KEY_BYTES)
    throw new CorruptionError('catalogue', 'bad length of a key', { actual: key.length });
  let id = 0;
  for (let i = 0; i < CATALOGUE_KEY_BYTES; i++) id = id * 256 + key[i]!;
  return id;
}

export function encodeTreeLine(target: Uint8Array, offset: number, line: TreeLine): void {
  setU32(target, offset + ROOT_BLOCK_AT, line.rootBlock);
  setU32(target, offset + ROOT_CHECKSUM_AT, line.rootChecksum);
  setU48(target, offset + ROOT_BIRTH_AT, line.rootBirth);
  target[offset + LEVEL_AT] = line.level;
  target[offset + FLAGS_AT] = line.isDying ? DYING_FLAG : 0;
}

/** Throws a `CorruptionError` for a line that cannot be. */
export function decodeTreeLine(value: Uint8Array): TreeLine {
  if (value.length !== TREE_LINE_BYTES)
    throw new CorruptionError('catalogue', 'bad length of a line', { actual: value.length });
  const rootBlock = getU32(value, ROOT_BLOCK_AT);
  const level = value[LEVEL_AT]!;
  const flags = value[FLAGS_AT]!;
  if (rootBlock >= BLOCK_NUMBER_LIMIT)
    throw new CorruptionError('catalogue', 'a root is no block', { actual: rootBlock });
  if (level < 1 || level > MAX_LEVEL) throw new CorruptionError('catalogue', 'bad level of a root', { actual: level });
  if ((flags & ~DYING_FLAG) !== 0) throw new CorruptionError('catalogue', 'unknown flags of a tree', { actual: flags });
  return {
    rootBlock,
    rootChecksum: getU32(value, ROOT_CHECKSUM_AT),
    rootBirth: getU48(value, ROOT_BIRTH_AT),
    level,
    isDying: (flags & DYING_FLAG) !== 0,
  };
}

export function encodeNextId(id: number): Uint8Array {
  const value = new Uint8Array(NEXT_ID_BYTES);
  setU48(value, 0, id);
  return value;
}

export function decodeNextId(value: Uint8Array): number {
  if (value.length !== NEXT_ID_BYTES)
    throw new CorruptionError('catalogue', 'bad length of the next id', { actual: value.length });
  return getU48(value, 0);
}

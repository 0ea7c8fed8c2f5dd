/**
 * Changing a sound image into a bad one: fields of structures (lengths, types, pointers, counts), whole structures, pointers that lead to the
 * wrong thing of the right checksum, single bits, and images that are cut short.
 */
import { getU16, getU32, setU16, setU32 } from '@outwrite/blockdev';
import type { Random } from '@outwrite/testkit';
import { type ImageMap, NODE, type Structure, type StructureKind } from './image-map.ts';
import { LOG, LOG_HEADER_BYTES } from './log-map.ts';
import { reseal } from './reseal.ts';

/** A changed copy of the image, and what was done, for people. */
export interface BadImage {
  readonly image: Uint8Array;
  readonly story: string;
}

const KINDS: readonly StructureKind[] = [
  'superblock',
  'log',
  'index',
  'leaf',
  'leaf',
  'leaf',
  'free-map node',
  'free-map page',
  'data',
  'overflow',
];

/** Offset and width of the fields of the structures that have a fixed layout. */
const FIELDS: Partial<Record<StructureKind, readonly (readonly [number, number])[]>> = {
  superblock: [
    [8, 4],
    [12, 4],
    [16, 4],
    [20, 4],
    [24, 4],
    [28, 4],
    [48, 4],
    [56, 4],
    [60, 2],
    [62, 4],
    [66, 2],
    [68, 4],
    [72, 4],
    [76, 4],
    [80, 4],
    [84, 4],
    [88, 4],
    [92, 2],
    [94, 4],
    [98, 4],
    [106, 4],
    [110, 2],
    [114, 4],
    [122, 4],
  ],
  log: [
    [LOG.number, 4],
    [18, 4],
    [LOG.index, 4],
    [LOG.count, 4],
    [32, 2],
    [LOG.payloadBytes, 2],
    [LOG.previousChecksum, 4],
    [LOG.nextBlock, 4],
  ],
  'free-map node': [
    [0, 4],
    [4, 2],
    [6, 2],
    [8, 4],
    [16, 4],
    [24, 4],
    [32, 4],
  ],
};

export function badImage(map: ImageMap, random: Random): BadImage {
  const image = map.image.slice();
  const draw = random.below(100);
  if (draw < 3) return cutShort(map, image, random);
  if (draw < 12) {
    const bit = random.below(image.length * 8);
    image[bit >>> 3]! ^= 1 << (bit & 7);
    return { image, story: `bit ${bit} flipped` };
  }
  const changeCount = random.chance(0.7) ? 1 : random.between(2, 4);
  const changed = new Set<Structure>();
  const stories: string[] = [];
  for (let i = 0; i < changeCount; i++) {
    const structure = pickStructure(map, random);
    changed.add(structure);
    const where = `${structure.kind} at ${structure.position}`;
    stories.push(`${where}: ${changeStructure(map, image, structure, random)}`);
  }
  if (random.chance(0.04)) return { image, story: `${stories.join('; ')}; checksums left alone` };
  reseal(map, image, changed);
  return { image, story: stories.join('; ') };
}

function cutShort(map: ImageMap, image: Uint8Array, random: Random): BadImage {
  const sizeBytes = random.below(image.length / map.blockBytes) * map.blockBytes;
  return { image: image.slice(0, sizeBytes), story: `cut to ${sizeBytes} bytes` };
}

/** By kind first, so that the few superblocks are met as often as the many leaves. */
function pickStructure(map: ImageMap, random: Random): Structure {
  for (;;) {
    const kind = random.pick(KINDS);
    const candidates = map.structures.filter((structure) => structure.kind === kind);
    if (candidates.length > 0) return random.pick(candidates);
  }
}

function changeStructure(map: ImageMap, image: Uint8Array, structure: Structure, random: Random): string {
  const draw = random.below(100);
  if (draw < 8) return replaceWhole(map, image, structure, random);
  if (draw < 16) return moveBytes(image, structure, random);
  if (structure.kind === 'index' && draw < 40) return graftPointer(map, image, structure, random);
  const [position, width] = pickField(map, image, structure, random);
  if (position + width > image.length) return 'nothing';
  return changeField(map, image, position, width, random);
}

function replaceWhole(map: ImageMap, image: Uint8Array, structure: Structure, random: Random): string {
  const { position, lengthBytes } = structure;
  const draw = random.below(3);
  if (draw === 0) {
    image.fill(random.pick([0, 0xff]), position, position + lengthBytes);
    return 'all bytes alike';
  }
  if (draw === 1) {
    image.set(random.bytes(lengthBytes), position);
    return 'random bytes';
  }
  const other = random.pick(map.structures);
  const length = Math.min(lengthBytes, other.lengthBytes);
  image.set(map.image.subarray(other.position, other.position + length), position);
  return `the content of the ${other.kind} at ${other.position}`;
}

function moveBytes(image: Uint8Array, structure: Structure, random: Random): string {
  const { position, lengthBytes } = structure;
  const length = random.between(1, Math.min(64, lengthBytes));
  const from = random.below(lengthBytes - length + 1);
  const to = random.below(lengthBytes - length + 1);
  image.copyWithin(position + to, position + from, position + from + length);
  return `${length} bytes moved from ${from} to ${to}`;
}

/** A pointer whose checksum fits, but which belongs elsewhere. */
function graftPointer(map: ImageMap, image: Uint8Array, structure: Structure, random: Random): string {
  const sources = map.structures.filter(({ kind }) => kind === 'index');
  const from = recordPosition(map.image, random.pick(sources), random);
  const to = recordPosition(image, structure, random);
  if (from === null || to === null) return 'nothing';
  image.set(map.image.subarray(from, from + 14), to);
  return `the pointer at ${to} is that at ${from}`;
}

function recordPosition(image: Uint8Array, structure: Structure, random: Random): number | null {
  const count = Math.min(getU16(image, structure.position + NODE.count), Math.floor(structure.lengthBytes / 20) - 1);
  if (count === 0) return null;
  return structure.position + NODE.header + count * 4 + random.below(count) * 16;
}

/** Position in the image and width of something that means something. */
function pickField(
  map: ImageMap,
  image: Uint8Array,
  structure: Structure,
  random: Random,
): readonly [position: number, width: number] {
  const { position, lengthBytes, kind } = structure;
  const anywhere = [position + random.below(lengthBytes - 4), random.pick([1, 2, 4])] as const;
  const fields = FIELDS[kind];
  if (fields !== undefined && random.chance(0.7)) {
    const [offset, width] = random.pick(fields);
    return [position + offset, width];
  }
  if (kind === 'log') {
    // The record stream, and not the zeros behind it.
    const payloadBytes = Math.max(1, Math.min(getU16(image, position + LOG.payloadBytes), lengthBytes - 116));
    return [position + LOG_HEADER_BYTES + random.below(payloadBytes), random.pick([1, 1, 4])];
  }
  if (kind !== 'leaf' && kind !== 'index') return anywhere;
  const draw = random.below(10);
  if (draw < 2)
    return random.pick([
      [position, 1],
      [position + 1, 1],
      ...[2, 4, 6, 8, 10].map((at) => [position + at, 2] as const),
    ]);
  const count = Math.max(1, getU16(image, position + NODE.count));
  if (draw < 3) return [position + NODE.header + 4 * random.below(count), 4];
  if (kind === 'index') {
    const record = position + NODE.header + 4 * count + 16 * random.below(count);
    return random.pick([[record, 4], [record + 8, 4], [record + 12, 2], [record + 14, 2], anywhere]);
  }
  if (draw < 4) return [position + NODE.header + 4 * count + 2 * random.below(count), 2];
  const entries = map.leafEntries(structure);
  if (entries.length === 0) return anywhere;
  const entry = random.pick(entries);
  if (draw < 6) return [entry.cell + random.pick([0, 2]), 2];
  return [entry.valueStart + random.below(entry.valueLength + 1), random.pick([1, 2, 4])];
}

function changeField(map: ImageMap, image: Uint8Array, position: number, width: number, random: Random): string {
  const old = width === 1 ? image[position]! : width === 2 ? getU16(image, position) : getU32(image, position);
  const limit = 2 ** (8 * width);
  const blockCount = image.length / map.blockBytes;
  const choices = [
    0,
    1,
    2,
    limit - 1,
    limit / 2,
    limit / 2 - 1,
    old + 1,
    old - 1,
    old * 2,
    old ^ (1 << random.below(8 * width)),
  ];
  choices.push(random.u32(), blockCount, blockCount - 1, random.below(blockCount), map.blockBytes, map.blockBytes - 4);
  const value = ((random.pick(choices) % limit) + limit) % limit;
  if (width === 1) image[position] = value;
  else if (width === 2) setU16(image, position, value);
  else setU32(image, position, value);
  return `${width} bytes at ${position} from ${old} to ${value}`;
}

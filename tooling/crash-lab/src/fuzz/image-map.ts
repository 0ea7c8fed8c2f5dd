/**
 * Where every structure of an image stands, and which bytes hold its checksum: a second reader of the format, after `docs/format.md`.
 *
 * It knows nothing of the engine's decoders, so that a fault of theirs is not repeated here. It reads sound images only. A structure has a
 * rank; its checksum stands in structures of higher rank, so checksums are recomputed by ascending rank (`reseal.ts`).
 */
import { getU16, getU32, getU48, NIL_BLOCK, xxh32 } from '@outwrite/blockdev';
import { OverflowMap } from './overflow-map.ts';

export type StructureKind =
  | 'superblock'
  | 'log'
  | 'index'
  | 'leaf'
  | 'free-map node'
  | 'free-map page'
  | 'data'
  | 'overflow';

/** Four bytes that hold a checksum; in the log they need not be neighbours. */
export interface Holder {
  readonly places: readonly number[];
  /** The checksum is that of one block of an extent, which is this; otherwise that of the structure. */
  readonly block?: number;
}

export interface Structure {
  readonly kind: StructureKind;
  /** Of its first byte in the image. */
  readonly position: number;
  readonly lengthBytes: number;
  readonly rank: number;
  readonly holders: Holder[];
}

/** Ranks: what a checksum covers is below what holds it. */
export const RANK = { data: 0, leaf: 20, catalogue: 100, log: 1000, superblock: 2 ** 50 } as const;

export const SLOT_POSITIONS: readonly number[] = [0, 131072];
export const SLOT_BYTES = 4096;
const SLOT = { blockBytes: 24, root: 98, freeMapRoot: 114, freeMapLevel: 76, generation: 56 } as const;
export const NODE = { level: 1, count: 2, prefixLength: 4, header: 12 } as const;
const EXTENT_KIND = 0x40;
const EXTENT_HEADER_BYTES = 10;
const OVERFLOW_FLAG = 0x8000;
const HEAD_BYTES = 4;
const INDEX_RECORD_BYTES = 16;

export function fourBytesAt(position: number): number[] {
  return [position, position + 1, position + 2, position + 3];
}

/** One entry of a leaf, as positions in the image. */
export interface LeafEntry {
  /** Of the cell. */
  readonly cell: number;
  readonly key: Uint8Array;
  readonly valueStart: number;
  readonly valueLength: number;
  readonly isOverflow: boolean;
}

export class ImageMap {
  readonly image: Uint8Array;
  readonly blockBytes: number;
  /** Whether the trees hold files, whose extents are known by their keys. */
  readonly holdsFiles: boolean;
  readonly structures: Structure[] = [];
  /** Slots that are valid, the current one first. */
  readonly slots: Structure[] = [];
  readonly #byBlock = new Map<number, Structure>();
  readonly #overflow: OverflowMap;

  constructor(image: Uint8Array, holdsFiles: boolean) {
    this.image = image;
    this.holdsFiles = holdsFiles;
    this.#overflow = new OverflowMap(this);
    for (const position of SLOT_POSITIONS) {
      if (getU32(image, position + SLOT_BYTES - 4) !== xxh32(image, position, position + SLOT_BYTES - 4)) continue;
      this.slots.push({ kind: 'superblock', position, lengthBytes: SLOT_BYTES, rank: RANK.superblock, holders: [] });
    }
    this.slots.sort((a, b) => this.#generation(b) - this.#generation(a));
    this.blockBytes = getU32(image, this.slots[0]!.position + SLOT.blockBytes);
    for (const slot of this.slots) this.#add(slot);
    for (const slot of this.slots) this.#mapSlot(slot.position);
  }

  #generation(slot: Structure): number {
    return getU48(this.image, slot.position + SLOT.generation);
  }

  /** What stands at a byte of the image. */
  structureAt(position: number): Structure | undefined {
    return this.#byBlock.get(Math.floor(position / this.blockBytes));
  }

  #add(structure: Structure): void {
    this.structures.push(structure);
    const end = Math.ceil((structure.position + structure.lengthBytes) / this.blockBytes);
    for (let block = Math.floor(structure.position / this.blockBytes); block < end; block++)
      this.#byBlock.set(block, structure);
  }

  /**
   * Notes a structure that `holder` is to hold the checksum of, and returns it when it is seen for the first time. A holder whose checksum is
   * another one speaks of what stood there before, and is let go.
   */
  note(found: Omit<Structure, 'holders'>, holder: Holder, checksum: number): Structure | null {
    if (readPlaces(this.image, holder.places) !== checksum) return null;
    const known = this.#byBlock.get(found.position / this.blockBytes);
    if (known !== undefined) {
      known.holders.push(holder);
      return null;
    }
    const structure: Structure = { ...found, holders: [holder] };
    this.#add(structure);
    return structure;
  }

  /** A log block: its checksum is its own, and that of the block after it is held by the chain. */
  noteLogBlock(block: number, number: number): Structure {
    const position = block * this.blockBytes;
    const known = this.structures.find((structure) => structure.position === position && structure.kind === 'log');
    if (known !== undefined) return known;
    const structure: Structure = {
      kind: 'log',
      position,
      lengthBytes: this.blockBytes,
      rank: RANK.log + number,
      holders: [],
    };
    this.#add(structure);
    return structure;
  }

  /** One block of `kind` that the four bytes at `holder` hold the checksum of. */
  noteBlock(kind: StructureKind, block: number, rank: number, holder: Holder): Structure | null {
    const position = block * this.blockBytes;
    if (position + this.blockBytes > this.image.length) return null;
    const checksum = xxh32(this.image, position, position + this.blockBytes);
    return this.note({ kind, position, lengthBytes: this.blockBytes, rank }, holder, checksum);
  }

  #mapSlot(slot: number): void {
    const level = getU32(this.image, slot + SLOT.freeMapLevel);
    this.#mapFreeMap(slot + SLOT.freeMapRoot, level);
    this.mapNode(slot + SLOT.root, RANK.catalogue, true);
  }

  #mapFreeMap(pointer: number, level: number): void {
    const block = getU32(this.image, pointer);
    if (block === NIL_BLOCK) return;
    const kind: StructureKind = level === 0 ? 'free-map page' : 'free-map node';
    const node = this.noteBlock(kind, block, level, { places: fourBytesAt(pointer + 4) });
    if (node === null || level === 0) return;
    const count = getU16(this.image, node.position + 6);
    for (let i = 0; i < count; i++) this.#mapFreeMap(node.position + 16 + i * 20, level - 1);
  }

  /** The node that the pointer (block u32, checksum u32) at `pointer` leads to, and everything below. */
  mapNode(pointer: number, baseRank: number, isCatalogue: boolean): void {
    const block = getU32(this.image, pointer);
    if (block === NIL_BLOCK) return;
    const level = this.image[block * this.blockBytes + NODE.level]!;
    if (level === 0) {
      this.mapLeaf(block, baseRank, { places: fourBytesAt(pointer + 4) }, isCatalogue);
      return;
    }
    const node = this.noteBlock('index', block, baseRank + level, { places: fourBytesAt(pointer + 4) });
    if (node === null) return;
    const count = getU16(this.image, node.position + NODE.count);
    const records = node.position + NODE.header + count * HEAD_BYTES;
    for (let i = 0; i < count; i++) this.mapNode(records + i * INDEX_RECORD_BYTES, baseRank, isCatalogue);
  }

  mapLeaf(block: number, rank: number, holder: Holder, isCatalogue: boolean): void {
    const leaf = this.noteBlock('leaf', block, rank, holder);
    if (leaf === null) return;
    for (const entry of this.leafEntries(leaf)) {
      if (isCatalogue) {
        if (entry.valueLength === 16) this.mapNode(entry.valueStart, RANK.leaf, false);
      } else if (entry.isOverflow) {
        this.#overflow.mapDescriptor(entry.valueStart, entry.valueLength);
      } else if (this.holdsFiles && entry.key.length === 13 && entry.key[6] === EXTENT_KIND) {
        this.#mapExtent(entry);
      }
    }
  }

  leafEntries(leaf: Structure): LeafEntry[] {
    const { image } = this;
    const count = getU16(image, leaf.position + NODE.count);
    const prefixLength = getU16(image, leaf.position + NODE.prefixLength);
    const end = leaf.position + this.blockBytes;
    const prefix = image.subarray(end - prefixLength, end);
    const offsets = leaf.position + NODE.header + count * HEAD_BYTES;
    const entries: LeafEntry[] = [];
    for (let i = 0; i < count; i++) {
      const cell = leaf.position + getU16(image, offsets + 2 * i);
      const lengthAndFlag = getU16(image, cell);
      const valueLength = lengthAndFlag & ~OVERFLOW_FLAG;
      const restLength = getU16(image, cell + 2);
      const valueStart = cell + 4;
      const head = getU32(image, leaf.position + NODE.header + i * HEAD_BYTES);
      const rest = new Uint8Array(Math.max(restLength, HEAD_BYTES));
      for (let byte = 0; byte < HEAD_BYTES; byte++) rest[byte] = head >>> (24 - 8 * byte);
      if (restLength > HEAD_BYTES) {
        const tail = valueStart + valueLength;
        rest.set(image.subarray(tail, tail + restLength - HEAD_BYTES), HEAD_BYTES);
      }
      const key = new Uint8Array([...prefix, ...rest.subarray(0, restLength)]);
      entries.push({ cell, key, valueStart, valueLength, isOverflow: (lengthAndFlag & OVERFLOW_FLAG) !== 0 });
    }
    return entries;
  }

  #mapExtent(entry: LeafEntry): void {
    const start = getU32(this.image, entry.valueStart);
    const count = (entry.valueLength - EXTENT_HEADER_BYTES) / 4;
    for (let i = 0; i < count; i++) {
      const places = fourBytesAt(entry.valueStart + EXTENT_HEADER_BYTES + 4 * i);
      this.noteBlock('data', start + i, RANK.data, { places });
    }
  }
}

export function readPlaces(image: Uint8Array, places: readonly number[]): number {
  return (
    (image[places[0]!]! | (image[places[1]!]! << 8) | (image[places[2]!]! << 16) | (image[places[3]!]! << 24)) >>> 0
  );
}

/**
 * The log of an image, for its map: the blocks of the chain, and the leaves and data that its records hold the checksums of.
 */
import { getU16, getU32, getU48, getVarint, varintLength, xxh32 } from '@outwrite/blockdev';
import { type Holder, type ImageMap, RANK } from './image-map.ts';

export const LOG_HEADER_BYTES = 56;
export const LOG = {
  number: 12,
  index: 24,
  count: 28,
  payloadBytes: 34,
  previousChecksum: 36,
  nextBlock: 40,
  checksum: 44,
  headerChecksum: 48,
} as const;
const SLOT = { lifeId: 48, nextLogBlock: 84, nextLogNumber: 88 } as const;
const LOG_MAGIC = 0x676c574f;
const RECORD = { end: 0, allocate: 1, free: 2, gone: 3, at: 4, write: 5 } as const;

/** The checksum that a log block states, computed: with the checksum fields of both headers as zero. */
export function logBlockChecksum(block: Uint8Array): number {
  const copy = block.slice();
  for (const header of [0, block.length - LOG_HEADER_BYTES])
    copy.fill(0, header + LOG.checksum, header + LOG.headerChecksum + 4);
  return xxh32(copy);
}

/** Adds the chain that begins at the current slot. */
export function mapLog(map: ImageMap): void {
  const { image, blockBytes } = map;
  const slot = map.slots[0]!.position;
  const lifeId = image.slice(slot + SLOT.lifeId, slot + SLOT.lifeId + 8);
  let number = getU48(image, slot + SLOT.nextLogNumber);
  let position = getU32(image, slot + SLOT.nextLogBlock) * blockBytes;
  let stream: number[] = [];
  while (position + blockBytes <= image.length) {
    const block = image.subarray(position, position + blockBytes);
    const fits =
      getU32(block, 0) === LOG_MAGIC &&
      getU48(block, LOG.number) === number &&
      lifeId.every((value, i) => block[4 + i] === value) &&
      logBlockChecksum(block) === getU32(block, LOG.checksum);
    if (!fits) return;
    map.noteLogBlock(position / blockBytes, number);
    const payloadBytes = getU16(block, LOG.payloadBytes);
    for (let i = 0; i < payloadBytes; i++) stream.push(position + LOG_HEADER_BYTES + i);
    if (getU32(block, LOG.index) === getU32(block, LOG.count) - 1) {
      new RecordMap(map, stream).mapRecords();
      stream = [];
    }
    number++;
    position = getU32(block, LOG.nextBlock) * blockBytes;
  }
}

/** The record stream of one delta: `places` are the positions of its bytes. */
class RecordMap {
  readonly #map: ImageMap;
  readonly #places: readonly number[];
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(map: ImageMap, places: readonly number[]) {
    this.#map = map;
    this.#places = places;
    this.#bytes = Uint8Array.from(places, (place) => map.image[place]!);
  }

  #varint(): number {
    const end = this.#bytes.length;
    const value = getVarint(this.#bytes, this.#at, end);
    this.#at += varintLength(this.#bytes, this.#at, end);
    return value;
  }

  #checksumPlaces(): number[] {
    const places = this.#places.slice(this.#at, this.#at + 4);
    this.#at += 4;
    return places;
  }

  mapRecords(): void {
    for (;;) {
      const type = this.#bytes[this.#at++];
      if (type === undefined || type === RECORD.end) return;
      if (type === RECORD.allocate || type === RECORD.free) {
        this.#varint();
        this.#varint();
      } else if (type === RECORD.gone) {
        const length = this.#varint();
        this.#at += length;
      } else if (type === RECORD.at) {
        const length = this.#varint();
        this.#at += length;
        const block = this.#varint();
        this.#map.mapLeaf(block, RANK.leaf, { places: this.#checksumPlaces() }, false);
        this.#varint();
      } else {
        this.#mapWrites();
      }
    }
  }

  #mapWrites(): void {
    const start = this.#varint();
    const count = this.#varint();
    this.#at++;
    for (let i = 0; i < count; i++) this.#noteListed(start + i, this.#checksumPlaces());
  }

  /** A listed block is known already if a leaf refers to it; what no leaf refers to any more is of no interest. */
  #noteListed(block: number, places: readonly number[]): void {
    const position = block * this.#map.blockBytes;
    const known = this.#map.structureAt(position);
    if (known === undefined) return;
    const { image, blockBytes } = this.#map;
    const holder: Holder = known.kind === 'overflow' ? { places, block } : { places };
    const stated = Uint8Array.from(places, (place) => image[place]!);
    if (getU32(stated, 0) === xxh32(image, position, position + blockBytes)) known.holders.push(holder);
  }
}

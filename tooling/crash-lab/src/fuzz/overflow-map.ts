/**
 * Values in extents of their own, for the map of an image: descriptors, lists of extents, and what they lead to.
 */
import { getU32, setU32, xxh32 } from '@outwrite/blockdev';
import { type ImageMap, RANK } from './image-map.ts';

const DESCRIPTOR_HEADER_BYTES = 11;
const EXTENT_BYTES = 12;
const LIST_HEADER_BYTES = 4;

/** Of an extent: that of the checksums of its blocks. */
export function extentChecksum(image: Uint8Array, position: number, lengthBytes: number, blockBytes: number): number {
  const words = new Uint8Array((lengthBytes / blockBytes) * 4);
  for (let i = 0; i < words.length / 4; i++) {
    const start = position + i * blockBytes;
    setU32(words, 4 * i, xxh32(image, start, start + blockBytes));
  }
  return xxh32(words);
}

export class OverflowMap {
  readonly #map: ImageMap;

  constructor(map: ImageMap) {
    this.#map = map;
  }

  mapDescriptor(valueStart: number, valueLength: number): void {
    const level = this.#map.image[valueStart]!;
    const count = (valueLength - DESCRIPTOR_HEADER_BYTES) / EXTENT_BYTES;
    const places: number[] = [];
    for (let i = 0; i < count * EXTENT_BYTES; i++) places.push(valueStart + DESCRIPTOR_HEADER_BYTES + i);
    this.#mapExtents(places, level);
  }

  /** `places` are the positions of the bytes of extents, which may lie in several extents themselves. */
  #mapExtents(places: readonly number[], level: number): void {
    const { image, blockBytes } = this.#map;
    const stream: number[] = [];
    for (let at = 0; at < places.length; at += EXTENT_BYTES) {
      const bytes = Uint8Array.from(places.slice(at, at + EXTENT_BYTES), (place) => image[place]!);
      const position = getU32(bytes, 0) * blockBytes;
      const lengthBytes = getU32(bytes, 4) * blockBytes;
      if (position + lengthBytes > image.length) return;
      const checksum = extentChecksum(image, position, lengthBytes, blockBytes);
      const holder = { places: places.slice(at + 8, at + EXTENT_BYTES) };
      this.#map.note({ kind: 'overflow', position, lengthBytes, rank: RANK.data + level }, holder, checksum);
      for (let i = 0; i < lengthBytes; i++) stream.push(position + i);
    }
    if (level === 0) return;
    const count = getU32(
      Uint8Array.from(stream.slice(0, LIST_HEADER_BYTES), (place) => image[place]!),
      0,
    );
    this.#mapExtents(stream.slice(LIST_HEADER_BYTES, LIST_HEADER_BYTES + count * EXTENT_BYTES), level - 1);
  }
}

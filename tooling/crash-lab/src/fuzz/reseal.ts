/**
 * Recomputing the checksums above what was changed in an image, so that a decoder meets the change and not a checksum that does not fit.
 */
import { getU32, setU32, xxh32 } from '@outwrite/blockdev';
import { type Holder, type ImageMap, SLOT_BYTES, type Structure } from './image-map.ts';
import { LOG, LOG_HEADER_BYTES, logBlockChecksum } from './log-map.ts';
import { extentChecksum } from './overflow-map.ts';

/** `map` is that of the sound image, of which `image` is a changed copy. */
export function reseal(map: ImageMap, image: Uint8Array, changed: Iterable<Structure>): void {
  const pending = new Set(changed);
  while (pending.size > 0) {
    let lowest: Structure | null = null;
    for (const structure of pending) if (lowest === null || structure.rank < lowest.rank) lowest = structure;
    const structure = lowest!;
    pending.delete(structure);
    if (structure.kind === 'superblock') {
      const end = structure.position + SLOT_BYTES - 4;
      setU32(image, end, xxh32(image, structure.position, end));
    } else if (structure.kind === 'log') {
      const next = resealLogBlock(map, image, structure);
      if (next !== undefined) pending.add(next);
    } else {
      for (const holder of structure.holders) {
        writePlaces(image, holder.places, checksumFor(map, image, structure, holder));
        for (const place of holder.places) {
          const above = map.structureAt(place);
          if (above !== undefined && above !== structure) pending.add(above);
        }
      }
    }
  }
}

function checksumFor(map: ImageMap, image: Uint8Array, structure: Structure, holder: Holder): number {
  const { blockBytes } = map;
  if (holder.block !== undefined) {
    const position = holder.block * blockBytes;
    return xxh32(image, position, position + blockBytes);
  }
  if (structure.kind === 'overflow')
    return extentChecksum(image, structure.position, structure.lengthBytes, blockBytes);
  return xxh32(image, structure.position, structure.position + structure.lengthBytes);
}

/** Returns the next block of the chain, in which the checksum of this one was changed. */
function resealLogBlock(map: ImageMap, image: Uint8Array, structure: Structure): Structure | undefined {
  const block = image.subarray(structure.position, structure.position + structure.lengthBytes);
  const tail = block.length - LOG_HEADER_BYTES;
  block.copyWithin(tail, 0, LOG_HEADER_BYTES);
  const checksum = logBlockChecksum(block);
  setU32(block, LOG.checksum, checksum);
  setU32(block, LOG.headerChecksum, 0);
  setU32(block, LOG.headerChecksum, xxh32(block, 0, LOG_HEADER_BYTES));
  block.copyWithin(tail, 0, LOG_HEADER_BYTES);
  const next = map.structures.find((other) => other.kind === 'log' && other.rank === structure.rank + 1);
  if (next === undefined) return undefined;
  if (getU32(image, next.position + LOG.previousChecksum) === checksum) return undefined;
  setU32(image, next.position + LOG.previousChecksum, checksum);
  return next;
}

function writePlaces(image: Uint8Array, places: readonly number[], value: number): void {
  for (let i = 0; i < 4; i++) image[places[i]!] = value >>> (8 * i);
}

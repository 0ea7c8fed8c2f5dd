/**
 * Relocation of data: in the opening after an unclean end, what the last delta wrote is copied to new places, see `AllocLog.open`.
 *
 * The owner of the tree hands `relocateFileEntry` to `TreeStore.open`, which calls it for every entry of the leaves that were written in that
 * delta. An extent born in it gets a copy of its blocks; birth and checksums stay. An extent stays where it is if no free run is long
 * enough for it (a volume that is nearly full and fragmented): then its blocks are written again in place.
 */
import type { Relocator } from '@outwrite/alloc-log';
import { CorruptionError } from '@outwrite/blockdev';
import { decodeExtent, type Extent, encodeExtent, maxExtentBlocks } from './extent-format.ts';
import { decodeFileKey, KIND_EXTENT } from './key-format.ts';

const LARGEST_BLOCK_BYTES = 16384;

/** The new value of an entry whose blocks have been copied, of the same length; null for every other entry. */
export function relocateFileEntry(
  _treeId: number,
  key: Uint8Array,
  value: Uint8Array,
  relocator: Relocator,
): Uint8Array | null {
  const extent = extentBornIn(key, value, relocator.delta);
  if (extent === null) return null;
  const start = relocator.copyExtent(extent.start, extent.checksums, extent.birth, 'data block');
  return start === -1 ? null : encodeExtent({ ...extent, start });
}

function extentBornIn(key: Uint8Array, value: Uint8Array, delta: number): Extent | null {
  try {
    const decoded = decodeFileKey(key);
    if (decoded === null || decoded.kind !== KIND_EXTENT) return null;
    const limits = { maxBlocks: maxExtentBlocks(LARGEST_BLOCK_BYTES), openDelta: delta };
    const extent = decodeExtent(value, decoded.blockIndex, limits);
    return extent.birth === delta ? extent : null;
  } catch (error) {
    // An entry that makes no sense is met again by whoever uses it; it is no reason to leave everything else unopened.
    if (error instanceof CorruptionError) return null;
    throw error;
  }
}

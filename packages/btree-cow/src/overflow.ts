/**
 * Overflow values: handed to the log when they are put, which writes long ones straight from the caller's memory, and read straight into
 * the result.
 *
 * They are never cached. A value is handed over before the tree is changed: if the device cannot grow, the blocks are given back and nothing
 * has happened; if a write fails, the volume latches. Freeing needs the lists of all levels, which are read in the first half.
 */
import type { Extent, Relocator } from '@outwrite/alloc-log';
import { CorruptionError, xxh32, xxh32Words } from '@outwrite/blockdev';
import {
  DESCRIPTOR_HEADER_BYTES,
  decodeDescriptor,
  decodeList,
  EXTENT_BYTES,
  encodeDescriptor,
  encodeList,
  LIST_HEADER_BYTES,
  type OverflowDescriptor,
  type OverflowExtent,
} from './overflow-format.ts';
import type { StoreCore } from './store-core.ts';

/** Copies to the very beginning of a large array are slow on a common processor family, so content begins a little later. */
const TARGET_OFFSET_BYTES = 16;

/** Shortest descriptor: one extent. Any list gets short enough by being stored often enough. */
export const MIN_DESCRIPTOR_BYTES: number = DESCRIPTOR_HEADER_BYTES + EXTENT_BYTES;

/** Blocks that a value of this length takes at most: itself, and lists of extents of one block each. */
export function overflowBlockBound(blockSize: number, lengthBytes: number): number {
  let blockCount = Math.ceil(lengthBytes / blockSize);
  let total = blockCount;
  while (blockCount > 1) {
    blockCount = Math.ceil((LIST_HEADER_BYTES + blockCount * EXTENT_BYTES) / blockSize);
    total += blockCount;
  }
  return total;
}

/** The checksum of an extent of one block, which most are: an array of its own for each would cost more than the rest of the call. */
const oneChecksum = new Uint32Array(1);

/** Where streams of bytes are put. */
interface StreamTarget {
  /** 1 to `blockCount` consecutive blocks. */
  take(blockCount: number): Extent;
  /** Writes the blocks of `bytes` from `offset` on to the extent, and returns its checksum. */
  write(extent: Extent, bytes: Uint8Array, offset: number): number;
}

/**
 * Writes `value` to blocks of the open delta, of which `ensure` has said that there are enough, and puts its descriptor at the beginning of
 * `target`. Returns the length of the descriptor, at most `maxDescriptorBytes`.
 */
export function writeOverflow(
  core: StoreCore,
  value: Uint8Array,
  target: Uint8Array,
  maxDescriptorBytes: number,
): number {
  const { log, blockSize, cache } = core;
  const taken: Extent[] = [];
  const stream: StreamTarget = {
    take(blockCount) {
      const extent = log.allocateExtent(blockCount);
      taken.push(extent);
      cache.discardRange(extent.start, extent.count);
      log.device.grow((extent.start + extent.count) * blockSize);
      return extent;
    },
    write(extent, bytes, offset) {
      const checksums = extent.count === 1 ? oneChecksum : new Uint32Array(extent.count);
      const buffers = blocksOf(bytes, offset, extent.count, blockSize, checksums);
      log.writeBlocks(extent.start, buffers, checksums, 'overflow');
      return xxh32Words(checksums, 0, checksums.length);
    },
  };
  try {
    return encodeDescriptor(target, writeLevels(value, log.openDelta, blockSize, maxDescriptorBytes, stream));
  } catch (error) {
    if (log.latched === null) for (const { start, count } of taken) log.free(start, count, log.openDelta);
    throw error;
  }
}

/** Writes a value, and lists of its extents until one is short enough for a descriptor. */
function writeLevels(
  value: Uint8Array,
  birth: number,
  blockSize: number,
  maxDescriptorBytes: number,
  stream: StreamTarget,
): OverflowDescriptor {
  let extents = writeStream(value, blockSize, stream);
  let level = 0;
  while (DESCRIPTOR_HEADER_BYTES + extents.length * EXTENT_BYTES > maxDescriptorBytes) {
    extents = writeStream(encodeList(extents), blockSize, stream);
    level++;
  }
  return { level, lengthBytes: value.length, birth, extents };
}

function writeStream(bytes: Uint8Array, blockSize: number, stream: StreamTarget): OverflowExtent[] {
  const extents: OverflowExtent[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const extent = stream.take(Math.ceil((bytes.length - offset) / blockSize));
    const checksum = stream.write(extent, bytes, offset);
    extents.push({ start: extent.start, count: extent.count, checksum });
    offset += extent.count * blockSize;
  }
  return extents;
}

/** The value of the descriptor in `bytes[start, end)`. Throws a `CorruptionError` for damage. */
export function readOverflow(core: StoreCore, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const descriptor = decodeDescriptor(bytes, start, end, core.log.blockLimit);
  const { extents } = resolveExtents(core, descriptor);
  return readStream(core, extents).subarray(0, descriptor.lengthBytes);
}

/** All extents that a descriptor stands for, those of the lists included, appended to `target`. Reads the lists. */
export function collectExtents(
  core: StoreCore,
  bytes: Uint8Array,
  start: number,
  end: number,
  target: OwnedExtent[],
): void {
  const descriptor = decodeDescriptor(bytes, start, end, core.log.blockLimit);
  const { extents, lists } = resolveExtents(core, descriptor);
  for (const { start: block, count } of extents) target.push({ start: block, count, birth: descriptor.birth });
  for (const { start: block, count } of lists) target.push({ start: block, count, birth: descriptor.birth });
}

/** An extent that a value owns. */
export interface OwnedExtent extends Extent {
  birth: number;
}

/** Follows the lists of a descriptor down to the extents of the value. */
function resolveExtents(
  core: StoreCore,
  descriptor: OverflowDescriptor,
): { extents: OverflowExtent[]; lists: OverflowExtent[] } {
  const { blockSize, log } = core;
  // What each level may take at most, so that no list makes us read more than an honest one would.
  const bounds = [Math.ceil(descriptor.lengthBytes / blockSize)];
  for (let level = 1; level <= descriptor.level; level++) {
    bounds.push(Math.ceil((LIST_HEADER_BYTES + bounds[level - 1]! * EXTENT_BYTES) / blockSize));
  }
  let extents = descriptor.extents;
  const lists: OverflowExtent[] = [];
  for (let level = descriptor.level; level > 0; level--) {
    checkBlockCount(extents, bounds[level]!, false);
    for (const extent of extents) lists.push(extent);
    extents = decodeList(readStream(core, extents), blockSize, log.blockLimit);
  }
  checkBlockCount(extents, bounds[0]!, true);
  return { extents, lists };
}

function checkBlockCount(extents: readonly OverflowExtent[], bound: number, isExact: boolean): void {
  let blockCount = 0;
  for (const { count } of extents) blockCount += count;
  if (blockCount > bound || (isExact && blockCount !== bound)) {
    throw new CorruptionError('overflow extent', 'extents do not add up to the value', {
      expected: bound,
      actual: blockCount,
    });
  }
}

/** The blocks of a list of extents, verified. */
function readStream(core: StoreCore, extents: readonly OverflowExtent[]): Uint8Array {
  const { blockSize, log } = core;
  let blockCount = 0;
  for (const { count } of extents) blockCount += count;
  const buffer = new ArrayBuffer(TARGET_OFFSET_BYTES + blockCount * blockSize);
  const bytes = new Uint8Array(buffer, TARGET_OFFSET_BYTES);
  const words = new Uint32Array(buffer, TARGET_OFFSET_BYTES);
  const blockWords = blockSize >>> 2;
  let offset = 0;
  for (const { start, count, checksum } of extents) {
    if ((start + count) * blockSize > log.device.sizeBytes) {
      throw new CorruptionError('overflow extent', 'it lies beyond the end of the device', { block: start });
    }
    log.readBlocks(start, bytes.subarray(offset, offset + count * blockSize));
    const checksums = new Uint32Array(count);
    for (let i = 0; i < count; i++) checksums[i] = xxh32Words(words, (offset >>> 2) + i * blockWords, blockWords);
    const actual = xxh32Words(checksums, 0, count);
    if (actual !== checksum) {
      throw new CorruptionError('overflow extent', 'the checksum does not fit', {
        block: start,
        expected: checksum,
        actual,
      });
    }
    offset += count * blockSize;
  }
  return bytes;
}

/**
 * Copies a value whose descriptor is in `bytes[start, end)` to new places, the birth unchanged, and puts the new descriptor there. It is
 * never longer than the old one; returns its length. For the opening after an unclean end.
 */
export function relocateOverflow(
  core: StoreCore,
  bytes: Uint8Array,
  start: number,
  end: number,
  relocator: Relocator,
): number {
  const { blockSize } = core;
  const descriptor = decodeDescriptor(bytes, start, end, core.log.blockLimit);
  const { extents, lists } = resolveExtents(core, descriptor);
  const stream: StreamTarget = {
    take: () => ({ start: relocator.allocate(), count: 1 }),
    write: (extent, source, offset) => {
      const [block] = blocksOf(source, offset, 1, blockSize, oneChecksum);
      relocator.write(extent.start, block!);
      return xxh32Words(oneChecksum, 0, 1);
    },
  };
  let moved: OverflowExtent[] = [];
  for (const extent of extents) moved = moved.concat(relocateExtent(core, extent, descriptor.birth, relocator, stream));
  let level = 0;
  while (DESCRIPTOR_HEADER_BYTES + moved.length * EXTENT_BYTES > end - start) {
    moved = writeStream(encodeList(moved), blockSize, stream);
    level++;
  }
  for (const list of lists) for (let i = 0; i < list.count; i++) relocator.release(list.start + i);
  return encodeDescriptor(bytes.subarray(start), { ...descriptor, level, extents: moved });
}

/** Copies one extent of a value: to one new extent, or block by block if no free run is long enough. */
function relocateExtent(
  core: StoreCore,
  extent: OverflowExtent,
  birth: number,
  relocator: Relocator,
  stream: StreamTarget,
): OverflowExtent[] {
  const { blockSize } = core;
  const bytes = readStream(core, [extent]);
  const checksums = new Uint32Array(extent.count);
  blocksOf(bytes, 0, extent.count, blockSize, checksums);
  const place = relocator.copyExtent(extent.start, checksums, birth, 'overflow extent');
  if (place !== -1) return [{ start: place, count: extent.count, checksum: extent.checksum }];
  const pieces = writeStream(bytes, blockSize, stream);
  for (let i = 0; i < extent.count; i++) relocator.release(extent.start + i);
  return pieces;
}

/** The blocks of `bytes` from `offset` on as buffers to write, the last one padded with zeros; fills in the checksums. */
function blocksOf(
  bytes: Uint8Array,
  offset: number,
  blockCount: number,
  blockSize: number,
  checksums: Uint32Array,
): Uint8Array[] {
  const end = Math.min(bytes.length, offset + blockCount * blockSize);
  const wholeCount = Math.floor((end - offset) / blockSize);
  for (let i = 0; i < wholeCount; i++)
    checksums[i] = xxh32(bytes, offset + i * blockSize, offset + (i + 1) * blockSize);
  const wholeEnd = offset + wholeCount * blockSize;
  const isAll = offset === 0 && wholeEnd === bytes.length;
  const buffers = wholeCount > 0 ? [isAll ? bytes : bytes.subarray(offset, wholeEnd)] : [];
  if (wholeEnd < end) {
    const last = new Uint8Array(blockSize);
    last.set(bytes.subarray(wholeEnd, end));
    checksums[wholeCount] = xxh32(last);
    buffers.push(last);
  }
  return buffers;
}

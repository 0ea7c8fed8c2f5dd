/**
 * Reading: inline content and cached pages from memory, holes as zeros, the rest from the device, every block verified.
 *
 * Large reads of whole blocks that are not cached land in the caller's memory without passing through the cache; smaller ones fill pages,
 * ahead of a reader that goes through the file in order (`read-ahead.ts`).
 */
import { CorruptionError, NIL_BLOCK, xxh32Blocks } from '@outwrite/blockdev';
import { type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import { ofFile, type Segment } from './extent-map.ts';
import { checkBytes, checkPosition, type FileState } from './file-state.ts';

/** What a damaged block of a file is called in errors. */
const STRUCTURE = 'data block';

/** Whole uncached blocks from this many bytes on are read straight into the caller's memory. */
const DIRECT_READ_BYTES = 64 * 1024;

/** Fills `target` from `position` on and returns how many bytes there were. Throws a `CorruptionError` for a block that fails its checksum. */
export function readFile(state: FileState, position: number, target: Uint8Array): number {
  checkBytes(target);
  checkPosition(position);
  const lengthBytes = Math.min(target.length, state.sizeBytes - position);
  if (lengthBytes <= 0) return 0;
  state.resolve();
  if (state.shape === 'inline') {
    target.set(state.inline.subarray(position, position + lengthBytes));
  } else {
    readMapped(state, position, target, lengthBytes);
  }
  return lengthBytes;
}

function readMapped(state: FileState, position: number, target: Uint8Array, lengthBytes: number): void {
  const { blockSize, cache } = state.context;
  const end = position + lengthBytes;
  const fromIndex = Math.floor(position / blockSize);
  const toIndex = Math.ceil(end / blockSize);
  const pages = state.openPages();
  let at = position;
  while (at < end) {
    const blockIndex = Math.floor(at / blockSize);
    const offset = at - blockIndex * blockSize;
    let frame = pages.find(blockIndex);
    if (frame === NO_FRAME) {
      const wholeBlocks = offset === 0 ? uncachedRun(state, blockIndex, Math.floor(end / blockSize)) : 0;
      if (wholeBlocks * blockSize >= DIRECT_READ_BYTES) {
        readDirect(state, blockIndex, wholeBlocks, target, at - position);
        at += wholeBlocks * blockSize;
        continue;
      }
      const holeEnd = fetch(state, { fromIndex, toIndex, missIndex: blockIndex });
      if (holeEnd > blockIndex) {
        const to = Math.min(end, holeEnd * blockSize);
        target.fill(0, at - position, to - position);
        at = to;
        continue;
      }
      frame = pages.find(blockIndex);
      // In a cache so small that reading ahead pushed out what was asked for.
      if (frame === NO_FRAME) frame = loadPage(state, blockIndex);
    }
    const to = Math.min(end, (blockIndex + 1) * blockSize);
    const bytes = cache.bytesOf(frame);
    const wanted = to - at;
    target.set(wanted === blockSize ? bytes : bytes.subarray(offset, offset + wanted), at - position);
    at = to;
  }
  state.readAhead.noteRead(toIndex);
}

/** How many blocks from `fromIndex` on, and before `toIndex`, are not cached. */
function uncachedRun(state: FileState, fromIndex: number, toIndex: number): number {
  const pages = state.openPages();
  let blockIndex = fromIndex;
  while (blockIndex < toIndex && !pages.has(blockIndex)) blockIndex++;
  return Math.max(0, blockIndex - fromIndex);
}

/**
 * Brings the block at `missIndex` into the cache, and more behind it as read-ahead sees fit. If there is a hole instead, reads nothing and
 * returns where it ends (as far as was looked); else returns `missIndex`.
 */
function fetch(state: FileState, read: { fromIndex: number; toIndex: number; missIndex: number }): number {
  const blocks = state.readAhead.plan(read.fromIndex, read.toIndex, read.missIndex);
  const toIndex = Math.max(read.missIndex + 1, Math.min(read.missIndex + blocks, state.blockCount));
  if (toIndex === read.missIndex + 1 && loadBlock(state, read.missIndex) !== NO_FRAME) return read.missIndex;
  const segments = state.segments(read.missIndex, toIndex);
  if (segments[0]!.block === NIL_BLOCK) return cachedFrom(state, segments[0]!);
  for (const run of deviceRuns(segments)) fillPages(state, run);
  return read.missIndex;
}

/** The end of a hole in the map, or of its part before the first page that stands over it, written and not yet mapped. */
function cachedFrom(state: FileState, hole: Segment): number {
  return hole.blockIndex + uncachedRun(state, hole.blockIndex, hole.blockIndex + hole.blockCount);
}

/** Segments joined where they continue each other on the device, whatever their births; holes left out. */
export function deviceRuns(segments: readonly Segment[]): Segment[] {
  const runs: Segment[] = [];
  for (let i = 0; i < segments.length; ) {
    const first = segments[i]!;
    let blockCount = first.blockCount;
    let next = i + 1;
    while (
      first.block !== NIL_BLOCK &&
      next < segments.length &&
      segments[next]!.block === first.block + blockCount &&
      segments[next]!.blockIndex === first.blockIndex + blockCount
    ) {
      blockCount += segments[next++]!.blockCount;
    }
    if (first.block !== NIL_BLOCK) {
      const checksums = next === i + 1 ? first.checksums : new Uint32Array(blockCount);
      if (next > i + 1) {
        for (let j = i, filled = 0; j < next; filled += segments[j]!.blockCount, j++) {
          checksums.set(segments[j]!.checksums, filled);
        }
      }
      runs.push({ blockIndex: first.blockIndex, blockCount, block: first.block, birth: first.birth, checksums });
    }
    i = next;
  }
  return runs;
}

/** The page of a block, read from the device if it is not cached; `NO_FRAME` when the block is a hole. */
export function loadPage(state: FileState, blockIndex: number): Frame {
  const pages = state.openPages();
  const cached = pages.find(blockIndex);
  if (cached !== NO_FRAME) return cached;
  const segment = state.segments(blockIndex, blockIndex + 1)[0]!;
  if (segment.block === NIL_BLOCK) return NO_FRAME;
  fillPages(state, segment);
  return pages.find(blockIndex);
}

/** Reads one block that is not cached into a page, without lists; `NO_FRAME`, with nothing done, for a hole and where a range is being reclaimed. */
function loadBlock(state: FileState, blockIndex: number): Frame {
  if (state.reclaiming !== null) return NO_FRAME;
  const { extents } = state.context;
  const block = extents.findBlock(state.fileId, blockIndex);
  if (block === NIL_BLOCK) return NO_FRAME;
  try {
    return state.openPages().load(blockIndex, block, extents.foundChecksum, STRUCTURE);
  } catch (error) {
    throw ofFile(error, state.fileId, blockIndex);
  }
}

function fillPages(state: FileState, run: Segment): void {
  try {
    state.openPages().fill(run.blockIndex, run.block, run.blockCount, run.checksums, STRUCTURE);
  } catch (error) {
    const block = error instanceof CorruptionError && error.block !== undefined ? error.block : run.block;
    throw ofFile(error, state.fileId, run.blockIndex + (block - run.block));
  }
}

/** Reads `blockCount` blocks from `blockIndex` on into `target[targetStart, ...)`. Holes are zeroed. */
function readDirect(
  state: FileState,
  blockIndex: number,
  blockCount: number,
  target: Uint8Array,
  targetStart: number,
): void {
  const { blockSize } = state.context;
  const segments = state.segments(blockIndex, blockIndex + blockCount);
  for (const segment of segments) {
    if (segment.block !== NIL_BLOCK) continue;
    const from = targetStart + (segment.blockIndex - blockIndex) * blockSize;
    target.fill(0, from, from + segment.blockCount * blockSize);
  }
  for (const run of deviceRuns(segments)) {
    const from = targetStart + (run.blockIndex - blockIndex) * blockSize;
    readVerified(state, run, target.subarray(from, from + run.blockCount * blockSize));
  }
}

/** Reads consecutive blocks of the device into `target` and verifies each. */
export function readVerified(state: Pick<FileState, 'context' | 'fileId'>, run: Segment, target: Uint8Array): void {
  const { blockSize, log } = state.context;
  if ((run.block + run.blockCount) * blockSize > log.device.sizeBytes) {
    const problem = new CorruptionError(STRUCTURE, 'it lies beyond the end of the device', { block: run.block });
    throw ofFile(problem, state.fileId, run.blockIndex);
  }
  log.device.readSync(run.block * blockSize, [target]);
  const found = new Uint32Array(run.blockCount);
  xxh32Blocks(target, 0, blockSize, found);
  for (let i = 0; i < run.blockCount; i++) {
    const actual = found[i]!;
    const expected = run.checksums[i]!;
    if (actual === expected) continue;
    const problem = new CorruptionError(STRUCTURE, 'its content does not have the checksum that its extent names', {
      block: run.block + i,
      expected,
      actual,
    });
    throw ofFile(problem, state.fileId, run.blockIndex + i);
  }
}

/**
 * Writing: small contents as objects, pieces of blocks and short runs through pages, long runs of whole blocks straight from the caller's
 * memory to the device.
 *
 * Each piece of at most 1 MiB is one operation in two halves: the first finds out where the content is, reads the pages of which only a part
 * changes (verified), and makes sure of the room that the change and its staging need; the second changes and cannot fail, but for the
 * device under a direct write, which comes before everything else and is taken back.
 */
import { NoSpaceError, xxh32Blocks } from '@outwrite/blockdev';
import type { Extent } from './extent-format.ts';
import { NO_ROOM } from './extent-map.ts';
import { finishReclaim } from './file-reclaim.ts';
import { checkBytes, checkRange, type FileState } from './file-state.ts';
import { leaveInline, reserveInline, writeInline } from './inline-content.ts';
import { allocate, install } from './map-region.ts';
import { type BlockPart, changePage, type PageRange, pinParts, reservePages, unpinAll } from './page-change.ts';
import { changeTree, giveBack } from './second-half.ts';
import { untilDone } from './staging-room.ts';
import type { TakenBlocks } from './taken-blocks.ts';

/** A longer write is a sequence of writes of this length, cut at multiples of it: what one operation reserves at most. */
const PIECE_BYTES = 1024 * 1024;

/** Whole blocks from this many bytes on go straight from the caller's memory to the device. */
export const DIRECT_WRITE_BYTES: number = 64 * 1024;

/** Writes all of `source` at `position`; the file grows as needed. Throws with nothing of the piece at hand changed. */
export function writeFile(state: FileState, position: number, source: Uint8Array): void {
  checkBytes(source);
  checkRange(position, source.length);
  const end = position + source.length;
  for (let at = position; at < end; ) {
    const pieceEnd = endOfPiece(at, end);
    const isAll = pieceEnd - at === source.length;
    writePiece(state, at, isAll ? source : source.subarray(at - position, pieceEnd - position), null);
    at = pieceEnd;
  }
}

/** A part of a write that is one operation. */
export interface WritePiece {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** The operations of which a write is made, cut at multiples of `PIECE_BYTES` and so between blocks. Checks the arguments. */
export function writePieces(position: number, source: Uint8Array): WritePiece[] {
  checkBytes(source);
  checkRange(position, source.length);
  const pieces: WritePiece[] = [];
  for (let done = 0; done < source.length; ) {
    const at = position + done;
    const end = endOfPiece(at, position + source.length);
    pieces.push({ position: at, bytes: source.subarray(done, end - position) });
    done = end - position;
  }
  return pieces;
}

/** The end of the operation that begins at `at`, of a write up to `end`. */
function endOfPiece(at: number, end: number): number {
  return Math.min(end, (Math.floor(at / PIECE_BYTES) + 1) * PIECE_BYTES);
}

/** How a write divides: blocks `[directFrom, directTo)` go directly, what is before and after through pages. */
export interface WritePlan {
  readonly pages: readonly PageRange[];
  readonly directFrom: number;
  readonly directTo: number;
}

export function planWrite(position: number, end: number, blockSize: number): WritePlan {
  const fromIndex = Math.floor(position / blockSize);
  const toIndex = Math.ceil(end / blockSize);
  const directFrom = Math.ceil(position / blockSize);
  const directTo = Math.floor(end / blockSize);
  if ((directTo - directFrom) * blockSize < DIRECT_WRITE_BYTES) {
    return { pages: [{ fromIndex, toIndex }], directFrom: toIndex, directTo: toIndex };
  }
  const pages: PageRange[] = [];
  if (fromIndex < directFrom) pages.push({ fromIndex, toIndex: directFrom });
  if (directTo < toIndex) pages.push({ fromIndex: directTo, toIndex });
  return { pages, directFrom, directTo };
}

/**
 * One operation. `written` brings the blocks of the plan's direct part when they are on the device already (they enter the open delta when it
 * is called, in the second half); null has them allocated and written here.
 */
export function writePiece(
  state: FileState,
  position: number,
  source: Uint8Array,
  written: (() => Extent[]) | null,
): void {
  const end = position + source.length;
  const plan = planWrite(position, end, state.context.blockSize);
  untilDone(state.context.log, false, () => {
    state.resolve();
    finishReclaim(state);
    const staysInline = state.shape === 'inline' && Math.max(end, state.sizeBytes) <= state.context.inlineLimitBytes;
    return staysInline ? writeInline(state, position, source) : tryPiece(state, { position, source, plan, written });
  });
}

interface MappedWrite {
  readonly position: number;
  readonly source: Uint8Array;
  readonly plan: WritePlan;
  readonly written: (() => Extent[]) | null;
}

/** Both halves, once. False if the log made room and everything has to be looked up again. */
function tryPiece(state: FileState, write: MappedWrite): boolean {
  const { log, extents, room, blockSize } = state.context;
  const { position, source, plan } = write;
  const end = position + source.length;
  const delta = log.openDelta;
  const leavesInline = state.shape === 'inline';
  const keepsInline = leavesInline && !(position === 0 && end >= Math.min(blockSize, state.sizeBytes));
  const ranges = keepsInline && plan.pages[0]?.fromIndex !== 0 ? [FIRST_PAGE, ...plan.pages] : plan.pages;
  let addedBytes = leavesInline ? reserveInline(state, 0, false) : 0;
  if (addedBytes < 0) return false;
  const reservation = reservePages(state, ranges, false);
  addedBytes += reservation.addedBytes;
  const directCount = plan.directTo - plan.directFrom;
  const change =
    directCount === 0 ? NO_ROOM : extents.reserveRegion(state.fileId, plan.directFrom, plan.directTo, room);
  const newBlocks = reservation.pageCount + (write.written === null ? directCount : 0);
  const nodes = change.nodes + (write.written === null ? 0 : nodesToEnter(directCount));
  if (!log.ensure(newBlocks + room.blocksFor(addedBytes) + change.blocks, nodes, false)) return false;
  if (log.openDelta !== delta) return false;
  const { pinned } = pinParts(state, partsToKeep(state, position, end));
  try {
    if (directCount > 0) {
      log.transact(() => replaceDirectly(state, write, leavesInline));
    }
    if (state.shape === 'inline') leaveInline(state, keepsInline);
    copyIntoPages(state, write);
    if (end > state.sizeBytes) state.sizeBytes = end;
    state.markChanged(addedBytes);
  } finally {
    unpinAll(state, pinned);
  }
  return true;
}

/**
 * What blocks that are taken already ask for when they enter the open delta. The log sets aside a copy of each, and a third of a block to list
 * it, and counts that by itself only for blocks that it is asked for. A node stands for two free blocks, and for nothing besides.
 */
export function nodesToEnter(blockCount: number): number {
  return Math.ceil((blockCount + Math.ceil(blockCount / 3)) / 2);
}

const FIRST_PAGE: PageRange = { fromIndex: 0, toIndex: 1 };

/** The blocks at the ends of a write of which a part stays as it is. */
function partsToKeep(state: FileState, position: number, end: number): BlockPart[] {
  const { blockSize } = state.context;
  if (state.shape === 'inline') return [];
  const parts: BlockPart[] = [];
  const first = Math.floor(position / blockSize);
  const last = Math.floor(end / blockSize);
  const from = position % blockSize;
  const to = end % blockSize;
  if (from > 0 && first < state.blockCount) parts.push({ blockIndex: first, from, to: blockSize });
  // A last block that is written from its beginning to the end of the file or beyond keeps nothing.
  if (to > 0 && end < state.sizeBytes && (last !== first || from === 0)) parts.push({ blockIndex: last, from: 0, to });
  return parts;
}

/** Second half of the direct part, with the write to the device before it. */
function replaceDirectly(state: FileState, write: MappedWrite, leavesInline: boolean): void {
  const { blockSize } = state.context;
  const { directFrom, directTo } = write.plan;
  const from = directFrom * blockSize - write.position;
  const bytes = write.source.subarray(from, from + (directTo - directFrom) * blockSize);
  const pieces = write.written === null ? writeDirectly(state, directFrom, bytes) : write.written();
  const { context } = state;
  changeTree(
    context,
    () => {
      install(state, directFrom, directTo, pieces);
      if (leavesInline) {
        leaveInline(state, directFrom > 0);
        state.mappedBlockCount = directTo - directFrom;
      }
    },
    () => giveBack(context, pieces),
  );
  context.directBlocks += directTo - directFrom;
  state.pages?.discardFrom(directFrom, directTo);
}

/** Second half: the bytes that do not go directly. */
function copyIntoPages(state: FileState, write: MappedWrite): void {
  const { blockSize } = state.context;
  const { position, source } = write;
  const end = position + source.length;
  for (const { fromIndex, toIndex } of write.plan.pages) {
    for (let blockIndex = fromIndex; blockIndex < toIndex; blockIndex++) {
      const from = Math.max(position, blockIndex * blockSize);
      const to = Math.min(end, (blockIndex + 1) * blockSize);
      changePage(state, blockIndex, from - blockIndex * blockSize, source.subarray(from - position, to - position));
    }
  }
}

/** Checksums of the blocks of `source`. */
export function checksumBlocks(source: Uint8Array, blockSize: number): Uint32Array {
  const checksums = new Uint32Array(source.length / blockSize);
  xxh32Blocks(source, 0, blockSize, checksums);
  return checksums;
}

/** Allocates blocks for `source` and writes it there. If the device has no room, they are given back; if it fails, the log latches. */
function writeDirectly(state: FileState, blockIndex: number, source: Uint8Array): Extent[] {
  const { log, blockSize } = state.context;
  const pieces = allocate(state, blockIndex, checksumBlocks(source, blockSize));
  try {
    growDevice(state, pieces);
    for (const piece of pieces) {
      const from = (piece.blockIndex - blockIndex) * blockSize;
      const bytes = source.subarray(from, from + piece.checksums.length * blockSize);
      log.cache.discardRange(piece.start, piece.checksums.length);
      log.device.writeSync(piece.start * blockSize, [bytes]);
    }
  } catch (error) {
    giveBack(state.context, pieces);
    throw error instanceof NoSpaceError ? error : log.latch(error);
  }
  for (const piece of pieces) log.writtenDirectly(piece.start, piece.checksums, 'data');
  return pieces;
}

/** Makes the device reach to the end of all pieces. Throws a `NoSpaceError`, and then nothing has been written. */
export function growDevice(state: FileState, pieces: readonly TakenBlocks[]): void {
  const { log, blockSize } = state.context;
  let endBlock = 0;
  for (const piece of pieces) endBlock = Math.max(endBlock, piece.start + piece.checksums.length);
  if (endBlock * blockSize > log.device.sizeBytes) log.device.grow(endBlock * blockSize);
}

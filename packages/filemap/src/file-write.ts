/**
 * Writing: small contents as objects, pieces of blocks and short runs through pages, long runs of whole blocks straight from the caller's
 * memory to the device.
 *
 * Each piece of at most 1 MiB is one operation in two halves: the first finds out where the content is, reads the pages of which only a part
 * changes (verified), and makes sure of the room that the change and its staging need; the second changes and cannot fail, but for the
 * device under a direct write, which comes before everything else and is taken back.
 */
import { assert, NIL_BLOCK, NoSpaceError, xxh32 } from '@outwrite/blockdev';
import { type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import type { Extent } from './extent-format.ts';
import { heldBlocksFor, NO_ROOM } from './extent-map.ts';
import { loadPage } from './file-read.ts';
import { finishReclaim } from './file-reclaim.ts';
import { checkBytes, checkRange, type FileState } from './file-state.ts';
import { allocate, install } from './map-region.ts';

/** A longer write is a sequence of writes of this length, cut at multiples of it: what one operation reserves at most. */
const PIECE_BYTES = 1024 * 1024;

/** Whole blocks from this many bytes on go straight from the caller's memory to the device. */
export const DIRECT_WRITE_BYTES: number = 64 * 1024;

/** Writes all of `source` at `position`; the file grows as needed. Throws with nothing of the piece at hand changed. */
export function writeFile(state: FileState, position: number, source: Uint8Array): void {
  for (const piece of writePieces(position, source)) writePiece(state, piece.position, piece.bytes, null);
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
    const end = Math.min(position + source.length, (Math.floor(at / PIECE_BYTES) + 1) * PIECE_BYTES);
    pieces.push({ position: at, bytes: source.subarray(done, end - position) });
    done = end - position;
  }
  return pieces;
}

/** How a write divides: blocks `[directFrom, directTo)` go directly, the bytes before and after through pages. */
export interface WritePlan {
  readonly fromIndex: number;
  readonly toIndex: number;
  readonly directFrom: number;
  readonly directTo: number;
}

export function planWrite(position: number, end: number, blockSize: number): WritePlan {
  const fromIndex = Math.floor(position / blockSize);
  const toIndex = Math.ceil(end / blockSize);
  const directFrom = Math.ceil(position / blockSize);
  const directTo = Math.floor(end / blockSize);
  const direct = (directTo - directFrom) * blockSize >= DIRECT_WRITE_BYTES;
  return direct
    ? { fromIndex, toIndex, directFrom, directTo }
    : { fromIndex, toIndex, directFrom: toIndex, directTo: toIndex };
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
  const { log, extents, blockSize, inlineLimitBytes } = state.context;
  const end = position + source.length;
  const plan = planWrite(position, end, blockSize);
  const directCount = plan.directTo - plan.directFrom;
  for (;;) {
    state.resolve();
    finishReclaim(state);
    if (state.shape === 'inline' && Math.max(end, state.sizeBytes) <= inlineLimitBytes) {
      if (writeInline(state, position, source)) return;
      continue;
    }
    // The first half. What staging will need is held; what this call itself takes is only made sure of.
    const leavesInline = state.shape === 'inline';
    const heldBlocks = pagesToHold(state, plan) + (leavesInline ? inlineExitBlocks(state) : 0);
    const room = directCount === 0 ? NO_ROOM : extents.regionRoom(directCount);
    const neededBlocks = heldBlocks + room.blocks + (written === null ? directCount : 0);
    if (!log.ensure(neededBlocks, room.nodes, false)) continue;
    const pinned = pinPartialPages(state, position, end, plan);
    try {
      prepareFrees(state, plan);
      if (directCount === 0) {
        changePages(state, { position, source, plan, heldBlocks, leavesInline });
      } else {
        log.transact(() => {
          const from = plan.directFrom * blockSize - position;
          const bytes = source.subarray(from, from + directCount * blockSize);
          const pieces = written === null ? writeDirectly(state, plan.directFrom, bytes) : written();
          if (leavesInline) leaveInline(state, plan.directFrom > 0);
          install(state, plan.directFrom, plan.directTo, pieces);
          state.context.directBlocks += directCount;
          state.pages?.discardFrom(plan.directFrom, plan.directTo);
          changePages(state, { position, source, plan, heldBlocks, leavesInline: false });
        });
      }
    } finally {
      for (const frame of pinned) state.context.cache.unpin(frame);
    }
    return;
  }
}

/** Changes the content of an inline file that stays one. Returns false if the first half has to begin again. */
function writeInline(state: FileState, position: number, source: Uint8Array): boolean {
  const { log, inlineLimitBytes } = state.context;
  const heldBlocks = state.inlineDirty ? 0 : valueBlocks(state);
  if (!log.ensure(heldBlocks, 0, false)) return false;
  const sizeBytes = Math.max(state.sizeBytes, position + source.length);
  if (sizeBytes > state.inline.length) {
    const larger = new Uint8Array(Math.min(inlineLimitBytes, Math.max(sizeBytes, 2 * state.inline.length)));
    larger.set(state.inline.subarray(0, state.sizeBytes));
    state.inline = larger;
  }
  state.inline.set(source, position);
  state.sizeBytes = sizeBytes;
  state.inlineDirty = true;
  state.markChanged(heldBlocks);
  return true;
}

/** Blocks that staging one value may take, the nodes above it included. */
export function valueBlocks(state: FileState): number {
  const room = state.context.valueRoom();
  return heldBlocksFor(room);
}

/** What a file that ceases to be inline needs for staging: a page with its extent, and the end of the value. */
export function inlineExitBlocks(state: FileState): number {
  return 1 + heldBlocksFor(state.context.extents.regionRoom(1)) + valueBlocks(state);
}

/** Second half: an inline file becomes a mapped one. With `keepContent` its bytes go into its first page. */
export function leaveInline(state: FileState, keepContent: boolean): void {
  const { cache, log } = state.context;
  assert(state.shape === 'inline', 'only an inline file ceases to be one');
  if (keepContent && state.sizeBytes > 0) {
    const pages = state.openPages();
    const frame = pages.create(0);
    const bytes = cache.bytesOf(frame);
    bytes.fill(0);
    bytes.set(state.inline.subarray(0, state.sizeBytes));
    pages.markDirty(frame, log.openDelta);
  }
  state.shape = 'mapped';
  state.inline = new Uint8Array(0);
  state.inlineDirty = state.inlineStored;
  state.mappedBlockCount = 0;
}

/** What staging will need for the pages that a write goes through and that are not dirty in the open delta yet. */
function pagesToHold(state: FileState, plan: WritePlan): number {
  const { extents } = state.context;
  let pageCount = 0;
  let runCount = 0;
  let continuesRun = isDirtyPage(state, plan.fromIndex - 1);
  for (let blockIndex = plan.fromIndex; blockIndex < plan.toIndex; blockIndex++) {
    if (blockIndex === plan.directFrom) {
      blockIndex = plan.directTo;
      continuesRun = false;
      if (blockIndex >= plan.toIndex) break;
    }
    if (isDirtyPage(state, blockIndex)) {
      continuesRun = true;
    } else {
      pageCount++;
      if (!continuesRun) runCount++;
      continuesRun = true;
    }
  }
  if (pageCount === 0) return 0;
  return pageCount + runCount * heldBlocksFor(extents.regionRoom(1)) + extents.growth(pageCount);
}

/** Whether a page is dirty in the open delta, so that its staging is paid for. */
function isDirtyPage(state: FileState, blockIndex: number): boolean {
  if (state.pages === null || blockIndex < 0) return false;
  const frame = state.pages.find(blockIndex);
  return frame !== NO_FRAME && state.context.cache.deltaOf(frame) === state.context.log.openDelta;
}

/** Makes sure that the blocks which a write will give up, now or at staging, can be freed without reading anything then. */
function prepareFrees(state: FileState, plan: WritePlan): void {
  if (state.shape === 'inline') return;
  for (const segment of state.segments(plan.fromIndex, plan.toIndex)) {
    if (segment.block !== NIL_BLOCK) state.context.log.prepareFree(segment.block, segment.blockCount);
  }
}

/** Brings the pages of which a part is kept into the cache, and pins them. The caller unpins. */
function pinPartialPages(state: FileState, position: number, end: number, plan: WritePlan): Frame[] {
  const { cache, blockSize } = state.context;
  const pinned: Frame[] = [];
  if (state.shape === 'inline') return pinned;
  const first = position % blockSize === 0 ? -1 : plan.fromIndex;
  const last = end % blockSize === 0 ? -1 : plan.toIndex - 1;
  try {
    for (const blockIndex of first === last ? [first] : [first, last]) {
      if (blockIndex < 0 || blockIndex >= state.blockCount) continue;
      // A last block that is written up to or past the end of the file, from its beginning, keeps nothing.
      if (blockIndex !== first && end >= state.sizeBytes) continue;
      const frame = loadPage(state, blockIndex);
      if (frame === NO_FRAME) continue;
      cache.pin(frame);
      pinned.push(frame);
    }
  } catch (error) {
    for (const frame of pinned) cache.unpin(frame);
    throw error;
  }
  return pinned;
}

interface PageChange {
  readonly position: number;
  readonly source: Uint8Array;
  readonly plan: WritePlan;
  readonly heldBlocks: number;
  readonly leavesInline: boolean;
}

/** Second half: the bytes that do not go directly are copied into pages, and the file is as long as it now is. */
function changePages(state: FileState, change: PageChange): void {
  const { blockSize } = state.context;
  const { position, source, plan } = change;
  const end = position + source.length;
  if (change.leavesInline) leaveInline(state, !(position === 0 && end >= Math.min(blockSize, state.sizeBytes)));
  for (let blockIndex = plan.fromIndex; blockIndex < plan.toIndex; blockIndex++) {
    if (blockIndex === plan.directFrom) blockIndex = plan.directTo;
    if (blockIndex >= plan.toIndex) break;
    const from = Math.max(position, blockIndex * blockSize);
    const to = Math.min(end, (blockIndex + 1) * blockSize);
    changePage(state, blockIndex, from - blockIndex * blockSize, source.subarray(from - position, to - position));
  }
  if (end > state.sizeBytes) state.sizeBytes = end;
  state.markChanged(change.heldBlocks);
}

/** Second half: copies `bytes` into a page from `offset` on. A page that is not there holds nothing but zeros. */
export function changePage(state: FileState, blockIndex: number, offset: number, bytes: Uint8Array): void {
  const { cache, log, blockSize } = state.context;
  const pages = state.openPages();
  let frame = pages.find(blockIndex);
  if (frame === NO_FRAME) {
    frame = pages.create(blockIndex);
    if (bytes.length < blockSize) cache.bytesOf(frame).fill(0);
    pages.markDirty(frame, log.openDelta);
  } else {
    frame = pages.writable(frame, log.openDelta);
  }
  cache.bytesOf(frame).set(bytes, offset);
}

/** Checksums of the blocks of `source`. */
export function checksumBlocks(source: Uint8Array, blockSize: number): Uint32Array {
  const checksums = new Uint32Array(source.length / blockSize);
  for (let i = 0; i < checksums.length; i++) checksums[i] = xxh32(source, i * blockSize, (i + 1) * blockSize);
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
    for (const piece of pieces) log.free(piece.start, piece.checksums.length, piece.birth);
    throw error instanceof NoSpaceError ? error : log.latch(error);
  }
  for (const piece of pieces) log.writtenDirectly(piece.start, piece.checksums, 'data');
  return pieces;
}

/** Makes the device reach to the end of all pieces. Throws a `NoSpaceError`, and then nothing has been written. */
export function growDevice(state: FileState, pieces: readonly { start: number; checksums: Uint32Array }[]): void {
  const { log, blockSize } = state.context;
  let endBlock = 0;
  for (const piece of pieces) endBlock = Math.max(endBlock, piece.start + piece.checksums.length);
  if (endBlock * blockSize > log.device.sizeBytes) log.device.grow(endBlock * blockSize);
}

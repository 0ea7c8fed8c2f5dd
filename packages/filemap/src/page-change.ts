/**
 * Changing pages: what must be looked up, read and set aside before, and the change itself.
 *
 * First half (`reservePages`, `pinParts`): the leaves that staging will change for these pages are touched, the blocks that it will give up
 * can be freed without reading, the room for new blocks and entries is there, and pages of which a part stays are in the cache. Second half
 * (`changePage`): bytes are copied into pages, which are forked if they are being written.
 */
import { type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import { loadPage } from './file-read.ts';
import type { FileState } from './file-state.ts';

/** Bytes that an entry for one block may add to the tree: key, value, head, offset, lengths, alignment. */
const ENTRY_COST_BYTES = 44;

/** Blocks `[fromIndex, toIndex)`. */
export interface PageRange {
  readonly fromIndex: number;
  readonly toIndex: number;
}

/** What a change of pages will add to what is set aside for staging. */
export interface PageReservation {
  /** Pages that become dirty. */
  readonly pageCount: number;
  /** Bytes by which the tree may grow. */
  readonly addedBytes: number;
}

/** First half: makes ready for pages in `ranges` to become dirty. Touches leaves, and so may commit: compare the open delta. */
export function reservePages(state: FileState, ranges: readonly PageRange[], isReclaiming: boolean): PageReservation {
  let pageCount = 0;
  let addedBytes = 0;
  for (const { fromIndex, toIndex } of ranges) {
    for (let blockIndex = fromIndex; blockIndex < toIndex; ) {
      if (isDirtyPage(state, blockIndex)) {
        blockIndex++;
        continue;
      }
      const runStart = blockIndex++;
      while (blockIndex < toIndex && !isDirtyPage(state, blockIndex)) blockIndex++;
      const runBlocks = blockIndex - runStart;
      const { extents, room } = state.context;
      if (state.isBeyondMap(runStart)) extents.touchPlace(state.fileId, runStart, blockIndex, room, isReclaiming);
      else extents.touchRegion(state.fileId, runStart, blockIndex, room, isReclaiming);
      pageCount += runBlocks;
      // At worst every block gets an entry of its own, and what is cut in two needs one more.
      addedBytes += (runBlocks + (isDirtyPage(state, runStart - 1) ? 0 : 1)) * ENTRY_COST_BYTES;
    }
  }
  return { pageCount, addedBytes };
}

/** Whether a page is dirty in the open delta, so that its staging is paid for. */
function isDirtyPage(state: FileState, blockIndex: number): boolean {
  if (state.pages === null || blockIndex < 0) return false;
  const frame = state.pages.find(blockIndex);
  return frame !== NO_FRAME && state.context.cache.deltaOf(frame) === state.context.log.openDelta;
}

/** Bytes `[from, to)` of one block. */
export interface BlockPart {
  readonly blockIndex: number;
  readonly from: number;
  readonly to: number;
}

/**
 * First half: brings the pages of which `parts` will be changed into the cache, each verified, and pins them; the caller unpins `pinned`.
 * `present` are the parts whose blocks are not holes.
 */
export function pinParts(state: FileState, parts: readonly BlockPart[]): { pinned: Frame[]; present: BlockPart[] } {
  const { cache } = state.context;
  const pinned: Frame[] = [];
  const present: BlockPart[] = [];
  try {
    for (const part of parts) {
      const frame = loadPage(state, part.blockIndex);
      if (frame === NO_FRAME) continue;
      cache.pin(frame);
      pinned.push(frame);
      present.push(part);
    }
  } catch (error) {
    unpinAll(state, pinned);
    throw error;
  }
  return { pinned, present };
}

export function unpinAll(state: FileState, pinned: readonly Frame[]): void {
  for (const frame of pinned) state.context.cache.unpin(frame);
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

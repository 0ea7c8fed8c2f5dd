/**
 * Changing a file's length, and punching holes into it.
 *
 * Whole blocks are unmapped and freed with their births (`file-reclaim.ts`); of blocks that are given up in part the bytes are zeroed through
 * pages. Shrinking and punching may use the reserve that is kept for giving up space, so they work on a full volume.
 */
import { type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import type { ReclaimRange } from './extent-format.ts';
import { heldBlocksFor, NO_ROOM } from './extent-map.ts';
import { loadPage } from './file-read.ts';
import {
  findReclaimable,
  finishReclaim,
  finishReclaimIfPossible,
  giveUp,
  markReclaim,
  prepareFrees,
} from './file-reclaim.ts';
import { checkRange, type FileState } from './file-state.ts';
import { changePage, inlineExitBlocks, leaveInline, valueBlocks } from './file-write.ts';
import { BLOCK_INDEX_LIMIT } from './key-format.ts';

/** Bytes `[from, to)` of one block. */
interface BlockPart {
  readonly blockIndex: number;
  readonly from: number;
  readonly to: number;
}

/** Sets the length of the file. Bytes beyond it are gone; bytes that it gains are zero and take no space. */
export function truncateFile(state: FileState, sizeBytes: number): void {
  checkRange(sizeBytes, 0);
  const { log, blockSize, inlineLimitBytes } = state.context;
  for (;;) {
    state.resolve();
    finishReclaim(state);
    if (sizeBytes === state.sizeBytes) {
      if (log.ensure(0, 0, true)) return;
    } else if (state.shape === 'inline') {
      const done = sizeBytes <= inlineLimitBytes ? resizeInline(state, sizeBytes) : outgrowInline(state, sizeBytes);
      if (done) return;
    } else if (sizeBytes > state.sizeBytes) {
      if (!log.ensure(0, 0, false)) continue;
      state.sizeBytes = sizeBytes;
      state.markChanged(0);
      return;
    } else {
      const keptBlocks = Math.ceil(sizeBytes / blockSize);
      const usedBytes = sizeBytes % blockSize;
      const part = { blockIndex: keptBlocks - 1, from: usedBytes, to: blockSize };
      const range = { fromIndex: keptBlocks, toIndex: BLOCK_INDEX_LIMIT };
      if (unmapRange(state, range, usedBytes === 0 ? [] : [part], sizeBytes)) return;
    }
  }
}

/** Makes a range read as zeros and gives up the whole blocks in it. The length of the file stays. */
export function punchFile(state: FileState, position: number, lengthBytes: number): void {
  checkRange(position, lengthBytes);
  const { log, blockSize } = state.context;
  for (;;) {
    state.resolve();
    finishReclaim(state);
    const end = Math.min(position + lengthBytes, state.sizeBytes);
    if (position >= end) {
      if (log.ensure(0, 0, true)) return;
    } else if (state.shape === 'inline') {
      const heldBlocks = state.inlineDirty ? 0 : valueBlocks(state);
      if (!log.ensure(heldBlocks, 0, true)) continue;
      state.inline.fill(0, position, end);
      state.inlineDirty = true;
      state.markChanged(heldBlocks);
      return;
    } else {
      // Beyond the end of the file the last block is zero already, so up to the end means up to the end of the block.
      const wholeEnd = end === state.sizeBytes ? state.blockCount * blockSize : end;
      const range = { fromIndex: Math.ceil(position / blockSize), toIndex: Math.floor(wholeEnd / blockSize) };
      if (unmapRange(state, range, partsOutside(position, wholeEnd, blockSize), state.sizeBytes)) return;
    }
  }
}

/** The parts of `[position, end)` that are less than a block. */
function partsOutside(position: number, end: number, blockSize: number): BlockPart[] {
  const first = Math.floor(position / blockSize);
  const last = Math.floor(end / blockSize);
  const from = position % blockSize;
  const to = end % blockSize;
  if (first === last) return [{ blockIndex: first, from, to }];
  const parts: BlockPart[] = [];
  if (from > 0) parts.push({ blockIndex: first, from, to: blockSize });
  if (to > 0) parts.push({ blockIndex: last, from: 0, to });
  return parts;
}

function resizeInline(state: FileState, sizeBytes: number): boolean {
  const heldBlocks = state.inlineDirty ? 0 : valueBlocks(state);
  if (!state.context.log.ensure(heldBlocks, 0, sizeBytes < state.sizeBytes)) return false;
  if (sizeBytes > state.inline.length) {
    const larger = new Uint8Array(sizeBytes);
    larger.set(state.inline.subarray(0, state.sizeBytes));
    state.inline = larger;
  } else {
    state.inline.fill(0, Math.min(sizeBytes, state.sizeBytes));
  }
  state.sizeBytes = sizeBytes;
  state.inlineDirty = true;
  state.markChanged(heldBlocks);
  return true;
}

function outgrowInline(state: FileState, sizeBytes: number): boolean {
  const heldBlocks = inlineExitBlocks(state);
  if (!state.context.log.ensure(heldBlocks, 0, false)) return false;
  leaveInline(state, true);
  state.sizeBytes = sizeBytes;
  state.markChanged(heldBlocks);
  return true;
}

/**
 * Zeroes `parts`, unmaps `range` (which may be empty) and sets the size of a mapped file, as one operation. Returns false if its first half
 * has to begin again.
 */
function unmapRange(state: FileState, range: ReclaimRange, parts: readonly BlockPart[], sizeBytes: number): boolean {
  const { log, cache, extents } = state.context;
  const found = range.fromIndex < range.toIndex ? findReclaimable(state, range) : null;
  // The pages stand beside what is unmapped, so all of it is one region of the tree.
  const heldBlocks = parts.length === 0 ? 0 : parts.length + heldBlocksFor(extents.regionRoom(parts.length));
  const room = found === null ? NO_ROOM : found.more ? state.context.valueRoom() : extents.regionRoom(1);
  if (!log.ensure(heldBlocks + room.blocks, room.nodes, true)) return false;
  const pinned: Frame[] = [];
  const zeroed: BlockPart[] = [];
  try {
    for (const part of parts) {
      const frame = loadPage(state, part.blockIndex);
      if (frame === NO_FRAME) continue;
      cache.pin(frame);
      pinned.push(frame);
      zeroed.push(part);
    }
    if (found !== null) prepareFrees(state, found);
    log.transact(() => {
      if (found !== null) {
        if (found.more) markReclaim(state, range);
        else giveUp(state, range, found);
        state.pages?.discardFrom(range.fromIndex, range.toIndex);
      }
      for (const part of zeroed) changePage(state, part.blockIndex, part.from, new Uint8Array(part.to - part.from));
      state.sizeBytes = sizeBytes;
      if (sizeBytes === 0 && state.reclaiming === null) state.shape = 'inline';
      state.markChanged(zeroed.length === 0 ? 0 : heldBlocks);
    });
  } finally {
    for (const frame of pinned) cache.unpin(frame);
  }
  finishReclaimIfPossible(state);
  return true;
}

/**
 * Changing a file's length, and punching holes into it.
 *
 * Whole blocks are unmapped and freed with their births (`file-reclaim.ts`); of blocks that are given up in part the bytes are zeroed through
 * pages. Shrinking and punching may use the reserve that is kept for giving up space, so they work on a full volume.
 */
import type { ReclaimRange } from './extent-format.ts';
import { NO_ROOM } from './extent-map.ts';
import {
  finishReclaim,
  finishReclaimIfPossible,
  giveUp,
  markReclaim,
  type ReclaimPlan,
  reserveMark,
  reserveReclaim,
} from './file-reclaim.ts';
import { checkRange, type FileState } from './file-state.ts';
import { leaveInline, reserveInline, resizeInline, zeroInline } from './inline-content.ts';
import { BLOCK_INDEX_LIMIT } from './key-format.ts';
import { type BlockPart, changePage, pinParts, reservePages, unpinAll } from './page-change.ts';
import { changeTree } from './second-half.ts';
import { untilDone } from './staging-room.ts';

/** Sets the length of the file. Bytes beyond it are gone; bytes that it gains are zero and take no space. */
export function truncateFile(state: FileState, sizeBytes: number): void {
  checkRange(sizeBytes, 0);
  const isReclaiming = sizeBytes <= state.sizeBytes;
  untilDone(state.context.log, isReclaiming, () => tryTruncate(state, sizeBytes));
  finishReclaimIfPossible(state);
}

function tryTruncate(state: FileState, sizeBytes: number): boolean {
  const { log, blockSize, inlineLimitBytes } = state.context;
  state.resolve();
  finishReclaim(state);
  if (sizeBytes === state.sizeBytes) return log.ensure(0, 0, true);
  if (state.shape === 'inline') {
    return sizeBytes <= inlineLimitBytes ? resizeInline(state, sizeBytes) : outgrowInline(state, sizeBytes);
  }
  if (sizeBytes > state.sizeBytes) {
    if (!log.ensure(0, 0, false)) return false;
    state.sizeBytes = sizeBytes;
    state.markChanged(0);
    return true;
  }
  const keptBlocks = Math.ceil(sizeBytes / blockSize);
  const usedBytes = sizeBytes % blockSize;
  const part = { blockIndex: keptBlocks - 1, from: usedBytes, to: blockSize };
  const range = { fromIndex: keptBlocks, toIndex: BLOCK_INDEX_LIMIT };
  return unmapRange(state, range, usedBytes === 0 ? [] : [part], sizeBytes);
}

/** Makes a range read as zeros and gives up the whole blocks in it. The length of the file stays. */
export function punchFile(state: FileState, position: number, lengthBytes: number): void {
  checkRange(position, lengthBytes);
  untilDone(state.context.log, true, () => tryPunch(state, position, lengthBytes));
  finishReclaimIfPossible(state);
}

function tryPunch(state: FileState, position: number, lengthBytes: number): boolean {
  const { log, blockSize } = state.context;
  state.resolve();
  finishReclaim(state);
  const end = Math.min(position + lengthBytes, state.sizeBytes);
  if (position >= end) return log.ensure(0, 0, true);
  if (state.shape === 'inline') return zeroInline(state, position, end);
  // Beyond the end of the file the last block is zero already, so up to the end means up to the end of the block.
  const wholeEnd = end === state.sizeBytes ? state.blockCount * blockSize : end;
  const range = { fromIndex: Math.ceil(position / blockSize), toIndex: Math.floor(wholeEnd / blockSize) };
  return unmapRange(state, range, partsOutside(position, wholeEnd, blockSize), state.sizeBytes);
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

/** An inline file gets longer than a value may be. Returns false if its first half has to begin again. */
function outgrowInline(state: FileState, sizeBytes: number): boolean {
  const { log, room } = state.context;
  const delta = log.openDelta;
  const valueBytes = reserveInline(state, 0, false);
  if (valueBytes < 0) return false;
  const { pageCount, addedBytes } = reservePages(state, [{ fromIndex: 0, toIndex: 1 }], false);
  if (!log.ensure(pageCount + room.blocksFor(valueBytes + addedBytes), 0, false) || log.openDelta !== delta)
    return false;
  leaveInline(state, true);
  state.sizeBytes = sizeBytes;
  state.markChanged(valueBytes + addedBytes);
  return true;
}

/**
 * Zeroes `parts`, unmaps `range` (which may be empty) and sets the size of a mapped file, as one operation. Returns false if its first half
 * has to begin again.
 */
function unmapRange(state: FileState, range: ReclaimRange, parts: readonly BlockPart[], sizeBytes: number): boolean {
  const { log, room } = state.context;
  const delta = log.openDelta;
  const { pinned, present } = pinParts(state, parts);
  try {
    const ranges = present.map(({ blockIndex }) => ({ fromIndex: blockIndex, toIndex: blockIndex + 1 }));
    const { pageCount, addedBytes } = reservePages(state, ranges, true);
    const plan = range.fromIndex < range.toIndex ? reserveReclaim(state, range) : NOTHING;
    if (plan === null || (plan.found.more && !reserveMark(state))) return false;
    const { found, room: step } = plan;
    const stagingBlocks = pageCount === 0 ? 0 : pageCount + room.blocksFor(addedBytes);
    if (!log.ensure(stagingBlocks + step.blocks, step.nodes, true) || log.openDelta !== delta) return false;
    const unmap = (): void => {
      if (found.more) markReclaim(state, range);
      else if (plan !== NOTHING) giveUp(state, range, found);
      state.pages?.discardFrom(range.fromIndex, range.toIndex);
      for (const part of present) changePage(state, part.blockIndex, part.from, new Uint8Array(part.to - part.from));
      state.sizeBytes = sizeBytes;
      if (sizeBytes === 0 && state.reclaiming === null) state.shape = 'inline';
      state.markChanged(addedBytes);
    };
    log.transact(() => changeTree(state.context, unmap), true);
  } finally {
    unpinAll(state, pinned);
  }
  return true;
}

const NOTHING: ReclaimPlan = { found: { extents: [], damaged: [], errors: [], more: false }, room: NO_ROOM };

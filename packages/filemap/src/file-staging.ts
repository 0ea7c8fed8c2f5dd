/**
 * Staging: at the close of a delta, what files hold in memory goes into the tree and into the delta's writes.
 *
 * Inline contents are put as values. Dirty pages are taken in key order, runs of neighbours together, checksummed and redirected
 * (`mapRegion`): so addresses rise with position in the file, whatever the order in which pages were written. The room was held when the
 * changes were made, so nothing here runs out.
 */
import { assert, verify, xxh32Each } from '@outwrite/blockdev';
import { type Frame, NO_FRAME, type PageSpace } from '@outwrite/buffer-cache';
import type { FileState } from './file-state.ts';
import { KIND_INLINE, setFileKey } from './key-format.ts';
import { mapRegion } from './map-region.ts';

/** Pages of one `mapRegion`: bounds what is in memory for a run, and is far more than one extent holds. */
const LONGEST_RUN_BLOCKS = 2048;

/** Puts everything that is dirty in `state` into the delta being closed. */
export function stageFile(state: FileState): void {
  state.release();
  stageInline(state);
  if (state.pages !== null && state.pages.dirtyPageCount > 0) stagePages(state, state.pages);
}

/** Puts or deletes the file's inline value, whichever the file has come to. */
export function stageInline(state: FileState): void {
  if (!state.inlineDirty) return;
  const { tree, key } = state.context;
  setFileKey(key, state.fileId, KIND_INLINE, 0);
  if (state.shape === 'inline' && state.sizeBytes > 0) {
    tree.put(key, state.inline.subarray(0, state.sizeBytes));
    state.inlineStored = true;
  } else if (state.inlineStored) {
    tree.delete(key);
    state.inlineStored = false;
  }
  state.inlineDirty = false;
}

function stagePages(state: FileState, pages: PageSpace): void {
  const indexes = pages.dirtyIndexes();
  assert(indexes[indexes.length - 1]! < state.blockCount, 'no dirty page lies beyond the end of its file');
  verify(() => checkTail(state, pages));
  const staged = openForStaging(state, pages, indexes);
  for (let at = 0; at < indexes.length; ) {
    let end = at + 1;
    while (end < indexes.length && end - at < LONGEST_RUN_BLOCKS && indexes[end] === indexes[end - 1]! + 1) end++;
    stageRun(state, staged, indexes[at]!, at, end);
    at = end;
  }
  state.stagedIndexes = indexes;
}

/** The pages that are staged, in the order of their indexes. */
interface StagedPages {
  readonly frames: Frame[];
  readonly checksums: Uint32Array;
}

function openForStaging(state: FileState, pages: PageSpace, indexes: Float64Array): StagedPages {
  const { cache, log } = state.context;
  const frames: Frame[] = [];
  const contents: Uint8Array[] = [];
  for (const index of indexes) {
    const frame = pages.find(index);
    assert(
      frame !== NO_FRAME && cache.deltaOf(frame) === log.openDelta,
      'a page that is staged is dirty in the delta being closed',
    );
    frames.push(frame);
    contents.push(cache.bytesOf(frame));
  }
  const checksums = new Uint32Array(frames.length);
  xxh32Each(contents, contents.length, checksums);
  return { frames, checksums };
}

/** Stages the pages `[at, end)` of `staged`, which are neighbours; `blockIndex` is that of the first. */
function stageRun(state: FileState, staged: StagedPages, blockIndex: number, at: number, end: number): void {
  const { log } = state.context;
  const { frames, checksums } = staged;
  for (const segment of mapRegion(state, blockIndex, end - at, 'redirect', checksums.subarray(at, end))) {
    const first = at + segment.blockIndex - blockIndex;
    for (let i = 0; i < segment.blockCount; i++) {
      log.writeFrame(segment.block + i, frames[first + i]!, checksums[first + i]!, 'data');
    }
  }
}

/** The bytes of the last block beyond the end of the file are zero, else a later growth would bring them to light. */
function checkTail(state: FileState, pages: PageSpace): void {
  const { blockSize, cache } = state.context;
  const usedBytes = state.sizeBytes % blockSize;
  if (usedBytes === 0 || !pages.has(state.blockCount - 1)) return;
  const bytes = cache.bytesOf(pages.find(state.blockCount - 1));
  for (let i = usedBytes; i < blockSize; i++) assert(bytes[i] === 0, 'a last block is zero beyond the end of its file');
}

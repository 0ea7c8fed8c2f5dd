/**
 * Small files: the whole content is one value of the tree, kept as an object until staging puts it there.
 */
import { assert } from '@outwrite/blockdev';
import type { FileState } from './file-state.ts';
import { KIND_INLINE, setFileKey } from './key-format.ts';

/** Bytes of a value's entry besides the value. */
const ENTRY_COST_BYTES = 40;

/**
 * First half of a change after which the value in the tree will be of `sizeBytes` bytes, or gone. Returns by how many bytes the tree may grow,
 * or -1 if the first half has to begin again.
 */
export function reserveInline(state: FileState, sizeBytes: number, isReclaiming: boolean): number {
  const { log, room, key } = state.context;
  const delta = log.openDelta;
  room.touch(setFileKey(key, state.fileId, KIND_INLINE, 0), isReclaiming);
  const addedBytes = state.inlineDirty ? Math.max(0, sizeBytes - state.sizeBytes) : sizeBytes + ENTRY_COST_BYTES;
  return log.ensure(room.blocksFor(addedBytes), 0, isReclaiming) && log.openDelta === delta ? addedBytes : -1;
}

/** Both halves: changes the content of a file that stays inline. Returns false if the first half has to begin again. */
export function writeInline(state: FileState, position: number, source: Uint8Array): boolean {
  const { inlineLimitBytes } = state.context;
  const sizeBytes = Math.max(state.sizeBytes, position + source.length);
  const addedBytes = reserveInline(state, sizeBytes, false);
  if (addedBytes < 0) return false;
  if (sizeBytes > state.inline.length) {
    growInline(state, Math.min(inlineLimitBytes, Math.max(sizeBytes, 2 * state.inline.length)));
  }
  state.inline.set(source, position);
  changed(state, sizeBytes, addedBytes);
  return true;
}

/** As `writeInline`, for another length: zeros are added, or the end is cut off. */
export function resizeInline(state: FileState, sizeBytes: number): boolean {
  const addedBytes = reserveInline(state, sizeBytes, sizeBytes < state.sizeBytes);
  if (addedBytes < 0) return false;
  if (sizeBytes > state.inline.length) growInline(state, sizeBytes);
  else state.inline.fill(0, Math.min(sizeBytes, state.sizeBytes));
  changed(state, sizeBytes, addedBytes);
  return true;
}

/** As `writeInline`, for zeros in bytes `[position, end)`. */
export function zeroInline(state: FileState, position: number, end: number): boolean {
  const addedBytes = reserveInline(state, state.sizeBytes, true);
  if (addedBytes < 0) return false;
  state.inline.fill(0, position, end);
  changed(state, state.sizeBytes, addedBytes);
  return true;
}

function growInline(state: FileState, capacityBytes: number): void {
  const larger = new Uint8Array(capacityBytes);
  larger.set(state.inline.subarray(0, state.sizeBytes));
  state.inline = larger;
}

function changed(state: FileState, sizeBytes: number, addedBytes: number): void {
  state.sizeBytes = sizeBytes;
  state.inlineDirty = true;
  state.markChanged(addedBytes);
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

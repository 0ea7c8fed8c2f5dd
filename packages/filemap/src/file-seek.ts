/**
 * Where a file's data and holes are: `lseek` with SEEK_DATA and SEEK_HOLE, to the block.
 *
 * Data is what is mapped, and what is written and waits in a page to be mapped. The end of the file counts as a hole.
 */
import { checkPosition, type FileState } from './file-state.ts';

/** The first position from `position` on that may hold anything but zeros, or -1 if there is none. */
export function seekData(state: FileState, position: number): number {
  checkPosition(position);
  if (position >= state.sizeBytes) return -1;
  state.resolve();
  if (state.shape === 'inline') return position;
  const { blockSize } = state.context;
  const fromIndex = Math.floor(position / blockSize);
  const mapped = nextMapped(state, fromIndex);
  const dirty = nextDirty(state, fromIndex);
  const found = mapped === -1 || (dirty !== -1 && dirty < mapped) ? dirty : mapped;
  if (found === -1 || found >= state.blockCount) return -1;
  return Math.max(position, found * blockSize);
}

/** The first position from `position` on that is in a hole, at most the end of the file; -1 if `position` is not in the file. */
export function seekHole(state: FileState, position: number): number {
  checkPosition(position);
  if (position >= state.sizeBytes) return -1;
  state.resolve();
  if (state.shape === 'inline') return state.sizeBytes;
  const { blockSize } = state.context;
  const dirty = dirtyIndexes(state);
  let at = Math.floor(position / blockSize);
  for (let place = firstFrom(dirty, at); ; ) {
    const unmapped = nextUnmapped(state, at);
    while (place < dirty.length && dirty[place]! < unmapped) place++;
    let end = unmapped;
    while (place < dirty.length && dirty[place] === end) {
      end++;
      place++;
    }
    if (end === unmapped || end >= state.blockCount) {
      return Math.min(state.sizeBytes, Math.max(position, end * blockSize));
    }
    at = end;
  }
}

function nextMapped(state: FileState, fromIndex: number): number {
  const { extents } = state.context;
  const { blockCount } = state;
  const found = extents.nextMapped(state.fileId, fromIndex, blockCount);
  const range = state.reclaiming;
  if (range === null || found < range.fromIndex || found >= range.toIndex) return found;
  return extents.nextMapped(state.fileId, range.toIndex, blockCount);
}

function nextUnmapped(state: FileState, fromIndex: number): number {
  const found = state.context.extents.nextUnmapped(state.fileId, fromIndex, state.blockCount);
  const range = state.reclaiming;
  if (range === null || fromIndex >= range.toIndex) return found;
  return Math.min(found, Math.max(fromIndex, range.fromIndex));
}

function dirtyIndexes(state: FileState): Float64Array {
  return state.pages === null ? new Float64Array(0) : state.pages.dirtyIndexes();
}

function nextDirty(state: FileState, fromIndex: number): number {
  const dirty = dirtyIndexes(state);
  const place = firstFrom(dirty, fromIndex);
  return place < dirty.length ? dirty[place]! : -1;
}

/** The place of the first entry of a sorted list that is not below `value`. */
function firstFrom(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

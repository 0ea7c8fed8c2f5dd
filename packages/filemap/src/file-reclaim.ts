/**
 * Giving up blocks: small amounts at once, large ones by an intent that is the operation, and bounded steps after it.
 *
 * A file that gives up more entries than one step may touch first gets a reclaim mark in the tree: from then on, in memory and after a crash,
 * the range reads as a hole. Steps then cut and free what is still there; the last one removes the mark. Before a file with a mark changes in
 * any other way, its reclaim is finished. Damage that is met is reported and passed over, its blocks are not freed.
 */
import { CorruptionError, DeviceError, NoSpaceError } from '@outwrite/blockdev';
import { encodeReclaim, type ReclaimRange } from './extent-format.ts';
import { extentEnd, replaceRegion } from './extent-list.ts';
import type { ReclaimableExtents, Room } from './extent-map.ts';
import type { FileState } from './file-state.ts';
import { BLOCK_INDEX_LIMIT, KIND_INLINE, KIND_RECLAIM, setFileKey } from './key-format.ts';
import { changeTree } from './second-half.ts';
import { untilDone } from './staging-room.ts';

/** Entries that one step gives up at most; fewer on a volume that has no room for changing so much of the tree at once. */
const STEP_EXTENTS: readonly number[] = [1024, 128, 16, 2];

/** A mark that is put or deleted: its leaf and the nodes above have been touched, a split or merge is what is left. */
const BLOCKS_OF_MARK = 4;

/** What one operation may give up, and the room that it takes. */
export interface ReclaimPlan {
  readonly found: ReclaimableExtents;
  readonly room: Room;
}

/**
 * First half: the entries of a range that one operation may give up, as many as there is room for. Null if the first half has to begin again;
 * throws a `NoSpaceError` if there is no room for even a few. May touch leaves, so the caller compares the open delta.
 */
export function reserveReclaim(state: FileState, range: ReclaimRange): ReclaimPlan | null {
  const { log, extents, room: stagingRoom } = state.context;
  for (let i = 0; ; i++) {
    const found = extents.reclaimable(state.fileId, range.fromIndex, range.toIndex, STEP_EXTENTS[i]!);
    try {
      const room = extents.reserveReclaim(state.fileId, found, stagingRoom);
      return log.ensure(room.blocks, room.nodes, true) ? { found, room } : null;
    } catch (error) {
      if (!(error instanceof NoSpaceError) || i === STEP_EXTENTS.length - 1) throw error;
    }
  }
}

/** Second half: unmaps and frees what was found in `range`. */
export function giveUp(state: FileState, range: ReclaimRange, found: ReclaimableExtents): void {
  const { extents, report } = state.context;
  const last = found.extents[found.extents.length - 1];
  if (last !== undefined) {
    const toIndex = Math.min(range.toIndex, extentEnd(last));
    const change = replaceRegion(found.extents, { fromIndex: range.fromIndex, toIndex }, [], extents.maxBlocks);
    const grown = extents.apply(state.fileId, change, []);
    if (state.mappedBlockCount >= 0) state.mappedBlockCount += grown;
  }
  for (const blockIndex of found.damaged) extents.deleteEntry(state.fileId, blockIndex);
  for (const error of found.errors) report(error);
}

/** First half of putting, or deleting, the mark of a file. False if it has to begin again. */
export function reserveMark(state: FileState): boolean {
  const { log, room, key } = state.context;
  const delta = log.openDelta;
  room.touchForNow(setFileKey(key, state.fileId, KIND_RECLAIM, 0), true);
  return log.ensure(BLOCKS_OF_MARK, 0, true) && log.openDelta === delta;
}

/** Second half: records that `range` is being given up. */
export function markReclaim(state: FileState, range: ReclaimRange): void {
  const { tree, key } = state.context;
  tree.put(setFileKey(key, state.fileId, KIND_RECLAIM, 0), encodeReclaim(range));
  state.reclaiming = range;
}

/** Finishes what an earlier operation, or an earlier opening, began to give up. Throws if there is no room even for that. */
export function finishReclaim(state: FileState): void {
  while (state.reclaiming !== null) {
    reclaimStep(state, state.reclaiming, () => {
      state.reclaiming = null;
      if (state.sizeBytes === 0) state.shape = 'inline';
    });
  }
}

/**
 * As `finishReclaim`, for the operation that has just recorded its intent and so has happened: what cannot be done now, for want of room or
 * because something cannot be read, is left for later.
 */
export function finishReclaimIfPossible(state: FileState): void {
  try {
    finishReclaim(state);
  } catch (error) {
    if (error instanceof CorruptionError) state.context.report(error);
    else if (!(error instanceof NoSpaceError || error instanceof DeviceError)) throw error;
  }
}

/**
 * One bounded step of removing all that a file has in the tree. Returns whether nothing is left. Content that is in memory only must have
 * been discarded.
 */
export function removeStep(state: FileState): boolean {
  const { tree, key } = state.context;
  if (!isInTree(state)) return true;
  let isDone = false;
  reclaimStep(state, WHOLE_FILE, () => {
    tree.delete(setFileKey(key, state.fileId, KIND_INLINE, 0));
    isDone = true;
  });
  return isDone;
}

/** Whether the tree has anything of a file: one that came and went within a delta never got there. */
function isInTree(state: FileState): boolean {
  const { tree, extents, key } = state.context;
  return (
    tree.has(setFileKey(key, state.fileId, KIND_INLINE, 0)) ||
    tree.has(setFileKey(key, state.fileId, KIND_RECLAIM, 0)) ||
    extents.hasEntries(state.fileId)
  );
}

const WHOLE_FILE: ReclaimRange = { fromIndex: 0, toIndex: BLOCK_INDEX_LIMIT };

/** Gives up what one step may. When that was the last of the range, the mark goes, and `complete` is called in the same transaction. */
function reclaimStep(state: FileState, range: ReclaimRange, complete: () => void): void {
  const { log, tree, key } = state.context;
  untilDone(log, true, () => {
    const delta = log.openDelta;
    if (!reserveMark(state)) return false;
    const plan = reserveReclaim(state, range);
    if (plan === null || log.openDelta !== delta) return false;
    const { found } = plan;
    const stepAll = (): void => {
      giveUp(state, range, found);
      if (found.more) return;
      tree.delete(setFileKey(key, state.fileId, KIND_RECLAIM, 0));
      complete();
    };
    log.transact(() => changeTree(state.context, stepAll), true);
    return true;
  });
}

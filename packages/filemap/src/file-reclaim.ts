/**
 * Giving up blocks: small amounts at once, large ones by an intent that is the operation, and bounded steps after it.
 *
 * A file that gives up more entries than one step may touch first gets a reclaim mark in the tree: from then on, in memory and after a crash,
 * the range reads as a hole. Steps then cut and free what is still there; the last one removes the mark. Before a file with a mark changes in
 * any other way, its reclaim is finished. Damage that is met is reported and passed over, its blocks are not freed.
 */
import { NoSpaceError } from '@outwrite/blockdev';
import { encodeReclaim, type ReclaimRange } from './extent-format.ts';
import { extentEnd, replaceRegion } from './extent-list.ts';
import { NO_ROOM, type ReclaimableExtents } from './extent-map.ts';
import type { FileState } from './file-state.ts';
import { KIND_INLINE, KIND_RECLAIM, setFileKey } from './key-format.ts';

/** Entries that one step gives up at most. */
export const STEP_EXTENTS = 1024;

/** The entries of a range that one step may give up. */
export function findReclaimable(state: FileState, range: ReclaimRange): ReclaimableExtents {
  return state.context.extents.reclaimable(state.fileId, range.fromIndex, range.toIndex, STEP_EXTENTS);
}

/** Makes sure that what was found can be freed without reading anything then. */
export function prepareFrees(state: FileState, found: ReclaimableExtents): void {
  for (const extent of found.extents) state.context.log.prepareFree(extent.start, extent.checksums.length);
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

/** Second half: records that `range` is being given up. */
export function markReclaim(state: FileState, range: ReclaimRange): void {
  const { tree, key } = state.context;
  tree.put(setFileKey(key, state.fileId, KIND_RECLAIM, 0), encodeReclaim(range));
  state.reclaiming = range;
}

/** Finishes what an earlier operation, or an earlier opening, began to give up. Throws if there is no room even for that. */
export function finishReclaim(state: FileState): void {
  while (state.reclaiming !== null) reclaimStep(state, state.reclaiming);
}

/** As `finishReclaim`, for the operation that has just recorded its intent and so has happened: what cannot be done now is left for later. */
export function finishReclaimIfPossible(state: FileState): void {
  try {
    finishReclaim(state);
  } catch (error) {
    if (!(error instanceof NoSpaceError)) throw error;
  }
}

function reclaimStep(state: FileState, range: ReclaimRange): void {
  const { log, tree, extents, key } = state.context;
  const room = extents.regionRoom(1);
  const value = state.context.valueRoom();
  for (;;) {
    const found = findReclaimable(state, range);
    const last = found.more ? NO_ROOM : value;
    if (!log.ensure(room.blocks + last.blocks, room.nodes + last.nodes, true)) continue;
    prepareFrees(state, found);
    log.transact(() => {
      giveUp(state, range, found);
      if (!found.more) {
        tree.delete(setFileKey(key, state.fileId, KIND_RECLAIM, 0));
        state.reclaiming = null;
        if (state.sizeBytes === 0) state.shape = 'inline';
      }
      log.markChanged();
    });
    return;
  }
}

/**
 * One bounded step of removing all that a file has in the tree. Returns whether nothing is left. Content that is in memory only must have
 * been discarded.
 */
export function removeStep(state: FileState, range: ReclaimRange): boolean {
  const { log, tree, extents, key } = state.context;
  const room = extents.regionRoom(1);
  const value = state.context.valueRoom();
  for (;;) {
    const found = findReclaimable(state, range);
    const last = found.more ? NO_ROOM : value;
    // The two keys of the last step are neighbours of the extents, and of each other.
    if (!log.ensure(room.blocks + last.blocks, room.nodes + last.nodes, true)) continue;
    prepareFrees(state, found);
    log.transact(() => {
      giveUp(state, range, found);
      if (found.more) return;
      tree.delete(setFileKey(key, state.fileId, KIND_INLINE, 0));
      tree.delete(setFileKey(key, state.fileId, KIND_RECLAIM, 0));
    });
    return !found.more;
  }
}

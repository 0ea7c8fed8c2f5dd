/**
 * Replay: promises of the log, applied to the trees of the last checkpoint through the code that changes the index in live operation.
 *
 * Leaves are not read: what their blocks hold was verified by the log. Index nodes are redirected and retired as they would be live, so a
 * read-only opening ends with the same state in memory as a writable one. A promise that does not fit what is there is damage.
 */

import type { BlockPointer } from '@outwrite/alloc-log';
import { CorruptionError, compareBytes } from '@outwrite/blockdev';
import type { Catalogue } from './catalogue.ts';
import { indexPut, indexRemove } from './index-map.ts';
import { maxKeyBytes } from './node-format.ts';
import { decodeAt, decodeGone } from './promise-format.ts';
import { removeFirstLeaf } from './tree-salvage.ts';
import type { TreeState } from './tree-state.ts';

/** With `isSalvaging` index nodes have been lost, so what a promise says is gone need not be there. */
export function replayGone(catalogue: Catalogue, payload: Uint8Array, isSalvaging: boolean): void {
  const promise = decodeGone(payload, maxKeyBytes(catalogue.core.blockSize));
  if (promise.type === 'created') {
    catalogue.createWithId(promise.treeId);
    return;
  }
  const state = treeOf(catalogue, promise.treeId);
  if (promise.type === 'dying') {
    catalogue.markDying(state);
  } else if (promise.type === 'leaf') {
    removeLeaf(state, promise.separator, isSalvaging);
  } else {
    removeLeaves(state, promise.separator, promise.end, isSalvaging);
  }
}

export function replayAt(catalogue: Catalogue, payload: Uint8Array, pointer: BlockPointer): void {
  const { treeId, separator } = decodeAt(payload, maxKeyBytes(catalogue.core.blockSize));
  const state = treeOf(catalogue, treeId);
  if (separator.length > 0 && isEmpty(state)) {
    throw new CorruptionError('promise', 'the first leaf of a tree does not begin at the empty separator', {
      actual: treeId,
    });
  }
  indexPut(state, separator, separator.length, pointer);
}

function treeOf(catalogue: Catalogue, id: number): TreeState {
  const state = catalogue.stateOf(id);
  if (state === null) throw new CorruptionError('promise', 'it names a tree that does not exist', { actual: id });
  return state;
}

function isEmpty(state: TreeState): boolean {
  if (state.level > 1) return false;
  const { path } = state.core;
  path.seek(state, NOTHING, 0, 1);
  path.release();
  return path.isEmpty;
}

const NOTHING = new Uint8Array(0);

function removeLeaf(state: TreeState, separator: Uint8Array, isSalvaging: boolean): void {
  // Only a path through the last entries everywhere tells that the first leaf is the only one.
  if (separator.length === 0 && !hasOneLeaf(state)) {
    if (isSalvaging) {
      removeFirstLeaf(state);
      return;
    }
    throw new CorruptionError('promise', 'the first leaf of a tree goes before the others', { actual: state.id });
  }
  if (!indexRemove(state, separator, separator.length) && !isSalvaging) {
    throw new CorruptionError('promise', 'a leaf goes that is not there', { actual: state.id });
  }
}

function hasOneLeaf(state: TreeState): boolean {
  const { path } = state.core;
  path.seek(state, NOTHING, 0, 1);
  path.release();
  for (let level = 1; level <= path.rootLevel; level++) if (path.count(level) !== 1) return false;
  return true;
}

/** Removes all leaves that begin in `[first, end)`, the last one first: the first leaf of a tree goes last. */
function removeLeaves(state: TreeState, first: Uint8Array, end: Uint8Array, isSalvaging: boolean): void {
  const separators: Uint8Array[] = [];
  const { path } = state.core;
  const scratch = new Uint8Array(maxKeyBytes(state.core.blockSize));
  let from = first;
  for (;;) {
    path.seek(state, from, from.length, 1);
    let nextLength = -1;
    try {
      if (path.isEmpty) break;
      const length = path.copySeparator(1, scratch);
      const isBelow = compareBytes(scratch, 0, length, first, 0, first.length) < 0;
      if (!isBelow) separators.push(scratch.slice(0, length));
      nextLength = path.copyNextSeparator(scratch);
    } finally {
      path.release();
    }
    if (nextLength < 0) break;
    if (compareBytes(scratch, 0, nextLength, end, 0, end.length) >= 0) break;
    from = scratch.slice(0, nextLength);
  }
  if (separators.length === 0 && !isSalvaging)
    throw new CorruptionError('promise', 'leaves go that are not there', { actual: state.id });
  for (const separator of separators.reverse()) removeLeaf(state, separator, isSalvaging);
}

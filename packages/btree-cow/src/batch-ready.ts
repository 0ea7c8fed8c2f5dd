/**
 * Making ready for several changes of which all or none are to be made: what they will read is read before the first of them.
 *
 * The leaves that will change become part of the open delta, and so stay in memory with all that leads to them. Of values that will be
 * replaced or removed, what they own is read and can be freed from then on. One change needs a leaf that is not its own: when nothing is
 * left of the first leaf of the tree, it takes in the next one; so the leaf of the first entry that stays is made ready, too. A merge
 * that cannot read a neighbour does not happen.
 */
import { NO_FRAME } from '@outwrite/buffer-cache';
import { TreeCursor } from './cursor.ts';
import { leafHasOverflow } from './leaf-page.ts';
import { touchLeaf } from './leaf-touch.ts';
import { openLeaf } from './open-leaf.ts';
import type { OwnedExtent } from './overflow.ts';
import { prepareOwned } from './owned-extents.ts';
import { searchLeaf } from './page-search.ts';
import { deleteKey } from './range-delete.ts';
import { findKey } from './tree-lookup.ts';
import type { TreeState } from './tree-state.ts';

/** What will be done to a key. */
export interface ComingChange {
  readonly type: 'put' | 'delete';
  readonly key: Uint8Array;
}

/** What values of one leaf own: only that it was read counts. */
const owned: OwnedExtent[] = [];

/** Removes a key that `makeReady` has seen in this transaction. False if it is not there: then its leaf need not be in memory, and is not looked for. */
export function deleteReady(state: TreeState, key: Uint8Array): boolean {
  state.core.entry.loadKey(key);
  return openLeaf(state) !== NO_FRAME && deleteKey(state, key);
}

/** Throws what a read throws, and then nothing has changed. In a transaction, with room for a put of each key, and of one more. */
export function makeReady(state: TreeState, changes: readonly ComingChange[]): void {
  let hasDeletes = false;
  for (const { type, key } of changes) {
    readyKey(state, key, type === 'put');
    hasDeletes ||= type === 'delete';
  }
  if (hasDeletes) readyFirstThatStays(state, changes);
}

/** Makes ready the leaf of a key, whether it has the key (`isPut`) or only if it has. */
function readyKey(state: TreeState, key: Uint8Array, isPut: boolean): void {
  const { core } = state;
  const { cache, blockSize, entry } = core;
  entry.loadKey(key);
  let frame = openLeaf(state);
  if (frame === NO_FRAME) {
    if (!isPut && findKey(state, entry.key, entry.keyLength) < 0) return;
    touchLeaf(state, key, false);
    entry.loadKey(key);
    frame = openLeaf(state);
    // The tree is empty.
    if (frame === NO_FRAME) return;
  }
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  if (!leafHasOverflow(slab, base)) return;
  const position = searchLeaf(slab, base, blockSize, entry.key, entry.keyLength);
  if (position >= 0) prepareOwned(core, slab, base, position, position + 1, owned);
}

function readyFirstThatStays(state: TreeState, changes: readonly ComingChange[]): void {
  const cursor = new TreeCursor(state);
  if (!cursor.first()) return;
  let key = cursor.key();
  const goes = new Set<string>();
  for (const change of changes) if (change.type === 'delete') goes.add(nameOf(change.key));
  if (!goes.has(nameOf(key))) return;
  while (goes.has(nameOf(key))) {
    if (!cursor.next()) return;
    key = cursor.key();
  }
  readyKey(state, key, true);
}

/** A key as a string, for a set. */
function nameOf(key: Uint8Array): string {
  let name = '';
  for (let i = 0; i < key.length; i++) name += String.fromCharCode(key[i]!);
  return name;
}

/**
 * Redirect of tree nodes: before a node is changed it gets a new number, so that the stable image stays as it is.
 *
 * `redirectPath` does it for every node of a path that needs it, from the root down, so that addresses rise. For each: a new number,
 * the content in a buffer under it, the path repaired, the old buffer let go, the pointer in the parent (or in the tree, for the root)
 * updated, the old block put on the right list of deferred frees. A leaf gets a block at once, an index node a provisional number that
 * the next checkpoint turns into one. The root is no special case for the caller.
 *
 * Numbers are taken first, all of them, and published last: if one is refused, those already taken are given back and tree, path and
 * free map are as they were.
 */
import { isProvisional } from '@outwrite/alloc-log';
import { assert, NIL_BLOCK } from '@outwrite/blockdev';
import type { Frame } from '@outwrite/buffer-cache';
import { CATALOGUE_KEY_BYTES, encodeCatalogueKey } from './catalogue-format.ts';
import { childBirth, childBlock, setChildBirth, setChildBlock } from './index-page.ts';
import { MAX_LEVEL } from './node-format.ts';
import type { TreePath } from './tree-path.ts';
import type { TreeState } from './tree-state.ts';

/**
 * First half: makes ready whatever redirecting a path down to `lowestLevel` will need - the line of the tree in the catalogue, if the root is
 * to be redirected, and the parts of the free map that will change - and returns how many provisional numbers it will take. Reads; throws
 * what reading throws.
 */
export function prepareRedirect(state: TreeState, path: TreePath, lowestLevel: number): number {
  const { core } = state;
  let nodeCount = 0;
  for (let level = path.rootLevel; level >= lowestLevel; level--) {
    const number = path.numbers[level]!;
    if (!state.needsRedirect(level, number, path.births[level]!)) continue;
    if (level > 0 || state.isCatalogue) nodeCount++;
    prepareGiveUp(state, number);
    if (level === path.rootLevel && !state.isCatalogue && !core.cataloguePath.isHeld) {
      encodeCatalogueKey(catalogueKey, state.id);
      core.cataloguePath.seek(core.catalogue!, catalogueKey, CATALOGUE_KEY_BYTES, 0);
      nodeCount += prepareRedirect(core.catalogue!, core.cataloguePath, 0);
    }
  }
  return nodeCount;
}

const catalogueKey = new Uint8Array(CATALOGUE_KEY_BYTES);

/** First half: reads the part of the free map that giving up this number will change. */
export function prepareGiveUp(state: TreeState, number: number): void {
  if (!isProvisional(number)) state.core.log.prepareFree(number, 1);
}

/**
 * Second half: redirects every node of the path down to `lowestLevel` that needs it. With the root goes the line of the tree in the
 * catalogue, which is its parent.
 */
export function redirectPath(state: TreeState, path: TreePath, lowestLevel: number): void {
  const { core } = state;
  const { catalogue, cataloguePath } = core;
  takeNumbers(state, path, lowestLevel, pathNumbers);
  if (pathNumbers[path.rootLevel] !== NIL_BLOCK && !state.isCatalogue) {
    assert(cataloguePath.isHeld, 'prepareRedirect comes before redirectPath');
    try {
      takeNumbers(catalogue!, cataloguePath, 0, catalogueNumbers);
    } catch (error) {
      giveBackNumbers(state, path, lowestLevel, pathNumbers);
      throw error;
    }
    moveNodes(catalogue!, cataloguePath, 0, catalogueNumbers);
  }
  moveNodes(state, path, lowestLevel, pathNumbers);
}

const pathNumbers = new Uint32Array(MAX_LEVEL + 1);
const catalogueNumbers = new Uint32Array(MAX_LEVEL + 1);

/** Takes a number for each node that needs a redirect, NIL for the others; all or none. */
function takeNumbers(state: TreeState, path: TreePath, lowestLevel: number, numbers: Uint32Array): void {
  let level = path.rootLevel;
  try {
    for (; level >= lowestLevel; level--) {
      const isNeeded = state.needsRedirect(level, path.numbers[level]!, path.births[level]!);
      numbers[level] = isNeeded ? takeNumber(state, level) : NIL_BLOCK;
    }
  } catch (error) {
    giveBackNumbers(state, path, level + 1, numbers);
    throw error;
  }
}

function giveBackNumbers(state: TreeState, path: TreePath, lowestLevel: number, numbers: Uint32Array): void {
  const delta = state.core.log.openDelta;
  for (let level = path.rootLevel; level >= lowestLevel; level--) {
    if (numbers[level] !== NIL_BLOCK) giveUpNumber(state, level, numbers[level]!, delta);
  }
}

/** Moves the nodes of the path to their new numbers, and puts the birth of what will change into every pointer on the way. */
function moveNodes(state: TreeState, path: TreePath, lowestLevel: number, numbers: Uint32Array): void {
  const { core } = state;
  const delta = core.birth;
  for (let level = path.rootLevel; level >= lowestLevel; level--) {
    const number = numbers[level]!;
    if (number !== NIL_BLOCK) {
      redirect(path, level, number, delta);
      publish(state, path, level, number);
      giveUpNumber(state, level, path.numbers[level]!, path.births[level]!);
      path.numbers[level] = number;
      countRedirect(state, level);
    }
    if (path.births[level] !== delta) {
      path.births[level] = delta;
      setBirth(state, path, level, delta);
    }
  }
}

function countRedirect(state: TreeState, level: number): void {
  if (level === 0 && !state.isCatalogue) state.core.redirectedLeafCount++;
  else state.core.redirectedIndexCount++;
}

/** Moves the content of the node at `level` to a buffer under `number` and repairs the path. */
function redirect(path: TreePath, level: number, number: number, delta: number): void {
  const { cache } = path.core;
  const frame = cache.redirect(path.frames[level]!, number, 1);
  cache.markDirty(frame, delta);
  path.frames[level] = frame;
}

/** The pointer to the node at `level` names `number` from now on. */
function publish(state: TreeState, path: TreePath, level: number, number: number): void {
  if (level === path.rootLevel) {
    state.rootBlock = number;
    state.rootChecksum = 0;
    state.rootChanged();
    return;
  }
  const { cache } = path.core;
  const parent = path.frames[level + 1]!;
  setChildBlock(cache.slabOf(parent), cache.baseOf(parent), path.positions[level + 1]!, number);
}

function setBirth(state: TreeState, path: TreePath, level: number, delta: number): void {
  if (level === path.rootLevel) {
    state.rootBirth = delta;
    return;
  }
  const { cache } = path.core;
  const parent = path.frames[level + 1]!;
  setChildBirth(cache.slabOf(parent), cache.baseOf(parent), path.positions[level + 1]!, delta);
}

/** Redirects the sibling that the path has at `level`, entry `position` of its parent, if it needs it, and returns its frame. */
export function redirectSibling(state: TreeState, path: TreePath, level: number, position: number): Frame {
  const { core } = state;
  const { cache } = core;
  const delta = core.log.openDelta;
  const parent = path.frames[level + 1]!;
  const slab = cache.slabOf(parent);
  const base = cache.baseOf(parent);
  const oldNumber = childBlock(slab, base, position);
  const oldBirth = childBirth(slab, base, position);
  setChildBirth(slab, base, position, delta);
  if (!state.needsRedirect(level, oldNumber, oldBirth)) return path.siblings[level]!;
  const number = takeNumber(state, level);
  const frame = cache.redirect(path.siblings[level]!, number, 1);
  cache.markDirty(frame, delta);
  path.siblings[level] = frame;
  setChildBlock(slab, base, position, number);
  giveUpNumber(state, level, oldNumber, oldBirth);
  countRedirect(state, level);
  return frame;
}

/** A number for a new node at `level`: a block for a leaf, a provisional number for an index node. */
export function takeNumber(state: TreeState, level: number): number {
  const { log } = state.core;
  return level === 0 && !state.isCatalogue ? log.allocateBlock() : log.takeProvisional();
}

/** The number of a node that has moved or is dropped goes to where it belongs. */
export function giveUpNumber(state: TreeState, level: number, number: number, birth: number): void {
  const { log } = state.core;
  if (level === 0 && !state.isCatalogue) log.free(number, 1, birth);
  else if (isProvisional(number)) log.releaseProvisional(number);
  else log.retire(number);
}

/** A new node: its frame, dirty, with undefined content. */
export function createNode(state: TreeState, number: number): Frame {
  const { cache, log } = state.core;
  const frame = cache.create(number);
  cache.markDirty(frame, log.openDelta);
  return frame;
}

/** Drops a node: its buffer, with whatever was changed in it, and its number. Nothing refers to it any more. */
export function dropNode(state: TreeState, level: number, frame: Frame, number: number, birth: number): void {
  state.core.cache.discard(frame);
  giveUpNumber(state, level, number, birth);
}

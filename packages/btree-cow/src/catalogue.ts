/**
 * The catalogue at work: which trees there are, their states in memory, and creating and dropping them.
 *
 * A tree's line in the catalogue is as of the last checkpoint; what has happened since is in its state here, so a state, once made, stays as
 * long as the store is open. Ids are never reused: the next one is stored in the catalogue, and promises of creation raise it in replay.
 */
import { CorruptionError, NoSpaceError } from '@outwrite/blockdev';
import {
  CATALOGUE_KEY_BYTES,
  decodeCatalogueKey,
  decodeNextId,
  decodeTreeLine,
  encodeCatalogueKey,
  encodeNextId,
  encodeTreeLine,
  TREE_ID_LIMIT,
  TREE_LINE_BYTES,
} from './catalogue-format.ts';
import { TreeCursor } from './cursor.ts';
import { putValue } from './leaf-put.ts';
import { removeEntries } from './leaf-remove.ts';
import { LEAF_CELL_HEADER_BYTES, VALUE_LENGTH_MASK } from './node-format.ts';
import { writeHeader } from './node-header.ts';
import { searchLeaf } from './page-search.ts';
import { createNode, dropNode, prepareGiveUp, takeNumber } from './redirect.ts';
import type { StoreCore } from './store-core.ts';
import { findKey, found } from './tree-lookup.ts';
import { TreeState } from './tree-state.ts';

const NO_TREE = 0;

export class Catalogue {
  readonly core: StoreCore;
  readonly root: TreeState;
  readonly #states = new Map<number, TreeState>();
  #nextId = 1;

  constructor(core: StoreCore) {
    this.core = core;
    this.root = new TreeState(core, NO_TREE);
    core.catalogue = this.root;
  }

  /** An empty catalogue, on a fresh volume. */
  makeEmpty(): void {
    this.#makeRoot(this.root);
  }

  /** The catalogue as a checkpoint left it. Reads the line of the next id. */
  load(root: { block: number; checksum: number; birth: number }, level: number): void {
    this.root.setRoot(root.block, root.checksum, root.birth, level);
    const value = this.#readLine(NO_TREE);
    if (value !== null) this.#nextId = Math.max(1, decodeNextId(value));
  }

  /** The state of a tree, or null if there is none. Dying trees have one, those that are gone do not. */
  stateOf(id: number): TreeState | null {
    const known = this.#states.get(id);
    if (known !== undefined) return known.isGone ? null : known;
    const value = id === NO_TREE ? null : this.#readLine(id);
    if (value === null) return null;
    const line = decodeTreeLine(value);
    const state = new TreeState(this.core, id);
    state.setRoot(line.rootBlock, line.rootChecksum, line.rootBirth, line.level);
    state.isDying = line.isDying;
    this.#states.set(id, state);
    return state;
  }

  /** Ids of all trees, ascending; those that are dying only if asked for. */
  ids(withDying: boolean): number[] {
    const ids: number[] = [];
    const cursor = new TreeCursor(this.root);
    for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
      const id = decodeCatalogueKey(cursor.key());
      if (id !== NO_TREE && (withDying || this.stateOf(id)?.isDying === false)) ids.push(id);
    }
    return ids;
  }

  /** A new, empty tree. */
  create(): TreeState {
    const id = this.#nextId;
    if (id >= TREE_ID_LIMIT) throw new NoSpaceError('all tree ids are used up; copy the trees to a new volume');
    return this.createWithId(id);
  }

  /** The same for a tree that a promise names. */
  createWithId(id: number): TreeState {
    if (this.stateOf(id) !== null) throw new CorruptionError('promise', 'a tree is created twice', { actual: id });
    const { core } = this;
    const state = new TreeState(core, id);
    while (!core.ensureRoom(0, 1));
    this.#makeRoot(state);
    try {
      const nextId = Math.max(this.#nextId, id + 1);
      putValue(this.root, keyOf(NO_TREE), encodeNextId(nextId));
      this.#nextId = nextId;
      putValue(this.root, keyOf(id), encodeLine(state));
    } catch (error) {
      dropNode(state, 1, core.cache.find(state.rootBlock), state.rootBlock, state.rootBirth);
      throw error;
    }
    // Not before the line is there: a checkpoint may have come between, and stores the roots of trees that have moved.
    state.rootChanged();
    state.wasCreated = true;
    state.changed();
    this.#states.set(id, state);
    return state;
  }

  /** Marks a tree as dying: from now on nobody finds it. Its nodes are reclaimed by whoever drops it, or by the next opening. */
  markDying(state: TreeState): void {
    if (state.isDying) return;
    putValue(this.root, keyOf(state.id), encodeLine(state, true));
    state.isDying = true;
    state.startedDying = true;
    state.rootChanged();
    state.changed();
  }

  /** Removes a tree that has no entries left: its root, and its line. */
  remove(state: TreeState): void {
    const { core } = this;
    const { path } = core;
    for (;;) {
      path.seek(this.root, keyOf(state.id), CATALOGUE_KEY_BYTES, 0);
      try {
        const slab = core.cache.slabOf(path.frames[0]!);
        const position = searchLeaf(
          slab,
          core.cache.baseOf(path.frames[0]!),
          core.blockSize,
          keyOf(state.id),
          CATALOGUE_KEY_BYTES,
        );
        const rootFrame = core.node(state.rootBlock, state.rootChecksum, state.rootBirth, state.level, true);
        core.cache.pin(rootFrame);
        prepareGiveUp(state, state.rootBlock);
        try {
          if (position < 0 || !removeEntries(this.root, position, position + 1)) continue;
        } finally {
          core.cache.unpin(rootFrame);
        }
        state.changed();
        dropNode(state, state.level, rootFrame, state.rootBlock, state.rootBirth);
        state.isGone = true;
        return;
      } finally {
        core.releasePaths();
      }
    }
  }

  #makeRoot(state: TreeState): void {
    const { core } = this;
    const number = takeNumber(state, 1);
    const frame = createNode(state, number);
    writeHeader(core.cache.slabOf(frame), core.cache.baseOf(frame), core.blockSize, 1, 0, 0);
    state.setRoot(number, 0, core.log.openDelta, 1);
  }

  #readLine(id: number): Uint8Array | null {
    const cell = findKey(this.root, keyOf(id), CATALOGUE_KEY_BYTES);
    if (cell < 0) return null;
    const { u8, u16 } = found.slab!;
    const start = cell + LEAF_CELL_HEADER_BYTES;
    return u8.slice(start, start + (u16[cell >>> 1]! & VALUE_LENGTH_MASK));
  }
}

function encodeLine(state: TreeState, isDying: boolean = state.isDying): Uint8Array {
  const { rootBlock, rootChecksum, rootBirth, level } = state;
  const line = new Uint8Array(TREE_LINE_BYTES);
  encodeTreeLine(line, 0, { rootBlock, rootChecksum, rootBirth, level, isDying });
  return line;
}

function keyOf(id: number): Uint8Array {
  const key = new Uint8Array(CATALOGUE_KEY_BYTES);
  encodeCatalogueKey(key, id);
  return key;
}

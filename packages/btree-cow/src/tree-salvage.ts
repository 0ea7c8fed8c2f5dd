/**
 * Salvage: what an opening for repair makes of trees whose nodes cannot be read.
 *
 * An index node that is lost is bridged before the log is replayed: new nodes take its place, down to one pointer to a leaf that cannot be
 * read either. So every separator outside stays, and promises of the log, which carry checksums of their own, put back those leaves of the
 * range that they name. After replay leaves that cannot be read are removed from the index, their range goes to the left neighbour (to the
 * right one at the beginning of the tree). Then every node of every tree can be read.
 *
 * A node belongs to one tree and one place: of two pointers to a block the second one is lost. Nodes carry neither a checksum of their own nor
 * the name of their tree, so leaves below a lost index node that the log does not name cannot be told from stale ones, nor verified: they
 * are given up. Nothing here is written; it becomes durable with the opening checkpoint.
 */
import { type ClientRoot, isProvisional, SpaceAudit } from '@outwrite/alloc-log';
import { CorruptionError, compareBytes, DeviceError, type OutwriteError } from '@outwrite/blockdev';
import type { Catalogue } from './catalogue.ts';
import { CATALOGUE_KEY_BYTES, encodeCatalogueKey } from './catalogue-format.ts';
import { indexPut, indexRemove } from './index-map.ts';
import {
  childBirth,
  childBlock,
  childChecksum,
  copySeparator,
  insertIntoIndex,
  setChildBirth,
  setChildBlock,
  setChildChecksum,
} from './index-page.ts';
import { copyLeafKey } from './leaf-page.ts';
import { maxKeyBytes } from './node-format.ts';
import { entryCount, writeHeader } from './node-header.ts';
import { createNode, prepareRedirect, redirectPath, takeNumber } from './redirect.ts';
import type { StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

/** Keys from `from` to before `to` that could not be read. */
export interface LostRange {
  readonly treeId: number;
  /** Empty: from the first key on. */
  readonly from: Uint8Array;
  /** Null: to the last key. */
  readonly to: Uint8Array | null;
  /** Whether it was an index node; leaves of its range that the log names are there. */
  readonly isIndex: boolean;
  readonly error: OutwriteError;
}

interface Pointer {
  readonly block: number;
  readonly checksum: number;
  readonly birth: number;
}

/** A node as its parent knows it. */
interface Place extends Pointer {
  readonly level: number;
  readonly lower: Uint8Array;
  readonly upper: Uint8Array | null;
}

interface LostPlace extends Place {
  readonly error: OutwriteError;
}

const NOTHING = new Uint8Array(0);

export class TreeSalvage {
  readonly lost: LostRange[] = [];
  /** Blocks of index nodes that were bridged: leaves at the same blocks stand for them. */
  readonly #bridged: Set<number> = new Set();
  #leavesDropped = false;

  /** Loads the catalogue; before replay: from here on every index node of every tree can be read. Throws for the catalogue itself. */
  load(catalogue: Catalogue, root: ClientRoot): void {
    try {
      catalogue.load(root.pointer, root.level);
    } catch (error) {
      throw error instanceof CorruptionError || error instanceof DeviceError ? catalogueLost(error) : error;
    }
    this.#bridgeIndexes(catalogue);
  }

  #bridgeIndexes(catalogue: Catalogue): void {
    const claims = claimsOf(catalogue.core);
    claimCatalogue(catalogue, claims);
    for (const state of readStates(catalogue)) {
      const found = new LostNodes(catalogue.core, claims, 1);
      found.search(rootPlace(state));
      for (const place of found.places) {
        bridge(state, place);
        this.#bridged.add(place.block);
        this.#tell(state, place, true);
      }
    }
  }

  /** After replay, once: from here on every node of every tree can be read. */
  dropLostLeaves(catalogue: Catalogue): void {
    if (this.#leavesDropped) return;
    this.#leavesDropped = true;
    const claims = claimsOf(catalogue.core);
    claimCatalogue(catalogue, claims);
    for (const state of readStates(catalogue)) {
      const found = new LostNodes(catalogue.core, claims, 0);
      found.search(rootPlace(state));
      for (const place of found.places) {
        if (place.level > 0) throw place.error;
        if (!this.#bridged.has(place.block)) this.#tell(state, place, false);
      }
      for (const { lower } of found.places.reverse()) {
        if (lower.length === 0) removeFirstLeaf(state);
        else indexRemove(state, lower, lower.length);
      }
    }
    this.lost.sort((a, b) => a.treeId - b.treeId || compare(a.from, b.from));
  }

  #tell(state: TreeState, { lower, upper, error }: LostPlace, isIndex: boolean): void {
    this.lost.push({ treeId: state.id, from: lower, to: upper, isIndex, error });
  }
}

/** Removes the leaf that begins at the empty separator; the next one, if there is one, begins there from now on. */
export function removeFirstLeaf(state: TreeState): void {
  const { core } = state;
  const { path, cache } = core;
  const next = new Uint8Array(maxKeyBytes(core.blockSize));
  path.seek(state, NOTHING, 0, 1);
  const nextLength = path.isEmpty ? -1 : path.copyNextSeparator(next);
  path.release();
  if (nextLength < 0) {
    indexRemove(state, NOTHING, 0);
    return;
  }
  path.seek(state, next, nextLength, 1);
  const slab = cache.slabOf(path.frames[1]!);
  const base = cache.baseOf(path.frames[1]!);
  const pointer = pointerAt(slab, base, path.positions[1]!);
  path.release();
  indexRemove(state, next, nextLength);
  indexPut(state, NOTHING, 0, pointer);
}

/** Nodes of one tree that cannot be read, or are no sound part of it where they are found, in key order; nothing below them. */
class LostNodes {
  readonly places: LostPlace[] = [];
  readonly #core: StoreCore;
  readonly #claims: SpaceAudit;
  readonly #lowestLevel: number;
  readonly #key: Uint8Array;

  constructor(core: StoreCore, claims: SpaceAudit, lowestLevel: number) {
    this.#core = core;
    this.#claims = claims;
    this.#lowestLevel = lowestLevel;
    this.#key = new Uint8Array(maxKeyBytes(core.blockSize));
  }

  search(place: Place, isRoot: boolean = true): void {
    let children: Place[];
    try {
      children = this.#read(place, isRoot);
      this.#claim(place);
    } catch (error) {
      if (!(error instanceof CorruptionError || error instanceof DeviceError)) throw error;
      this.places.push({ ...place, error });
      return;
    }
    for (const child of children) this.search(child, false);
  }

  #claim({ block, level }: Place): void {
    if (isProvisional(block)) return;
    const problem = this.#claims.reach(block, 1, nameOf(level))[0];
    if (problem !== undefined) throw new CorruptionError(nameOf(level), problem.message, { block });
  }

  /** Reads and verifies a node; returns the places of its children as far as they are to be searched. */
  #read({ block, checksum, birth, level, lower, upper }: Place, isRoot: boolean): Place[] {
    const { cache, blockSize } = this.#core;
    const frame = this.#core.node(block, checksum, birth, level, isRoot);
    if (cache.checksumOf(frame) !== checksum && !isProvisional(block) && !cache.isDirty(frame)) {
      throw new CorruptionError(nameOf(level), 'two pointers with different checksums lead to it', { block });
    }
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    const count = entryCount(slab, base);
    const key = this.#key;
    const checkBounds = (length: number): void => {
      const isBelow = compareBytes(key, 0, length, lower, 0, lower.length) < 0;
      if (isBelow || (upper !== null && compareBytes(key, 0, length, upper, 0, upper.length) >= 0)) {
        throw new CorruptionError(nameOf(level), 'keys outside the bounds of its separators', { block });
      }
    };
    if (level === 0) {
      if (count === 0) throw new CorruptionError('leaf', 'it is empty', { block });
      checkBounds(copyLeafKey(slab, base, blockSize, 0, key));
      checkBounds(copyLeafKey(slab, base, blockSize, count - 1, key));
      return [];
    }
    const children: Place[] = [];
    let from = lower;
    for (let i = 0; i < count; i++) {
      let to = upper;
      if (i + 1 < count) {
        const length = copySeparator(slab, base, blockSize, i + 1, key);
        checkBounds(length);
        to = key.slice(0, length);
        if (compare(to, from) <= 0) {
          throw new CorruptionError('index node', 'keys outside the bounds of its separators', { block });
        }
      }
      children.push({ ...pointerAt(slab, base, i), level: level - 1, lower: from, upper: to });
      if (to !== null) from = to;
    }
    return level > this.#lowestLevel ? children : [];
  }
}

/** Puts new nodes in the place of an index node that cannot be read, down to a leaf that cannot be read. */
function bridge(state: TreeState, place: LostPlace): void {
  const { core } = state;
  const { cache, path, indexEntry, blockSize, log } = core;
  const isRoot = place.level === state.level;
  try {
    if (isRoot) {
      const key = new Uint8Array(CATALOGUE_KEY_BYTES);
      encodeCatalogueKey(key, state.id);
      core.cataloguePath.seek(core.catalogue!, key, CATALOGUE_KEY_BYTES, 0);
      prepareRedirect(core.catalogue!, core.cataloguePath, 0);
      redirectPath(core.catalogue!, core.cataloguePath, 0);
    } else {
      path.seek(state, place.lower, place.lower.length, place.level + 1);
      prepareRedirect(state, path, place.level + 1);
      redirectPath(state, path, place.level + 1);
    }
    state.changed();
    indexEntry.separatorLength = 0;
    indexEntry.setPointer(place.block, place.checksum, place.birth);
    for (let level = 1; level <= place.level; level++) {
      const number = takeNumber(state, level);
      const frame = createNode(state, number);
      const slab = cache.slabOf(frame);
      const base = cache.baseOf(frame);
      writeHeader(slab, base, blockSize, level, 0, 0);
      insertIntoIndex(slab, base, 0, indexEntry);
      indexEntry.setPointer(number, 0, log.openDelta);
    }
    if (isRoot) {
      state.setRoot(indexEntry.block, 0, log.openDelta, place.level);
      state.rootChanged();
      return;
    }
    const parent = path.frames[place.level + 1]!;
    const position = path.positions[place.level + 1]!;
    setChildBlock(cache.slabOf(parent), cache.baseOf(parent), position, indexEntry.block);
    setChildChecksum(cache.slabOf(parent), cache.baseOf(parent), position, 0);
    setChildBirth(cache.slabOf(parent), cache.baseOf(parent), position, log.openDelta);
  } finally {
    core.releasePaths();
  }
}

/** Blocks that belong to no tree: whatever node points there is lost. */
function claimsOf(core: StoreCore): SpaceAudit {
  const claims = new SpaceAudit(core.log);
  for (const { start, count } of core.log.systemExtents()) claims.reach(start, count, 'the volume');
  for (const block of core.log.chainBlocks()) claims.reach(block, 1, 'the log');
  return claims;
}

/** Reads the whole catalogue. Throws what cannot be read of it: it is the only way to the trees. */
function claimCatalogue(catalogue: Catalogue, claims: SpaceAudit): void {
  const found = new LostNodes(catalogue.core, claims, 0);
  found.search(rootPlace(catalogue.root));
  const lost = found.places[0];
  if (lost !== undefined) throw catalogueLost(lost.error);
}

/** All trees. Throws for a line of the catalogue that makes no sense: which tree it stood for is not known. */
function readStates(catalogue: Catalogue): TreeState[] {
  try {
    return catalogue.ids(true).map((id) => catalogue.stateOf(id)!);
  } catch (error) {
    throw error instanceof CorruptionError ? catalogueLost(error) : error;
  }
}

function catalogueLost(cause: OutwriteError): CorruptionError {
  return new CorruptionError('catalogue', `the list of trees cannot be read: ${cause.message}`, { cause });
}

function rootPlace(state: TreeState): Place {
  const { rootBlock, rootChecksum, rootBirth, level } = state;
  return { block: rootBlock, checksum: rootChecksum, birth: rootBirth, level, lower: NOTHING, upper: null };
}

function pointerAt(slab: Parameters<typeof childBlock>[0], base: number, position: number): Pointer {
  return {
    block: childBlock(slab, base, position),
    checksum: childChecksum(slab, base, position),
    birth: childBirth(slab, base, position),
  };
}

function nameOf(level: number): string {
  return level === 0 ? 'leaf' : 'index node';
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

/**
 * A store of trees on one device: opening and closing, making, finding and dropping trees, commits and checkpoints.
 *
 * Everything that was changed in any of the trees becomes durable together. A tree that is dropped is gone for everybody at once; that is
 * the operation, and it is recorded. Its nodes are reclaimed in steps right after, and, if the process ends before that, by the next
 * writable opening.
 */
import { AllocLog, type FormatOptions, type LogStats, type OpenOptions } from '@outwrite/alloc-log';
import { type BlockDevice, OutwriteError } from '@outwrite/blockdev';
import type { Catalogue } from './catalogue.ts';
import { TREE_ID_LIMIT } from './catalogue-format.ts';
import { deleteKeys } from './range-delete.ts';
import type { RelocateValue } from './relocation.ts';
import { StoreClient } from './store-client.ts';
import type { StoreCore } from './store-core.ts';
import { repairOfLog, type StoreRepair } from './store-repair.ts';
import { Tree } from './tree.ts';
import { type CheckSink, checkTrees } from './tree-check.ts';
import { type LostRange, TreeSalvage } from './tree-salvage.ts';
import type { TreeState } from './tree-state.ts';

/** What a layer above, whose values point to blocks of its own, adds to the opening. */
export interface TreeStoreExtension {
  /** See `RelocateValue`; needed by whoever stores block numbers in values. */
  relocateValue?: RelocateValue;
}

export type TreeStoreFormatOptions = FormatOptions & TreeStoreExtension;
export type TreeStoreOpenOptions = Omit<OpenOptions, 'repair'> &
  TreeStoreExtension & {
    /** For repair: what cannot be read of trees is given up (see `salvaged`), and changes become part of the opening. */
    repair?: StoreRepair;
  };

export interface TreeStoreStats extends LogStats {
  /** Nodes redirected since the store was opened, by kind. */
  redirectedLeaves: number;
  redirectedIndexNodes: number;
}

export class TreeStore {
  readonly log: AllocLog;
  readonly #catalogue: Catalogue;
  /** What an opening for repair had to give up, by tree and ascending keys; empty after any other. */
  readonly salvaged: readonly LostRange[];
  readonly #core: StoreCore;
  readonly #trees = new Map<number, Tree>();

  private constructor(log: AllocLog, client: StoreClient) {
    this.log = log;
    this.salvaged = client.salvage?.lost ?? [];
    this.#catalogue = client.catalogue;
    this.#core = client.catalogue.core;
    client.opened();
  }

  /** Makes an empty store of whatever the device holds. Throws as `AllocLog.format` does. */
  static format(device: BlockDevice, options: TreeStoreFormatOptions = {}): TreeStore {
    const client = new StoreClient(options.relocateValue ?? null);
    return new TreeStore(AllocLog.format(device, options, client), client);
  }

  /** Opens a store as its last durable commit left it. Throws as `AllocLog.open` does. */
  static open(device: BlockDevice, options: TreeStoreOpenOptions = {}): TreeStore {
    const { repair, ...rest } = options;
    const salvage = repair === undefined ? null : new TreeSalvage();
    const client = new StoreClient(options.relocateValue ?? null, salvage);
    const logOptions: OpenOptions = rest;
    if (repair !== undefined && salvage !== null) logOptions.repair = repairOfLog(client, salvage, repair);
    const store = new TreeStore(AllocLog.open(device, logOptions, client), client);
    if (!store.log.readOnly) store.#reclaimDying();
    return store;
  }

  // --- trees ----------------------------------------------------------------------------------------------------------------------

  /** A new, empty tree, with an id that no tree has had before. */
  createTree(): Tree {
    this.#core.checkOpen();
    return this.#faceOf(this.#catalogue.create());
  }

  /** The tree with this id. Throws an `OutwriteError` with code ENOENT if there is none. */
  tree(id: number): Tree {
    return this.#faceOf(this.#stateOf(id));
  }

  hasTree(id: number): boolean {
    this.#core.checkOpen();
    const state = this.#known(id);
    return state !== null && !state.isDying;
  }

  /** Ids of all trees, ascending. */
  treeIds(): number[] {
    this.#core.checkOpen();
    return this.#catalogue.ids(false);
  }

  /**
   * Drops a tree with all its entries. Once it is marked, which is what may throw ENOENT or ENOSPC, nobody finds it any more; damage met
   * while its nodes are reclaimed is thrown, too, and leaves the rest to the next opening.
   */
  dropTree(id: number): void {
    const state = this.#stateOf(id);
    this.#catalogue.markDying(state);
    this.#trees.delete(id);
    this.#reclaim(state);
  }

  #reclaim(state: TreeState): void {
    deleteKeys(state, null, null);
    this.#catalogue.remove(state);
  }

  /** Finishes what an earlier opening could not. A damaged tree stays as it is: its space is lost, nothing else. */
  #reclaimDying(): void {
    for (const id of this.#catalogue.ids(true)) {
      const state = this.#catalogue.stateOf(id);
      if (state === null || !state.isDying) continue;
      try {
        this.#reclaim(state);
      } catch (error) {
        if (!(error instanceof OutwriteError) || error.code !== 'ECORRUPT') throw error;
      }
    }
  }

  #stateOf(id: number): TreeState {
    this.#core.checkOpen();
    const state = this.#known(id);
    if (state === null || state.isDying) throw new OutwriteError('ENOENT', `there is no tree ${id}`);
    return state;
  }

  /** What the catalogue knows of an id; of what is none, nothing. */
  #known(id: number): TreeState | null {
    if (typeof id !== 'number') throw new TypeError('the id of a tree is a number');
    return Number.isInteger(id) && id > 0 && id < TREE_ID_LIMIT ? this.#catalogue.stateOf(id) : null;
  }

  #faceOf(state: TreeState): Tree {
    let tree = this.#trees.get(state.id);
    if (tree === undefined) {
      tree = new Tree(state);
      this.#trees.set(state.id, tree);
    }
    return tree;
  }

  // --- boundaries -----------------------------------------------------------------------------------------------------------------

  /** Makes everything changed before the call durable; resolves with the number of the delta. */
  commit(): Promise<number> {
    return this.log.commit();
  }

  commitSync(): number {
    return this.log.commitSync();
  }

  /** Commits, and writes the promised index nodes, so that the log can be forgotten. */
  checkpoint(): Promise<void> {
    return this.log.checkpoint();
  }

  checkpointSync(): void {
    this.log.checkpointSync();
  }

  /**
   * Runs `fn` with no commit inside: after a crash all of its changes are there, or none. Nothing is undone when it throws. With
   * `isReclaiming` the reserve for giving up space is open to all that `fn` does. Throws a `TypeError` when `fn` returns a promise.
   */
  transact<T>(fn: () => T, isReclaiming: boolean = false): T {
    return this.log.transact(fn, isReclaiming);
  }

  /** Commits and closes the device. Rejects with a `LatchedError`, closed all the same, when what was not committed is lost. */
  async close(): Promise<void> {
    try {
      await this.log.close();
    } finally {
      this.#core.isClosed = true;
    }
  }

  /** As `close`. Throws and stays open while asynchronous calls are in flight. */
  closeSync(): void {
    try {
      this.log.closeSync();
    } finally {
      this.#core.isClosed = this.log.closed;
    }
  }

  // --- looking in -----------------------------------------------------------------------------------------------------------------

  stats(): TreeStoreStats {
    return {
      ...this.log.stats(),
      redirectedLeaves: this.#core.redirectedLeafCount,
      redirectedIndexNodes: this.#core.redirectedIndexCount,
    };
  }

  /**
   * Walks everything that can be reached: checksums, the layout of nodes, the order of keys, separators and their subtrees, births, and
   * overflow extents. Tells `sink` every block that is reached, and what is wrong; goes on after damage. Nothing is changed.
   */
  check(sink: CheckSink): void {
    this.#core.checkOpen();
    checkTrees(this.#catalogue, sink);
  }

  /** Throws an `AssertionError` unless all trees and their bookkeeping are as they must be between two operations. For tests. */
  checkInvariants(): void {
    checkTrees(this.#catalogue, {
      block() {},
      problem(error) {
        throw error;
      },
    });
    this.log.cache.checkInvariants();
  }
}

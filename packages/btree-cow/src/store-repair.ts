/**
 * Opening a store for repair: what is reached from its trees makes the free map, and entries are changed as part of the opening.
 */
import type { LogRepair } from '@outwrite/alloc-log';
import { putValue } from './leaf-put.ts';
import { deleteKey } from './range-delete.ts';
import type { StoreClient } from './store-client.ts';
import { checkTrees } from './tree-check.ts';
import type { TreeSalvage } from './tree-salvage.ts';

/** Which blocks the value of an entry refers to, if any, for a layer above whose values point to blocks of its own. */
export type BlocksOf = (treeId: number, key: Uint8Array, value: Uint8Array) => { start: number; count: number } | null;

/** One entry to put, or with a null value to delete. */
export interface StoreEdit {
  readonly treeId: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** How to open a store for repair. */
export interface StoreRepair {
  readonly blocksOf: BlocksOf;
  /** Made while the store is opened writable, in this order: after a crash all of them are there, and all that was salvaged, or nothing. */
  readonly edits?: readonly StoreEdit[];
}

/** What the log must know of it. */
export function repairOfLog(client: StoreClient, salvage: TreeSalvage, repair: StoreRepair): LogRepair {
  return {
    reachAll: (reach) => {
      const { catalogue } = client;
      salvage.dropLostLeaves(catalogue);
      checkTrees(catalogue, {
        block: (start, count) => reach(start, count),
        problem: (error, _treeId, key) => {
          // An overflow value that cannot be read: what it owns is not known, and its entry is for the layer above to delete.
          if (key === undefined) throw error;
        },
        entry: (treeId, key, value) => {
          const blocks = repair.blocksOf(treeId, key, value);
          if (blocks !== null) reach(blocks.start, blocks.count);
        },
      });
    },
    change: (checkRoom) => {
      const { catalogue } = client;
      for (const { treeId, key, value } of repair.edits ?? []) {
        checkRoom();
        const state = catalogue.stateOf(treeId);
        if (state === null) continue;
        if (value === null) deleteKey(state, key);
        else putValue(state, key, value);
      }
      // A tree may stand there for a delta that was replayed and for this one.
      const { core } = catalogue;
      core.changedTrees = [...new Set(core.changedTrees)];
    },
  };
}

/**
 * An ordered key-value store: one tree on a device of its own, for programs that need no more.
 *
 * Changes are durable with the next commit, and so is what a `batch` does: after a crash all of it is there, or nothing.
 */
import { type BlockDevice, CorruptionError } from '@outwrite/blockdev';
import type { TreeCursor } from './cursor.ts';
import type { EntryRange } from './entry-range.ts';
import type { Tree } from './tree.ts';
import {
  TreeStore,
  type TreeStoreFormatOptions,
  type TreeStoreOpenOptions,
  type TreeStoreStats,
} from './tree-store.ts';

/** One change of a batch. */
export type BatchOperation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'delete'; key: Uint8Array };

/** The tree of an ordered store: the first that its tree store made. */
const TREE_ID = 1;

export class OrderedStore {
  readonly trees: TreeStore;
  readonly #tree: Tree;

  private constructor(trees: TreeStore, tree: Tree) {
    this.trees = trees;
    this.#tree = tree;
  }

  /** Makes an empty store of whatever the device holds, and commits it. */
  static format(device: BlockDevice, options: TreeStoreFormatOptions = {}): OrderedStore {
    const trees = TreeStore.format(device, options);
    const store = new OrderedStore(trees, trees.createTree());
    trees.commitSync();
    return store;
  }

  /** Opens a store as its last durable commit left it. Throws as `TreeStore.open` does. */
  static open(device: BlockDevice, options: TreeStoreOpenOptions = {}): OrderedStore {
    const trees = TreeStore.open(device, options);
    if (!trees.hasTree(TREE_ID))
      throw new CorruptionError('catalogue', 'this is no ordered store: it has no first tree');
    return new OrderedStore(trees, trees.tree(TREE_ID));
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#tree.get(key);
  }

  has(key: Uint8Array): boolean {
    return this.#tree.has(key);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#tree.put(key, value);
  }

  delete(key: Uint8Array): boolean {
    return this.#tree.delete(key);
  }

  /** Removes all entries from `from` to before `to`; null is an open end. Returns how many there were. See `Tree.deleteRange`. */
  deleteRange(from: Uint8Array | null, to: Uint8Array | null): number {
    return this.#tree.deleteRange(from, to);
  }

  /** Loads entries whose keys ascend, beyond the last key of the store. */
  bulkLoad(entries: Iterable<readonly [Uint8Array, Uint8Array]>): number {
    return this.#tree.bulkLoad(entries);
  }

  /**
   * Makes several changes of which a crash leaves all or none. Keys, values and room for the worst case are looked at, and what is to be read
   * is read, before the first change, so that an error there leaves nothing half done either. Throws a `TypeError` for an operation of no
   * known type.
   */
  batch(operations: readonly BatchOperation[]): void {
    let { blocks, nodes } = this.#tree.putRoom(1, 0);
    for (const operation of operations) {
      const { type } = operation;
      if (type !== 'put' && type !== 'delete') {
        throw new TypeError(`a batch has operations of type 'put' and 'delete', not '${String(type)}'`);
      }
      const valueLength = operation.type === 'put' ? this.#tree.checkValue(operation.value) : 0;
      const room = this.#tree.putRoom(this.#tree.checkKey(operation.key), valueLength);
      blocks += room.blocks;
      nodes += room.nodes;
    }
    while (!this.trees.log.ensure(blocks, nodes, false));
    this.trees.transact(() => {
      this.#tree.makeReady(operations);
      // Large values first: a device that cannot grow shows before anything has changed.
      const puts = operations.map((operation) =>
        operation.type === 'put' ? ([operation.key, operation.value] as const) : null,
      );
      const written = this.#tree.writeAhead(puts);
      try {
        for (const [i, operation] of operations.entries()) {
          if (operation.type === 'put') this.#tree.putAhead(operation.key, operation.value, written[i]!);
          else this.#tree.deleteAhead(operation.key);
        }
      } catch (error) {
        // What has just been read cannot be read any more. Half of a batch must not become durable.
        throw this.trees.log.latch(error);
      }
    });
  }

  cursor(): TreeCursor {
    return this.#tree.cursor();
  }

  entries(range: EntryRange = {}): IterableIterator<[Uint8Array, Uint8Array]> {
    return this.#tree.entries(range);
  }

  keys(range: EntryRange = {}): IterableIterator<Uint8Array> {
    return this.#tree.keys(range);
  }

  values(range: EntryRange = {}): IterableIterator<Uint8Array> {
    return this.#tree.values(range);
  }

  commit(): Promise<number> {
    return this.trees.commit();
  }

  commitSync(): number {
    return this.trees.commitSync();
  }

  close(): Promise<void> {
    return this.trees.close();
  }

  closeSync(): void {
    this.trees.closeSync();
  }

  stats(): TreeStoreStats {
    return this.trees.stats();
  }
}

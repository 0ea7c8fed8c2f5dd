/**
 * Outwrite's tree as a key-value store: one tree of a `TreeStore` in a file on the disk under test, without the volume above it.
 *
 * A batch is a series of puts and one synchronous commit; an asynchronous append is a put and a shared commit. The fast scan walks a cursor, copies
 * each key into one buffer and looks at the value where it lies; the other one is the iterator, whose keys and values are copies.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openFileDevice } from '@outwrite/blockdev/node';
import { type Tree, TreeStore } from '@outwrite/btree-cow';
import type {
  AppendOptions,
  AppendSession,
  Engine,
  EntryVisitor,
  KeyValueChanges,
  KeyValueOptions,
  KeyValueSession,
} from '../engine.ts';
import { packageVersion } from './optional-package.ts';

/** What the append workload, which has no budget of its own, gives the cache. */
const APPEND_CACHE_BYTES = 32 * 1024 * 1024;

type StoreOptions = Pick<KeyValueOptions, 'cacheBytes' | 'capacityBytes' | 'isGrown'>;

/** Opens the store of a folder, or makes it with one tree. */
function storeIn(folder: string, options: StoreOptions): { store: TreeStore; tree: Tree } {
  const path = join(folder, 'store.outwrite');
  const { cacheBytes, capacityBytes } = options;
  if (existsSync(path)) {
    const store = TreeStore.open(openFileDevice(path), { cacheBytes });
    return { store, tree: store.tree(store.treeIds()[0]!) };
  }
  const capacity = capacityBytes === undefined ? {} : { maxBytes: capacityBytes };
  const device = openFileDevice(path, { create: 'exclusive' });
  if (options.isGrown && capacityBytes !== undefined) device.grow(capacityBytes);
  const store = TreeStore.format(device, { cacheBytes, ...capacity });
  return { store, tree: store.createTree() };
}

class StoreAppend implements AppendSession {
  readonly #store: TreeStore;
  readonly #tree: Tree;
  readonly #nextIndexes: Uint32Array;
  readonly #key = Buffer.alloc(8);

  constructor({ store, tree }: { store: TreeStore; tree: Tree }, options: AppendOptions) {
    this.#store = store;
    this.#tree = tree;
    this.#nextIndexes = new Uint32Array(options.taskCount);
  }

  #keyOf(task: number, index: number): Buffer {
    this.#key.writeUInt32BE(task, 0);
    this.#key.writeUInt32BE(index, 4);
    return this.#key;
  }

  appendSync(task: number, block: Uint8Array): void {
    this.#tree.put(this.#keyOf(task, this.#nextIndexes[task]!++), block);
    this.#store.commitSync();
  }

  async append(task: number, block: Uint8Array): Promise<void> {
    this.#tree.put(this.#keyOf(task, this.#nextIndexes[task]!++), block);
    await this.#store.commit();
  }

  readBack(task: number, index: number): Uint8Array {
    return this.#tree.get(this.#keyOf(task, index))!;
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

class StoreKeyValue implements KeyValueSession {
  readonly #store: TreeStore;
  readonly #tree: Tree;
  readonly #keyBytes: number;
  readonly #changes: KeyValueChanges;
  /** Where `get` copies values to, or null when each gets memory of its own. */
  readonly #target: Uint8Array | null;

  constructor({ store, tree }: { store: TreeStore; tree: Tree }, options: KeyValueOptions, reusesMemory: boolean) {
    this.#store = store;
    this.#tree = tree;
    this.#keyBytes = options.keyBytes;
    this.#changes = {
      put: (key, value) => tree.put(key, value),
      delete: (key) => tree.delete(key),
    };
    this.#target = reusesMemory ? Buffer.alloc(options.valueBytes) : null;
  }

  batch(count: number, change: (changes: KeyValueChanges, index: number) => void): void {
    for (let i = 0; i < count; i++) change(this.#changes, i);
    this.#store.commitSync();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#target === null) return this.#tree.get(key);
    return this.#tree.getInto(key, this.#target) < 0 ? undefined : this.#target;
  }

  scan(visit: EntryVisitor): number {
    let count = 0;
    for (const [key, value] of this.#tree.entries()) {
      visit(key, value);
      count++;
    }
    return count;
  }

  scanFast(visit: EntryVisitor): number {
    const cursor = this.#tree.cursor();
    const key = Buffer.alloc(this.#keyBytes);
    let count = 0;
    for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
      cursor.copyKey(key);
      visit(key, cursor.valueView());
      count++;
    }
    return count;
  }

  counters(): Record<string, number> {
    const { commits, checkpoints, flushes, bytesWritten, blockBytes } = this.#store.stats();
    const blocks = (bytes: number): number => bytes / blockBytes;
    return {
      commits,
      checkpoints,
      flushes,
      commitBlocks: blocks(bytesWritten.log + bytesWritten.leaf + bytesWritten.data + bytesWritten.overflow),
      checkpointBlocks: blocks(bytesWritten.index + bytesWritten['free-map'] + bytesWritten.superblock),
      zeroedBlocks: blocks(bytesWritten.zero),
    };
  }

  gauges(): Record<string, number> {
    const { logBlocks, limitBlocks, usedBlocks, freeBlocks, waitingBlocks, sizeBlocks } = this.#store.stats();
    return { logBlocks, limitBlocks, usedBlocks, freeBlocks, waitingBlocks, sizeBlocks };
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function engine(reusesMemory: boolean): Engine {
  return {
    version: packageVersion('@outwrite/btree-cow'),
    openAppend: (folder, options) =>
      new StoreAppend(storeIn(folder, { ...options, cacheBytes: APPEND_CACHE_BYTES }), options),
    openKeyValue: (folder, options) => new StoreKeyValue(storeIn(folder, options), options, reusesMemory),
  };
}

export function loadOutwriteStore(): Engine {
  return engine(false);
}

/** Look-ups by `getInto` into one buffer. */
export function loadOutwriteStoreInto(): Engine {
  return engine(true);
}

/**
 * Outwrite's tree as a key-value store: an `OrderedStore` in a file on the disk under test, without the volume above it.
 *
 * A batch is a transaction and one synchronous commit. In a store that is nearly full (the aged ones) it is a series of changes and a commit,
 * since a transaction cannot gain room by committing what came before. An asynchronous append is a put and a shared commit. The fast scan has a
 * cursor show its entries where they lie; the other one is the iterator, whose keys and values are copies.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openFileDevice } from '@outwrite/blockdev/node';
import { OrderedStore, type Tree } from '@outwrite/btree-cow';
import type {
  AppendOptions,
  AppendSession,
  Engine,
  EntryVisitor,
  KeyValueChanges,
  KeyValueOptions,
  KeyValueSession,
  PlaceVisitor,
} from '../engine.ts';
import { packageVersion } from './optional-package.ts';

/** What the append workload, which has no budget of its own, gives the cache. */
const APPEND_CACHE_BYTES = 32 * 1024 * 1024;

type StoreOptions = Pick<KeyValueOptions, 'cacheBytes' | 'capacityBytes' | 'isGrown'>;

/** Opens the store of a folder, or makes it. */
function storeIn(folder: string, options: StoreOptions): OrderedStore {
  const path = join(folder, 'store.outwrite');
  const { cacheBytes, capacityBytes } = options;
  if (existsSync(path)) return OrderedStore.open(openFileDevice(path), { cacheBytes });
  const device = openFileDevice(path, { create: 'exclusive' });
  if (options.isGrown && capacityBytes !== undefined) device.grow(capacityBytes);
  return OrderedStore.format(device, {
    cacheBytes,
    ...(capacityBytes === undefined ? {} : { maxBytes: capacityBytes }),
  });
}

class StoreAppend implements AppendSession {
  readonly #store: OrderedStore;
  readonly #nextIndexes: Uint32Array;
  readonly #key = Buffer.alloc(8);

  constructor(store: OrderedStore, options: AppendOptions) {
    this.#store = store;
    this.#nextIndexes = new Uint32Array(options.taskCount);
  }

  #keyOf(task: number, index: number): Buffer {
    this.#key.writeUInt32BE(task, 0);
    this.#key.writeUInt32BE(index, 4);
    return this.#key;
  }

  appendSync(task: number, block: Uint8Array): void {
    this.#store.put(this.#keyOf(task, this.#nextIndexes[task]!++), block);
    this.#store.commitSync();
  }

  async append(task: number, block: Uint8Array): Promise<void> {
    this.#store.put(this.#keyOf(task, this.#nextIndexes[task]!++), block);
    await this.#store.commit();
  }

  readBack(task: number, index: number): Uint8Array {
    return this.#store.get(this.#keyOf(task, index))!;
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

class StoreKeyValue implements KeyValueSession {
  readonly #store: OrderedStore;
  readonly #changes: KeyValueChanges;
  readonly #isNearlyFull: boolean;

  constructor(store: OrderedStore, options: KeyValueOptions) {
    this.#store = store;
    this.#isNearlyFull = options.capacityBytes !== undefined;
    this.#changes = {
      put: (key, value) => store.put(key, value),
      delete: (key) => store.delete(key),
    };
  }

  batch(count: number, change: (changes: KeyValueChanges, index: number) => void): void {
    const changeAll = (): void => {
      for (let i = 0; i < count; i++) change(this.#changes, i);
    };
    if (this.#isNearlyFull) changeAll();
    else this.#store.trees.transact(changeAll);
    this.#store.commitSync();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(key);
  }

  scan(visit: EntryVisitor): number {
    let count = 0;
    for (const [key, value] of this.#store.entries()) {
      visit(key, value);
      count++;
    }
    return count;
  }

  scanFast(visit: PlaceVisitor): number {
    return this.#store.cursor().visitForward(visit);
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

/** Look-ups by `getInto` into one buffer. */
class StoreKeyValueInto extends StoreKeyValue {
  readonly #tree: Tree;
  readonly #target: Uint8Array;

  constructor(store: OrderedStore, options: KeyValueOptions) {
    super(store, options);
    this.#tree = store.trees.tree(store.trees.treeIds()[0]!);
    this.#target = Buffer.alloc(options.valueBytes);
  }

  override get(key: Uint8Array): Uint8Array | undefined {
    return this.#tree.getInto(key, this.#target) < 0 ? undefined : this.#target;
  }
}

export function loadOutwriteStore(): Engine {
  return {
    version: packageVersion('@outwrite/btree-cow'),
    openAppend: (folder, options) =>
      new StoreAppend(storeIn(folder, { ...options, cacheBytes: APPEND_CACHE_BYTES }), options),
    openKeyValue: (folder, options) => new StoreKeyValue(storeIn(folder, options), options),
  };
}

export function loadOutwriteStoreInto(): Engine {
  return {
    version: packageVersion('@outwrite/btree-cow'),
    openKeyValue: (folder, options) => new StoreKeyValueInto(storeIn(folder, options), options),
  };
}

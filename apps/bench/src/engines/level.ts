/**
 * `classic-level` (LevelDB), every commit with `sync: true`.
 *
 * Choices: views as keys and values; chained batches, which copy each entry at once; synchronous look-ups; scans by `nextv`, a thousand
 * entries a call. Its compaction runs on a thread of its own and may outlast a workload.
 */
import { join } from 'node:path';
import type {
  AppendOptions,
  AppendSession,
  Engine,
  EntryVisitor,
  KeyValueChanges,
  KeyValueSession,
} from '../engine.ts';
import { importOptional, packageVersion } from './optional-package.ts';

/** The part of the package that is used here. */
interface LevelModule {
  readonly ClassicLevel: new (
    path: string,
    options: { keyEncoding: 'view'; valueEncoding: 'view'; cacheSize: number },
  ) => Database;
}

interface Database {
  open(): Promise<void>;
  put(key: Uint8Array, value: Uint8Array, options: { sync: boolean }): Promise<void>;
  getSync(key: Uint8Array): Uint8Array | undefined;
  batch(): ChainedBatch;
  iterator(): { nextv(count: number): Promise<[Uint8Array, Uint8Array][]>; close(): Promise<void> };
  close(): Promise<void>;
}

interface ChainedBatch {
  put(key: Uint8Array, value: Uint8Array): unknown;
  del(key: Uint8Array): unknown;
  write(options: { sync: boolean }): Promise<void>;
}

const SCAN_PIECE = 1_000;
const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;

async function openDatabase(level: LevelModule, folder: string, cacheBytes: number): Promise<Database> {
  const database = new level.ClassicLevel(join(folder, 'level'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
    cacheSize: cacheBytes,
  });
  await database.open();
  return database;
}

class LevelAppend implements AppendSession {
  readonly #database: Database;
  readonly #nextIndexes: Uint32Array;

  constructor(database: Database, options: AppendOptions) {
    this.#database = database;
    this.#nextIndexes = new Uint32Array(options.taskCount);
  }

  #keyOf(task: number, index: number): Uint8Array {
    const key = Buffer.alloc(8);
    key.writeUInt32BE(task, 0);
    key.writeUInt32BE(index, 4);
    return key;
  }

  append(task: number, block: Uint8Array): Promise<void> {
    return this.#database.put(this.#keyOf(task, this.#nextIndexes[task]!++), block, { sync: true });
  }

  readBack(task: number, index: number): Uint8Array {
    return this.#database.getSync(this.#keyOf(task, index))!;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

class LevelKeyValue implements KeyValueSession {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  batch(count: number, change: (changes: KeyValueChanges, index: number) => void): Promise<void> {
    const batch = this.#database.batch();
    const changes: KeyValueChanges = {
      put: (key, value) => batch.put(key, value),
      delete: (key) => batch.del(key),
    };
    for (let i = 0; i < count; i++) change(changes, i);
    return batch.write({ sync: true });
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#database.getSync(key);
  }

  async scan(visit: EntryVisitor): Promise<number> {
    const iterator = this.#database.iterator();
    let count = 0;
    for (;;) {
      const entries = await iterator.nextv(SCAN_PIECE);
      if (entries.length === 0) break;
      for (const [key, value] of entries) visit(key, value);
      count += entries.length;
    }
    await iterator.close();
    return count;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

export async function loadLevel(): Promise<Engine> {
  const level = await importOptional<LevelModule>('classic-level');
  return {
    version: packageVersion('classic-level'),
    openAppend: async (folder, options) =>
      new LevelAppend(await openDatabase(level, folder, DEFAULT_CACHE_BYTES), options),
    openKeyValue: async (folder, options) => new LevelKeyValue(await openDatabase(level, folder, options.cacheBytes)),
  };
}

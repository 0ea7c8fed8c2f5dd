/**
 * `lmdb` (lmdb-js), durable.
 *
 * Choices: binary keys and values; `overlappingSync` off, with which a commit is durable when it returns and which was the faster setting
 * for waiting callers here (on, a commit needs a second wait for `flushed`); batches in `transactionSync`, the fastest way to make many
 * changes and one commit; asynchronous appends by `put`, which the package commits in groups on a thread of its own.
 */
import { join } from 'node:path';
import type {
  AppendOptions,
  AppendSession,
  Engine,
  EntryVisitor,
  FilesSession,
  KeyValueChanges,
  KeyValueSession,
} from '../engine.ts';
import { importOptional, packageVersion } from './optional-package.ts';
import { decodeStoredFile, encodeStoredFile, storedFileSize } from './stored-file.ts';

/** The part of the package that is used here. */
interface LmdbModule {
  open(options: { path: string; encoding: 'binary'; keyEncoding: 'binary'; overlappingSync: boolean }): Database;
}

interface Database {
  get(key: Uint8Array): Buffer | undefined;
  getBinaryFast(key: Uint8Array): Buffer | undefined;
  put(key: Uint8Array, value: Uint8Array): Promise<boolean>;
  putSync(key: Uint8Array, value: Uint8Array): unknown;
  removeSync(key: Uint8Array): unknown;
  transactionSync(change: () => void): void;
  getRange(): Iterable<{ key: Buffer; value: Buffer }>;
  getKeys(range: { start: Uint8Array; end: Uint8Array }): Iterable<Buffer>;
  close(): Promise<void>;
}

function openDatabase(lmdb: LmdbModule, folder: string): Database {
  return lmdb.open({
    path: join(folder, 'data.lmdb'),
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
  });
}

class LmdbAppend implements AppendSession {
  readonly #database: Database;
  readonly #nextIndexes: Uint32Array;

  constructor(database: Database, options: AppendOptions) {
    this.#database = database;
    this.#nextIndexes = new Uint32Array(options.taskCount);
  }

  #keyOf(task: number, index: number): Buffer {
    const key = Buffer.alloc(8);
    key.writeUInt32BE(task, 0);
    key.writeUInt32BE(index, 4);
    return key;
  }

  appendSync(task: number, block: Uint8Array): void {
    this.#database.putSync(this.#keyOf(task, this.#nextIndexes[task]!++), block);
  }

  async append(task: number, block: Uint8Array): Promise<void> {
    await this.#database.put(this.#keyOf(task, this.#nextIndexes[task]!++), block);
  }

  readBack(task: number, index: number): Uint8Array {
    return this.#database.get(this.#keyOf(task, index))!;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

class LmdbKeyValue implements KeyValueSession {
  readonly #database: Database;
  readonly #reusesMemory: boolean;
  readonly #changes: KeyValueChanges;

  constructor(database: Database, reusesMemory: boolean) {
    this.#database = database;
    this.#reusesMemory = reusesMemory;
    this.#changes = {
      put: (key, value) => database.putSync(key, value),
      delete: (key) => database.removeSync(key),
    };
  }

  batch(count: number, change: (changes: KeyValueChanges, index: number) => void): void {
    this.#database.transactionSync(() => {
      for (let i = 0; i < count; i++) change(this.#changes, i);
    });
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#reusesMemory ? this.#database.getBinaryFast(key) : this.#database.get(key);
  }

  scan(visit: EntryVisitor): number {
    let count = 0;
    for (const { key, value } of this.#database.getRange()) {
      visit(key, value);
      count++;
    }
    return count;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** Files as entries: the key is the path, a header precedes the content. */
class LmdbFiles implements FilesSession {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  batch(count: number, change: (index: number) => void): void {
    this.#database.transactionSync(() => {
      for (let i = 0; i < count; i++) change(i);
    });
  }

  makeDirectory(): void {
    // A store of blobs has no directories; the paths have them.
  }

  create(path: string, content: Uint8Array): void {
    this.#database.putSync(Buffer.from(path), encodeStoredFile(content));
  }

  statSize(path: string): number {
    return storedFileSize(this.#database.getBinaryFast(Buffer.from(path))!);
  }

  read(path: string): Uint8Array {
    return decodeStoredFile(this.#database.get(Buffer.from(path))!);
  }

  list(directory: string): string[] {
    const start = Buffer.from(`${directory}/`);
    const end = Buffer.from(`${directory}0`);
    const names: string[] = [];
    for (const key of this.#database.getKeys({ start, end })) {
      const name = key.toString('utf8', start.length);
      if (!name.includes('/')) names.push(name);
    }
    return names;
  }

  rename(from: string, to: string): void {
    const key = Buffer.from(from);
    this.#database.putSync(Buffer.from(to), this.#database.get(key)!);
    this.#database.removeSync(key);
  }

  unlink(path: string): void {
    this.#database.removeSync(Buffer.from(path));
  }

  settle(): void {
    // Every batch was durable.
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

function engineOf(lmdb: LmdbModule, reusesMemory: boolean): Engine {
  return {
    version: packageVersion('lmdb'),
    openAppend: (folder, options) => new LmdbAppend(openDatabase(lmdb, folder), options),
    openKeyValue: (folder) => new LmdbKeyValue(openDatabase(lmdb, folder), reusesMemory),
    openFiles: (folder) => new LmdbFiles(openDatabase(lmdb, folder)),
  };
}

export async function loadLmdb(): Promise<Engine> {
  return engineOf(await importOptional<LmdbModule>('lmdb'), false);
}

/** Look-ups by `getBinaryFast`, whose result is overwritten by the next one. */
export async function loadLmdbFast(): Promise<Engine> {
  return engineOf(await importOptional<LmdbModule>('lmdb'), true);
}

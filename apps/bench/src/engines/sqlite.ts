/**
 * `better-sqlite3`: WAL, `synchronous = FULL`, prepared statements, one transaction a commit.
 *
 * Choices: the cache budget goes to SQLite's page cache; automatic checkpoints as they come. Keys are blobs in a table WITHOUT ROWID; the
 * variant `sqlite-integer` keeps 8-byte keys as INTEGER PRIMARY KEY. For several waiting tasks, appends of one turn of the event loop share
 * a transaction, which is how one groups commits on a synchronous interface.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type {
  AppendOptions,
  AppendSession,
  Engine,
  EntryVisitor,
  FilesSession,
  KeyValueChanges,
  KeyValueOptions,
  KeyValueSession,
} from '../engine.ts';
import { packageVersion } from './optional-package.ts';

/** The part of better-sqlite3 that is used here; the package brings no declarations. */
interface Statement {
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
  raw(): Statement;
  pluck(): Statement;
}

interface Database {
  pragma(text: string): unknown;
  exec(text: string): void;
  prepare(text: string): Statement;
  close(): void;
}

type DatabaseConstructor = new (path: string) => Database;

const KIB = 1024;

function openDatabase(databaseClass: DatabaseConstructor, folder: string, cacheBytes: number): Database {
  const database = new databaseClass(join(folder, 'data.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma(`cache_size = ${-Math.floor(cacheBytes / KIB)}`);
  return database;
}

/** BEGIN, the work, COMMIT; a failed work is rolled back. */
class Transactions {
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;

  constructor(database: Database) {
    this.#begin = database.prepare('BEGIN');
    this.#commit = database.prepare('COMMIT');
    this.#rollback = database.prepare('ROLLBACK');
  }

  run(work: () => void): void {
    this.#begin.run();
    try {
      work();
    } catch (error) {
      this.#rollback.run();
      throw error;
    }
    this.#commit.run();
  }
}

interface WaitingAppend {
  readonly row: number;
  readonly block: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Rows of a task are numbered from this many times the task's number on. */
const ROWS_A_TASK = 2 ** 24;

class SqliteAppend implements AppendSession {
  readonly #database: Database;
  readonly #transactions: Transactions;
  readonly #insert: Statement;
  readonly #select: Statement;
  readonly #nextRows: Float64Array;
  #waiting: WaitingAppend[] = [];

  constructor(database: Database, options: AppendOptions) {
    this.#database = database;
    database.exec('CREATE TABLE IF NOT EXISTS blocks (row INTEGER PRIMARY KEY, block BLOB NOT NULL)');
    this.#transactions = new Transactions(database);
    this.#insert = database.prepare('INSERT INTO blocks VALUES (?, ?)');
    this.#select = database.prepare('SELECT block FROM blocks WHERE row = ?').pluck();
    this.#nextRows = Float64Array.from({ length: options.taskCount }, (_, task) => task * ROWS_A_TASK);
  }

  appendSync(task: number, block: Uint8Array): void {
    this.#insert.run(this.#nextRows[task]!++, block);
  }

  append(task: number, block: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#commitWaiting());
      this.#waiting.push({ row: this.#nextRows[task]!++, block, resolve, reject });
    });
  }

  #commitWaiting(): void {
    const group = this.#waiting;
    this.#waiting = [];
    try {
      this.#transactions.run(() => {
        for (const { row, block } of group) this.#insert.run(row, block);
      });
      for (const { resolve } of group) resolve();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  readBack(task: number, index: number): Uint8Array {
    return this.#select.get(task * ROWS_A_TASK + index) as Uint8Array;
  }

  close(): void {
    this.#database.close();
  }
}

/** How a key is bound to a statement, and made from a column. */
interface KeyColumn {
  readonly type: string;
  readonly bind: (key: Uint8Array) => unknown;
  readonly unbind: (column: unknown) => Uint8Array;
}

const BLOB_KEYS: KeyColumn = {
  type: 'BLOB PRIMARY KEY',
  bind: (key) => key,
  unbind: (column) => column as Uint8Array,
};

const INTEGER_KEYS: KeyColumn = {
  type: 'INTEGER PRIMARY KEY',
  bind: (key) => ((key[4]! << 24) | (key[5]! << 16) | (key[6]! << 8) | key[7]!) >>> 0,
  unbind: (column) => {
    const key = Buffer.alloc(8);
    key.writeUInt32BE(column as number, 4);
    return key;
  },
};

class SqliteKeyValue implements KeyValueSession {
  readonly #database: Database;
  readonly #transactions: Transactions;
  readonly #column: KeyColumn;
  readonly #select: Statement;
  readonly #scan: Statement;
  readonly #changes: KeyValueChanges;

  constructor(database: Database, column: KeyColumn) {
    this.#database = database;
    this.#column = column;
    const suffix = column === BLOB_KEYS ? 'WITHOUT ROWID' : '';
    database.exec(`CREATE TABLE IF NOT EXISTS entries (key ${column.type}, value BLOB NOT NULL) ${suffix}`);
    this.#transactions = new Transactions(database);
    const upsert = database.prepare(
      'INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
    const remove = database.prepare('DELETE FROM entries WHERE key = ?');
    this.#select = database.prepare('SELECT value FROM entries WHERE key = ?').pluck();
    this.#scan = database.prepare('SELECT key, value FROM entries ORDER BY key').raw();
    this.#changes = {
      put: (key, value) => upsert.run(column.bind(key), value),
      delete: (key) => remove.run(column.bind(key)),
    };
  }

  batch(count: number, change: (changes: KeyValueChanges, index: number) => void): void {
    this.#transactions.run(() => {
      for (let i = 0; i < count; i++) change(this.#changes, i);
    });
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#select.get(this.#column.bind(key)) as Uint8Array | undefined;
  }

  scan(visit: EntryVisitor): number {
    let count = 0;
    for (const row of this.#scan.iterate()) {
      const [key, value] = row as [unknown, Uint8Array];
      visit(this.#column.unbind(key), value);
      count++;
    }
    return count;
  }

  close(): void {
    this.#database.close();
  }
}

const FILE_MODE = 0o100644;

class SqliteFiles implements FilesSession {
  readonly #database: Database;
  readonly #transactions: Transactions;
  readonly #insert: Statement;
  readonly #stat: Statement;
  readonly #read: Statement;
  readonly #list: Statement;
  readonly #rename: Statement;
  readonly #unlink: Statement;

  constructor(database: Database) {
    this.#database = database;
    database.exec(
      'CREATE TABLE IF NOT EXISTS files (folder TEXT, name TEXT, mode INTEGER, modified REAL, size INTEGER, content BLOB, PRIMARY KEY (folder, name))',
    );
    this.#transactions = new Transactions(database);
    this.#insert = database.prepare('INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)');
    this.#stat = database.prepare('SELECT size, mode, modified FROM files WHERE folder = ? AND name = ?').raw();
    this.#read = database.prepare('SELECT content FROM files WHERE folder = ? AND name = ?').pluck();
    this.#list = database.prepare('SELECT name FROM files WHERE folder = ?').pluck();
    this.#rename = database.prepare('UPDATE files SET folder = ?, name = ? WHERE folder = ? AND name = ?');
    this.#unlink = database.prepare('DELETE FROM files WHERE folder = ? AND name = ?');
  }

  batch(count: number, change: (index: number) => void): void {
    this.#transactions.run(() => {
      for (let i = 0; i < count; i++) change(i);
    });
  }

  makeDirectory(): void {
    // A directory is a value in a column here.
  }

  create(path: string, content: Uint8Array): void {
    const at = path.lastIndexOf('/');
    this.#insert.run(path.slice(0, at), path.slice(at + 1), FILE_MODE, Date.now(), content.length, content);
  }

  statSize(path: string): number {
    const at = path.lastIndexOf('/');
    return (this.#stat.get(path.slice(0, at), path.slice(at + 1)) as [number])[0];
  }

  read(path: string): Uint8Array {
    const at = path.lastIndexOf('/');
    return this.#read.get(path.slice(0, at), path.slice(at + 1)) as Uint8Array;
  }

  list(directory: string): string[] {
    return this.#list.all(directory) as string[];
  }

  rename(from: string, to: string): void {
    const fromAt = from.lastIndexOf('/');
    const toAt = to.lastIndexOf('/');
    this.#rename.run(to.slice(0, toAt), to.slice(toAt + 1), from.slice(0, fromAt), from.slice(fromAt + 1));
  }

  unlink(path: string): void {
    const at = path.lastIndexOf('/');
    this.#unlink.run(path.slice(0, at), path.slice(at + 1));
  }

  settle(): void {
    // Every batch was durable.
  }

  close(): void {
    this.#database.close();
  }
}

/** What the append workload, which has no budget of its own, gives SQLite's page cache. */
const APPEND_CACHE_BYTES = 32 * KIB * KIB;

function engineOf(column: KeyColumn): Engine {
  const databaseClass = createRequire(import.meta.url)('better-sqlite3') as DatabaseConstructor;
  // The binary is loaded with the first database only: a missing one shows here, not in the first workload.
  new databaseClass(':memory:').close();
  return {
    version: packageVersion('better-sqlite3'),
    openAppend: (folder, options) => new SqliteAppend(openDatabase(databaseClass, folder, APPEND_CACHE_BYTES), options),
    openKeyValue: (folder, options: KeyValueOptions) =>
      new SqliteKeyValue(openDatabase(databaseClass, folder, options.cacheBytes), column),
    openFiles: (folder, options) => new SqliteFiles(openDatabase(databaseClass, folder, options.cacheBytes)),
  };
}

export async function loadSqlite(): Promise<Engine> {
  return engineOf(BLOB_KEYS);
}

export async function loadSqliteInteger(): Promise<Engine> {
  return engineOf(INTEGER_KEYS);
}

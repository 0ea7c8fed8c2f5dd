/**
 * The small interface behind which every engine stands: what a workload may ask of Outwrite and of its rivals.
 *
 * An engine serves one or more *surfaces* (durable appends, keys and values, files, one large file) and opens a session on a folder for
 * each. Rules that make the figures comparable:
 *
 * - What an engine calls committed is on the device (flushed) when the call has returned or its promise has resolved. Engines for which
 *   that cannot be so (`tmpfs`, `memfs`) are marked volatile; a goal that names one compares it with Outwrite in a file on tmpfs.
 * - Bytes handed out by `get`, `read` and `scan` are copies that stay valid; the `fast` variants may reuse their memory.
 * - Each engine is used the way its manual recommends for speed at this durability; its file says which choices were made.
 * - All are given the same cache budget where they take one.
 */
export type Surface = 'append' | 'key-value' | 'files' | 'large-file';

/** `subject`: what is being built here. `peer`: what a user would pick instead. `limit`: what the machine allows. */
export type EngineRole = 'subject' | 'peer' | 'limit';

/** One caller that waits in the call, one that awaits a promise, or several that do. */
export type AppendStyle = 'sync' | 'async' | 'tasks';

export interface EngineDescription {
  readonly id: string;
  readonly title: string;
  readonly role: EngineRole;
  /** Nothing survives a power cut: a commit means nothing to it. */
  readonly volatile: boolean;
  /** Where its folder is made: on the file system under test, or on one in memory. */
  readonly place: 'disk' | 'memory';
  readonly surfaces: readonly Surface[];
  /** When present, only workloads whose name matches are run: a variant of another engine that differs only there. */
  readonly only?: RegExp;
  /** Calling styles of durable appends that it has; all when absent. */
  readonly appendStyles?: readonly AppendStyle[];
  /** Loads the engine, or rejects with whatever its package threw. */
  load(): Promise<Engine>;
}

export interface Engine {
  /** The version of the package, or of what else it stands for. */
  readonly version: string;
  openAppend?(folder: string, options: AppendOptions): Promise<AppendSession> | AppendSession;
  openKeyValue?(folder: string, options: KeyValueOptions): Promise<KeyValueSession> | KeyValueSession;
  openFiles?(folder: string, options: FilesOptions): Promise<FilesSession> | FilesSession;
  openLargeFile?(folder: string, options: LargeFileOptions): Promise<LargeFileSession> | LargeFileSession;
}

export interface AppendOptions {
  readonly taskCount: number;
  /** Appends that each task will make, so that the raw limit can lay out its file. */
  readonly appendCount: number;
  readonly blockBytes: number;
  /** The size that the store may grow to, where the engine knows such a thing. */
  readonly capacityBytes?: number;
}

/** Tasks that append blocks, each to a file or under keys of its own. */
export interface AppendSession {
  /** Appends one block, durable when it returns. Absent where the engine has asynchronous commits only. */
  appendSync?(task: number, block: Uint8Array): void;
  /** Appends one block, durable when the promise resolves; tasks that wait at the same time may share a commit. */
  append?(task: number, block: Uint8Array): Promise<void>;
  /** One append of every task in one commit: the raw limit only. */
  appendTogetherSync?(blocks: readonly Uint8Array[]): void;
  /** The bytes of the block that `task` appended as its `index`th. */
  readBack(task: number, index: number): Uint8Array;
  close(): Promise<void> | void;
}

export interface KeyValueOptions {
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly entryCount: number;
  readonly cacheBytes: number;
  /** The size that the store may grow to, where the engine knows such a thing. */
  readonly capacityBytes?: number;
  /** The file has its full capacity from the start, sparse. */
  readonly isGrown?: boolean;
}

export interface KeyValueChanges {
  /** Key and value may be reused by the caller as soon as this has returned. */
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
}

export type EntryVisitor = (key: Uint8Array, value: Uint8Array) => void;
/** The key is `key[0, keyLength)`, the value `bytes[start, start + length)`. */
export type PlaceVisitor = (
  key: Uint8Array,
  keyLength: number,
  bytes: Uint8Array,
  start: number,
  length: number,
) => undefined;

export interface KeyValueSession {
  /** Applies `change(changes, i)` for i in 0..count-1 as one commit, durable when this has returned or resolved. */
  batch(count: number, change: (changes: KeyValueChanges, index: number) => void): Promise<void> | void;
  /** The value, a copy (or a reused buffer, for a variant whose title says so); undefined when absent. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** Visits all entries in key order, keys and values being copies; returns how many. */
  scan(visit: EntryVisitor): number | Promise<number>;
  /** As `scan`, by the fastest means the engine has; keys and values may be valid during the visit only. */
  scanFast?(visit: PlaceVisitor): number | Promise<number>;
  /** What the store has counted since it was opened (commits, blocks written); reported as the difference over a case. */
  counters?(): Record<string, number>;
  /** What the store knows about its present state, such as its free blocks. */
  gauges?(): Record<string, number>;
  close(): Promise<void> | void;
}

export interface FilesOptions {
  readonly cacheBytes: number;
  readonly capacityBytes?: number;
}

/** Paths are absolute within the session, names are separated by `/`. */
export interface FilesSession {
  /** Calls `change(i)` for i in 0..count-1 in one commit, where the engine has commits; otherwise just calls it. */
  batch(count: number, change: (index: number) => void): void;
  makeDirectory(path: string): void;
  create(path: string, content: Uint8Array): void;
  /** Looks the file up and returns its size in bytes. */
  statSize(path: string): number;
  read(path: string): Uint8Array;
  list(directory: string): string[];
  rename(from: string, to: string): void;
  unlink(path: string): void;
  /** At the end of a phase: makes durable what `batch` left volatile. */
  settle(): void;
  close(): Promise<void> | void;
}

export interface LargeFileOptions extends FilesOptions {
  readonly create: boolean;
  readonly fileBytes: number;
}

export interface LargeFileSession {
  write(position: number, bytes: Uint8Array): void;
  /** Fills `target` from `position` on; throws when the file is shorter. */
  read(position: number, target: Uint8Array): void;
  /** Durable when it has returned. */
  commit(): void;
  close(): Promise<void> | void;
}

/**
 * What the machine allows: plain writes, flushes, reads and copies, without any structure.
 *
 * - Appends and commits: one file whose blocks were all written before, one vectored write and one `fdatasync` a commit. The changes of a
 *   commit are packed into as few blocks of 4096 bytes as they need.
 * - Look-ups and scans: a value copied from a random, or the next, place of one large array in memory into a buffer that is reused; into new
 *   memory only where the workload is about copies that stay valid (`read-seq`).
 * - The large file: the operations of the workload on a file whose blocks were all written before.
 *
 * It keeps no keys, so its results are not compared with those of the engines.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import type {
  AppendOptions,
  AppendSession,
  Engine,
  EntryVisitor,
  KeyValueChanges,
  KeyValueOptions,
  KeyValueSession,
  LargeFileOptions,
  LargeFileSession,
  PlaceVisitor,
} from '../engine.ts';
import { FsLargeFile } from './fs-shape.ts';

const BLOCK_BYTES = 4096;
const PIECE_BYTES = 1024 * 1024;
/** Commits of the key-value workloads go around in a file of this size at most. */
const COMMIT_FILE_BYTES = 64 * PIECE_BYTES;

/** A file of zeros that are on the device, so that writing to it again changes no metadata. */
function writtenFile(path: string, sizeBytes: number): number {
  const descriptor = fs.openSync(path, 'w+');
  const zeros = Buffer.alloc(PIECE_BYTES);
  for (let position = 0; position < sizeBytes; position += PIECE_BYTES) {
    fs.writeSync(descriptor, zeros, 0, Math.min(PIECE_BYTES, sizeBytes - position), position);
  }
  fs.fsyncSync(descriptor);
  return descriptor;
}

class RawAppend implements AppendSession {
  readonly #descriptor: number;
  readonly #options: AppendOptions;
  #position = 0;

  constructor(folder: string, options: AppendOptions) {
    this.#options = options;
    const sizeBytes = options.appendCount * options.taskCount * options.blockBytes;
    this.#descriptor = writtenFile(join(folder, 'raw.dat'), sizeBytes);
  }

  appendSync(_task: number, block: Uint8Array): void {
    fs.writeSync(this.#descriptor, block, 0, block.length, this.#position);
    fs.fdatasyncSync(this.#descriptor);
    this.#position += block.length;
  }

  append(_task: number, block: Uint8Array): Promise<void> {
    const position = this.#position;
    this.#position += block.length;
    return new Promise((resolve, reject) => {
      fs.write(this.#descriptor, block, 0, block.length, position, (writeError) => {
        if (writeError !== null) reject(writeError);
        else fs.fdatasync(this.#descriptor, (syncError) => (syncError === null ? resolve() : reject(syncError)));
      });
    });
  }

  appendTogetherSync(blocks: readonly Uint8Array[]): void {
    fs.writevSync(this.#descriptor, blocks as Uint8Array[], this.#position);
    fs.fdatasyncSync(this.#descriptor);
    this.#position += blocks.length * this.#options.blockBytes;
  }

  readBack(task: number, index: number): Uint8Array {
    const block = Buffer.alloc(this.#options.blockBytes);
    const position = (index * this.#options.taskCount + task) * block.length;
    fs.readSync(this.#descriptor, block, 0, block.length, position);
    return block;
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

class RawKeyValue implements KeyValueSession {
  readonly #descriptor: number;
  readonly #options: KeyValueOptions;
  readonly #entryBytes: number;
  readonly #fileBytes: number;
  readonly #values: Uint32Array;
  readonly #key: Buffer;
  readonly #value: Buffer;
  readonly #valueWords: Uint32Array;
  #batch: Buffer = Buffer.alloc(BLOCK_BYTES);
  #batchBytes = 0;
  #position = 0;

  constructor(folder: string, options: KeyValueOptions) {
    this.#options = options;
    this.#entryBytes = options.keyBytes + options.valueBytes;
    this.#fileBytes = Math.min(COMMIT_FILE_BYTES, PIECE_BYTES + options.entryCount * this.#entryBytes);
    this.#descriptor = writtenFile(join(folder, 'raw.dat'), this.#fileBytes);
    this.#values = new Uint32Array((options.entryCount * options.valueBytes) >> 2).fill(1);
    this.#key = Buffer.alloc(options.keyBytes);
    this.#value = Buffer.alloc(options.valueBytes);
    this.#valueWords = new Uint32Array(this.#value.buffer, this.#value.byteOffset, options.valueBytes >> 2);
  }

  batch(count: number, change: (changes: KeyValueChanges, index: number) => void): void {
    const neededBytes = Math.ceil((count * this.#entryBytes) / BLOCK_BYTES) * BLOCK_BYTES;
    if (this.#batch.length < neededBytes) this.#batch = Buffer.alloc(neededBytes);
    this.#batchBytes = 0;
    const changes: KeyValueChanges = {
      put: (key, value) => {
        this.#batch.set(key, this.#batchBytes);
        this.#batch.set(value, this.#batchBytes + key.length);
        this.#batchBytes += this.#entryBytes;
      },
      delete: (key) => {
        this.#batch.set(key, this.#batchBytes);
        this.#batchBytes += key.length;
      },
    };
    for (let i = 0; i < count; i++) change(changes, i);
    if (this.#position + neededBytes > this.#fileBytes) this.#position = 0;
    fs.writeSync(this.#descriptor, this.#batch, 0, neededBytes, this.#position);
    fs.fdatasyncSync(this.#descriptor);
    this.#position += neededBytes;
  }

  /** Copies the value in a place of the array into the one buffer that is handed out. */
  #copyValue(index: number): Buffer {
    const words = this.#valueWords;
    const start = index * words.length;
    for (let i = 0; i < words.length; i++) words[i] = this.#values[start + i]!;
    return this.#value;
  }

  get(key: Uint8Array): Uint8Array {
    let slot = 0;
    for (let i = key.length - 8; i < key.length; i++) slot = (Math.imul(slot, 0x9e3779b1) + key[i]!) | 0;
    return this.#copyValue((slot >>> 0) % this.#options.entryCount);
  }

  scan(visit: EntryVisitor): number {
    const { entryCount } = this.#options;
    for (let i = 0; i < entryCount; i++) visit(Buffer.from(this.#key), Buffer.from(this.#copyValue(i)));
    return entryCount;
  }

  scanFast(visit: PlaceVisitor): number {
    const { entryCount } = this.#options;
    for (let i = 0; i < entryCount; i++) {
      const value = this.#copyValue(i);
      visit(this.#key, this.#key.length, value, 0, value.length);
    }
    return entryCount;
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

function openRawLargeFile(folder: string, options: LargeFileOptions): LargeFileSession {
  const path = join(folder, 'raw.dat');
  if (options.create) fs.closeSync(writtenFile(path, options.fileBytes));
  const descriptor = fs.openSync(path, 'r+');
  return new FsLargeFile(fs, descriptor, {
    commit: () => fs.fdatasyncSync(descriptor),
    close: () => fs.closeSync(descriptor),
  });
}

export function loadRawLimit(): Engine {
  return {
    version: process.version,
    openAppend: (folder, options) => new RawAppend(folder, options),
    openKeyValue: (folder, options) => new RawKeyValue(folder, options),
    openLargeFile: openRawLargeFile,
  };
}

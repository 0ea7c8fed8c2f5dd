/**
 * Sessions on anything that is shaped like `node:fs`: the module itself, `memfs`, and Outwrite's volume.
 */
import type nodeFs from 'node:fs';
import type { FilesSession, LargeFileSession } from '../engine.ts';

/** The part of `node:fs` that the file workloads use. */
export interface FsShape {
  mkdirSync(path: string): unknown;
  writeFileSync(path: string, data: Uint8Array): void;
  statSync(path: string): { size: number };
  readFileSync(path: string): Uint8Array;
  readdirSync(path: string): string[];
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
}

/** What distinguishes the file systems: where the session's root is, and how changes become durable. */
export interface FsFilesOptions {
  /** Put before every path. */
  readonly root: string;
  /** Ends a batch. */
  readonly commit: () => void;
  readonly settle: () => void;
  readonly close: () => Promise<void> | void;
}

export class FsFiles implements FilesSession {
  readonly #fs: FsShape;
  readonly #options: FsFilesOptions;
  readonly #root: string;

  constructor(fs: FsShape, options: FsFilesOptions) {
    this.#fs = fs;
    this.#options = options;
    this.#root = options.root;
  }

  batch(count: number, change: (index: number) => void): void {
    for (let i = 0; i < count; i++) change(i);
    this.#options.commit();
  }

  makeDirectory(path: string): void {
    this.#fs.mkdirSync(this.#root + path);
  }

  create(path: string, content: Uint8Array): void {
    this.#fs.writeFileSync(this.#root + path, content);
  }

  statSize(path: string): number {
    return this.#fs.statSync(this.#root + path).size;
  }

  read(path: string): Uint8Array {
    return this.#fs.readFileSync(this.#root + path);
  }

  list(directory: string): string[] {
    return this.#fs.readdirSync(this.#root + directory);
  }

  rename(from: string, to: string): void {
    this.#fs.renameSync(this.#root + from, this.#root + to);
  }

  unlink(path: string): void {
    this.#fs.unlinkSync(this.#root + path);
  }

  settle(): void {
    this.#options.settle();
  }

  close(): Promise<void> | void {
    return this.#options.close();
  }
}

/** The part of `node:fs` that an open file needs. */
export interface FsDescriptors {
  writeSync(descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
  readSync(descriptor: number, target: Uint8Array, offset: number, length: number, position: number): number;
}

export class FsLargeFile implements LargeFileSession {
  readonly #fs: FsDescriptors;
  readonly #descriptor: number;
  readonly #ends: { readonly commit: () => void; readonly close: () => Promise<void> | void };

  constructor(
    fs: FsDescriptors,
    descriptor: number,
    ends: { readonly commit: () => void; readonly close: () => Promise<void> | void },
  ) {
    this.#fs = fs;
    this.#descriptor = descriptor;
    this.#ends = ends;
  }

  write(position: number, bytes: Uint8Array): void {
    const written = this.#fs.writeSync(this.#descriptor, bytes, 0, bytes.length, position);
    if (written !== bytes.length) throw new Error(`${written} of ${bytes.length} bytes were written`);
  }

  read(position: number, target: Uint8Array): void {
    const read = this.#fs.readSync(this.#descriptor, target, 0, target.length, position);
    if (read !== target.length) throw new Error(`${read} of ${target.length} bytes were read`);
  }

  commit(): void {
    this.#ends.commit();
  }

  close(): Promise<void> | void {
    return this.#ends.close();
  }
}

/** `node:fs` under the narrower names above, so that the compiler checks that it fits. */
export function fsShapeOf(fs: typeof nodeFs): FsShape & FsDescriptors {
  return fs;
}

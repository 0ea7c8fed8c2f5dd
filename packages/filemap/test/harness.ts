/**
 * A file on a volume in memory, beside the array of bytes that it must equal: what the tests of this package work on.
 *
 * The harness is the owner of the file: it keeps the size, as a volume does in the inode, together with what was committed.
 */
import { type BlockDevice, MemoryDevice, NIL_BLOCK } from '@outwrite/blockdev';
import { type Tree, TreeStore } from '@outwrite/btree-cow';
import { expect } from 'vitest';
import { type FileMap, FileMaps, type FileMapsOptions, relocateFileEntry } from '../src/index.ts';

export interface HarnessOptions {
  blockSize?: number;
  maxBytes?: number;
  cacheBytes?: number;
  bounds?: object;
  report?: FileMapsOptions['report'];
  /** A device in memory by default, which `reopen` and `crash` need. */
  device?: BlockDevice;
}

const FILE_ID = 7;
const DEFAULT_CACHE_BYTES = 2 * 1024 * 1024;

/** Bytes that say where they are from: reproducible, and different at every place for every seed. */
export function pattern(seed: number, lengthBytes: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) {
    const at = start + i;
    bytes[i] = 1 + ((Math.imul(at ^ (seed * 0x9e3779b1), 0x85ebca77) >>> 17) % 255);
  }
  return bytes;
}

/** Fails unless the arrays are equal, naming the first place where they are not. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  if (Buffer.compare(actual, expected) === 0) return;
  const at = expected.findIndex((byte, i) => actual[i] !== byte);
  expect({ at, byte: actual[at] }).toEqual({ at, byte: expected[at] });
}

export class Harness {
  readonly options: HarnessOptions;
  device: BlockDevice;
  store: TreeStore;
  tree: Tree;
  maps: FileMaps;
  file: FileMap;
  /** What the file must hold now, and what it held at the last commit. */
  model: Uint8Array = new Uint8Array(0);
  committed: Uint8Array = new Uint8Array(0);

  constructor(options: HarnessOptions = {}) {
    this.options = options;
    this.device = options.device ?? new MemoryDevice({ maxSizeBytes: options.maxBytes ?? 1 << 28 });
    this.store = TreeStore.format(this.device, {
      ...this.#tuning(),
      ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
    });
    this.tree = this.store.createTree();
    this.maps = this.#openMaps();
    this.store.log.registerStager(this);
    this.file = this.maps.open(FILE_ID, 0, { isNew: true });
    this.commit();
  }

  get blockSize(): number {
    return this.store.log.blockSize;
  }

  get fileId(): number {
    return FILE_ID;
  }

  #tuning(): { cacheBytes: number; bounds?: object } {
    const { cacheBytes = DEFAULT_CACHE_BYTES, bounds } = this.options;
    return bounds === undefined ? { cacheBytes } : { cacheBytes, bounds };
  }

  #openMaps(): FileMaps {
    const { report } = this.options;
    return new FileMaps(this.store, this.tree, report === undefined ? {} : { report });
  }

  // --- changes, to the file and to the model ------------------------------------------------------------------------------------

  write(position: number, source: Uint8Array): void {
    this.file.write(position, source);
    this.#modelWrite(position, source);
  }

  async writeAsync(position: number, source: Uint8Array): Promise<void> {
    await this.file.writeAsync(position, source);
    this.#modelWrite(position, source);
  }

  #modelWrite(position: number, source: Uint8Array): void {
    if (source.length === 0) return;
    if (position + source.length > this.model.length) this.#modelResize(position + source.length);
    this.model.set(source, position);
  }

  truncate(sizeBytes: number): void {
    this.file.truncate(sizeBytes);
    this.#modelResize(sizeBytes);
  }

  #modelResize(sizeBytes: number): void {
    const { model } = this;
    if (sizeBytes <= model.length || sizeBytes <= model.buffer.byteLength) {
      // Room that is kept for growth holds nothing but zeros.
      model.fill(0, Math.min(sizeBytes, model.length));
      this.model = new Uint8Array(model.buffer, 0, sizeBytes);
      return;
    }
    const larger = new Uint8Array(Math.max(sizeBytes, Math.min(2 * model.length, 1 << 24)));
    larger.set(model);
    this.model = larger.subarray(0, sizeBytes);
  }

  punchHole(position: number, lengthBytes: number): void {
    this.file.punchHole(position, lengthBytes);
    this.model.fill(0, Math.min(position, this.model.length), Math.min(position + lengthBytes, this.model.length));
  }

  // --- boundaries -----------------------------------------------------------------------------------------------------------------

  commit(): void {
    this.store.commitSync();
  }

  checkpoint(): void {
    this.store.checkpointSync();
  }

  /** Called at the close of each delta, those that the log closes by itself included: so the size is kept in the same delta. */
  stage(): void {
    this.committed = this.model.slice();
  }

  /** Closes the volume and opens it again. */
  reopen(): void {
    this.file.close();
    this.store.closeSync();
    this.#openImage(this.#image());
  }

  /** Loses everything since the last commit, as a crash would. */
  crash(): void {
    this.model = this.committed.slice();
    this.#openImage(this.#image());
  }

  #image(): Uint8Array {
    if (!(this.device instanceof MemoryDevice)) throw new TypeError('only a device in memory is opened again');
    return this.device.snapshot();
  }

  #openImage(image: Uint8Array): void {
    this.device = MemoryDevice.fromImage(image, { maxSizeBytes: this.options.maxBytes ?? 1 << 28 });
    this.store = TreeStore.open(this.device, { ...this.#tuning(), relocateValue: relocateFileEntry });
    this.tree = this.store.tree(this.store.treeIds()[0]!);
    this.maps = this.#openMaps();
    this.store.log.registerStager(this);
    this.file = this.maps.open(FILE_ID, this.model.length);
  }

  // --- comparison -----------------------------------------------------------------------------------------------------------------

  /** The whole file equals the model. */
  expectContent(): void {
    expect(this.file.sizeBytes).toBe(this.model.length);
    const bytes = new Uint8Array(this.model.length + 1);
    expect(this.file.read(0, bytes)).toBe(this.model.length);
    expectBytes(bytes.subarray(0, this.model.length), this.model);
  }

  /** A part of the file equals the same part of the model. */
  expectPart(position: number, lengthBytes: number): void {
    const expected = this.model.slice(Math.min(position, this.model.length), position + lengthBytes);
    const bytes = new Uint8Array(lengthBytes).fill(0xee);
    expect(this.file.read(position, bytes)).toBe(expected.length);
    expectBytes(bytes.subarray(0, expected.length), expected);
  }

  /** What `seekData` and `seekHole` say agrees with the content: between holes and data no byte is lost. */
  expectHoles(): void {
    let at = 0;
    while (at < this.model.length) {
      const data = this.file.seekData(at);
      const holeEnd = data === -1 ? this.model.length : data;
      expect(holeEnd).toBeGreaterThanOrEqual(at);
      expect(this.model.subarray(at, holeEnd).every((byte) => byte === 0)).toBe(true);
      if (data === -1) break;
      expect(this.file.seekData(data)).toBe(data);
      at = this.file.seekHole(data);
      expect(at).toBeGreaterThan(data);
      expect(at).toBeLessThanOrEqual(this.model.length);
    }
  }

  /** Blocks that nobody uses, once everything that waited has been let go. */
  freeBlocks(): number {
    this.checkpoint();
    this.checkpoint();
    const { freeBlocks, reservedBlocks, waitingBlocks } = this.store.log.stats();
    return freeBlocks + reservedBlocks + waitingBlocks;
  }
}

/** Block numbers behind the blocks of the harness's file, -1 for a hole. */
export function blocksOf(harness: Harness): number[] {
  const blocks: number[] = [];
  const count = Math.ceil(harness.file.sizeBytes / harness.blockSize);
  for (const segment of harness.file.mapRegion(0, count, 'read')) {
    for (let i = 0; i < segment.blockCount; i++) blocks.push(segment.block === NIL_BLOCK ? -1 : segment.block + i);
  }
  return blocks;
}

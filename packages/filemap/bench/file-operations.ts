/**
 * What a file costs: writing and reading in order, overwriting and reading at random, and the redirect of data by itself.
 *
 * Each verb runs on a device in memory, so that the figures show this code and not a disk, or on a file device when a path is given. The
 * content is checked while it is read.
 */
import assert from 'node:assert/strict';
import { type BlockDevice, MemoryDevice, xxh32 } from '@outwrite/blockdev';
import { TreeStore } from '@outwrite/btree-cow';
import { type FileMap, FileMaps } from '../src/index.ts';

export interface FileBenchOptions {
  /** Bytes of the file. */
  sizeBytes: number;
  /** Random operations of one block. */
  operationCount: number;
  blockSize?: number;
  cacheBytes?: number;
  device?: BlockDevice;
}

export interface FileFigure {
  verb: string;
  unit: 'MiB/s' | 'operations/s' | 'blocks/s';
  value: number;
}

const MIB = 1024 * 1024;
const SMALL_WRITE_BYTES = 16 * 1024;

/** Runs all verbs on one file and returns a figure for each. */
export function benchFile(options: FileBenchOptions): FileFigure[] {
  const { sizeBytes, operationCount, blockSize = 4096, cacheBytes = 32 * MIB } = options;
  const device = options.device ?? new MemoryDevice({ maxSizeBytes: 4 * sizeBytes + 64 * MIB });
  const store = TreeStore.format(device, { blockSize, cacheBytes });
  const maps = new FileMaps(store, store.createTree());
  const file = maps.open(1, 0, { isNew: true });
  const figures: FileFigure[] = [];
  const measure = (verb: string, unit: FileFigure['unit'], amount: number, run: () => void): void => {
    const start = performance.now();
    run();
    figures.push({ verb, unit, value: (amount / (performance.now() - start)) * 1000 });
  };
  const block = new Uint8Array(blockSize).fill(7);
  const large = new Uint8Array(MIB).map((_, i) => (i * 31) >>> 3);
  const largeChecksum = xxh32(large);
  const target = new Uint8Array(MIB);
  const sizeMiB = sizeBytes / MIB;

  measure('write-seq 1 MiB', 'MiB/s', sizeMiB, () => {
    for (let at = 0; at < sizeBytes; at += MIB) file.write(at, large);
    store.commitSync();
  });
  measure('read-seq 1 MiB', 'MiB/s', sizeMiB, () => readAll(file, sizeBytes, target, MIB));
  assert.equal(xxh32(target), largeChecksum);
  measure('read-seq 4 KiB', 'MiB/s', sizeMiB, () => readAll(file, sizeBytes, target.subarray(0, 4096), 4096));
  measure('rewrite-seq 16 KiB', 'MiB/s', sizeMiB, () => {
    const small = large.subarray(0, SMALL_WRITE_BYTES);
    for (let at = 0; at < sizeBytes; at += small.length) file.write(at, small);
    store.commitSync();
  });
  const random = randomBlocks(sizeBytes / blockSize);
  measure('read-random 1 block', 'operations/s', operationCount, () => {
    for (let i = 0; i < operationCount; i++) file.read(random() * blockSize, block);
  });
  measure('overwrite-random 1 block', 'operations/s', operationCount, () => {
    for (let i = 0; i < operationCount; i++) file.write(random() * blockSize, block);
    store.commitSync();
  });
  figures.push(benchRedirect(store, file, blockSize, operationCount));
  store.closeSync();
  return figures;
}

/** The redirect of data alone: new blocks for single blocks of a file, its map changed, no content written. */
function benchRedirect(store: TreeStore, file: FileMap, blockSize: number, blockCount: number): FileFigure {
  const random = randomBlocks(file.sizeBytes / blockSize);
  const perDelta = Math.min(blockCount, 500);
  let elapsed = 0;
  for (let done = 0; done < blockCount; done += perDelta) {
    while (!store.log.ensure(20 * perDelta, 4 * perDelta, false));
    const start = performance.now();
    store.transact(() => {
      for (let i = 0; i < perDelta; i++) {
        const blockIndex = random();
        const [segment] = file.mapRegion(blockIndex, 1, 'read');
        file.mapRegion(blockIndex, 1, 'redirect', segment!.checksums);
      }
    });
    elapsed += performance.now() - start;
    store.commitSync();
  }
  return { verb: 'redirect-random', unit: 'blocks/s', value: (blockCount / elapsed) * 1000 };
}

function readAll(file: FileMap, sizeBytes: number, target: Uint8Array, step: number): void {
  for (let at = 0; at < sizeBytes; at += step) assert.equal(file.read(at, target), step);
}

/** Block indexes below `limit` in an order that is the same in every run. */
function randomBlocks(limit: number): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/**
 * What the operations of a tree cost, in memory: look-ups, changes, scans, and a redirect of each kind of node.
 *
 * Entries have keys of 8 bytes and values of 100, in random order unless a name says otherwise. The device is memory, so nothing here is
 * about disks; commits are part of a figure only where its name says so.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { type Tree, TreeStore } from '../src/index.ts';

export interface OperationFigure {
  name: string;
  operationsPerSecond: number;
}

export interface TreeBenchOptions {
  entryCount: number;
  /** Operations of each figure. */
  operationCount: number;
  blockSize?: number;
}

const VALUE_BYTES = 100;
const CACHE_BYTES: number = 1024 * 1024 * 1024;

/** A permutation of the numbers below `count`, the same every time. */
function shuffled(count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  let state = 0x9e3779b9;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    numbers[i] = numbers[j]!;
    numbers[j] = i;
  }
  return numbers;
}

export function benchTree(options: TreeBenchOptions): OperationFigure[] {
  const { entryCount, operationCount } = options;
  const figures: OperationFigure[] = [];
  const measure = (name: string, count: number, run: () => void): void => {
    const start = performance.now();
    run();
    figures.push({ name, operationsPerSecond: (count / (performance.now() - start)) * 1000 });
  };
  const device = new MemoryDevice({ maxSizeBytes: 2 ** 36 });
  const store = TreeStore.format(device, {
    cacheBytes: CACHE_BYTES,
    ...(options.blockSize === undefined ? {} : { blockSize: options.blockSize }),
  });
  const key = new Uint8Array(8);
  const words = new DataView(key.buffer);
  const value = new Uint8Array(VALUE_BYTES).fill(7);
  const numbers = shuffled(entryCount);
  const load = (number: number): Uint8Array => {
    words.setUint32(0, Math.imul(number, 0x9e3779b1));
    words.setUint32(4, number);
    return key;
  };
  const inOrder = (number: number): Uint8Array => {
    words.setUint32(0, 0);
    words.setUint32(4, number);
    return key;
  };

  const tree = store.createTree();
  measure('put, new', entryCount, () => {
    for (let i = 0; i < entryCount; i++) tree.put(load(numbers[i]!), value);
  });
  store.checkpointSync();
  const target = new Uint8Array(VALUE_BYTES);
  const reads: [string, (tree: Tree) => void][] = [
    ['get', (t) => void t.get(key)],
    ['getInto', (t) => void t.getInto(key, target)],
    ['has', (t) => void t.has(key)],
  ];
  for (const [name, read] of reads) {
    measure(name, operationCount, () => {
      for (let i = 0; i < operationCount; i++) {
        load(numbers[i % entryCount]!);
        read(tree);
      }
    });
  }
  measure('redirect of a leaf and its path', operationCount, () => {
    // Everything is clean after a checkpoint; each leaf that is met first is redirected, with the index nodes above it.
    for (let i = 0; i < operationCount; i++) tree.put(load(numbers[i % entryCount]!), value);
  });
  measure('put, in place', operationCount, () => {
    for (let i = 0; i < operationCount; i++) tree.put(load(numbers[i % entryCount]!), value);
  });
  store.commitSync();

  measure('scan, cursor with views', entryCount, () => {
    const cursor = tree.cursor();
    let sizeBytes = 0;
    for (let isThere = cursor.first(); isThere; isThere = cursor.next()) sizeBytes += cursor.valueView().length;
    if (sizeBytes !== entryCount * VALUE_BYTES) throw new Error('the scan missed something');
  });
  measure('scan, entries', entryCount, () => {
    for (const _entry of tree.entries());
  });

  const ordered = store.createTree();
  measure('put, ascending', entryCount, () => {
    for (let i = 0; i < entryCount; i++) ordered.put(inOrder(i), value);
  });
  measure('get, ascending', operationCount, () => {
    for (let i = 0; i < operationCount; i++) ordered.get(inOrder(i % entryCount));
  });
  const loaded = store.createTree();
  measure('bulk load', entryCount, () => {
    loaded.bulkLoad(
      (function* () {
        for (let i = 0; i < entryCount; i++) yield [inOrder(i), value] as const;
      })(),
    );
  });
  store.commitSync();
  const commitCount = Math.ceil(operationCount / 100);
  measure('put and commit', commitCount, () => {
    for (let i = 0; i < commitCount; i++) {
      ordered.put(inOrder(numbers[i % entryCount]!), value);
      store.commitSync();
    }
  });
  const deleteCount = Math.min(operationCount, entryCount);
  measure('delete', deleteCount, () => {
    for (let i = 0; i < deleteCount; i++) ordered.delete(inOrder(numbers[i]!));
  });
  measure('range delete', entryCount, () => {
    loaded.deleteRange(null, null);
  });
  store.closeSync();
  return figures;
}

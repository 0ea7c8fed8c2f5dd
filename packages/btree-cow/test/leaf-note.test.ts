/**
 * Notes on leaves: look-ups that go by them find what is there whatever has happened to the leaf since, and only clean leaves have one.
 *
 * Verification is on, so each look-up that goes by a note is also made without it.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { TreeStore } from '../src/index.ts';
import { formatInMemory, ModelTree, text } from './store-audit.ts';

/** Frames whose leaf has a note that look-ups go by. */
function notedCount(store: TreeStore): number {
  const { cache } = store.log;
  let count = 0;
  for (let frame = 0; frame < cache.stats.frameCount; frame++) {
    if (cache.slabOf(frame).u16[cache.noteAt(frame) >>> 1] === 2) count++;
  }
  return count;
}

/** Keys as paths have them: long common beginnings, and runs that differ behind the first four bytes only. */
function pathKey(n: number): Uint8Array {
  return text(`/project-${n % 3}/module-${Math.floor(n / 3) % 7}/file-${String(n).padStart(4, '0')}.ts`);
}

/** Keys of a few bytes, some of which begin others. */
function shortKey(n: number): Uint8Array {
  return text(n.toString(2));
}

/** Keys of which only the first bytes after the common ones differ, far before those that fingerprints are made of. */
function longKey(n: number): Uint8Array {
  return text(`key-${String(n).padStart(4, '0')}${'-'.repeat(70)}`);
}

describe('notes on leaves', () => {
  const seed = testSeed('leaf notes');

  it.each([
    ['paths', 512, pathKey],
    ['paths', 4096, pathKey],
    ['short keys', 512, shortKey],
    ['short keys', 4096, shortKey],
    ['long keys', 1024, longKey],
    ['long keys', 16384, longKey],
  ])('say what leaves of %s hold, however those change, with blocks of %i bytes', (_what, blockSize, keyOf) => {
    const random = new Random(seed);
    const options = { blockSize, cacheBytes: 80 * blockSize };
    let { device, store } = formatInMemory(options);
    let tree = store.createTree();
    const { id } = tree;
    const model = new ModelTree();
    const keyCount = 600;
    const lookUpAll = (): void => {
      for (let n = 0; n < keyCount; n++) {
        const found = tree.get(keyOf(n));
        const expected = model.get(keyOf(n));
        if (found?.join() !== expected?.join())
          throw new Error(`key ${n} has ${found?.join()}, not ${expected?.join()}`);
      }
    };
    let mostNoted = 0;
    for (let step = 0; step < 60; step++) {
      const n = random.below(keyCount);
      const choice = random.below(12);
      if (choice < 5) {
        for (let i = 0; i < 20; i++) {
          const key = keyOf((n + i * 7) % keyCount);
          const value = new Uint8Array(random.below(blockSize / 8)).fill(step);
          tree.put(key, value);
          model.put(key, value);
        }
      } else if (choice < 7) {
        for (let i = 0; i < 10; i++)
          expect(tree.delete(keyOf((n + i) % keyCount))).toBe(model.delete(keyOf((n + i) % keyCount)));
      } else if (choice === 7) {
        const [from, to] = [keyOf(n), keyOf(Math.min(n + 20, keyCount - 1))].sort(Buffer.compare);
        expect(tree.deleteRange(from!, to!)).toBe(model.deleteRange(from!, to!));
      } else if (choice === 8) store.commitSync();
      else if (choice === 9) store.checkpointSync();
      else if (choice === 10) {
        const key = keyOf(n);
        const value = new Uint8Array(3 * blockSize).fill(step);
        tree.put(key, value);
        model.put(key, value);
      } else {
        store.commitSync();
        device = MemoryDevice.fromImage(device.snapshot(), { maxSizeBytes: device.maxSizeBytes });
        store = TreeStore.open(device, { cacheBytes: options.cacheBytes });
        tree = store.tree(id);
      }
      for (let round = 0; round < 3; round++) lookUpAll();
      mostNoted = Math.max(mostNoted, notedCount(store));
      store.checkInvariants();
      store.log.cache.checkInvariants();
    }
    expect(mostNoted).toBeGreaterThan(0);
  });
});

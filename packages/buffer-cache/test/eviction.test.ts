/** What stays in the cache: working sets against scans, and what may not be evicted against everything. */
import { MemoryDevice, xxh32 } from '@outwrite/blockdev';
import { BufferCache, NO_FRAME } from '@outwrite/buffer-cache';
import { describe, expect, test } from 'vitest';
import { GhostTable } from '../src/ghost-table.ts';

const blockSize = 512;
const budgetBlockCount = 1000;
const emptyBlock = xxh32(new Uint8Array(blockSize));

function open(deviceBlockCount: number): BufferCache {
  const device = new MemoryDevice({ sizeBytes: deviceBlockCount * blockSize });
  return new BufferCache(device, { blockSize, budgetBytes: budgetBlockCount * blockSize });
}

/** Numbers below `limit` from a small generator with a fixed start, so that a failure repeats. */
function generator(): (limit: number) => number {
  let state = 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Reads `count` blocks of the working set [0, size) at random; returns how many came from the device. */
function work(cache: BufferCache, next: (limit: number) => number, size: number, count: number): number {
  const before = cache.stats.misses;
  for (let i = 0; i < count; i++) cache.read(next(size), emptyBlock, 'leaf');
  return cache.stats.misses - before;
}

describe('eviction', () => {
  test('a scan of ten times the cache leaves a working set in it', () => {
    const cache = open(20_000);
    const next = generator();
    const workingSet = 700;
    work(cache, next, workingSet, 20_000);
    for (let block = 5000; block < 15_000; block++) {
      cache.read(block, emptyBlock, 'leaf');
      cache.read(block, emptyBlock, 'leaf'); // a scan touches what it reads more than once
      cache.read(block, emptyBlock, 'leaf');
    }
    expect(work(cache, next, workingSet, 5000)).toBeLessThan(workingSet * 0.1);
    cache.checkInvariants();
  });

  test('the same scan through read-ahead', () => {
    const cache = open(20_000);
    const next = generator();
    const workingSet = 700;
    work(cache, next, workingSet, 20_000);
    const checksums = new Array(32).fill(emptyBlock);
    for (let block = 5000; block < 15_000; block += 32) {
      cache.readRun(block, 32, checksums, 'leaf');
      for (let i = 0; i < 32; i++) cache.read(block + i, emptyBlock, 'leaf');
    }
    expect(work(cache, next, workingSet, 5000)).toBeLessThan(workingSet * 0.1);
  });

  test('pages of files do not push out tree nodes either', () => {
    const cache = open(20_000);
    const next = generator();
    const workingSet = 700;
    work(cache, next, workingSet, 20_000);
    const space = cache.openSpace();
    const checksums = new Array(16).fill(emptyBlock);
    for (let page = 0; page < 10_000; page += 16) {
      space.fill(page, 5000 + page, 16, checksums, 'data block');
      for (let i = 0; i < 16; i++) expect(space.find(page + i)).not.toBe(NO_FRAME);
    }
    expect(work(cache, next, workingSet, 5000)).toBeLessThan(workingSet * 0.1);
    space.close();
    cache.checkInvariants();
  });

  test('a new working set replaces the old one', () => {
    const cache = open(20_000);
    const next = generator();
    work(cache, next, 900, 20_000);
    for (let i = 0; i < 20_000; i++) cache.read(10_000 + next(900), emptyBlock, 'leaf');
    const before = cache.stats.misses;
    for (let i = 0; i < 5000; i++) cache.read(10_000 + next(900), emptyBlock, 'leaf');
    expect(cache.stats.misses - before).toBeLessThan(100);
    cache.checkInvariants();
  });

  test('what comes back soon after it was evicted is kept, even if it is never used twice in a short time', () => {
    const cache = open(20_000);
    const next = generator();
    work(cache, next, 900, 20_000);
    // A loop of blocks longer than probation: only the memory of evictions can tell it from a scan.
    const loop = 300;
    for (let i = 0; i < loop * 6; i++) cache.read(10_000 + (i % loop), emptyBlock, 'leaf');
    const before = cache.stats.misses;
    for (let i = 0; i < loop; i++) cache.read(10_000 + i, emptyBlock, 'leaf');
    expect(cache.stats.misses - before).toBeLessThan(loop / 4);
    cache.checkInvariants();
  });

  test('a skewed load hits about as often as an LRU of the same size, or more', () => {
    const cache = open(20_000);
    const next = generator();
    const lru = new Set<number>();
    let lruMisses = 0;
    for (let i = 0; i < 100_000; i++) {
      const block = Math.floor(20_000 * (next(1_000_000) / 1_000_000) ** 4);
      cache.read(block, emptyBlock, 'leaf');
      if (!lru.delete(block)) lruMisses++;
      lru.add(block);
      if (lru.size > budgetBlockCount) lru.delete(lru.values().next().value as number);
    }
    expect(cache.stats.misses).toBeLessThan(lruMisses * 1.02);
  });

  test('the budget holds while there is something to evict', () => {
    const cache = open(20_000);
    for (let block = 0; block < 5000; block++) {
      const frame = cache.read(block, emptyBlock, 'leaf');
      if (block % 10 === 0 && block < 4000) cache.pin(frame);
      if (block % 10 === 1 && block < 4000) cache.markDirty(frame, 1);
      expect(cache.stats.frameCount).toBeLessThanOrEqual(budgetBlockCount);
    }
    for (let block = 0; block < 4000; block += 10) {
      expect(cache.find(block)).not.toBe(NO_FRAME);
      expect(cache.find(block + 1)).not.toBe(NO_FRAME);
    }
    expect(cache.stats).toMatchObject({ pinnedFrameCount: 400, dirtyFrameCount: 400, overBudgetFrameCount: 0 });
    cache.checkInvariants();
  });

  test('a cache full of dirty frames does not look at them again for every new one', () => {
    const cache = open(0);
    const started = performance.now();
    for (let number = 0; number < 100_000; number++) cache.markDirty(cache.create(number), 1);
    // Looking at all of them each time would be five thousand million steps.
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(cache.stats.overBudgetFrameCount).toBe(99_000);
  });

  test('memory beyond the budget is let go slab by slab, whatever stays pinned elsewhere', () => {
    const cache = open(20_000);
    const frames: number[] = [];
    for (let number = 0; number < 9000; number++) {
      frames.push(cache.create(100_000 + number));
      cache.markDirty(frames[number], 1);
    }
    const slabBytes = cache.stats.slabBytes;
    cache.pin(frames[10]);
    cache.pin(frames[8999]);
    for (const frame of frames) cache.markClean(frame);
    for (let block = 0; block < 5000; block++) cache.read(block, emptyBlock, 'leaf');
    expect(cache.stats.overBudgetFrameCount).toBe(0);
    expect(cache.stats.slabBytes).toBeLessThan(slabBytes / 4);
    cache.checkInvariants();
    cache.unpin(frames[8999]);
    for (let block = 5000; block < 7000; block++) cache.read(block, emptyBlock, 'leaf');
    expect(cache.stats.slabBytes).toBeLessThan(budgetBlockCount * blockSize * 1.1);
    // And again, into the places of the slabs that were let go.
    for (let number = 0; number < 3000; number++) cache.markDirty(cache.create(200_000 + number), 2);
    cache.checkInvariants();
  });
});

describe('ghost table', () => {
  test('remembers for its lifetime, once', () => {
    const ghosts = new GhostTable(100);
    ghosts.remember(7);
    expect(ghosts.recall(8)).toBe(false);
    expect(ghosts.recall(7)).toBe(true);
    expect(ghosts.recall(7)).toBe(false);
    ghosts.remember(0xffffffff);
    expect(ghosts.recall(0xffffffff)).toBe(true);
    ghosts.remember(7);
    for (let i = 0; i < 100; i++) ghosts.remember(1000 + i);
    expect(ghosts.recall(7)).toBe(false);
  });
});

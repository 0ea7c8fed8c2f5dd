import { describe, expect, it } from 'vitest';
import { ReadAhead } from '../src/read-ahead.ts';

const BLOCK = 4096;
const LARGE_CACHE = 64 * 1024 * 1024;

/** Reads `count` blocks at a time from `fromIndex` on, all of them misses where the last plan ended; returns the plans. */
function readInOrder(ahead: ReadAhead, fromIndex: number, readCount: number, count: number): number[] {
  const plans: number[] = [];
  let cachedTo = fromIndex;
  for (let i = 0; i < readCount; i++) {
    const from = fromIndex + i * count;
    if (from + count > cachedTo) {
      const missIndex = Math.max(from, cachedTo);
      const planned = ahead.plan(from, from + count, missIndex);
      plans.push(planned);
      cachedTo = missIndex + planned;
    }
    ahead.noteRead(from + count);
  }
  return plans;
}

describe('read-ahead', () => {
  it('doubles from 16 KiB to 1 MiB while a file is read in order', () => {
    expect(readInOrder(new ReadAhead(BLOCK, LARGE_CACHE), 0, 2000, 1)).toEqual([
      4, 8, 16, 32, 64, 128, 256, 256, 256, 256, 256, 256, 256,
    ]);
  });

  it('goes on when reads are not aligned to blocks', () => {
    const ahead = new ReadAhead(BLOCK, LARGE_CACHE);
    ahead.plan(0, 2, 0);
    ahead.noteRead(2);
    // The next read begins in the block in which the last one ended.
    expect(ahead.plan(1, 10, 4)).toBe(8);
  });

  it('reads what was asked for, and no more, at random places', () => {
    const ahead = new ReadAhead(BLOCK, LARGE_CACHE);
    for (const from of [500, 3, 77, 1000]) {
      expect(ahead.plan(from, from + 1, from)).toBe(1);
      ahead.noteRead(from + 1);
    }
    expect(ahead.windowBlocks).toBe(0);
  });

  it('never takes more than an eighth of the cache', () => {
    const ahead = new ReadAhead(BLOCK, 32 * BLOCK);
    expect(Math.max(...readInOrder(ahead, 0, 100, 1))).toBe(4);
    expect(ahead.plan(500, 600, 500)).toBe(4);
  });

  it('reads at least a block with any cache and block size', () => {
    expect(new ReadAhead(16384, 8 * 16384).plan(0, 1, 0)).toBe(1);
    expect(new ReadAhead(512, 8 * 512).plan(9, 10, 9)).toBe(1);
  });
});

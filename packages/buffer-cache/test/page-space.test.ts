import { AssertionError, MemoryDevice, NIL_BLOCK } from '@outwrite/blockdev';
import { BufferCache, NO_FRAME, type PageSpace } from '@outwrite/buffer-cache';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertBytes, pattern, patternedDevice } from './patterned-device.ts';

describe.each([512, 4096, 16384])('pages of %i bytes', (blockSize) => {
  function open(budgetBlocks = 32) {
    const { device, checksums } = patternedDevice(blockSize, 64);
    const cache = new BufferCache(device, { blockSize, budgetBytes: budgetBlocks * blockSize });
    return { device, checksums, cache, space: cache.openSpace() };
  }

  function createDirty(cache: BufferCache, space: PageSpace, page: number, seed: number) {
    const frame = space.create(page);
    cache.bytesOf(frame).set(pattern(blockSize, seed));
    space.markDirty(frame, 1);
    return frame;
  }

  test('are found by block index, up to 2^48, and have no number', () => {
    const { cache, space } = open();
    const other = cache.openSpace();
    const last = 2 ** 48 - 1;
    for (const page of [0, 5, 2 ** 32, 2 ** 32 + 5, last]) createDirty(cache, space, page, page % 1000);
    for (const page of [0, 5, 2 ** 32, 2 ** 32 + 5, last]) {
      const frame = space.find(page);
      assertBytes(cache.bytesOf(frame), pattern(blockSize, page % 1000));
      expect(space.indexOf(frame)).toBe(page);
      expect(cache.numberOf(frame)).toBe(NIL_BLOCK);
      expect(other.find(page)).toBe(NO_FRAME);
    }
    expect([...space.dirtyIndexes()]).toEqual([0, 5, 2 ** 32, 2 ** 32 + 5, last]);
    expect(() => space.create(last + 1)).toThrow(AssertionError);
    expect(() => space.create(-1)).toThrow(AssertionError);
    expect(() => space.create(5)).toThrow(AssertionError);
    expect(() => space.fill(last, 0, 2, [0, 0], 'data block')).toThrow(AssertionError);
    cache.checkInvariants();
  });

  test('are filled from consecutive blocks, those that are there excepted', () => {
    const { cache, space, checksums } = open();
    const kept = createDirty(cache, space, 102, 999);
    space.fill(100, 30, 5, checksums.slice(30), 'data block');
    for (const place of [0, 1, 3, 4]) {
      const frame = space.find(100 + place);
      assertBytes(cache.bytesOf(frame), pattern(blockSize, 30 + place));
      expect(cache.isDirty(frame)).toBe(false);
    }
    expect(space.find(102)).toBe(kept);
    assertBytes(cache.bytesOf(kept), pattern(blockSize, 999));
    expect(cache.stats).toMatchObject({ misses: 4, pinnedFrameCount: 0 });
    expect(space.pageCount).toBe(5);
    cache.checkInvariants();
  });

  test('are not filled with what does not verify', () => {
    const { cache, space, checksums } = open();
    const claimed = checksums.slice(30, 34);
    claimed[1]++;
    expect(() => space.fill(100, 30, 4, claimed, 'data block')).toThrow(
      expect.objectContaining({ code: 'ECORRUPT', structure: 'data block', block: 31 }),
    );
    expect([100, 101, 102, 103].map((page) => space.has(page))).toEqual([true, false, true, true]);
    expect(() => space.fill(200, 62, 4, [0, 0, 0, 0], 'data block')).toThrow(
      expect.objectContaining({ code: 'ECORRUPT' }),
    );
    expect(cache.stats).toMatchObject({ frameCount: 3, pinnedFrameCount: 0 });
    cache.checkInvariants();
  });

  test('are all there after a fill, in however small a cache', () => {
    const { space, checksums } = open(8);
    space.fill(0, 0, 6, checksums, 'data block');
    space.fill(3, 3, 30, checksums.slice(3), 'data block');
    for (let page = 3; page < 33; page++) expect(space.has(page)).toBe(true);
  });

  test('fork while they are being written, and only then', () => {
    const { cache, space } = open();
    const first = createDirty(cache, space, 9, 1);
    expect(space.writable(first, 1)).toBe(first);
    cache.beginWrite(first);
    const fork = space.writable(first, 2);
    expect(fork).not.toBe(first);
    expect(space.find(9)).toBe(fork);
    expect(cache.deltaOf(fork)).toBe(2);
    assertBytes(cache.bytesOf(fork), pattern(blockSize, 1));
    cache.bytesOf(fork).fill(3);
    assertBytes(cache.bytesOf(first), pattern(blockSize, 1));
    expect(space.writable(fork, 2)).toBe(fork);
    cache.endWrite(first, 1);
    expect(space.find(9)).toBe(fork);
    expect([...space.dirtyIndexes()]).toEqual([9]);
    expect(cache.stats).toMatchObject({ frameCount: 1, dirtyFrameCount: 1, writingFrameCount: 0 });
    cache.checkInvariants();
  });

  test('are listed as dirty until their write begins, and again if it did not make them clean', () => {
    const { cache, space } = open();
    for (const page of [4, 2, 3]) createDirty(cache, space, page, page);
    expect([...space.dirtyIndexes()]).toEqual([2, 3, 4]);
    expect(space.dirtyPageCount).toBe(3);
    cache.beginWrite(space.find(3));
    expect([...space.dirtyIndexes()]).toEqual([2, 4]);
    cache.endWrite(space.find(3), 0);
    expect([...space.dirtyIndexes()]).toEqual([2, 3, 4]);
    cache.beginWrite(space.find(3));
    cache.endWrite(space.find(3), 1);
    expect([...space.dirtyIndexes()]).toEqual([2, 4]);
    expect(cache.isDirty(space.find(3))).toBe(false);
    cache.checkInvariants();
  });

  test('are dropped singly and from a place on', () => {
    const { cache, space } = open();
    for (const page of [1, 5, 2 ** 40, 7]) createDirty(cache, space, page, 1);
    space.discard(5);
    space.discard(6);
    expect([...space.dirtyIndexes()]).toEqual([1, 7, 2 ** 40]);
    space.discardFrom(7);
    expect([...space.dirtyIndexes()]).toEqual([1]);
    space.discardFrom(0);
    expect(cache.stats).toMatchObject({ frameCount: 0, dirtyFrameCount: 0 });
    cache.checkInvariants();
  });

  test('a space closes when nothing in it is dirty or being written, and leaves nothing behind', () => {
    const { cache, space, checksums } = open();
    space.fill(0, 0, 4, checksums, 'data block');
    const frame = space.writable(space.find(2), 1);
    expect(() => space.close()).toThrow(AssertionError);
    cache.beginWrite(frame);
    expect(() => space.close()).toThrow(AssertionError);
    expect(space.pageCount).toBe(4);
    cache.endWrite(frame, 1);
    space.close();
    space.close();
    expect(cache.stats.frameCount).toBe(0);
    expect(() => space.create(1)).toThrow(AssertionError);
    expect(() => space.fill(0, 0, 1, checksums, 'data block')).toThrow(AssertionError);
    expect(space.find(2)).toBe(NO_FRAME);
    // Its place among the owners is used again.
    const next = cache.openSpace();
    createDirty(cache, next, 1, 1);
    cache.checkInvariants();
  });

  test('a page of another space, or of none, is refused', () => {
    const { cache, space } = open();
    const other = cache.openSpace();
    const frame = createDirty(cache, other, 1, 1);
    expect(() => space.writable(frame, 1)).toThrow(AssertionError);
    expect(() => space.markDirty(frame, 1)).toThrow(AssertionError);
    expect(() => space.writable(cache.create(40), 1)).toThrow(AssertionError);
    cache.discard(frame);
    expect(() => other.writable(frame, 1)).toThrow(AssertionError);
    expect(other.has(1)).toBe(false);
  });

  test('are evicted when clean, and come back', () => {
    const { cache, space, checksums } = open(8);
    for (let page = 0; page < 60; page++) space.fill(page, page, 1, checksums.slice(page), 'data block');
    expect(space.pageCount).toBeLessThanOrEqual(8);
    expect(cache.stats.overBudgetFrameCount).toBe(0);
    space.fill(0, 0, 1, checksums, 'data block');
    assertBytes(cache.bytesOf(space.find(0)), pattern(blockSize, 0));
    cache.checkInvariants();
  });
});

test('the list of dirty pages is sorted, whatever the order of the changes', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(
        fc.maxSafeNat().map((page) => page % 2 ** 48),
        { maxLength: 60 },
      ),
      (pages) => {
        const cache = new BufferCache(new MemoryDevice({ sizeBytes: 0 }), { blockSize: 512, budgetBytes: 1 << 20 });
        const space = cache.openSpace();
        for (const page of pages) space.markDirty(space.create(page), 1);
        expect([...space.dirtyIndexes()]).toEqual([...pages].sort((a, b) => a - b));
      },
    ),
  );
});

test('listing the dirty pages of a large clean file costs what is listed', () => {
  const cache = new BufferCache(new MemoryDevice({ sizeBytes: 0 }), { blockSize: 512, budgetBytes: 128 << 20 });
  const space = cache.openSpace();
  for (let page = 0; page < 200_000; page++) cache.markClean(space.create(page));
  const started = performance.now();
  for (let round = 0; round < 20_000; round++) {
    space.writable(space.find(round), 1);
    if (space.dirtyIndexes().length !== 1) throw new Error('one page is dirty');
    cache.markClean(space.find(round));
  }
  // A scan of all pages each time would be four thousand million steps.
  expect(performance.now() - started).toBeLessThan(3000);
});

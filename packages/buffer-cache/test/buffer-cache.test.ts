import {
  AssertionError,
  CorruptionError,
  DeviceError,
  MemoryDevice,
  MeteringDevice,
  NIL_BLOCK,
  xxh32,
} from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { BufferCache, type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import { describe, expect, test } from 'vitest';
import { assertBytes, pattern, patternedDevice } from './patterned-device.ts';

const blockCount = 64;

describe.each([512, 4096, 16384])('buffer cache with blocks of %i bytes', (blockSize) => {
  function open(budgetBlocks = 16) {
    const { device, checksums } = patternedDevice(blockSize, blockCount);
    return { device, checksums, cache: new BufferCache(device, { blockSize, budgetBytes: budgetBlocks * blockSize }) };
  }

  function createDirty(cache: BufferCache, number: number, seed: number): Frame {
    const frame = cache.create(number);
    cache.bytesOf(frame).set(pattern(blockSize, seed));
    cache.markDirty(frame, 1);
    return frame;
  }

  test('reads a block once and finds it afterwards', () => {
    const { cache, checksums } = open();
    expect(cache.find(5)).toBe(NO_FRAME);
    const frame = cache.read(5, checksums[5], 'leaf');
    expect(cache.read(5, checksums[5], 'leaf')).toBe(frame);
    expect(cache.find(5)).toBe(frame);
    expect(cache.numberOf(frame)).toBe(5);
    assertBytes(cache.bytesOf(frame), pattern(blockSize, 5));
    expect(cache.checksumOf(frame)).toBe(checksums[5]);
    expect(cache.deltaOf(frame)).toBe(0);
    expect(cache.stats).toMatchObject({ hits: 2, misses: 1, frameCount: 1 });
    cache.checkInvariants();
  });

  test('the three views of a slab and the view of a frame are the same bytes, 16 past a multiple of 64', () => {
    const { cache } = open();
    for (const number of [40, 41, 42]) {
      const frame = cache.create(number);
      const base = cache.baseOf(frame);
      const slab = cache.slabOf(frame);
      expect(base % 64).toBe(16);
      slab.u32[base >>> 2] = 0x01020304;
      expect(slab.u8[base]).toBe(4);
      expect(slab.u16[base >>> 1]).toBe(0x0304);
      expect(cache.bytesOf(frame)[3]).toBe(1);
      expect(cache.bytesOf(frame)).toHaveLength(blockSize);
      expect(cache.bytesOf(frame)).toBe(cache.bytesOf(frame));
    }
  });

  test('a note on a clean frame stays until the content changes or the frame holds another block', () => {
    const { cache, checksums } = open();
    const noteOf = (frame: Frame): number => cache.slabOf(frame).u16[cache.noteAt(frame) >>> 1]!;
    const noted = (number: number): Frame => {
      const frame = cache.read(number, checksums[number]!, 'leaf');
      expect(noteOf(frame)).toBe(0);
      expect(cache.mayNote(frame)).toBe(true);
      cache.slabOf(frame).u8.fill(1, cache.noteAt(frame), cache.noteAt(frame) + cache.noteBytes);
      cache.checkInvariants();
      return frame;
    };
    expect(cache.noteBytes).toBe(blockSize / 32);

    const kept = noted(1);
    cache.pin(kept);
    cache.unpin(kept);
    cache.beginWrite(kept);
    cache.endWrite(kept, 1);
    for (let number = 2; number < 6; number++) noted(number);
    expect(noteOf(kept)).toBe(0x0101);
    for (const number of [1, 2, 3, 4, 5]) {
      assertBytes(cache.bytesOf(cache.find(number)), pattern(blockSize, number));
    }

    const changed = noted(6);
    cache.markDirty(changed, 1);
    expect(noteOf(changed)).toBe(0);
    expect(cache.mayNote(changed)).toBe(false);
    cache.markClean(changed);
    expect(noteOf(changed)).toBe(0);

    const redirected = cache.redirect(noted(7), 50);
    expect(noteOf(redirected)).toBe(0);
    expect(cache.mayNote(redirected)).toBe(false);
    cache.markDirty(redirected, 1);

    const copied = noted(8);
    cache.pin(copied);
    expect(noteOf(cache.redirect(copied, 51))).toBe(0);
    cache.markDirty(cache.find(51), 1);
    cache.unpin(copied);

    cache.discard(noted(9));
    for (let number = 10; number < blockCount - 20; number++) noted(number);
    cache.checkInvariants();
  });

  test('a wrong checksum names structure, block, expected and actual value, and leaves nothing mapped', () => {
    const { cache, checksums } = open();
    const expected = { code: 'ECORRUPT', structure: 'index node', block: 3, expected: 12345, actual: checksums[3] };
    expect(() => cache.read(3, 12345, 'index node')).toThrow(expect.objectContaining(expected));
    expect(cache.find(3)).toBe(NO_FRAME);
    expect(cache.stats.frameCount).toBe(0);
    cache.checkInvariants();
  });

  test('a pointer beyond the end of the device is damage, not wrong use', () => {
    const { cache } = open();
    expect(() => cache.read(blockCount, 0, 'leaf')).toThrow(CorruptionError);
    expect(() => cache.read(0xefffffff, 0, 'leaf')).toThrow(CorruptionError);
    expect(() => cache.readRun(blockCount - 2, 3, [0, 0, 0], 'leaf')).toThrow(CorruptionError);
    expect(cache.stats.frameCount).toBe(0);
  });

  test('a failed read leaves nothing mapped, and the next one works', () => {
    const { device: source, checksums } = patternedDevice(blockSize, blockCount);
    const device = new SimulatedDevice({ medium: source.snapshot() });
    const cache = new BufferCache(device, { blockSize, budgetBytes: 16 * blockSize });
    device.failAt({ operation: 'read', nth: 1, effect: 'error' });
    expect(() => cache.read(3, checksums[3], 'leaf')).toThrow(DeviceError);
    device.failAt({ operation: 'read', nth: 1, effect: 'error' });
    expect(() => cache.readRun(3, 4, checksums.slice(3), 'leaf')).toThrow(DeviceError);
    device.failAt({ operation: 'read', nth: 1, effect: 'flip', bit: 77 });
    expect(() => cache.read(3, checksums[3], 'leaf')).toThrow(CorruptionError);
    expect(cache.stats).toMatchObject({ frameCount: 0, pinnedFrameCount: 0 });
    cache.checkInvariants();
    assertBytes(cache.bytesOf(cache.read(3, checksums[3], 'leaf')), pattern(blockSize, 3));
  });

  test('a run is read with one call for each gap, and blocks that are cached stay', () => {
    const { device: source, checksums } = patternedDevice(blockSize, blockCount);
    const device = new MeteringDevice(source);
    const cache = new BufferCache(device, { blockSize, budgetBytes: 16 * blockSize });
    const dirty = createDirty(cache, 13, 999);
    cache.readRun(10, 6, checksums.slice(10), 'leaf');
    expect(device.counters().reads).toEqual({ calls: 2, buffers: 5, bytes: 5 * blockSize });
    expect(cache.find(13)).toBe(dirty);
    assertBytes(cache.bytesOf(dirty), pattern(blockSize, 999));
    for (const block of [10, 11, 12, 14, 15]) {
      assertBytes(cache.bytesOf(cache.find(block)), pattern(blockSize, block));
    }
    cache.readRun(10, 6, checksums.slice(10), 'leaf');
    expect(device.counters().reads.calls).toBe(2);
    cache.checkInvariants();
  });

  test('a damaged block of a run is named and left out, the others are kept', () => {
    const { cache, checksums } = open();
    const claimed = checksums.slice(20, 25);
    claimed[2] ^= 1;
    expect(() => cache.readRun(20, 5, claimed, 'leaf')).toThrow(
      expect.objectContaining({ code: 'ECORRUPT', structure: 'leaf', block: 22 }),
    );
    expect([20, 21, 22, 23, 24].map((block) => cache.find(block) !== NO_FRAME)).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
    expect(cache.stats).toMatchObject({ frameCount: 4, pinnedFrameCount: 0 });
    cache.checkInvariants();
  });

  test('a moved frame is found by its new number only, with its state', () => {
    const { cache } = open();
    const frame = createDirty(cache, 0xf0000001, 5);
    cache.move(frame, 30);
    expect(cache.find(0xf0000001)).toBe(NO_FRAME);
    expect(cache.find(30)).toBe(frame);
    expect(cache.numberOf(frame)).toBe(30);
    expect(cache.deltaOf(frame)).toBe(1);
    cache.beginWrite(frame);
    expect(() => cache.move(frame, 31)).toThrow(AssertionError);
    cache.checkInvariants();
  });

  test('redirect renames a frame that nobody else uses', () => {
    const { cache, checksums } = open();
    const frame = cache.read(7, checksums[7], 'leaf');
    expect(cache.redirect(frame, 50)).toBe(frame);
    expect(cache.find(7)).toBe(NO_FRAME);
    expect(cache.find(50)).toBe(frame);
    assertBytes(cache.bytesOf(frame), pattern(blockSize, 7));
    cache.checkInvariants();
  });

  test('redirect copies a frame that is being written; the old one keeps its bytes until the write ends', () => {
    const { cache } = open();
    const old = createDirty(cache, 7, 70);
    cache.beginWrite(old);
    const frame = cache.redirect(old, 50);
    expect(frame).not.toBe(old);
    cache.bytesOf(frame).fill(1);
    cache.markDirty(frame, 2);
    assertBytes(cache.bytesOf(old), pattern(blockSize, 70));
    expect(cache.find(7)).toBe(NO_FRAME);
    expect(cache.numberOf(old)).toBe(NIL_BLOCK);
    expect(cache.isWriting(old)).toBe(true);
    expect(cache.stats).toMatchObject({ frameCount: 2, dirtyFrameCount: 1, writingFrameCount: 1 });
    cache.checkInvariants();
    cache.endWrite(old, 1);
    expect(cache.stats).toMatchObject({ frameCount: 1, writingFrameCount: 0 });
    cache.checkInvariants();
  });

  test('redirect leaves the pins of others behind and takes those of the caller along', () => {
    const { cache, checksums } = open();
    const frame = cache.read(7, checksums[7], 'leaf');
    cache.pin(frame);
    expect(cache.redirect(frame, 50, 1)).toBe(frame);
    expect(cache.isPinned(frame)).toBe(true);
    cache.pin(frame); // somebody else
    const copy = cache.redirect(frame, 51, 1);
    expect(copy).not.toBe(frame);
    expect(cache.isPinned(copy)).toBe(true);
    assertBytes(cache.bytesOf(frame), pattern(blockSize, 7));
    expect(cache.stats.frameCount).toBe(2);
    cache.unpin(frame);
    expect(cache.stats).toMatchObject({ frameCount: 1, pinnedFrameCount: 1 });
    cache.unpin(copy);
    cache.checkInvariants();
  });

  test('what was redirected or created is not evicted before it has been marked', () => {
    const { cache, checksums } = open(8);
    const created = cache.create(1);
    const renamed = cache.redirect(cache.read(2, checksums[2], 'leaf'), 3);
    for (let block = 10; block < 60; block++) cache.read(block, checksums[block], 'leaf');
    expect([cache.numberOf(created), cache.numberOf(renamed)]).toEqual([1, 3]);
    cache.markClean(created);
    cache.markClean(renamed);
    for (let round = 0; round < 2; round++) {
      for (let block = 10; block < 60; block++) cache.read(block, checksums[block], 'leaf');
    }
    expect([cache.find(1), cache.find(3)]).toEqual([NO_FRAME, NO_FRAME]);
    cache.checkInvariants();
  });

  test('new content makes a stale clean block give way, a dirty one is a mistake of the caller', () => {
    const { cache, checksums } = open();
    cache.read(7, checksums[7], 'leaf');
    const frame = createDirty(cache, 7, 700);
    expect(cache.find(7)).toBe(frame);
    expect(cache.stats.frameCount).toBe(1);
    expect(() => cache.create(7)).toThrow(AssertionError);
    const other = cache.read(8, checksums[8], 'leaf');
    expect(() => cache.redirect(other, 7)).toThrow(AssertionError);
    expect(() => cache.move(other, 7)).toThrow(AssertionError);
    expect(cache.find(8)).toBe(other);
    cache.checkInvariants();
  });

  test('discarding a range forgets what was cached of it, dirty or not', () => {
    const { cache, checksums } = open();
    for (const block of [3, 4, 5, 6]) cache.read(block, checksums[block], 'leaf');
    createDirty(cache, 9, 1);
    cache.discardRange(4, 6);
    expect([3, 4, 5, 6, 9].map((block) => cache.find(block) !== NO_FRAME)).toEqual([true, false, false, false, false]);
    expect(cache.stats).toMatchObject({ frameCount: 1, dirtyFrameCount: 0 });
    cache.checkInvariants();
  });

  test('a write that ends cleans exactly its own delta', () => {
    const { cache } = open();
    const frame = createDirty(cache, 9, 1);
    cache.beginWrite(frame);
    cache.beginWrite(frame); // issued again by a synchronous commit
    cache.endWrite(frame, 1);
    expect([cache.isDirty(frame), cache.isWriting(frame)]).toEqual([false, true]);
    cache.endWrite(frame, 1);
    expect(cache.isWriting(frame)).toBe(false);
    cache.markDirty(frame, 2);
    cache.beginWrite(frame);
    cache.endWrite(frame, 1);
    expect(cache.deltaOf(frame)).toBe(2);
    cache.checkInvariants();
  });

  test('the budget is soft: what is dirty stays, and the memory is given back when it is clean', () => {
    const { cache, checksums } = open(8);
    const frames: Frame[] = [];
    for (let i = 0; i < 40; i++) frames.push(createDirty(cache, 1000 + i, i));
    expect(cache.stats).toMatchObject({ frameCount: 40, budgetFrameCount: 8, overBudgetFrameCount: 32 });
    for (let i = 0; i < 40; i++) assertBytes(cache.bytesOf(frames[i]), pattern(blockSize, i));
    cache.checkInvariants();
    for (const frame of frames) cache.markClean(frame);
    for (let block = 0; block < 40; block++) cache.read(block, checksums[block], 'leaf');
    expect(cache.stats).toMatchObject({ overBudgetFrameCount: 0, evictions: 72 });
    expect(cache.stats.slabBytes).toBeLessThan(2 * 8 * blockSize);
    cache.checkInvariants();
  });

  test('trim gives up at once what is over budget and clean', () => {
    const { cache } = open(8);
    const frames = Array.from({ length: 30 }, (_, i) => createDirty(cache, 1000 + i, i));
    cache.pin(frames[29]);
    for (const frame of frames.slice(5)) cache.markClean(frame);
    cache.trim();
    expect(cache.stats).toMatchObject({ frameCount: 8, dirtyFrameCount: 5, evictions: 22 });
    expect(cache.find(1029)).toBe(frames[29]);
    cache.checkInvariants();
  });

  test('a clean frame that is not what its pointer names is caught where verification is on', () => {
    const { cache, checksums } = open();
    const frame = cache.read(7, checksums[7], 'leaf');
    cache.bytesOf(frame)[0] ^= 1;
    expect(() => cache.read(7, checksums[7], 'leaf')).toThrow(AssertionError);
  });

  test('wrong use is refused', () => {
    const { cache, checksums } = open();
    const frame = cache.read(7, checksums[7], 'leaf');
    expect(() => cache.unpin(frame)).toThrow(AssertionError);
    expect(() => cache.pin(NO_FRAME)).toThrow(AssertionError);
    expect(() => cache.endWrite(frame, 1)).toThrow(AssertionError);
    expect(() => cache.markDirty(frame, 0)).toThrow(AssertionError);
    expect(() => cache.redirect(frame, 7)).toThrow(AssertionError);
    expect(() => cache.redirect(frame, 8, 1)).toThrow(AssertionError);
    expect(() => cache.create(NIL_BLOCK)).toThrow(AssertionError);
    expect(() => cache.beginWrite(cache.create(8))).toThrow(AssertionError);
    cache.discard(frame);
    for (const act of [
      () => cache.discard(frame),
      () => cache.pin(frame),
      () => cache.markClean(frame),
      () => cache.move(frame, 9),
    ]) {
      expect(act).toThrow(AssertionError);
    }
    cache.checkInvariants();
  });
});

test('block sizes and budgets that make no sense are refused', () => {
  const device = new MemoryDevice({ sizeBytes: 4096 });
  for (const blockSize of [0, 256, 1000, 32768, Number.NaN]) {
    expect(() => new BufferCache(device, { blockSize, budgetBytes: 1 << 20 })).toThrow(RangeError);
  }
  for (const budgetBytes of [0, 7 * 512, Number.NaN, 4096.5, Number.POSITIVE_INFINITY]) {
    expect(() => new BufferCache(device, { blockSize: 512, budgetBytes })).toThrow(RangeError);
  }
});

test('many blocks have their frames, and an unused budget costs nothing', () => {
  const device = new MemoryDevice({ sizeBytes: 0 });
  const cache = new BufferCache(device, { blockSize: 512, budgetBytes: 2 ** 40 });
  expect(cache.stats.slabBytes).toBe(0);
  for (let number = 0; number < 200_000; number++) cache.markClean(cache.create(number * 5));
  for (let number = 0; number < 200_000; number++) {
    if (cache.numberOf(cache.find(number * 5)) !== number * 5)
      throw new Error(`block ${number * 5} has the wrong frame`);
    if (cache.find(number * 5 + 1) !== NO_FRAME) throw new Error(`block ${number * 5 + 1} was never created`);
  }
  expect(cache.stats.frameCount).toBe(200_000);
});

test('the checksum of a frame is that of its bytes, wherever it lies', () => {
  const device = new MemoryDevice({ sizeBytes: 0 });
  const cache = new BufferCache(device, { blockSize: 512, budgetBytes: 1 << 20 });
  for (let number = 0; number < 50; number++) {
    const frame = cache.create(number);
    cache.bytesOf(frame).set(pattern(512, number));
    expect(cache.checksumOf(frame)).toBe(xxh32(pattern(512, number)));
  }
});

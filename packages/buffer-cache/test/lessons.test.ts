/**
 * Faults of the ancestor that a buffer cache can make (docs/testing.md lists all of them), each with the test that
 * would have caught it.
 */
import { AssertionError, xxh32 } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { BufferCache, type Frame, NO_FRAME, WriteBatch } from '@outwrite/buffer-cache';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, test } from 'vitest';
import { assertBytes, pattern, patternedDevice, readBlocks } from './patterned-device.ts';

describe.each([512, 4096, 16384])('lessons of the ancestor, blocks of %i bytes', (blockSize) => {
  function open() {
    const { device, checksums } = patternedDevice(blockSize, 64);
    return { device, checksums, cache: new BufferCache(device, { blockSize, budgetBytes: 16 * blockSize }) };
  }

  test('3: the late discard of a freed buffer does not kill the live one that took its block', () => {
    const { cache } = open();
    const freed = cache.create(40);
    cache.bytesOf(freed).fill(1);
    cache.markDirty(freed, 1);
    cache.beginWrite(freed);
    cache.discard(freed); // block 40 is freed while it is being written ...
    const source = cache.create(41);
    cache.bytesOf(source).fill(2);
    cache.markDirty(source, 1);
    const live = cache.redirect(source, 40); // ... and given away again in the same cycle
    cache.markDirty(live, 2);
    cache.endWrite(freed, 1);
    expect(cache.find(40)).toBe(live);
    expect(cache.deltaOf(live)).toBe(2);
    expect(cache.bytesOf(live)[0]).toBe(2);
    expect(() => cache.discard(freed)).toThrow(AssertionError);
    cache.checkInvariants();
  });

  test('6: a freed block keeps no dirty buffer', () => {
    const { cache } = open();
    for (const number of [30, 31, 32]) cache.markDirty(cache.create(number), 1);
    cache.discardRange(30, 3);
    expect(cache.stats).toMatchObject({ dirtyFrameCount: 0, frameCount: 0 });
    expect([30, 31, 32].map((number) => cache.find(number))).toEqual([NO_FRAME, NO_FRAME, NO_FRAME]);
    cache.checkInvariants();
  });

  test('20: a buffer that is dirty for two reasons is written for both', () => {
    const { cache, device } = open();
    const space = cache.openSpace();
    const page = space.create(3);
    cache.bytesOf(page).fill(1);
    space.markDirty(page, 1);
    space.markDirty(page, 1); // two changes in one delta: one write
    expect([...space.dirtyIndexes()]).toEqual([3]);
    const first = new WriteBatch(device, blockSize);
    first.add(10, cache.bytesOf(page));
    cache.beginWrite(page);
    const changed = space.writable(page, 2); // a change for the next delta while the first is on its way: another write
    cache.bytesOf(changed).fill(2);
    first.writeSync();
    cache.endWrite(page, 1);
    expect([...space.dirtyIndexes()]).toEqual([3]);
    expect(cache.isDirty(changed)).toBe(true);
    const second = new WriteBatch(device, blockSize);
    second.add(11, cache.bytesOf(changed));
    second.writeSync();
    expect(readBlocks(device, blockSize, 10)[0]).toBe(1);
    expect(readBlocks(device, blockSize, 11)[0]).toBe(2);
    cache.checkInvariants();
  });

  test('21: who keeps the old buffer after a fork cannot change anything by it', () => {
    const { cache } = open();
    const space = cache.openSpace();
    const page = space.create(3);
    cache.bytesOf(page).fill(1);
    space.markDirty(page, 1);
    cache.beginWrite(page);
    const fork = space.writable(page, 2);
    expect(() => space.writable(page, 2)).toThrow(AssertionError);
    expect(() => space.markDirty(page, 2)).toThrow(AssertionError);
    expect(() => cache.markDirty(page, 2)).toThrow(AssertionError);
    const node = cache.create(50);
    cache.bytesOf(node).fill(3);
    cache.markDirty(node, 1);
    cache.beginWrite(node);
    const moved = cache.redirect(node, 51);
    cache.markDirty(moved, 2);
    expect(() => cache.markDirty(node, 2)).toThrow(AssertionError);
    expect(() => cache.redirect(node, 52)).toThrow(AssertionError);
    expect([space.find(3), cache.find(50), cache.find(51)]).toEqual([fork, NO_FRAME, moved]);
    cache.checkInvariants();
  });

  test('22: a cancelled buffer is on no list', () => {
    const { cache } = open();
    const space = cache.openSpace();
    for (const page of [1, 2, 3, 4, 5]) space.markDirty(space.create(page), 1);
    space.discard(2);
    cache.markClean(space.find(4));
    cache.discard(space.find(5));
    expect([...space.dirtyIndexes()]).toEqual([1, 3]);
    expect(cache.stats.dirtyFrameCount).toBe(2);
    cache.checkInvariants();
    space.discardFrom(0);
    expect(space.dirtyIndexes()).toHaveLength(0);
    // Their frames are used again, by others and clean.
    for (let i = 0; i < 5; i++) cache.markClean(cache.create(i));
    expect(cache.stats.dirtyFrameCount).toBe(0);
    expect(space.dirtyIndexes()).toHaveLength(0);
    cache.checkInvariants();
  });

  test('23: a buffer keeps its bytes until its write returns, however late that is', async () => {
    const random = new Random(testSeed('lesson 23'));
    /**
     * Writes that have been issued and wait to be let go; the device rejects one whose bytes have changed meanwhile.
     */
    const held: (() => void)[] = [];
    const device = new SimulatedDevice({
      medium: patternedDevice(blockSize, 64).device.snapshot(),
      hold: () => new Promise<void>((resolve) => held.push(resolve)),
    });
    const letGo = async () => {
      held.splice(random.below(held.length), 1)[0]();
      await new Promise((resolve) => setImmediate(resolve));
    };
    const cache = new BufferCache(device, { blockSize, budgetBytes: 16 * blockSize });
    const space = cache.openSpace();
    /** By block: what was in the page when its write was issued. */
    const issued = new Map<number, Uint8Array>();
    const pending: Promise<void>[] = [];
    let nextBlock = 0;
    for (let delta = 1; delta <= 60; delta++) {
      for (let change = 0; change < 6; change++) {
        const index = random.below(12);
        let page = space.find(index);
        if (page === NO_FRAME) {
          page = space.create(index);
          cache.bytesOf(page).fill(0);
          cache.markClean(page);
        }
        page = space.writable(page, delta);
        cache.bytesOf(page).set(pattern(blockSize, delta * 100 + change));
      }
      const batch = new WriteBatch(device, blockSize);
      const frames: Frame[] = [];
      for (const index of space.dirtyIndexes()) {
        const frame = space.find(index);
        frames.push(frame);
        cache.beginWrite(frame);
        issued.set(nextBlock, cache.bytesOf(frame).slice());
        batch.add(nextBlock, cache.bytesOf(frame));
        nextBlock += 1 + random.below(2);
      }
      const at = delta;
      pending.push(
        batch.write().then(() => {
          for (const frame of frames) cache.endWrite(frame, at);
        }),
      );
      if (random.below(4) === 0) space.discard(random.below(12));
      for (let read = 0; read < 8; read++) {
        const block = random.below(64);
        if (!issued.has(block)) cache.read(block, xxh32(pattern(blockSize, block)), 'leaf');
      }
      cache.checkInvariants();
      while (held.length > random.below(30)) await letGo();
    }
    while (held.length > 0) await letGo();
    await Promise.all(pending);
    for (const [block, bytes] of issued) assertBytes(readBlocks(device, blockSize, block), bytes);
    expect(cache.stats).toMatchObject({ dirtyFrameCount: 0, writingFrameCount: 0 });
    cache.checkInvariants();
  });
});

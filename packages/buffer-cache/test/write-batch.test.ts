import {
  AssertionError,
  DeviceError,
  ForwardingDevice,
  MemoryDevice,
  MeteringDevice,
  NoSpaceError,
} from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { WriteBatch } from '@outwrite/buffer-cache';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertBytes, pattern, readBlocks } from './patterned-device.ts';

describe.each([512, 4096, 16384])('write batch with blocks of %i bytes', (blockSize) => {
  test('sorts, joins neighbours and writes each run with one call', () => {
    const device = new MeteringDevice(new MemoryDevice({ sizeBytes: 64 * blockSize }));
    const batch = new WriteBatch(device, blockSize);
    for (const block of [9, 3, 20, 4, 8]) batch.add(block, pattern(blockSize, block));
    batch.add(5, pattern(blockSize * 3, 500)); // three blocks at once: 5, 6, 7
    expect([batch.blockCount, batch.sizeBytes, batch.runCount]).toEqual([8, 8 * blockSize, 2]);
    batch.writeSync();
    expect(device.counters().syncWrites).toEqual({ calls: 2, buffers: 6, bytes: 8 * blockSize });
    for (const block of [3, 4, 8, 9, 20]) {
      assertBytes(readBlocks(device, blockSize, block, 1), pattern(blockSize, block));
    }
    assertBytes(readBlocks(device, blockSize, 5, 3), pattern(blockSize * 3, 500));
  });

  test('grows the device before it writes', async () => {
    const device = new MeteringDevice(new MemoryDevice({ sizeBytes: 0 }));
    const batch = new WriteBatch(device, blockSize);
    batch.add(10, pattern(2 * blockSize, 1));
    batch.add(2, pattern(blockSize, 2));
    await batch.write();
    expect(device.sizeBytes).toBe(12 * blockSize);
    assertBytes(readBlocks(device, blockSize, 10, 2), pattern(2 * blockSize, 1));
  });

  test('writes nothing if the device cannot grow', async () => {
    const device = new MeteringDevice(new MemoryDevice({ sizeBytes: 4 * blockSize, maxSizeBytes: 8 * blockSize }));
    const batch = new WriteBatch(device, blockSize);
    batch.add(1, pattern(blockSize, 1));
    batch.add(8, pattern(blockSize, 8));
    expect(() => batch.writeSync()).toThrow(NoSpaceError);
    await expect(batch.write()).rejects.toThrow(NoSpaceError);
    expect(device.counters()).toMatchObject({ syncWrites: { calls: 0 }, asyncWrites: { calls: 0 } });
  });

  test('is issued again, synchronously and with more in it', async () => {
    const device = new MeteringDevice(new MemoryDevice({ sizeBytes: 64 * blockSize }));
    const batch = new WriteBatch(device, blockSize);
    batch.add(4, pattern(blockSize, 4));
    const late = batch.write();
    batch.writeSync();
    assertBytes(readBlocks(device, blockSize, 4, 1), pattern(blockSize, 4));
    await late;
    batch.add(5, pattern(blockSize, 5));
    batch.writeSync();
    expect(device.counters()).toMatchObject({ syncWrites: { calls: 2, buffers: 3 }, asyncWrites: { calls: 1 } });
  });

  test('settles when every write has, with the first failure', async () => {
    // The later a run stands in the batch, the later it ends.
    const device = new SimulatedDevice({
      sizeBytes: 64 * blockSize,
      hold: ({ position }) => new Promise((resolve) => setTimeout(resolve, position / blockSize)),
    });
    const batch = new WriteBatch(device, blockSize);
    for (const block of [1, 3, 5]) batch.add(block, pattern(blockSize, block));
    device.failAt({ operation: 'write', nth: 2, effect: 'error' });
    await expect(batch.write()).rejects.toThrow(DeviceError);
    assertBytes(readBlocks(device, blockSize, 5), pattern(blockSize, 5));
    device.failAt({ operation: 'write', nth: 3, effect: 'error' });
    expect(() => batch.writeSync()).toThrow(DeviceError);
    await batch.write();
    assertBytes(readBlocks(device, blockSize, 3), pattern(blockSize, 3));
  });

  test('settles when every write has, where the device throws instead of rejecting', async () => {
    const inner = new SimulatedDevice({
      sizeBytes: 64 * blockSize,
      hold: () => new Promise((resolve) => setTimeout(resolve, 1)),
    });
    class ThrowingDevice extends ForwardingDevice {
      override write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
        if (position === 3 * blockSize) throw new DeviceError({ operation: 'write', position }, 'bad sector');
        return super.write(position, buffers);
      }
    }
    const batch = new WriteBatch(new ThrowingDevice(inner), blockSize);
    for (const block of [1, 3, 5]) batch.add(block, pattern(blockSize, block));
    await expect(batch.write()).rejects.toThrow(DeviceError);
    assertBytes(readBlocks(inner, blockSize, 1), pattern(blockSize, 1));
    assertBytes(readBlocks(inner, blockSize, 5), pattern(blockSize, 5));
  });

  test('takes whole blocks, each once', () => {
    const batch = new WriteBatch(new MemoryDevice({ sizeBytes: 64 * blockSize }), blockSize);
    expect(() => batch.add(1, new Uint8Array(blockSize - 1))).toThrow(AssertionError);
    expect(() => batch.add(1, new Uint8Array(0))).toThrow(AssertionError);
    batch.add(1, new Uint8Array(2 * blockSize));
    batch.add(2, new Uint8Array(blockSize));
    expect(() => batch.runCount).toThrow(AssertionError);
    expect(() => batch.writeSync()).toThrow(AssertionError);
  });

  test('an empty one writes nothing', async () => {
    const device = new MeteringDevice(new MemoryDevice({ sizeBytes: 0 }));
    const batch = new WriteBatch(device, blockSize);
    batch.writeSync();
    await batch.write();
    expect([batch.runCount, batch.blockCount]).toEqual([0, 0]);
    expect(device.counters()).toMatchObject({ syncWrites: { calls: 0 }, asyncWrites: { calls: 0 } });
  });
});

test('any set of blocks in any order ends up where it belongs, in the fewest runs', () => {
  const blockSize = 512;
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(40), { maxLength: 30 }), (blocks) => {
      const device = new MeteringDevice(new MemoryDevice({ sizeBytes: 0 }));
      const batch = new WriteBatch(device, blockSize);
      for (const block of blocks) batch.add(block, pattern(blockSize, 100 + block));
      batch.writeSync();
      const set = new Set(blocks);
      expect(batch.runCount).toBe(blocks.filter((block) => !set.has(block - 1)).length);
      expect(device.counters().syncWrites.calls).toBe(batch.runCount);
      for (const block of blocks) assertBytes(readBlocks(device, blockSize, block, 1), pattern(blockSize, 100 + block));
      expect(device.sizeBytes).toBe(blocks.length === 0 ? 0 : (Math.max(...blocks) + 1) * blockSize);
    }),
  );
});

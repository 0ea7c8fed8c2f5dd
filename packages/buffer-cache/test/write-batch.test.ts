import { AssertionError, type BlockDevice, MemoryDevice, NoSpaceError } from '@outwrite/blockdev';
import { WriteBatch } from '@outwrite/buffer-cache';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pattern } from './patterned-device.ts';

/** Notes the writes that reach it; may fail some. */
class NotingDevice implements BlockDevice {
  readonly memory: MemoryDevice;
  readonly writes: { position: number; bufferCount: number }[] = [];
  failAt: number | undefined;
  settledCount = 0;

  constructor(memory: MemoryDevice) {
    this.memory = memory;
  }

  get sizeBytes(): number {
    return this.memory.sizeBytes;
  }

  get maxSizeBytes(): number {
    return this.memory.maxSizeBytes;
  }

  readonly readOnly = false;

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.memory.readSync(position, buffers);
  }

  writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.writes.push({ position, bufferCount: buffers.length });
    if (position === this.failAt) throw new Error(`no write at ${position}`);
    this.memory.writeSync(position, buffers);
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    // The later a run stands in the batch, the earlier it ends.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 5 - this.writes.length)));
    this.settledCount++;
    this.writeSync(position, buffers);
  }

  async flush(): Promise<void> {}
  flushSync(): void {}
  grow(sizeBytes: number): void {
    this.memory.grow(sizeBytes);
  }
  async close(): Promise<void> {}
  closeSync(): void {}
}

function readBack(device: BlockDevice, blockSize: number, block: number, blockCount: number): Uint8Array {
  const bytes = new Uint8Array(blockSize * blockCount);
  device.readSync(block * blockSize, [bytes]);
  return bytes;
}

describe.each([512, 4096, 16384])('write batch with blocks of %i bytes', (blockSize) => {
  test('sorts, joins neighbours and writes each run with one call', () => {
    const device = new NotingDevice(new MemoryDevice({ sizeBytes: 64 * blockSize }));
    const batch = new WriteBatch(device, blockSize);
    for (const block of [9, 3, 20, 4, 8]) batch.add(block, pattern(blockSize, block));
    batch.add(5, pattern(blockSize * 3, 500)); // three blocks at once: 5, 6, 7
    expect([batch.blockCount, batch.sizeBytes, batch.runCount]).toEqual([8, 8 * blockSize, 2]);
    batch.writeSync();
    expect(device.writes).toEqual([
      { position: 3 * blockSize, bufferCount: 5 },
      { position: 20 * blockSize, bufferCount: 1 },
    ]);
    for (const block of [3, 4, 8, 9, 20]) {
      expect(readBack(device, blockSize, block, 1)).toEqual(pattern(blockSize, block));
    }
    expect(readBack(device, blockSize, 5, 3)).toEqual(pattern(blockSize * 3, 500));
  });

  test('grows the device before it writes', async () => {
    const device = new NotingDevice(new MemoryDevice({ sizeBytes: 0 }));
    const batch = new WriteBatch(device, blockSize);
    batch.add(10, pattern(2 * blockSize, 1));
    batch.add(2, pattern(blockSize, 2));
    await batch.write();
    expect(device.sizeBytes).toBe(12 * blockSize);
    expect(readBack(device, blockSize, 10, 2)).toEqual(pattern(2 * blockSize, 1));
  });

  test('writes nothing if the device cannot grow', async () => {
    const device = new NotingDevice(new MemoryDevice({ sizeBytes: 4 * blockSize, maxSizeBytes: 8 * blockSize }));
    const batch = new WriteBatch(device, blockSize);
    batch.add(1, pattern(blockSize, 1));
    batch.add(8, pattern(blockSize, 8));
    expect(() => batch.writeSync()).toThrow(NoSpaceError);
    await expect(batch.write()).rejects.toThrow(NoSpaceError);
    expect(device.writes).toEqual([]);
  });

  test('is issued again, synchronously and with more in it', async () => {
    const device = new NotingDevice(new MemoryDevice({ sizeBytes: 64 * blockSize }));
    const batch = new WriteBatch(device, blockSize);
    batch.add(4, pattern(blockSize, 4));
    const late = batch.write();
    batch.writeSync();
    expect(readBack(device, blockSize, 4, 1)).toEqual(pattern(blockSize, 4));
    await late;
    batch.add(5, pattern(blockSize, 5));
    batch.writeSync();
    expect(device.writes).toHaveLength(3);
    expect(device.writes[2]).toEqual({ position: 4 * blockSize, bufferCount: 2 });
  });

  test('settles when every write has, with the first failure', async () => {
    const device = new NotingDevice(new MemoryDevice({ sizeBytes: 64 * blockSize }));
    const batch = new WriteBatch(device, blockSize);
    for (const block of [1, 3, 5]) batch.add(block, pattern(blockSize, block));
    device.failAt = 3 * blockSize;
    await expect(batch.write()).rejects.toThrow(`no write at ${3 * blockSize}`);
    expect(device.settledCount).toBe(3);
    expect(() => batch.writeSync()).toThrow(`no write at ${3 * blockSize}`);
    device.failAt = undefined;
    await batch.write();
    expect(readBack(device, blockSize, 5, 1)).toEqual(pattern(blockSize, 5));
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
    const device = new NotingDevice(new MemoryDevice({ sizeBytes: 0 }));
    const batch = new WriteBatch(device, blockSize);
    batch.writeSync();
    await batch.write();
    expect([batch.runCount, batch.blockCount, device.writes.length]).toEqual([0, 0, 0]);
  });
});

test('any set of blocks in any order ends up where it belongs, in the fewest runs', () => {
  const blockSize = 512;
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(40), { maxLength: 30 }), (blocks) => {
      const device = new NotingDevice(new MemoryDevice({ sizeBytes: 0 }));
      const batch = new WriteBatch(device, blockSize);
      for (const block of blocks) batch.add(block, pattern(blockSize, 100 + block));
      batch.writeSync();
      const set = new Set(blocks);
      expect(batch.runCount).toBe(blocks.filter((block) => !set.has(block - 1)).length);
      expect(device.writes).toHaveLength(batch.runCount);
      for (const block of blocks)
        expect(readBack(device, blockSize, block, 1)).toEqual(pattern(blockSize, 100 + block));
      expect(device.sizeBytes).toBe(blocks.length === 0 ? 0 : (Math.max(...blocks) + 1) * blockSize);
    }),
  );
});

import { CorruptionError, DeviceError, MemoryDevice, NIL_BLOCK, setVerification, xxh32 } from '@outwrite/blockdev';
import { BufferCache, NO_FRAME } from '@outwrite/buffer-cache';
import { describe, expect, test } from 'vitest';

setVerification(true);

/** A device whose block `n` is filled with bytes made from `n`, and the checksum of each block. */
export function patternedDevice(blockSize: number, blockCount: number): { device: MemoryDevice; checksums: number[] } {
  const device = new MemoryDevice({ sizeBytes: blockSize * blockCount });
  const checksums: number[] = [];
  for (let block = 0; block < blockCount; block++) {
    const bytes = new Uint8Array(blockSize).fill(block * 7 + 1);
    bytes[0] = block >>> 8;
    device.writeSync(block * blockSize, [bytes]);
    checksums.push(xxh32(bytes));
  }
  return { device, checksums };
}

describe.each([512, 4096, 16384])('buffer cache with blocks of %i bytes', (blockSize) => {
  const blockCount = 64;

  function open(budgetBlocks = 16) {
    const { device, checksums } = patternedDevice(blockSize, blockCount);
    return { device, checksums, cache: new BufferCache(device, { blockSize, budgetBytes: budgetBlocks * blockSize }) };
  }

  test('reads a block once and finds it afterwards', () => {
    const { cache, checksums } = open();
    expect(cache.find(5)).toBe(NO_FRAME);
    const frame = cache.read(5, checksums[5], 'leaf');
    expect(cache.read(5, checksums[5], 'leaf')).toBe(frame);
    expect(cache.find(5)).toBe(frame);
    expect(cache.numberOf(frame)).toBe(5);
    expect(cache.bytesOf(frame)[1]).toBe(36);
    expect(cache.checksumOf(frame)).toBe(checksums[5]);
    expect(cache.stats).toMatchObject({ hits: 2, misses: 1, frameCount: 1 });
    cache.checkInvariants();
  });

  test('the three views of a slab and the view of a frame are the same bytes, 16 past a multiple of 64', () => {
    const { cache } = open();
    const frame = cache.create(40);
    const base = cache.baseOf(frame);
    const slab = cache.slabOf(frame);
    expect(base % 64).toBe(16);
    slab.u32[base >>> 2] = 0x01020304;
    expect(slab.u8[base]).toBe(4);
    expect(slab.u16[base >>> 1]).toBe(0x0304);
    expect(cache.bytesOf(frame)[3]).toBe(1);
    expect(cache.bytesOf(frame)).toHaveLength(blockSize);
    expect(cache.bytesOf(frame)).toBe(cache.bytesOf(frame));
  });

  test('a wrong checksum names structure, block, expected and actual value, and leaves nothing mapped', () => {
    const { cache, checksums } = open();
    let caught: unknown;
    try {
      cache.read(3, 12345, 'index node');
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(CorruptionError);
    expect(caught).toMatchObject({
      code: 'ECORRUPT',
      structure: 'index node',
      block: 3,
      expected: 12345,
      actual: checksums[3],
    });
    expect(cache.find(3)).toBe(NO_FRAME);
    expect(cache.stats.frameCount).toBe(0);
    cache.checkInvariants();
  });
});

/** One page brought in the short way: what does not verify, or lies beyond the device, is not handed out and not kept. */
import { CorruptionError, MemoryDevice, xxh32 } from '@outwrite/blockdev';
import { expect, it } from 'vitest';
import { BufferCache } from '../src/buffer-cache.ts';

it('a page is loaded once it verifies, and a failed load leaves nothing behind', () => {
  const device = new MemoryDevice({ sizeBytes: 16 * 512 });
  const content = new Uint8Array(512).fill(7);
  device.writeSync(3 * 512, [content]);
  const cache = new BufferCache(device, { blockSize: 512, budgetBytes: 16 * 512 });
  const space = cache.openSpace();

  expect(() => space.load(0, 3, xxh32(content) ^ 1, 'data block')).toThrow(CorruptionError);
  expect(() => space.load(0, 16, xxh32(content), 'data block')).toThrow(CorruptionError);
  expect(cache.stats.frameCount).toBe(0);
  expect(space.has(0)).toBe(false);

  const frame = space.load(0, 3, xxh32(content), 'data block');
  expect(cache.bytesOf(frame)).toEqual(content);
  expect(space.find(0)).toBe(frame);
  expect(cache.isDirty(frame)).toBe(false);
  expect(() => space.load(0, 3, xxh32(content), 'data block')).toThrow('is not loaded');
  cache.checkInvariants();
});

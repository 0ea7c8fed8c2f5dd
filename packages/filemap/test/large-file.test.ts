/**
 * Files far larger than the cache: memory stays within its budget, whatever is written and read.
 */
import { describe, expect, it } from 'vitest';
import { expectBytes, Harness, pattern } from './harness.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

describe('a file of 8 GiB with dense and sparse parts, within a cache of 2 MiB', () => {
  it('is written, read and cut', () => {
    const harness = new Harness({ cacheBytes: 2 * MIB, maxBytes: GIB });
    const { file, store } = harness;
    const budgetFrames = store.log.cache.stats.budgetFrameCount;
    let worstFrames = 0;
    const note = (): void => {
      worstFrames = Math.max(worstFrames, store.log.cache.stats.frameCount);
    };
    // Dense in unaligned pieces (pages), dense in large ones (direct), and one page every 16 MiB.
    const chunk = pattern(1, 40 * KIB);
    for (let at = 0; at < 24 * MIB; at += chunk.length) {
      file.write(at, chunk);
      note();
    }
    const large = pattern(2, 4 * MIB);
    for (let at = GIB; at < GIB + 24 * MIB; at += large.length) {
      file.write(at, large);
      note();
    }
    for (let at = 2 * GIB; at < 8 * GIB; at += 16 * MIB) {
      file.write(at + 5000, pattern(at / MIB, 100));
      note();
    }
    file.truncate(8 * GIB);
    store.commitSync();
    expect(file.sizeBytes).toBe(8 * GIB);
    expect(file.allocatedBytes()).toBeLessThan(52 * MIB);

    const bytes = new Uint8Array(40 * KIB);
    for (let at = 0; at < 24 * MIB; at += chunk.length) {
      file.read(at, bytes);
      expectBytes(bytes, chunk);
      note();
    }
    file.read(GIB + 8 * MIB - 100, bytes.subarray(0, 200));
    expectBytes(bytes.subarray(0, 200), Buffer.concat([large.subarray(-100), large.subarray(0, 100)]));
    let dataCount = 0;
    for (let at = file.seekData(2 * GIB); at !== -1; at = file.seekData(file.seekHole(at))) {
      file.read(at - (at % (16 * MIB)) + 5000, bytes.subarray(0, 100));
      expectBytes(bytes.subarray(0, 100), pattern((at - (at % (16 * MIB))) / MIB, 100));
      dataCount++;
      note();
    }
    expect(dataCount).toBe(384);
    // Random overwrites, each of one page.
    for (let i = 0; i < 3000; i++) {
      file.write(((i * 7919) % 6144) * 4096, pattern(i, 4096));
      note();
    }
    store.commitSync();
    file.truncate(10 * MIB);
    store.commitSync();
    expect(file.allocatedBytes()).toBe(10 * MIB);
    expect(worstFrames).toBeLessThanOrEqual(budgetFrames * 2);
  });

  it('is read ahead in order, and one block at a time elsewhere', () => {
    const harness = new Harness({ cacheBytes: 16 * MIB, maxBytes: GIB });
    const { file, store } = harness;
    const sizeBytes = 8 * MIB;
    for (let at = 0; at < sizeBytes; at += MIB) file.write(at, pattern(at, MIB));
    store.commitSync();
    const { cache } = store.log;
    const bytes = new Uint8Array(4096);
    let reads = 0;
    const readSync = harness.device.readSync.bind(harness.device);
    harness.device.readSync = (position, buffers) => {
      reads++;
      readSync(position, buffers);
    };
    for (let at = 0; at < 6 * MIB; at += bytes.length) file.read(at, bytes);
    // 16, 32, ... KiB up to 1 MiB, then 1 MiB each; what is not contiguous on the device costs a read more.
    expect(reads).toBeLessThan(40);
    const missesBefore = cache.stats.misses;
    for (const at of [7 * MIB, 6.5 * MIB, 7.5 * MIB, 6.2 * MIB]) file.read(Math.floor(at / 4096) * 4096, bytes);
    expect(cache.stats.misses - missesBefore).toBeLessThanOrEqual(4);
  });
});

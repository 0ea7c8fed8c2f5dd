import { xxh32 } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { AllocLog } from '../src/index.ts';
import { RegisterClient } from '../src/testing.ts';

const BLOCK_BYTES = 512;

function format(waitingBytes: number) {
  const device = new SimulatedDevice();
  const bounds = { zeroAheadBytes: 0, waitingBytes };
  const log = AllocLog.format(device, { blockSize: BLOCK_BYTES, cacheBytes: 1 << 19, bounds }, new RegisterClient());
  return { device, log };
}

function write(log: AllocLog, fills: readonly number[]) {
  const buffers = fills.map((fill) => new Uint8Array(BLOCK_BYTES).fill(fill));
  expect(log.ensure(fills.length, 0, false)).toBe(true);
  const { start, count } = log.allocateExtent(fills.length);
  expect(count).toBe(fills.length);
  log.device.grow((start + count) * BLOCK_BYTES);
  log.writeBlocks(
    start,
    buffers,
    buffers.map((bytes) => xxh32(bytes)),
    'overflow',
  );
  // The caller's memory is the caller's again.
  for (const bytes of buffers) bytes.fill(0xee);
  return start;
}

function read(log: AllocLog, start: number, count: number): number[] {
  const bytes = new Uint8Array(count * BLOCK_BYTES);
  log.readBlocks(start, bytes);
  return Array.from({ length: count }, (_, i) => bytes[i * BLOCK_BYTES + BLOCK_BYTES - 1]!);
}

describe('blocks that wait for the write of their commit', () => {
  it('are read as written at every moment, and are on the device after the commit, in its one write', () => {
    const { device, log } = format(1 << 16);
    const writesBefore = device.operationCounts.write;
    const start = write(log, [1, 2, 3]);
    const next = write(log, [4]);
    expect(device.operationCounts.write).toBe(writesBefore);
    expect(next).toBe(start + 3);
    expect(read(log, start, 4)).toEqual([1, 2, 3, 4]);
    log.commitSync();
    expect(read(log, start, 4)).toEqual([1, 2, 3, 4]);
    const onDevice = new Uint8Array(BLOCK_BYTES);
    device.readSync((start + 1) * BLOCK_BYTES, [onDevice]);
    expect(onDevice[0]).toBe(2);
  });

  it('are read as written while an asynchronous commit is under way', async () => {
    const { log } = format(1 << 16);
    const start = write(log, [5, 6]);
    const committed = log.commit();
    expect(read(log, start, 2)).toEqual([5, 6]);
    await Promise.resolve();
    expect(read(log, start, 2)).toEqual([5, 6]);
    await committed;
    expect(read(log, start, 2)).toEqual([5, 6]);
  });

  it('are written never when they are given back before the commit, and their place can be taken again', () => {
    const { device, log } = format(1 << 16);
    const start = write(log, [7, 8]);
    log.free(start + 1, 1, log.openDelta);
    expect(read(log, start, 1)).toEqual([7]);
    log.free(start, 1, log.openDelta);
    const again = write(log, [9, 10]);
    expect(read(log, again, 2)).toEqual([9, 10]);
    log.commitSync();
    const image = device.kill();
    const seen = new Uint8Array(image.sizeBytes);
    image.readSync(0, [seen]);
    expect(Buffer.from(seen).includes(Buffer.alloc(32, 7))).toBe(false);
    expect(Buffer.from(seen).includes(Buffer.alloc(32, 9))).toBe(true);
  });

  it('are written at once where too many would wait', () => {
    const { device, log } = format(3 * BLOCK_BYTES);
    const writesBefore = device.operationCounts.write;
    const start = write(log, [1, 2]);
    expect(device.operationCounts.write).toBe(writesBefore);
    const direct = write(log, [3, 4]);
    expect(device.operationCounts.write).toBe(writesBefore + 1);
    expect([...read(log, start, 2), ...read(log, direct, 2)]).toEqual([1, 2, 3, 4]);
    log.commitSync();
    expect([...read(log, start, 2), ...read(log, direct, 2)]).toEqual([1, 2, 3, 4]);
  });

  it('are read as written while deltas overlap, each filled while the one before is being written', async () => {
    // Room for three blocks a delta: two deltas of two share an arena only in part.
    const { log } = format(3 * BLOCK_BYTES);
    const starts: number[] = [];
    const expected: number[] = [];
    let committed: Promise<number> = Promise.resolve(0);
    for (let round = 0; round < 24; round++) {
      const previous = committed;
      starts.push(write(log, [round * 2 + 1, round * 2 + 2]));
      expected.push(round * 2 + 1, round * 2 + 2);
      expect(starts.flatMap((start) => read(log, start, 2))).toEqual(expected);
      committed = log.commit();
      await previous;
      expect(starts.flatMap((start) => read(log, start, 2))).toEqual(expected);
    }
    await committed;
    expect(starts.flatMap((start) => read(log, start, 2))).toEqual(expected);
  });
});

import { MemoryDevice } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { AllocLog } from '../src/index.ts';
import { RegisterClient } from '../src/testing.ts';

const quiet = { cacheBytes: 1 << 19, bounds: { zeroAheadBytes: 0 } };

function format(device = new SimulatedDevice(), options: Parameters<typeof AllocLog.format>[1] = {}) {
  const registers = new RegisterClient();
  const log = AllocLog.format(device, { blockSize: 512, ...quiet, ...options }, registers);
  return { device, log, registers };
}

function reopen(device: Parameters<typeof AllocLog.open>[0], options: Parameters<typeof AllocLog.open>[1] = {}) {
  const registers = new RegisterClient();
  const log = AllocLog.open(device, { ...quiet, ...options }, registers);
  registers.opened();
  return { log, registers };
}

describe.each([512, 4096, 16384])('block size %i', (blockSize) => {
  it('keeps what was committed, and only that, without a clean end', () => {
    const { device, log, registers } = format(new SimulatedDevice(), { blockSize });
    registers.set(1, 'one');
    registers.set(2, 'two');
    log.commitSync();
    registers.set(1, 'uno');
    registers.delete(2);
    registers.set(3, 'three');
    log.commitSync();
    registers.set(4, 'never committed');
    const again = reopen(device.kill());
    expect([...again.registers.content()]).toEqual([
      [1, 'uno'],
      [3, 'three'],
    ]);
    expect(again.registers.audit()).toEqual([]);
    expect(again.log.recovery).toMatchObject({ replayedDeltas: 2, delta: 2, droppedDelta: null, relocatedBlocks: 2 });
  });

  it('reopens after a clean close with nothing to replay', async () => {
    const device = new MemoryDevice();
    const registers = new RegisterClient();
    const log = AllocLog.format(device, { blockSize, ...quiet }, registers);
    for (let round = 0; round < 20; round++) {
      for (let id = 0; id < 10; id++) registers.set(id, `${round}.${id}`);
      await log.commit();
    }
    await log.close();
    const again = reopen(MemoryDevice.fromImage(device.snapshot()));
    expect(again.registers.content().get(7)).toBe('19.7');
    expect(again.registers.audit()).toEqual([]);
    expect(again.log.recovery).toMatchObject({ replayedDeltas: 0, relocatedBlocks: 0 });
  });
});

describe('the cost of a commit', () => {
  it('is two blocks in one write and one flush', () => {
    const { device, log, registers } = format();
    registers.set(0, 'a');
    log.commitSync();
    const before = { ...device.operationCounts };
    const bytesBefore = log.stats().bytesWritten;
    registers.set(0, 'b');
    log.commitSync();
    const after = device.operationCounts;
    expect(after.write - before.write).toBe(1);
    expect(after.flush - before.flush).toBe(1);
    const bytesAfter = log.stats().bytesWritten;
    expect(bytesAfter.leaf - bytesBefore.leaf).toBe(512);
    expect(bytesAfter.log - bytesBefore.log).toBe(512);
  });

  it('is shared by everybody who commits while one is in flight', async () => {
    const { log, registers } = format();
    registers.set(0, 'first');
    const first = log.commit();
    await Promise.resolve();
    const others = [1, 2, 3, 4, 5].map((id) => {
      registers.set(id, 'more');
      return log.commit();
    });
    expect(await first).toBe(1);
    expect(await Promise.all(others)).toEqual([2, 2, 2, 2, 2]);
    expect(log.stats().commits).toBe(2);
  });

  it('is nothing when nothing changed', async () => {
    const { device, log, registers } = format();
    registers.set(0, 'x');
    expect(await log.commit()).toBe(1);
    const before = { ...device.operationCounts };
    expect(await log.commit()).toBe(1);
    expect(log.commitSync()).toBe(1);
    expect(device.operationCounts).toEqual(before);
  });
});

describe('a transaction', () => {
  it('cannot be committed from inside, and a commit asked for inside comes after it', async () => {
    const { log, registers } = format();
    let promise: Promise<number> | undefined;
    log.transact(() => {
      registers.set(0, 'a');
      promise = log.commit();
      expect(() => log.commitSync()).toThrow(/transaction/);
      registers.set(1, 'b');
    });
    expect(await promise).toBe(1);
    expect(log.durableDelta).toBe(1);
  });
});

describe('a synchronous commit', () => {
  it('overtakes one in flight by issuing its writes again', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const device = new SimulatedDevice({ hold: (request) => (request.operation === 'flush' ? held : undefined) });
    const { log, registers } = format(device);
    registers.set(0, 'slow');
    const slow = log.commit();
    await Promise.resolve();
    await Promise.resolve();
    registers.set(0, 'fast');
    expect(log.commitSync()).toBe(2);
    expect(await slow).toBe(1);
    // The asynchronous flush is still under way: what is durable is so by the synchronous one.
    const again = reopen(new SimulatedDevice({ medium: device.medium.durableImage() }));
    expect(again.registers.content().get(0)).toBe('fast');
    release();
    await log.close();
    expect(reopen(device.kill()).registers.content().get(0)).toBe('fast');
  });
});

describe('a failure', () => {
  it('of any write or flush latches, is told to all who wait, and loses nothing that was acknowledged', async () => {
    for (const operation of ['write', 'flush'] as const) {
      for (let nth = 1; nth <= 12; nth++) {
        const { device, log, registers } = format(new SimulatedDevice(), {
          bounds: { zeroAheadBytes: 0, logBlocks: 3 },
        });
        device.failAt({ operation, nth, effect: 'error' });
        let acknowledged = 0;
        let failed = false;
        for (let round = 1; round <= 12; round++) {
          try {
            registers.set(0, String(round));
            if (round % 2 === 0) await log.commit();
            else log.commitSync();
            acknowledged = round;
          } catch (error) {
            expect(error).toMatchObject({ code: 'ELATCHED' });
            failed = true;
            break;
          }
        }
        // A checkpoint that fails in the background is told to the next who asks.
        if (!failed) expect(() => registers.set(0, 'more')).toThrow(/no further changes/);
        const writes = device.operationCounts.write;
        await expect(log.close()).rejects.toMatchObject({ code: 'ELATCHED' });
        expect(device.operationCounts.write).toBe(writes);
        const again = reopen(device.kill());
        expect(Number(again.registers.content().get(0) ?? 0)).toBeGreaterThanOrEqual(acknowledged);
        expect(again.registers.audit()).toEqual([]);
      }
    }
  });
});

describe('space', () => {
  it('runs out with an error that changes nothing, and comes back by deleting', () => {
    const { log, registers } = format(new SimulatedDevice(), { maxBytes: 512 * 600 });
    let count = 0;
    expect(() => {
      for (;;) registers.set(count++, 'full');
    }).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    count--;
    expect(registers.registers.size).toBe(count);
    log.commitSync();
    for (let id = 0; id < count; id++) registers.delete(id);
    log.commitSync();
    for (let id = 0; id < count - 4; id++) registers.set(id, 'again');
    log.commitSync();
    expect(registers.audit()).toEqual([]);
  });

  it('returns to where it was after creating and deleting in a loop, and adds up at every step', () => {
    const { log, registers } = format(new SimulatedDevice(), {
      maxBytes: 512 * 1000,
      bounds: { zeroAheadBytes: 0, logBlocks: 5 },
    });
    const used: number[] = [];
    for (let round = 0; round < 100; round++) {
      for (let id = 0; id < 30; id++) registers.set(id, `round ${round}`);
      sums(log);
      log.commitSync();
      for (let id = 0; id < 30; id++) registers.delete(id);
      log.commitSync();
      sums(log);
      if (round % 10 === 9) {
        log.checkpointSync();
        used.push(log.stats().usedBlocks);
      }
    }
    expect(new Set(used).size).toBe(1);
  });

  it('that an open view can see is not reused', () => {
    const { log, registers } = format(new SimulatedDevice(), { maxBytes: 512 * 500 });
    registers.set(0, 'seen');
    log.commitSync();
    const { block } = registers.registers.get(0)!.leaf;
    const view = log.openView();
    for (let round = 0; round < 600; round++) {
      registers.set(0, `round ${round}`);
      expect(registers.registers.get(0)!.leaf.block).not.toBe(block);
      if (round % 3 === 0) log.commitSync();
      if (log.stats().waitingBlocks > 100) break;
    }
    expect(log.stats().openViews).toBe(1);
    view.release();
    log.commitSync();
    expect(log.stats().waitingBlocks).toBeLessThan(20);
  });
});

function sums(log: AllocLog): void {
  const { usedBlocks, freeBlocks, waitingBlocks, reservedBlocks, limitBlocks } = log.stats();
  expect(usedBlocks + freeBlocks + waitingBlocks + reservedBlocks).toBe(limitBlocks);
}

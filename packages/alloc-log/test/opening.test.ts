/**
 * What a writable opening does with the last delta, in the corners that random workloads rarely reach.
 */
import { CorruptionError, LatchedError } from '@outwrite/blockdev';
import { crashPoints, SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { AllocLog } from '../src/index.ts';
import { RegisterClient } from '../src/testing.ts';

const options = { cacheBytes: 1 << 19, bounds: { zeroAheadBytes: 0 } };

function format(maxBytes = 700 * 512) {
  const device = new SimulatedDevice();
  const registers = new RegisterClient();
  const log = AllocLog.format(device, { blockSize: 512, maxBytes, ...options }, registers);
  return { device, log, registers };
}

function open(device: SimulatedDevice) {
  const registers = new RegisterClient();
  const log = AllocLog.open(device, options, registers);
  registers.opened();
  return { log, registers };
}

describe('an extent of the last delta', () => {
  const RUN_BLOCKS = 24;

  /** A volume without a free run near at hand, whose last delta wrote an extent; its flush failed, so only the cache of the system has it. */
  function fullAndFragmented() {
    const { device, log, registers } = format();
    registers.set(0, 'before', { dataBlocks: RUN_BLOCKS });
    const { start } = registers.registers.get(0)!.data!;
    let count = 2;
    try {
      for (;;) {
        registers.set(count++, 'fills');
        if (count % 20 === 0) log.commitSync();
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    for (let id = 2; id < count; id += 2) registers.delete(id);
    log.checkpointSync();
    registers.delete(0);
    log.checkpointSync();
    registers.set(1, 'after', { dataBlocks: RUN_BLOCKS, goal: start });
    expect(registers.registers.get(1)!.data!.start).toBe(start);
    device.failAt({ operation: 'flush', nth: 1, effect: 'error' });
    expect(() => log.commitSync()).toThrow(LatchedError);
    return { device: device.kill(), start };
  }

  it('that finds no run for a copy is written again where it is, so that a power cut after the opening leaves it', () => {
    const { device, start } = fullAndFragmented();
    const opened = open(device);
    expect(opened.log.recovery).toMatchObject({ droppedDelta: null });
    expect(opened.registers.get(1)).toBe('after');
    expect(opened.registers.registers.get(1)!.data!.start, 'there was no run').toBe(start);
    const { registers } = open(new SimulatedDevice({ medium: device.medium.durableImage() }));
    expect(registers.get(1)).toBe('after');
    expect(registers.audit()).toEqual([]);
  });

  it('is copied where there is a run', () => {
    const { device, log, registers } = format();
    registers.set(1, 'after', { dataBlocks: RUN_BLOCKS });
    const { start } = registers.registers.get(1)!.data!;
    device.failAt({ operation: 'flush', nth: 1, effect: 'error' });
    expect(() => log.commitSync()).toThrow(LatchedError);
    const next = device.kill();
    const opened = open(next);
    expect(opened.registers.registers.get(1)!.data!.start).not.toBe(start);
    const again = open(new SimulatedDevice({ medium: next.medium.durableImage() }));
    expect(again.registers.get(1)).toBe('after');
    expect(again.registers.audit()).toEqual([]);
  });
});

describe('a last delta for whose copies there is no room', () => {
  /** Sets registers from `id` on until there is no room for more in this delta, commits, and returns the number of the next one. */
  function fillDelta(log: AllocLog, registers: RegisterClient, id: number): number {
    let next = id;
    try {
      log.transact(() => {
        for (;;) registers.set(next++, `of ${id}`);
      });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
      next--;
    }
    log.commitSync();
    return next;
  }

  it('because the one after it filled the volume and is not all there, is written again where it is', () => {
    const { device, log, registers } = format(1500 * 512);
    const second = fillDelta(log, registers, 0);
    const end = fillDelta(log, registers, second);
    // A commit leaves room for a copy of its own delta, which is the smaller one here.
    expect(end - second).toBeLessThan(second);
    device.flipBit(registers.registers.get(end - 1)!.leaf.block * 512, 0);
    const next = device.kill();
    const places = (from: RegisterClient) => [...from.registers].map(([id, { leaf }]) => [id, leaf.block]);
    const before = places(registers).filter(([id]) => id! < second);
    const opened = open(next);
    expect(opened.log.recovery).toMatchObject({ droppedDelta: log.durableDelta, relocatedBlocks: 0 });
    expect(places(opened.registers)).toEqual(before);
    expect(opened.registers.audit()).toEqual([]);
    for (const medium of [next.medium.visibleImage(), next.medium.durableImage()]) {
      const again = open(new SimulatedDevice({ medium }));
      expect([...again.registers.content()]).toEqual(Array.from({ length: second }, (_, id) => [id, 'of 0']));
      expect(again.registers.audit()).toEqual([]);
      again.registers.delete(0);
      again.log.commitSync();
    }
  });
});

describe('a log block whose write was reported as failed and that reaches the medium later', () => {
  const bounds = { zeroAheadBytes: 0, flushFirstBytes: 0 };

  /**
   * A volume in its second life, so that this one and the next look for free blocks in the same order; the first delta touches many nodes,
   * so that the next opening has much to write; the commit of the second one fails at its n-th write, if it has so many.
   */
  function changed(registerCount: number, failingWrite: number) {
    const first = format();
    for (let id = 0; id < 300; id++) first.registers.set(id, 'before');
    first.log.checkpointSync();
    const device = first.device.kill();
    const registers = new RegisterClient();
    const log = AllocLog.open(device, { ...options, bounds }, registers);
    registers.opened();
    for (let id = 0; id < 300; id += registers.perNode) registers.set(id, 'kept');
    log.commitSync();
    for (let id = 1; id <= registerCount; id++) registers.set(id * 2 + 1, 'after');
    device.failAt({ operation: 'write', nth: failingWrite, effect: 'error' });
    let isLatched = false;
    try {
      log.commitSync();
    } catch (error) {
      expect(error).toBeInstanceOf(LatchedError);
      isLatched = true;
    }
    return { device, isLatched };
  }

  it.each([
    ['the only one of its delta', 10],
    ['one of several of its delta', 60],
  ])('leads to nothing that the opening has written over: %s', (_name, registerCount) => {
    let failingWrite = 1;
    for (; ; failingWrite++) {
      const { device, isLatched } = changed(registerCount, failingWrite);
      if (!isLatched) break;
      const failed = new Set(
        device.medium.pending.filter(({ state }) => state === 'failed').map((write) => write.ordinal),
      );
      expect(failed.size).toBe(1);
      const next = device.kill();
      open(next);
      for (const point of crashPoints(next.trace)) {
        for (const others of ['keep', 'drop'] as const) {
          const image = point.image({ fate: (write) => (failed.has(write.ordinal) ? 'keep' : others), keepSize: true });
          const { registers } = open(new SimulatedDevice({ medium: image }));
          const afterCount = [...registers.content().values()].filter((text) => text === 'after').length;
          expect([0, registerCount], `write ${failingWrite}, point ${point.pointIndex}`).toContain(afterCount);
          expect(registers.audit()).toEqual([]);
        }
      }
    }
    expect(failingWrite).toBeGreaterThan(2);
  });
});

describe('a block that is in use and counts as free', () => {
  /** An image in which a promise leads to a block that its delta has not allocated. */
  function imageOfAFreeLeaf(): SimulatedDevice {
    const { device, log, registers } = format();
    // Room further ahead, so that the opening does not happen to copy the leaf to where it is.
    registers.set(1, 'makes room');
    log.commitSync();
    registers.delete(1);
    log.commitSync();
    registers.set(2, 'not allocated');
    log.free(registers.registers.get(2)!.leaf.block, 1, log.openDelta);
    log.commitSync();
    return device.kill();
  }

  it('is damage that ends a writable opening, and no failed assertion', () => {
    const device = imageOfAFreeLeaf();
    const { block } = (() => {
      const registers = new RegisterClient();
      AllocLog.open(device, { ...options, readOnly: true }, registers);
      return registers.registers.get(2)!.leaf;
    })();
    let error: unknown;
    try {
      open(device);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CorruptionError);
    expect(error).toMatchObject({ code: 'ECORRUPT', structure: 'free map', block });
  });

  it('is damage that latches the volume when it is freed, in any place of an extent', () => {
    for (const [start, count] of [
      [500, 1],
      [498, 4],
    ] as const) {
      const { log, registers } = format();
      registers.set(1, 'sound');
      log.commitSync();
      while (!log.ensure(0, 0, true));
      const birth = log.openDelta - 1;
      expect(() => log.free(start, count, birth)).toThrow(LatchedError);
      expect(log.latched!.cause).toMatchObject({ code: 'ECORRUPT', structure: 'free map', block: start });
    }
  });

  it('is found before anything of its extent has changed', () => {
    const { log, registers } = format();
    registers.set(1, 'sound', { dataBlocks: 3 });
    log.commitSync();
    const { start, birth } = registers.registers.get(1)!.data!;
    const used = [...log.usedExtents()];
    // One block more than the extent has; nothing was ever allocated behind it but the log, which no map counts.
    const free = [...log.usedExtents()].find((extent) => extent.start + extent.count >= start + 3)!;
    const beyond = free.start + free.count;
    expect(() => log.free(start, beyond + 1 - start, birth)).toThrow(LatchedError);
    expect(log.latched!.cause).toMatchObject({ code: 'ECORRUPT', block: beyond });
    expect([...log.usedExtents()]).toEqual(used);
  });
});

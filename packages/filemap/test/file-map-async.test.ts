/**
 * Files while writes and flushes are under way: asynchronous writes from the caller's memory, pages that change while they are being
 * written, devices that fail.
 */
import {
  ClosedError,
  DeviceError,
  ForwardingDevice,
  LatchedError,
  MemoryDevice,
  NoSpaceError,
} from '@outwrite/blockdev';
import { type HeldRequest, SimulatedDevice } from '@outwrite/blockdev/testing';
import { Random, testSeed, unevenHold } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { expectBytes, Harness, pattern } from './harness.ts';

const KIB = 1024;
const MIB = 1024 * 1024;

/** A device whose asynchronous requests wait until they are let go. */
class Gate {
  readonly held: { request: HeldRequest; release: () => void }[] = [];
  isOpen = true;

  readonly hold = (request: HeldRequest): Promise<void> | undefined => {
    if (this.isOpen) return undefined;
    return new Promise((resolve) => {
      this.held.push({ request, release: resolve });
    });
  };

  async open(): Promise<void> {
    this.isOpen = true;
    while (this.held.length > 0) {
      this.held.shift()!.release();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  }
}

function gated(blockSize = 4096): { harness: Harness; gate: Gate; device: SimulatedDevice } {
  const gate = new Gate();
  const device = new SimulatedDevice({ hold: gate.hold, maxSizeBytes: 64 * MIB, trace: false });
  const harness = new Harness({ device, blockSize, maxBytes: 64 * MIB });
  return { harness, gate, device };
}

/** Lets everything run that waits for nothing. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

describe('asynchronous writes', () => {
  it.each([512, 4096, 16384])('do the same as synchronous ones (%i)', async (blockSize) => {
    const harness = new Harness({ blockSize });
    const random = new Random(testSeed('files while writes are under way'));
    for (let round = 0; round < 40; round++) {
      const position = random.below(400 * KIB);
      const lengthBytes = random.below(round % 4 === 0 ? 3 * MIB : 200 * KIB);
      await harness.writeAsync(position, pattern(round, lengthBytes));
      harness.expectContent();
      if (round % 5 === 0) await harness.store.commit();
      if (round % 7 === 0) harness.truncate(random.below(400 * KIB));
    }
    harness.commit();
    harness.crash();
    harness.expectContent();
  });

  it('take effect when they end, and belong to the delta that is open then', async () => {
    const { harness, gate } = gated();
    harness.write(0, pattern(1, 256 * KIB));
    harness.commit();
    gate.isOpen = false;
    const source = pattern(2, 128 * KIB);
    const writing = harness.file.writeAsync(64 * KIB, source);
    await settle();
    expect(gate.held.length).toBeGreaterThan(0);
    harness.expectContent();
    harness.write(64 * KIB + 100, pattern(3, 5000));
    const delta = harness.store.log.openDelta;
    harness.commit();
    harness.expectContent();
    await gate.open();
    await writing;
    harness.model.set(source, 64 * KIB);
    harness.expectContent();
    const births = harness.file.mapRegion(16, 32, 'read').map((segment) => segment.birth);
    expect(Math.min(...births)).toBe(delta + 1);
    harness.commit();
    harness.expectContent();
  });

  it('latch where the device throws instead of rejecting', async () => {
    class ThrowingDevice extends ForwardingDevice {
      override write(): Promise<void> {
        throw new DeviceError({ operation: 'write' }, 'bad sector');
      }
    }
    const harness = new Harness({ device: new ThrowingDevice(new MemoryDevice()) });
    await expect(harness.file.writeAsync(0, pattern(1, 256 * KIB))).rejects.toThrow(LatchedError);
    expect(harness.store.log.latched).toBeInstanceOf(LatchedError);
  });

  it('of one place: the one that ends last stays', async () => {
    const { harness, gate } = gated();
    gate.isOpen = false;
    const first = harness.file.writeAsync(0, pattern(1, 64 * KIB));
    await settle();
    const ofFirst = gate.held.splice(0);
    const second = harness.file.writeAsync(0, pattern(2, 64 * KIB));
    await settle();
    for (const { release } of gate.held.splice(0)) release();
    await second;
    for (const { release } of ofFirst) release();
    await first;
    const bytes = new Uint8Array(64 * KIB);
    harness.file.read(0, bytes);
    expectBytes(bytes, pattern(1, 64 * KIB));
    gate.isOpen = true;
    harness.commit();
    harness.file.read(0, bytes);
    expectBytes(bytes, pattern(1, 64 * KIB));
  });

  it('to a file that is removed meanwhile are refused, and give their blocks back', async () => {
    const { harness, gate } = gated();
    const free = harness.freeBlocks();
    gate.isOpen = false;
    const writing = harness.file.writeAsync(0, pattern(1, 512 * KIB));
    const refused = expect(writing).rejects.toThrow(ClosedError);
    await settle();
    expect(harness.maps.remove(harness.fileId).done).toBe(true);
    await gate.open();
    await refused;
    expect(harness.freeBlocks()).toBe(free);
    expect(harness.maps.stats().openFiles).toBe(0);
  });

  it('go on when the file is closed meanwhile', async () => {
    const { harness, gate } = gated();
    gate.isOpen = false;
    const writing = harness.file.writeAsync(100, pattern(1, 200 * KIB));
    await settle();
    harness.file.close();
    await gate.open();
    await writing;
    harness.file = harness.maps.open(harness.fileId, 200 * KIB + 100);
    harness.model = new Uint8Array(200 * KIB + 100);
    harness.model.set(pattern(1, 200 * KIB), 100);
    harness.expectContent();
    harness.commit();
    harness.expectContent();
  });

  it('that the volume has no room for change nothing', async () => {
    const harness = new Harness({ device: new MemoryDevice({ maxSizeBytes: 6 * MIB }) });
    let refused: unknown = null;
    for (let position = 0; refused === null; position += MIB) {
      await harness.writeAsync(position, pattern(position, MIB)).catch((error: unknown) => {
        refused = error;
      });
    }
    expect(refused).toBeInstanceOf(NoSpaceError);
    expect(harness.model.length).toBeGreaterThanOrEqual(MIB);
    harness.expectContent();
    harness.commit();
    harness.crash();
    harness.expectContent();
  });

  it('that fail latch the volume', async () => {
    const { harness, device } = gated();
    harness.write(0, pattern(1, 128 * KIB));
    harness.commit();
    device.failAt({ operation: 'write', nth: 1, effect: 'error' });
    await expect(harness.file.writeAsync(0, pattern(2, 128 * KIB))).rejects.toThrow(LatchedError);
    expect(() => harness.file.write(0, pattern(3, 10))).toThrow(LatchedError);
    harness.expectContent();
  });
});

describe('a device that fails', () => {
  it('under a direct write latches, and the content is what it was', () => {
    const { harness, device } = gated();
    harness.write(0, pattern(1, 128 * KIB));
    harness.commit();
    device.failAt({ operation: 'write', nth: 1, effect: 'error' });
    expect(() => harness.file.write(0, pattern(2, 128 * KIB))).toThrow(LatchedError);
    expect(() => harness.file.truncate(5)).toThrow(LatchedError);
    harness.expectContent();
  });

  it('to grow is a full volume', () => {
    const { harness, device } = gated();
    harness.write(0, pattern(1, 128 * KIB));
    harness.commit();
    device.failAt({ operation: 'grow', nth: 1, effect: 'error' });
    let refused: unknown = null;
    for (let position = 0; refused === null && position < 16 * MIB; position += MIB) {
      try {
        harness.write(position, pattern(position, MIB));
      } catch (error) {
        refused = error;
      }
    }
    expect(refused).toBeInstanceOf(NoSpaceError);
    harness.expectContent();
    harness.write(harness.model.length, pattern(3, MIB));
    harness.commit();
    harness.expectContent();
  });

  it('to read is an error, and a later read works', () => {
    const { harness, device } = gated();
    harness.write(0, pattern(1, 128 * KIB));
    harness.commit();
    device.failAt({ operation: 'read', nth: 1, effect: 'error' });
    expect(() => harness.file.read(0, new Uint8Array(128 * KIB))).toThrow('simulated read error');
    harness.expectContent();
  });
});

describe('pages that are being written', () => {
  it.each([512, 4096])(
    'lesson 23: are forked by changes, while completions are delayed at random (%i)',
    async (blockSize) => {
      const random = new Random(testSeed('files while writes are under way'));
      const device = new SimulatedDevice({ hold: unevenHold(random), maxSizeBytes: 64 * MIB, trace: false });
      const harness = new Harness({ device, blockSize, cacheBytes: 64 * blockSize });
      const commits: Promise<unknown>[] = [];
      for (let step = 0; step < 400; step++) {
        const position = random.below(40 * blockSize);
        harness.write(position, pattern(step, 1 + random.below(3 * blockSize)));
        if (random.chance(0.3)) commits.push(harness.store.commit());
        if (random.chance(0.1)) harness.truncate(random.below(50 * blockSize));
        if (random.chance(0.1)) harness.punchHole(random.below(40 * blockSize), random.below(9 * blockSize));
        if (random.chance(0.05)) harness.store.commitSync();
        if (random.chance(0.5)) await Promise.resolve();
        if (step % 10 === 0) harness.expectContent();
      }
      await Promise.all(commits);
      await harness.store.commit();
      harness.expectContent();
      harness.store.log.cache.checkInvariants();
    },
  );

  it('stay until they are written, though the file is closed', async () => {
    const { harness, gate } = gated();
    harness.write(0, pattern(1, 20000));
    gate.isOpen = false;
    const committing = harness.store.commit();
    await settle();
    harness.file.close();
    expect(harness.maps.stats().openFiles).toBe(1);
    harness.file = harness.maps.open(harness.fileId, 20000);
    harness.expectContent();
    harness.write(5000, pattern(2, 300));
    harness.expectContent();
    await gate.open();
    await committing;
    await harness.store.commit();
    harness.expectContent();
    harness.file.close();
    expect(harness.maps.stats().openFiles).toBe(0);
  });
});

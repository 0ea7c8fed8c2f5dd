/**
 * Faults of the ancestor that a log and its free map can make (docs/testing.md lists all of them), each with the test that would have
 * caught it.
 */
import { getU48, SECTOR_BYTES } from '@outwrite/blockdev';
import { crashPoints, SimulatedDevice } from '@outwrite/blockdev/testing';
import { everyCrashPoint, Random } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { pageBlockCount } from '../src/free-map-format.ts';
import { AllocLog, type DeltaSealer, type Extent, readLogChain, readSlots, SpaceAudit } from '../src/index.ts';
import { logPayloadBytes } from '../src/log-block-format.ts';
import { SLOT_BYTES, SLOT_POSITIONS, SUPERBLOCK_LAYOUT } from '../src/superblock-format.ts';
import { RegisterClient } from '../src/testing.ts';

const BLOCK_BYTES = 512;
/** The smallest volume there is with such blocks. */
const TINY_BYTES = 296 * BLOCK_BYTES;
const options = { cacheBytes: 1 << 19, bounds: { zeroAheadBytes: 0 } };

function format(maxBytes?: number, logBlocks = 288) {
  const device = new SimulatedDevice();
  const registers = new RegisterClient();
  const log = AllocLog.format(
    device,
    {
      blockSize: BLOCK_BYTES,
      ...options,
      bounds: { ...options.bounds, logBlocks },
      ...(maxBytes === undefined ? {} : { maxBytes }),
    },
    registers,
  );
  return { device, log, registers };
}

function open(device: SimulatedDevice, readOnly = false) {
  const registers = new RegisterClient();
  const log = AllocLog.open(device, { ...options, readOnly }, registers);
  registers.opened();
  return { device, log, registers };
}

/** What the next process finds, without a clean end and without touching what this one goes on with. */
function reopened(device: SimulatedDevice, readOnly = false) {
  return open(new SimulatedDevice({ medium: device.medium.visibleImage() }), readOnly);
}

function usedBlocks(log: AllocLog): number {
  let count = 0;
  for (const extent of log.usedExtents()) count += extent.count;
  return count;
}

/** A log whose registers, and holes between them, lie scattered over the whole volume. */
function fragmented(maxBytes: number) {
  const volume = format(maxBytes);
  const { log, registers } = volume;
  const count = Math.min(700, maxBytes / BLOCK_BYTES - 200);
  for (let id = 0; id < count; id++) {
    registers.set(id, `first ${id}`);
    // Space between them that is given back below, in another order.
    if (id % 40 === 39) log.commitSync();
  }
  for (let id = 0; id < count; id += 2) registers.delete(id);
  log.checkpointSync();
  log.checkpointSync();
  return volume;
}

/** Registers that make the records of a delta as long as one likes, to the byte. */
class PaddedRegisters extends RegisterClient {
  paddingBytes = 0;

  override seal(sealer: DeltaSealer): void {
    super.seal(sealer);
    sealer.gone(new Uint8Array(this.paddingBytes).fill(0xfd));
  }

  override replayGone(payload: Uint8Array): void {
    if (payload.length === 4) super.replayGone(payload);
    else expect(payload).toEqual(new Uint8Array(payload.length).fill(0xfd));
  }
}

describe('lessons', () => {
  it('lesson 4: a log block may lie where the same log has freed something, and replay knows it', () => {
    const { device, log, registers } = format(TINY_BYTES);
    const model = new Map<number, string>();
    let reusedCount = 0;
    for (let round = 0; round < 400; round++) {
      const id = round % 7;
      registers.set(id, `round ${round}`);
      model.set(id, `round ${round}`);
      log.commitSync();
      const { deltas } = readLogChain(device, readSlots(device).chosen);
      const freed = new Set<number>();
      for (const { blocks, records } of deltas) {
        if (blocks.some((block) => freed.has(block))) reusedCount++;
        for (const { start, count } of records.frees) for (let i = 0; i < count; i++) freed.add(start + i);
      }
      if (round % 10 !== 0) continue;
      const again = reopened(device);
      expect(again.registers.content()).toEqual(model);
      expect(again.registers.audit()).toEqual([]);
    }
    expect(reusedCount, 'log blocks on blocks that the log frees').toBeGreaterThan(10);
  });

  it('lesson 5: crash, open, write, crash again: the log blocks of before are not written to', async () => {
    const first = format(TINY_BYTES);
    for (let round = 0; round < 30; round++) {
      first.registers.set(round % 5, `first life ${round}`);
      first.log.commitSync();
    }
    const image = first.device.medium.visibleImage();
    const acknowledged = '29';
    const work = (device: SimulatedDevice): void => {
      const { log, registers } = open(device);
      for (let round = 0; round < 6; round++) {
        registers.set(round % 5, `second life ${30 + round}`);
        log.commitSync();
        device.note(String(30 + round));
      }
    };
    const newest = (registers: RegisterClient): string =>
      String(Math.max(...[...registers.content().values()].map((value) => Number(value.split(' ').at(-1)))));
    const report = await everyCrashPoint(
      work,
      ({ device, notes }) => {
        const { registers } = open(device);
        expect(Number(newest(registers))).toBeGreaterThanOrEqual(Number(notes.at(-1) ?? acknowledged));
        expect(registers.content().size).toBe(5);
        expect(registers.audit()).toEqual([]);
      },
      { seed: 5, device: { medium: image }, pieceBytes: BLOCK_BYTES, maxPieces: 3, rounds: 2 },
    );
    expect(report.stateCount).toBeGreaterThan(50);
  });

  it.each([TINY_BYTES, 3 * pageBlockCount(BLOCK_BYTES) * BLOCK_BYTES])(
    'lesson 12: the image of the free map is the state at its boundary with its own allocations and without its retirements (%i)',
    (maxBytes) => {
      const { device, log, registers } = fragmented(maxBytes);
      const random = new Random(12);
      for (let round = 0; round < 25; round++) {
        for (let i = 0; i < 5; i++) registers.set(random.below(90), `round ${round}`);
        if (random.chance(0.3)) registers.delete(random.below(90));
        log.checkpointSync();
        const { chosen } = readSlots(device);
        expect(readLogChain(device, chosen).deltas).toEqual([]);
        // Nothing is replayed: this is the image alone.
        const image = reopened(device, true).log;
        expect([...image.usedExtents()]).toEqual([...log.usedExtents()]);
        const audit = new SpaceAudit(image);
        for (const { start, count } of image.systemExtents()) {
          expect(audit.reach(start, count, 'the image itself')).toEqual([]);
          const holder = [...image.usedExtents()].find(
            (used) => used.start <= start && start < used.start + used.count,
          );
          expect(holder, `block ${start} of the image counts as used in it`).toBeDefined();
        }
        expect(registers.audit()).toEqual([]);
      }
    },
  );

  it('lesson 13: a crash between a checkpoint and the next delta finds the log that the older slot needs', async () => {
    const report = await everyCrashPoint(
      (device) => {
        const registers = new RegisterClient();
        const log = AllocLog.format(device, { blockSize: BLOCK_BYTES, ...options, maxBytes: TINY_BYTES }, registers);
        for (let round = 1; round <= 12; round++) {
          registers.set(0, String(round));
          if (round % 3 === 0) log.checkpointSync();
          else log.commitSync();
          device.note(round);
        }
      },
      ({ device, notes }) => {
        const acknowledged = (notes.at(-1) as number | undefined) ?? 0;
        if (acknowledged === 0) return;
        const { log, registers } = open(device, true);
        const found = registers.content().get(0);
        expect(Number(found)).toBeGreaterThanOrEqual(acknowledged);
        expect(registers.audit()).toEqual([]);
        // The older slot alone, with all of the log since.
        const older = new SimulatedDevice({ medium: device.medium.visibleImage() });
        const newerPosition = SLOT_POSITIONS[readSlots(device).chosen.generation % 2]!;
        older.writeSync(newerPosition, [new Uint8Array(SECTOR_BYTES)]);
        if (!log.recovery!.bothSlotsValid) return;
        expect(open(older, true).registers.content().get(0)).toBe(found);
      },
      { seed: 13, pieceBytes: BLOCK_BYTES, maxPieces: 3 },
    );
    expect(report.stateCount).toBeGreaterThan(100);
  });

  it('lesson 15: after replay the count of used blocks is that of the map', () => {
    const { device, log, registers } = format();
    const random = new Random(15);
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 8; i++) {
        if (random.chance(0.7)) registers.set(random.below(60), `round ${round}`);
        else registers.delete(random.below(60));
      }
      log.commitSync();
      if (random.chance(0.2)) log.checkpointSync();
      for (const { log: again } of [{ log }, reopened(device, true), reopened(device)]) {
        const { usedBlocks: used, freeBlocks, waitingBlocks, reservedBlocks, limitBlocks } = again.stats();
        // What a later checkpoint has replaced counts as used in the map until the next one.
        expect(used + again.retiredBlocks().length).toBe(usedBlocks(again));
        expect(used + freeBlocks + waitingBlocks + reservedBlocks).toBe(limitBlocks);
      }
    }
  });

  it('lesson 16: the records of a delta end at any byte of a log block, and of the one after', () => {
    const device = new SimulatedDevice({ trace: false });
    const registers = new PaddedRegisters();
    const log = AllocLog.format(device, { blockSize: BLOCK_BYTES, ...options }, registers);
    const payloadBytes = logPayloadBytes(BLOCK_BYTES);
    const blockCounts = new Set<number>();
    for (let paddingBytes = 5; paddingBytes < 2 * payloadBytes + 20; paddingBytes++) {
      registers.paddingBytes = paddingBytes;
      registers.set(paddingBytes % 3, String(paddingBytes));
      log.commitSync();
      const last = readLogChain(device, readSlots(device).chosen).deltas.at(-1)!;
      expect(last.records.gone.at(-1)!.length).toBe(paddingBytes);
      blockCounts.add(last.blocks.length);
      const again = new PaddedRegisters();
      const medium = device.medium.visibleImage();
      AllocLog.open(new SimulatedDevice({ medium, trace: false }), { ...options, readOnly: true }, again);
      expect(again.content()).toEqual(registers.content());
      if (paddingBytes % 20 === 0) log.checkpointSync();
    }
    expect([...blockCounts].sort()).toEqual([1, 2, 3]);
  });

  it('lesson 17: an extent of 65,536 blocks and more is allocated, freed and replayed as one', () => {
    const { device, log } = format(400_000 * BLOCK_BYTES);
    const before = usedBlocks(log);
    let total = 0;
    for (const blockCount of [65_535, 65_536, 65_537, 150_000]) {
      while (!log.ensure(blockCount, 0, false));
      let taken: Extent = log.allocateExtent(blockCount);
      for (let rest = blockCount - taken.count; rest > 0; rest -= taken.count) taken = log.allocateExtent(rest);
      total += blockCount;
      const birth = log.openDelta;
      log.commitSync();
      expect(usedBlocks(reopened(device, true).log)).toBe(before + total);
      expect(reopened(device, true).log.stats().usedBlocks).toBe(before + total);
      // Freed in a later delta, and in two pieces of the map.
      while (!log.ensure(0, 0, true));
      log.prepareFree(taken.start, taken.count);
      log.free(taken.start, taken.count, birth);
      total -= taken.count;
      log.commitSync();
      const { deltas } = readLogChain(device, readSlots(device).chosen);
      expect(deltas.at(-1)!.records.frees).toEqual([taken]);
      expect(usedBlocks(reopened(device, true).log)).toBe(before + total);
    }
  });

  it('lesson 17: a delta has more log blocks than a byte can count', () => {
    const { device, log } = format(100_000 * BLOCK_BYTES, 1000);
    while (!log.ensure(60_000, 0, false));
    const blocks = Array.from({ length: 60_000 }, () => log.allocateBlock());
    const birth = log.openDelta;
    log.commitSync();
    // Every other one: as many extents as there can be.
    while (!log.ensure(0, 0, true));
    for (let i = 0; i < blocks.length; i += 2) {
      log.prepareFree(blocks[i]!, 1);
      log.free(blocks[i]!, 1, birth);
    }
    log.commitSync();
    const last = readLogChain(device, readSlots(device).chosen).deltas.at(-1)!;
    expect(last.blocks.length).toBeGreaterThan(255);
    expect(last.records.frees.length).toBe(30_000);
    expect([...reopened(device, true).log.usedExtents()]).toEqual([...log.usedExtents()]);
  });

  it('lesson 26: extents across every boundary of a page of the free map are counted by log and audit alike', () => {
    const pageBlocks = pageBlockCount(BLOCK_BYTES);
    const pageCount = 6;
    const { device, log, registers } = format(pageCount * pageBlocks * BLOCK_BYTES);
    registers.set(1, 'something else');
    log.commitSync();
    const taken: Extent[] = [];
    const birth = log.openDelta;
    // Lengths that are no part of a page's, so that boundaries fall anywhere into them.
    const lengths = [pageBlocks - 700, 1001, pageBlocks + 3, 2 * pageBlocks - 17, 613];
    for (const blockCount of lengths) {
      while (!log.ensure(blockCount, 0, false));
      for (let rest = blockCount; rest > 0; ) {
        const extent = log.allocateExtent(rest);
        taken.push(extent);
        rest -= extent.count;
      }
    }
    const crossed = new Set<number>();
    for (const { start, count } of taken) {
      for (let page = 1; page < pageCount; page++) {
        if (start < page * pageBlocks && page * pageBlocks < start + count) crossed.add(page);
      }
    }
    expect([...crossed].sort(), 'boundaries within an extent').toEqual([1, 2, 3, 4]);
    const audited = (of: { log: AllocLog; registers: RegisterClient }): void => {
      const audit = new SpaceAudit(of.log);
      const findings = taken.flatMap(({ start, count }) => audit.reach(start, count, 'an extent'));
      for (const { leaf } of of.registers.registers.values())
        findings.push(...audit.reach(leaf.block, 1, 'a register'));
      findings.push(...audit.finish());
      // What is left over are the nodes of the registers, which the audit of the registers reaches.
      expect(findings.reduce((sum, { blockCount }) => sum + blockCount, 0)).toBeLessThanOrEqual(2);
      expect(of.log.stats().usedBlocks + of.log.retiredBlocks().length).toBe(usedBlocks(of.log));
    };
    log.commitSync();
    audited({ log, registers });
    audited(reopened(device));
    log.checkpointSync();
    audited({ log, registers });
    audited(reopened(device));
    // Each piece in turn, from the middle outwards.
    while (taken.length > 0) {
      const [{ start, count }] = taken.splice(taken.length >>> 1, 1) as [Extent];
      while (!log.ensure(0, 0, true));
      log.prepareFree(start, count);
      log.free(start, count, birth);
      log.commitSync();
      if (taken.length % 2 === 0) log.checkpointSync();
      audited({ log, registers });
      audited(reopened(device));
    }
  });

  it('lesson 30: a superblock that is torn at any sector, or full of garbage, leaves the state of before or after', () => {
    const { device, log, registers } = format();
    registers.set(0, 'before');
    log.checkpointSync();
    registers.set(0, 'after');
    log.commitSync();
    const traced = device.kill();
    const second = open(traced);
    second.registers.set(1, 'more');
    second.log.checkpointSync();
    let tornCount = 0;
    for (const point of crashPoints(traced.trace)) {
      const slotWrites = point.pending.filter(({ position }) => SLOT_POSITIONS.includes(position));
      for (const write of slotWrites) {
        const sectorCount = write.bytes.length / SECTOR_BYTES;
        expect(write.bytes.length).toBe(SLOT_BYTES);
        for (let sector = 0; sector < sectorCount; sector++) {
          const fates = [
            (index: number) => (index < sector ? 'keep' : 'drop'),
            (index: number) => (index > sector ? 'keep' : 'drop'),
            (index: number) => (index === sector ? 'keep' : 'drop'),
            (index: number) => (index === sector ? 'garbage' : 'keep'),
          ] as const;
          for (const fate of fates) {
            const image = point.image({
              fate: (pending, index) => (pending === write ? fate(index) : 'keep'),
              keepSize: true,
            });
            const again = open(new SimulatedDevice({ medium: image }), true);
            expect(again.registers.content().get(0)).toBe('after');
            expect(again.registers.audit()).toEqual([]);
            tornCount++;
          }
        }
      }
    }
    // Two slots are written first, two with the opening checkpoint, one with the last.
    expect(tornCount).toBeGreaterThanOrEqual(5 * 8 * 4);
  });

  it('lesson 30: there are two superblocks, and each is written over the older one', () => {
    const { device, log, registers } = format();
    const formatted = device.trace.events.length;
    for (let round = 0; round < 6; round++) {
      registers.set(0, `round ${round}`);
      log.checkpointSync();
    }
    const slots = device.trace.events
      .slice(formatted)
      .flatMap((event) => (event.kind === 'issue' && SLOT_POSITIONS.includes(event.position) ? [event] : []));
    expect(slots.length).toBe(6);
    for (let i = 1; i < slots.length; i++) {
      const generation = (index: number): number => getU48(slots[index]!.bytes, SUPERBLOCK_LAYOUT.generation);
      expect(generation(i)).toBe(generation(i - 1) + 1);
      expect(slots[i]!.position).not.toBe(slots[i - 1]!.position);
    }
  });
});

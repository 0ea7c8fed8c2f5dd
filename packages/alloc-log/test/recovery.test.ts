import { NoSpaceError } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it, vi } from 'vitest';
import { AllocLog, readLogChain, readSlots } from '../src/index.ts';
import { SLOT_POSITIONS, SUPERBLOCK_LAYOUT } from '../src/superblock-format.ts';
import { RegisterClient } from '../src/testing.ts';

const options = { cacheBytes: 1 << 20, bounds: { zeroAheadBytes: 0 } };

function format(device = new SimulatedDevice()) {
  const registers = new RegisterClient();
  const log = AllocLog.format(device, { blockSize: 512, ...options }, registers);
  return { device, log, registers };
}

function open(device: SimulatedDevice, more: { readOnly?: boolean } = {}) {
  const registers = new RegisterClient();
  const log = AllocLog.open(device, { ...options, ...more }, registers);
  registers.opened();
  return { log, registers };
}

/** Three committed deltas; register 0 holds the number of the last. */
function threeDeltas() {
  const { device, log, registers } = format();
  for (let delta = 1; delta <= 3; delta++) {
    registers.set(0, String(delta));
    log.commitSync();
  }
  const chain = readLogChain(device, readSlots(device).chosen);
  return { device: device.kill(), log, registers, chain };
}

/** Overwrites one sector-sized piece of a block, as a fault of the medium would. */
function spoil(device: SimulatedDevice, position: number, length = 16): void {
  for (let i = 0; i < length; i++) device.flipBit(position + i, 3);
}

describe('the end of the log', () => {
  it('is told from damage in the middle by what comes later', () => {
    for (const [where, offset] of [
      ['first header', 0],
      ['payload', 100],
      ['last header', 470],
    ] as const) {
      const { device, chain } = threeDeltas();
      spoil(device, chain.deltas[1]!.blocks[0]! * 512 + offset);
      expect(() => open(device), where).toThrow(/damaged in the middle of the log/);
      const { log, registers } = open(device, { readOnly: true });
      expect(registers.content().get(0)).toBe('1');
      expect(log.recovery?.damage).toMatchObject({ code: 'ECORRUPT' });
    }
  });

  it('is not where a block of which nothing is left stands before later deltas', () => {
    for (const byte of [0, 0xff]) {
      const { device, chain } = threeDeltas();
      device.writeSync(chain.deltas[1]!.blocks[0]! * 512, [new Uint8Array(512).fill(byte)]);
      expect(() => open(device)).toThrow(/damaged in the middle of the log/);
      const { log, registers } = open(device, { readOnly: true });
      expect(registers.content().get(0)).toBe('1');
      expect(log.recovery).toMatchObject({ damage: { code: 'ECORRUPT' }, beyond: { lastDelta: 3 } });
      expect(log.recovery?.beyond?.logBlocks).toContain(chain.deltas[2]!.blocks[0]);
    }
  });

  it('is where the log has grown since for who reads beside a writer', () => {
    const { device, chain } = threeDeltas();
    const { chosen } = readSlots(device);
    const position = chain.deltas[1]!.blocks[0]! * 512;
    const readSync = device.readSync.bind(device);
    let lookCount = 0;
    const spy = vi.spyOn(device, 'readSync').mockImplementation((from, buffers) => {
      readSync(from, buffers);
      const at = position - from;
      // The first look comes a moment before the writer.
      if (at >= 0 && at < buffers[0]!.length && lookCount++ === 0) buffers[0]!.fill(0, at, at + 512);
    });
    const seen = readLogChain(device, chosen);
    expect(lookCount).toBe(2);
    expect(seen.damage).toBeNull();
    expect(seen.deltas).toHaveLength(1);
    spy.mockRestore();
  });

  it('is where a torn last delta is: it is dropped whole', () => {
    const { device, chain } = threeDeltas();
    spoil(device, chain.deltas[2]!.blocks[0]! * 512 + 200);
    const { log, registers } = open(device);
    expect(registers.content().get(0)).toBe('2');
    expect(log.recovery).toMatchObject({ replayedDeltas: 2, damage: null });
    expect(registers.audit()).toEqual([]);
  });

  it('is before a delta whose log is whole and whose blocks are not', () => {
    const { device, chain } = threeDeltas();
    spoil(device, chain.deltas[2]!.records.at[0]!.pointer.block * 512);
    const { log, registers } = open(device);
    expect(registers.content().get(0)).toBe('2');
    expect(log.recovery).toMatchObject({ replayedDeltas: 2, droppedDelta: 3 });
  });

  it('in a delta of several log blocks is no damage, although its other blocks are whole', () => {
    const { device, log, registers } = format();
    registers.set(0, 'kept');
    log.commitSync();
    for (let id = 0; id < 200; id++) registers.set(id, 'dropped');
    log.commitSync();
    const chain = readLogChain(device, readSlots(device).chosen);
    expect(chain.deltas[1]!.blocks.length).toBeGreaterThan(2);
    spoil(device, chain.deltas[1]!.blocks[0]! * 512 + 200);
    const again = open(device.kill());
    expect([...again.registers.content()]).toEqual([[0, 'kept']]);
    expect(again.registers.audit()).toEqual([]);
  });
});

describe('recovery', () => {
  it('gives the same state twice and writes nothing', () => {
    const { device } = threeDeltas();
    for (let i = 0; i < 2; i++) {
      const { registers } = open(device, { readOnly: true });
      expect(registers.content().get(0)).toBe('3');
      expect(registers.audit()).toEqual([]);
    }
    expect(device.operationCounts).toMatchObject({ write: 0, flush: 0, grow: 0 });
  });

  it('comes to the same state from the older slot, and says so', () => {
    const { device, log, registers } = format();
    for (let delta = 1; delta <= 6; delta++) {
      registers.set(delta, String(delta));
      log.commitSync();
      if (delta === 2 || delta === 4) log.checkpointSync();
    }
    const { chosen } = readSlots(device);
    spoil(device, SLOT_POSITIONS[chosen.generation % 2]! + 40);
    const again = open(device.kill());
    expect(again.registers.content().size).toBe(6);
    expect(again.log.recovery).toMatchObject({ fromOlderSlot: true, bothSlotsValid: false });
    expect(again.registers.audit()).toEqual([]);
  });

  it('lesson 5: after a checkpoint and a second crash still knows the log blocks before it', () => {
    const { device } = threeDeltas();
    const first = open(device);
    first.registers.set(1, 'between');
    first.log.commitSync();
    const second = open(device.kill());
    expect(second.registers.content()).toEqual(
      new Map([
        [0, '3'],
        [1, 'between'],
      ]),
    );
    expect(second.registers.audit()).toEqual([]);
  });
});

describe('an opening', () => {
  it('leaves nothing to commit', () => {
    const { device } = threeDeltas();
    const { log } = open(device);
    expect(log.recovery?.relocatedBlocks).toBe(1);
    expect(log.hasChanges).toBe(false);
    const { write } = device.operationCounts;
    expect(log.commitSync()).toBe(3);
    expect(device.operationCounts.write).toBe(write);
    expect(format().log.hasChanges).toBe(false);
  });
});

describe('what is no good volume', () => {
  const code = (expected: string): unknown => expect.objectContaining({ code: expected });

  it('is refused with a code that says why', () => {
    expect(() => open(new SimulatedDevice({ sizeBytes: 1 << 20 }))).toThrow(code('ENOTVOLUME'));
    expect(() => open(new SimulatedDevice())).toThrow(code('ENOTVOLUME'));
    const { device } = threeDeltas();
    for (const position of SLOT_POSITIONS) spoil(device, position + 100);
    expect(() => open(device)).toThrow(code('ECORRUPT'));
  });

  it('is refused when it is cut short', () => {
    const { device, log, registers } = format();
    for (let id = 0; id < 100; id++) registers.set(id, 'x');
    log.closeSync();
    const image = device.medium.durableImage();
    const bytes = new Uint8Array(image.sizeBytes - 512 * 60);
    image.read(0, bytes);
    expect(() => open(new SimulatedDevice({ medium: bytes }))).toThrow(code('ETRUNCATED'));
  });

  it('is refused when it is of another version or uses unknown features, and read when only writing is unsafe', async () => {
    const { xxh32, setU32 } = await import('@outwrite/blockdev');
    const patched = (field: 'version' | 'incompatibleFlags' | 'readOnlyFlags' | 'compatibleFlags') => {
      const { device } = threeDeltas();
      for (const position of SLOT_POSITIONS) {
        const slot = new Uint8Array(4096);
        device.readSync(position, [slot]);
        setU32(slot, SUPERBLOCK_LAYOUT[field], 64);
        setU32(slot, SUPERBLOCK_LAYOUT.checksum, xxh32(slot, 0, SUPERBLOCK_LAYOUT.checksum));
        device.writeSync(position, [slot]);
      }
      return device;
    };
    expect(() => open(patched('version'))).toThrow(code('EUNSUPPORTED'));
    expect(() => open(patched('incompatibleFlags'))).toThrow(code('EUNSUPPORTED'));
    expect(() => open(patched('readOnlyFlags'))).toThrow(code('EUNSUPPORTED'));
    expect(open(patched('readOnlyFlags'), { readOnly: true }).registers.content().get(0)).toBe('3');
    expect(open(patched('compatibleFlags')).registers.content().get(0)).toBe('3');
  });

  it('or wrong use has its own error', () => {
    const { device, log, registers } = format();
    log.closeSync();
    expect(() => registers.set(0, 'x')).toThrow(code('ECLOSED'));
    expect(() => log.commitSync()).toThrow(code('ECLOSED'));
    const readOnly = open(device.kill(), { readOnly: true });
    expect(() => readOnly.registers.set(0, 'x')).toThrow(code('EROFS'));
    expect(() => AllocLog.format(new SimulatedDevice(), { blockSize: 1000 }, new RegisterClient())).toThrow(RangeError);
    expect(() => AllocLog.format(new SimulatedDevice(), { maxBytes: 1000 }, new RegisterClient())).toThrow(/too few/);
    expect(new NoSpaceError('x').code).toBe('ENOSPC');
  });
});

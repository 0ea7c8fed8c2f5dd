import { crashPoints, imagesBetweenWrites, SimulatedDevice, type SparseImage } from '@outwrite/blockdev/testing';
import { Random } from '@outwrite/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllocLog } from '../src/index.ts';
import { RegisterClient } from '../src/testing.ts';

const options = { cacheBytes: 1 << 16, bounds: { zeroAheadBytes: 0, logBlocks: 4, promises: 20 } };

type Step =
  | { kind: 'set' | 'delete'; id: number }
  | { kind: 'commit' | 'commitSync' | 'checkpoint' | 'checkpointSync' | 'reopen' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('set' as const), id: fc.nat(40) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), id: fc.nat(40) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('commit' as const, 'commitSync' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('checkpoint' as const, 'checkpointSync' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
);

/** Runs the steps. The device notes the index of each acknowledged state; all states that were ever closed are returned in order. */
async function run(first: SimulatedDevice, steps: Step[]): Promise<string[]> {
  let device = first;
  let registers = new RegisterClient();
  let log = AllocLog.format(device, { blockSize: 512, ...options }, registers);
  device.note(0);
  const model = new Map<number, string>();
  const states = [shown(model)];
  let counter = 0;
  for (const current of steps) {
    switch (current.kind) {
      case 'set': {
        const value = `v${counter++}`;
        registers.set(current.id, value);
        model.set(current.id, value);
        break;
      }
      case 'delete':
        registers.delete(current.id);
        model.delete(current.id);
        break;
      case 'reopen':
        states.push(shown(model));
        await log.close();
        device.note(states.length - 1);
        device = device.kill({ trace: false });
        registers = new RegisterClient();
        log = AllocLog.open(device, options, registers);
        registers.opened();
        break;
      default: {
        states.push(shown(model));
        if (current.kind === 'commit') await log.commit();
        else if (current.kind === 'commitSync') log.commitSync();
        else if (current.kind === 'checkpoint') await log.checkpoint();
        else log.checkpointSync();
        device.note(states.length - 1);
      }
    }
    expect(registers.audit()).toEqual([]);
  }
  return states;
}

function shown(content: Map<number, string>): string {
  return JSON.stringify([...content].sort((a, b) => a[0] - b[0]));
}

/** Opens an image and holds it against the states; then goes on working on it. */
function checkImage(image: SparseImage, notes: readonly unknown[], states: string[]): SimulatedDevice {
  const acknowledged = Math.max(...(notes as number[]));
  const device = new SimulatedDevice({ medium: image });
  const readOnly = new RegisterClient();
  AllocLog.open(device, { ...options, readOnly: true }, readOnly);
  expect(device.operationCounts.write).toBe(0);
  const registers = new RegisterClient();
  const log = AllocLog.open(device, options, registers);
  registers.opened();
  const content = shown(registers.content());
  expect(shown(readOnly.content())).toBe(content);
  if (states.lastIndexOf(content) < acknowledged) {
    throw new Error(`the state is ${content}, older than the acknowledged ${states[acknowledged]}`);
  }
  expect(registers.audit()).toEqual([]);
  device.note(content);
  registers.set(0, 'after');
  log.commitSync();
  device.note(shown(registers.content()));
  return device;
}

describe('after a crash', () => {
  it('every image between two writes, and others at random, hold an acknowledged state or a later one', async () => {
    let imageCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(), async (steps, seed) => {
        const device = new SimulatedDevice();
        const states = await run(device, steps);
        const random = new Random(seed).fraction;
        const check = (image: SparseImage, notes: readonly unknown[]): void => {
          if (notes.length === 0) return;
          imageCount++;
          const second = checkImage(image, notes, states);
          // A crash while opening, or in the first commit after it: the state that was recovered, or the next one.
          if (random() < 0.2) checkSecondCrash(second, notes, states, random);
        };
        for (const { image, point } of imagesBetweenWrites(device.trace)) check(image, point.notes);
        for (const point of crashPoints(device.trace)) {
          if (point.isUncertain) check(point.sample(random).image, point.notes);
        }
      }),
      { numRuns: 15 },
    );
    expect(imageCount).toBeGreaterThan(250);
  });
});

function checkSecondCrash(
  device: SimulatedDevice,
  notesBefore: readonly unknown[],
  states: string[],
  random: () => number,
): void {
  const acknowledgedBefore = Math.max(...(notesBefore as number[]));
  for (const point of crashPoints(device.trace)) {
    if (!point.isUncertain || random() < 0.5) continue;
    const registers = new RegisterClient();
    AllocLog.open(new SimulatedDevice({ medium: point.sample(random).image }), options, registers);
    registers.opened();
    const content = shown(registers.content());
    // Once a writable opening has returned, its state is what counts; before that, anything acknowledged in the life before.
    const [opened, committed] = point.notes as string[];
    if (committed !== undefined) expect(content).toBe(committed);
    else if (opened !== undefined) expect([opened, shownAfter(opened)]).toContain(content);
    else expect(states.lastIndexOf(content)).toBeGreaterThanOrEqual(acknowledgedBefore);
    expect(registers.audit()).toEqual([]);
  }
}

function shownAfter(opened: string): string {
  return shown(new Map(JSON.parse(opened) as [number, string][]).set(0, 'after'));
}

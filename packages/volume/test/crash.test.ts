/**
 * Crashes in the middle of a mixed workload: every image between two writes opens, checks clean, and holds an acknowledged state or a
 * later one, as a whole.
 */
import { imagesBetweenWrites, SimulatedDevice } from '@outwrite/blockdev/testing';
import { crashPointsOf, everyFault, testSeed } from '@outwrite/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { modelText, volumeText } from './compare.ts';
import { NamespaceRun, type Step, step } from './namespace-steps.ts';

const tuning = { autoCommitMilliseconds: 0, cacheBytes: 8 << 20 };

/** Runs steps; the device notes the index of each acknowledged state in the list of all states, which is returned. */
async function workload(device: SimulatedDevice, blockSize: number, steps: readonly Step[]): Promise<string[]> {
  const run = new NamespaceRun(device, blockSize, tuning);
  const states = [modelText(run.model)];
  device.note(0);
  for (const current of steps) {
    if (current.do === 'commit') {
      const index = states.length - 1;
      await run.volume.commit();
      device.note(index);
    } else {
      run.step(current);
      states.push(modelText(run.model));
      if (current.do === 'checkpoint' || current.do === 'check') device.note(states.length - 1);
    }
  }
  states.push(modelText(run.model));
  await run.volume.close();
  device.note(states.length - 1);
  return states;
}

/** What a check notes on its device once it has opened it: the state, and the one that its next commit will make. */
interface Opened {
  text: string;
  next: string;
}

/** Opens what a crash left, holds it against the states that it may have, and goes on from there. */
function checkImage(device: SimulatedDevice, notes: readonly unknown[], states: readonly string[]): void {
  const reader = Volume.open(device, { ...tuning, readOnly: true });
  const seen = volumeText(reader);
  expect(device.operationCounts.write, 'a read-only opening writes nothing').toBe(0);
  const volume = Volume.open(device, tuning);
  expect(volumeText(volume)).toBe(seen);
  const opened = notes.findLast((note): note is Opened => typeof note === 'object');
  if (opened !== undefined) {
    if (seen !== opened.text && seen !== opened.next)
      throw new Error(`the state is not the one of the opening before:\n${seen}`);
  } else {
    const acknowledged = Math.max(...(notes as number[]));
    if (states.lastIndexOf(seen) < acknowledged) {
      throw new Error(
        `the state is older than the acknowledged one, or none at all:\n${seen}\nacknowledged:\n${states[acknowledged]}`,
      );
    }
  }
  expect([...volume.check()]).toEqual([]);
  device.note({ text: seen, next: seen } satisfies Opened);
  volume.fs.writeFileSync('/after the crash', `${device.operationCounts.write}`.repeat(1000));
  const next = volumeText(volume);
  device.note({ text: seen, next } satisfies Opened);
  volume.commitSync();
  device.note({ text: next, next } satisfies Opened);
  expect([...volume.check()]).toEqual([]);
}

function steps(seed: number, count: number): Step[] {
  const busy = step.filter((candidate) => candidate.do !== 'reopen' && candidate.do !== 'check');
  return fc
    .sample(busy, { seed, numRuns: count })
    .flatMap((current, index): Step[] => (index % 4 === 3 ? [current, { do: 'commit' }] : [current]));
}

describe.each([512, 4096, 16384])('blocks of %i bytes', (blockSize) => {
  it('every image between two writes holds an acknowledged state or a later one', async () => {
    const seed = testSeed('crash');
    const device = new SimulatedDevice({ maxSizeBytes: 64 << 20 });
    const states = await workload(device, blockSize, steps(seed, 120));
    let imageCount = 0;
    for (const { image, point } of imagesBetweenWrites(device.trace)) {
      if (point.notes.length === 0) continue;
      imageCount++;
      try {
        checkImage(new SimulatedDevice({ medium: image, trace: false, maxSizeBytes: 64 << 20 }), point.notes, states);
      } catch (error) {
        throw new Error(`seed ${seed}, point ${point.pointIndex}: ${(error as Error).message}`, { cause: error });
      }
    }
    expect(imageCount).toBeGreaterThan(30);
  });

  it('so do images of any subset of what was not flushed, and crashes during recovery', async () => {
    const seed = testSeed('crash');
    const device = new SimulatedDevice({ maxSizeBytes: 64 << 20 });
    const states = await workload(device, blockSize, steps(seed ^ 0x5eed, 80));
    const report = await crashPointsOf(
      device.trace,
      (state) => {
        if (state.notes.length > 0) checkImage(state.device, state.notes, states);
      },
      { seed, pieceBytes: blockSize, maxStates: 60, rounds: 2, device: { maxSizeBytes: 64 << 20 } },
    );
    expect(report.stateCount).toBeGreaterThan(10);
  });

  it('lesson 29: a failed read, write or flush, any single one, loses nothing that was acknowledged', async () => {
    const seed = testSeed('faults');
    const chosen = steps(seed ^ 0xfa17, 40);
    let states: string[] = [];
    const report = await everyFault(
      async (device) => {
        states = await workload(device, blockSize, chosen);
      },
      ({ device, notes, error, fault }) => {
        if (notes.length === 0) return;
        // The workload ended at the fault, so its list of states is that of the run without one.
        if (fault.operation === 'write' || fault.operation === 'flush') expect(error).toBeDefined();
        checkImage(device.kill({ trace: false }), notes, states);
      },
      { device: { maxSizeBytes: 64 << 20 }, operations: ['read', 'write', 'flush'], stride: 2 },
    );
    expect(report.runCount).toBeGreaterThan(5);
  });
});

/**
 * A volume against a naive file system in memory: random operations, the same codes for what fails, everything compared after each step.
 */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { Random, unevenHold } from '@outwrite/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VolumeTuning } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';
import { NamespaceRun, type Step, step } from './namespace-steps.ts';

const numRuns = Number(process.env.OUTWRITE_RUNS ?? 20);

/** Caches so small that inodes, names and blocks are evicted all the time; commits before every change, or only when asked for. */
const tuning: fc.Arbitrary<VolumeTuning> = fc.record({
  autoCommitMilliseconds: fc.constant(0),
  autoCommitBytes: fc.constantFrom(0, 1000, 5000),
  cachedInodes: fc.constantFrom(0, 2, 8),
  cachedNames: fc.constantFrom(0, 2, 8),
  cacheBytes: fc.constantFrom(1 << 20, 8 << 20),
});

function stepsOf(maxLength: number): fc.Arbitrary<Step[]> {
  return fc.array(step, { minLength: 1, maxLength, size: 'max' });
}

describe.each([512, 4096, 16384])('blocks of %i bytes', (blockSize) => {
  it('does what a naive file system does', () => {
    fc.assert(
      fc.property(stepsOf(80), tuning, (steps, chosen) => {
        const run = new NamespaceRun(new LastingDevice({ maxSizeBytes: 256 << 20 }), blockSize, chosen);
        for (const current of steps) {
          run.step(current);
          run.compare();
        }
        expect([...run.volume.check()]).toEqual([]);
        run.volume.closeSync();
      }),
      { numRuns },
    );
  });

  it('also while commits are on their way to a device that takes its time', async () => {
    await fc.assert(
      fc.asyncProperty(stepsOf(60), tuning, fc.nat(), async (steps, chosen, seed) => {
        const random = new Random(seed);
        const hold = unevenHold(random);
        const device = new SimulatedDevice({ maxSizeBytes: 256 << 20, trace: false, hold });
        const run = new NamespaceRun(device, blockSize, chosen);
        const commits: Promise<unknown>[] = [];
        for (const current of steps) {
          if (current.do === 'reopen') continue;
          // A commit or checkpoint is begun and not waited for; operations go on, some of them synchronous commits that overtake it.
          if (current.do === 'commit' && random.chance(0.8)) commits.push(run.volume.commit());
          else if (current.do === 'checkpoint' && random.chance(0.8)) commits.push(run.volume.checkpoint());
          else run.step(current);
          run.compare();
          for (let turns = random.below(4); turns > 0; turns--) await Promise.resolve();
        }
        await Promise.all(commits);
        expect([...run.volume.check()]).toEqual([]);
        await run.volume.close();
      }),
      { numRuns },
    );
  });
});

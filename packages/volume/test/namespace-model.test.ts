/**
 * A volume against a naive file system in memory: random operations, the same codes for what fails, everything compared after each step.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LastingDevice } from './lasting-device.ts';
import { NamespaceRun, step } from './namespace-steps.ts';

/** A cache so small that inodes and names are evicted all the time. */
const tuning = { autoCommitMilliseconds: 0, cachedInodes: 8, cachedNames: 8, cacheBytes: 4 << 20 };

describe.each([512, 4096, 16384])('blocks of %i bytes', (blockSize) => {
  it('does what a naive file system does', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }), (steps) => {
        const run = new NamespaceRun(new LastingDevice({ maxSizeBytes: 256 << 20 }), blockSize, tuning);
        for (const current of steps) {
          run.step(current);
          run.compare();
        }
        expect([...run.volume.check()]).toEqual([]);
        run.volume.closeSync();
      }),
      { numRuns: Number(process.env.OUTWRITE_RUNS ?? 40) },
    );
  });
});

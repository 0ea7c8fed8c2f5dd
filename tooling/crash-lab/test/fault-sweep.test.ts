/**
 * Every single call of the device fails in turn, and every single request for space is denied.
 */
import { testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { allocationSweep } from '../src/allocation-sweep.ts';
import { faultSweep } from '../src/fault-sweep.ts';
import { callLayer } from '../src/layers/call-layer.ts';
import { entryLayer } from '../src/layers/entry-layer.ts';
import { registerLayer } from '../src/layers/register-layer.ts';
import { treeLayer } from '../src/layers/tree-layer.ts';
import { volumeLayer } from '../src/layers/volume-layer.ts';

const layers = [
  ['registers', registerLayer],
  ['trees', treeLayer],
  ['entries', entryLayer],
  ['volume', volumeLayer],
  ['calls', callLayer],
] as const;

/** Looking at a whole volume after each step takes longer. */
function strideOf(name: string): number {
  return name === 'volume' || name === 'calls' ? 4 : 2;
}

describe.each(layers)('a failing device under %s', (name, layer) => {
  it('ends in a typed error, and loses nothing that was acknowledged', { timeout: 180_000 }, async () => {
    const reports = await faultSweep(layer, { seed: testSeed(`faults of ${name}`), stride: strideOf(name) });
    for (const { runCountByOperation } of reports) {
      expect(runCountByOperation.write).toBeGreaterThan(5);
      expect(runCountByOperation.flush).toBeGreaterThan(5);
    }
    // What a life has made it has cached; the one that opens reads.
    expect(reports[1]!.runCountByOperation.read).toBeGreaterThan(0);
  });
});

describe.each(layers)('space that is denied to %s', (name, layer) => {
  it('ends in ENOSPC with nothing changed, and leaks nothing', { timeout: 180_000 }, async () => {
    const seed = testSeed(`denied space of ${name}`);
    const { deniedCount, errorCount } = await allocationSweep(layer, { seed, stride: 2 * strideOf(name) });
    expect(deniedCount).toBeGreaterThan(5);
    expect(errorCount).toBe(deniedCount);
  });
});

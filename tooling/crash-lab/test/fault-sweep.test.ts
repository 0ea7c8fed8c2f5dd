/**
 * Every single call of the device fails in turn.
 */
import { testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { faultSweep } from '../src/fault-sweep.ts';
import { registerLayer } from '../src/layers/register-layer.ts';
import { treeLayer } from '../src/layers/tree-layer.ts';
import { volumeLayer } from '../src/layers/volume-layer.ts';

describe.each([
  ['registers', registerLayer],
  ['trees', treeLayer],
  ['volume', volumeLayer],
] as const)('a failing device under %s', (name, layer) => {
  it('ends in a typed error, and loses nothing that was acknowledged', { timeout: 180_000 }, async () => {
    const reports = await faultSweep(layer, { seed: testSeed(`faults of ${name}`), stride: name === 'volume' ? 4 : 2 });
    for (const { runCountByOperation } of reports) {
      expect(runCountByOperation.write).toBeGreaterThan(5);
      expect(runCountByOperation.flush).toBeGreaterThan(5);
    }
    // What a life has made it has cached; the one that opens reads.
    expect(reports[1]!.runCountByOperation.read).toBeGreaterThan(0);
  });
});

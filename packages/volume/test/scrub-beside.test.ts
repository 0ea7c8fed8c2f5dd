/**
 * A scrub of a sound volume finds nothing, whatever is under way: commits and checkpoints in flight that return late, or are overtaken, on a
 * volume so small that every block is reused soon.
 */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { Random, testSeed } from '@outwrite/testkit';
import { expect, it } from 'vitest';
import { type Finding, Volume } from '../src/index.ts';

const BLOCK = 512;
const SIZE_BYTES = 600 * BLOCK;

async function run(random: Random): Promise<{ findings: Finding[]; scrubCount: number }> {
  const holding = random.derive(1);
  // Long enough that a pause of a scrub ends while requests are under way.
  const hold = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, holding.below(12)));
  const device = new SimulatedDevice({ maxSizeBytes: SIZE_BYTES, trace: false, hold });
  const bounds = {
    zeroAheadBytes: 0,
    logBlocks: random.between(2, 12),
    syncWriteBytes: random.chance(0.5) ? 0 : 1 << 16,
  };
  const volume = Volume.create(device, {
    autoCommitMilliseconds: 0,
    blockSize: BLOCK,
    maxBytes: SIZE_BYTES,
    cacheBytes: 1 << 16,
    bounds,
  });
  const findings: Finding[] = [];
  const underWay: Promise<unknown>[] = [];
  let scrubCount = 0;
  for (let step = 0; step < 150; step++) {
    try {
      const path = `/file-${random.below(12)}`;
      if (random.chance(0.6)) volume.fs.writeFileSync(path, random.bytes(random.below(6000)));
      else if (random.chance(0.5)) volume.fs.rmSync(path, { force: true });
      else volume.fs.setxattrSync('/', `user.${random.below(3)}`, random.bytes(random.below(3000)));
      if (random.chance(0.1)) volume.commitSync();
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
    }
    if (random.chance(0.4)) underWay.push(volume.commit());
    if (random.chance(0.1)) underWay.push(volume.checkpoint());
    if (random.chance(0.3)) {
      // At a rate it pauses, again and again, while the volume goes on.
      const isSlow = random.chance(0.7);
      const bytesPerSecond = isSlow ? random.between(4, 30) << 20 : undefined;
      const scrubbing = volume.scrub({ bytesPerSecond, onFinding: (finding) => findings.push(finding) });
      scrubCount++;
      if (isSlow) underWay.push(scrubbing);
      else await scrubbing;
    }
    if (random.chance(0.2)) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all(underWay);
  await volume.close();
  return { findings, scrubCount };
}

it('a scrub of a sound volume finds nothing, whatever is under way', async () => {
  const random = new Random(testSeed('scrub beside'));
  let scrubCount = 0;
  for (let round = 0; round < 6; round++) {
    const outcome = await run(random.derive(round));
    expect(outcome.findings).toEqual([]);
    scrubCount += outcome.scrubCount;
  }
  expect(scrubCount).toBeGreaterThan(100);
});

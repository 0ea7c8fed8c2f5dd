/**
 * Repair of volumes of which any blocks are gone: it ends clean or names what is in the way, and whatever was not hit is as it was.
 */
import { TreeStore } from '@outwrite/btree-cow';
import { Random, testSeed } from '@outwrite/testkit';
import { expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';
import { BLOCK, expectRestAsItWas, makeLarge } from './repair-comparison.ts';
import { lasting, tuning } from './repair-harness.ts';

const ROUND_COUNT = 40;
const SLOT_BLOCKS = [0, 131072].flatMap((at) => Array.from({ length: 8 }, (_, i) => at / BLOCK + i));

/** Blocks in use, but for the superblocks: with both of them there is no volume. */
function usedBlocks(device: LastingDevice): number[] {
  const { log } = TreeStore.open(LastingDevice.fromImage(device.snapshot()), { readOnly: true });
  const blocks: number[] = [];
  for (const { start, count } of log.usedExtents()) for (let i = 0; i < count; i++) blocks.push(start + i);
  return blocks.filter((block) => !SLOT_BLOCKS.includes(block));
}

it('ends clean or names what is in the way, and what was not hit is as it was', () => {
  const random = new Random(testSeed('repair of blocks'));
  const sound = makeLarge();
  const used = usedBlocks(sound);
  let obstacleCount = 0;
  let sameCount = 0;
  for (let round = 0; round < ROUND_COUNT; round++) {
    const image = sound.snapshot();
    for (let i = random.between(1, 8); i > 0; i--) {
      const at = random.pick(used) * BLOCK;
      const kind = random.below(3);
      if (kind === 0) image[at + random.below(BLOCK)]! ^= 1 << random.below(8);
      else if (kind === 1) image.fill(0, at, at + BLOCK);
      else image.set(random.bytes(BLOCK), at);
    }
    // A superblock at a time, too.
    if (random.chance(0.2)) image[random.pick([0, 131072]) + random.below(4096)]! ^= 1;
    const damaged = lasting(image);
    const report = Volume.repair(lasting(image), { dryRun: true });
    if (report.obstacle !== null) {
      expect(report.obstacle).toMatch(/the list of trees|it is the root/);
      obstacleCount++;
      continue;
    }
    const device = lasting(image);
    expect(Volume.repair(device)).toEqual({ ...report, remaining: [] });
    const volume = Volume.open(device, tuning);
    expect([...volume.check()]).toEqual([]);
    sameCount += expectRestAsItWas(sound, damaged, { volume, report });
    volume.closeSync();
  }
  expect(obstacleCount).toBeLessThan(ROUND_COUNT / 4);
  expect(sameCount).toBeGreaterThan(ROUND_COUNT * 20);
});

it('does so for a volume that was cut short', () => {
  const random = new Random(testSeed('repair of a cut'));
  const sound = makeLarge();
  const whole = sound.snapshot();
  let repairedCount = 0;
  for (let round = 0; round < 16; round++) {
    const length = Math.floor((whole.length * random.between(30, 99)) / 100 / BLOCK) * BLOCK;
    const padded = new Uint8Array(whole.length);
    padded.set(whole.subarray(0, length));
    const device = lasting(whole.slice(0, length));
    expect(() => Volume.open(device, tuning)).toThrow(/cut short/);
    const dry = Volume.repair(device, { dryRun: true });
    const report = Volume.repair(device);
    if (report.obstacle !== null) {
      expect(report.obstacle).toMatch(/the list of trees|it is the root/);
      expect(Buffer.compare(device.snapshot(), whole.subarray(0, length))).toBe(0);
      continue;
    }
    expect(report).toEqual({ ...dry, remaining: [] });
    expect(report.changes[0]).toMatchObject({ code: 'device-length' });
    const volume = Volume.open(device, tuning);
    expect([...volume.check()]).toEqual([]);
    expectRestAsItWas(sound, lasting(padded), { volume, report });
    volume.fs.writeFileSync('/after', new Uint8Array(50_000));
    volume.closeSync();
    expect(Volume.repair(device)).toEqual({ changes: [], obstacle: null, remaining: [] });
    repairedCount++;
  }
  expect(repairedCount).toBeGreaterThan(2);
});

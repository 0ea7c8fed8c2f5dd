/**
 * Volumes of several pages of free map whose large files come and go: space moves from page to page, and every opening finds it as it was, after
 * a clean end and after that of a process that was killed.
 */
import type { MemoryDevice } from '@outwrite/blockdev';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';

const MIB = 1024 * 1024;
const tuning = { autoCommitMilliseconds: 0 };
const RUNS = 24;
const STEPS = 25;

/** What a process that is killed leaves behind. */
function copyOf(device: MemoryDevice): MemoryDevice {
  const copy = new LastingDevice({ maxSizeBytes: device.maxSizeBytes });
  const image = device.snapshot();
  copy.grow(image.length);
  copy.writeSync(0, [image]);
  return copy;
}

describe('a volume with large files that come and go', () => {
  const seed = testSeed('reopening');

  it.each([512, 1024])('opens again after every end, with blocks of %i bytes', (blockSize) => {
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(seed + run * 7919);
      let device: MemoryDevice = new LastingDevice({ maxSizeBytes: 256 * MIB });
      let volume = Volume.create(device, { ...tuning, blockSize });
      const sizes = new Map<string, number>();
      for (let step = 0; step < STEPS; step++) {
        const path = `/f${random.below(3)}`;
        const choice = random.below(20);
        if (choice < 8) {
          const sizeBytes = random.below(random.below(6 * MIB) + 1);
          volume.fs.writeFileSync(path, new Uint8Array(sizeBytes).fill(step));
          sizes.set(path, sizeBytes);
        } else if (choice < 11) {
          volume.fs.rmSync(path, { force: true });
          sizes.delete(path);
        } else if (choice < 13 && sizes.has(path)) {
          const sizeBytes = random.below(MIB);
          volume.fs.truncateSync(path, sizeBytes);
          sizes.set(path, sizeBytes);
        } else if (choice < 15) volume.commitSync();
        else if (choice < 17) volume.checkpointSync();
        else if (choice === 17) {
          device = copyOf(device);
          volume = Volume.open(device, tuning);
          sizes.clear();
          for (const name of volume.fs.readdirSync('/')) sizes.set(`/${name}`, volume.fs.statSync(`/${name}`).size);
          expect([...volume.check()]).toEqual([]);
        } else {
          volume.closeSync();
          volume = Volume.open(device, tuning);
          for (const [known, sizeBytes] of sizes) expect(volume.fs.statSync(known).size).toBe(sizeBytes);
        }
      }
      expect([...volume.check()]).toEqual([]);
      volume.closeSync();
    }
  });
});

/**
 * Repair of volumes with random structural damage: it ends clean, or refuses and says why. Refusals have names, and are rare.
 */
import { Random, testSeed } from '@outwrite/testkit';
import { expect, it } from 'vitest';
import { badImage } from '../src/fuzz/image-mutation.ts';
import { type Refusal, tryRepair } from '../src/fuzz/repair-trial.ts';
import { sample, volumeImage } from '../src/fuzz/sample-images.ts';

const IMAGE_COUNT = 400;
/** Of a hundred images. */
const MOST_REFUSALS = 10;

/** What may be in the way of a repair. */
const NAMES: readonly RegExp[] = [
  /^ENOTVOLUME: /,
  /^EUNSUPPORTED: /,
  // Neither superblock.
  /^ECORRUPT: damaged superblock/,
  /damaged superblock.*the root of the catalogue cannot be/,
  /damaged catalogue: the list of trees cannot be read/,
  /it is the root of the tree of files/,
  // A log block with the right checksum and nonsense in it.
  /damaged promise/,
  // Nodes that contradict one another about when they were written.
  /it is not of the open epoch and a node below it is/,
  // The volume was cut short before something that nothing stands in for.
  /^EIO: the device ends before it/,
];

function nameOf(refusal: Exclude<Refusal, null>): string {
  return NAMES.find((name) => name.test(refusal))?.source ?? `unnamed: ${refusal}`;
}

it('ends clean or refuses by name, whatever is wrong with an image', () => {
  const seed = testSeed('repair of bad images');
  const samples = [512, 4096].flatMap((blockBytes) =>
    [true, false].map((closed) => sample('files', 'files', volumeImage(blockBytes, closed))),
  );
  const refusals = new Map<string, number>();
  for (let index = 0; index < IMAGE_COUNT; index++) {
    const { image, story } = badImage(samples[index % samples.length]!.map, new Random(seed).derive(index));
    let refusal: Refusal;
    try {
      refusal = tryRepair(image);
    } catch (error) {
      throw new Error(`image ${index} of seed ${seed}, ${story}: ${(error as Error).message}`, { cause: error });
    }
    if (refusal !== null) refusals.set(nameOf(refusal), (refusals.get(nameOf(refusal)) ?? 0) + 1);
  }
  expect([...refusals.keys()].filter((name) => name.startsWith('unnamed'))).toEqual([]);
  const refusalCount = [...refusals.values()].reduce((sum, count) => sum + count, 0);
  expect(refusalCount, JSON.stringify([...refusals])).toBeLessThan((IMAGE_COUNT * MOST_REFUSALS) / 100);
});

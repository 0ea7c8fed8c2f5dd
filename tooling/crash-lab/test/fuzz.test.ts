/** A short run of the fuzzer, and that it does what it says: checksums that fit again, changes that a decoder meets. */
import { CorruptionError, MemoryDevice, setU32 } from '@outwrite/blockdev';
import { testSeed } from '@outwrite/testkit';
import { Volume } from '@outwrite/volume';
import { describe, expect, it } from 'vitest';
import { fuzz } from '../src/fuzz/fuzz.ts';
import type { StructureKind } from '../src/fuzz/image-map.ts';
import { tryImage } from '../src/fuzz/image-trial.ts';
import { LOG } from '../src/fuzz/log-map.ts';
import { reseal } from '../src/fuzz/reseal.ts';
import { sample, sampleImages, volumeImage } from '../src/fuzz/sample-images.ts';

describe('bad images', () => {
  const samples = sampleImages();

  it('the map of an image finds every kind of structure, and all checksums as they are', () => {
    const kinds = new Set<StructureKind>();
    for (const { map } of samples) {
      for (const { kind } of map.structures) kinds.add(kind);
      const image = map.image.slice();
      reseal(map, image, map.structures);
      expect(Buffer.compare(image, map.image)).toBe(0);
    }
    expect([...kinds].sort()).toEqual(
      ['data', 'free-map node', 'free-map page', 'index', 'leaf', 'log', 'overflow', 'superblock'].sort(),
    );
  });

  it('a changed leaf is met by its decoder and not by its checksum', () => {
    const { map } = sample('files', 'files', volumeImage(512, true));
    const leaf = map.structures.find(({ kind }) => kind === 'leaf')!;
    const image = map.image.slice();
    image[leaf.position] = 0;
    const problem = (): string => {
      try {
        Volume.open(MemoryDevice.fromImage(image), { readOnly: true }).closeSync();
      } catch (error) {
        if (error instanceof CorruptionError) return error.message;
      }
      return 'none';
    };
    expect(problem()).toContain('checksum');
    reseal(map, image, [leaf]);
    expect(problem()).toContain('damaged');
    expect(problem()).not.toContain('checksum');
  });

  it('a log that leads beyond the volume is damage', () => {
    const { map } = sample('files', 'files', volumeImage(512, false));
    const last = map.structures.filter(({ kind }) => kind === 'log').at(-1)!;
    const image = map.image.slice();
    setU32(image, last.position + LOG.nextBlock, 0x80000000);
    reseal(map, image, [last]);
    expect(() => Volume.open(MemoryDevice.fromImage(image))).toThrow(CorruptionError);
    expect(tryImage('files', image)).toBeNull();
  });

  it('a few thousand of them end with a result or a typed error', async () => {
    const { imageCount, escapes } = await fuzz({ seed: testSeed('bad images'), seconds: 4 });
    expect(imageCount).toBeGreaterThan(0);
    expect(escapes).toEqual([]);
  });
});

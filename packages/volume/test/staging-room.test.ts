/** The room that operations hold for staging: so little that a batch of removals makes no commit of its own for the sake of memory. */
import { MemoryDevice } from '@outwrite/blockdev';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const FILES = 1_200;
const DIRECTORIES = 4;

function filledVolume(cacheBytes: number): { volume: Volume; paths: string[] } {
  const volume = Volume.create(new MemoryDevice({ maxSizeBytes: 64 << 20 }), { cacheBytes, autoCommitMilliseconds: 0 });
  for (let i = 0; i < DIRECTORIES; i++) volume.fs.mkdirSync(`/directory-${i}`);
  const paths = Array.from({ length: FILES }, (_, i) => `/directory-${i % DIRECTORIES}/file-${i}`);
  for (const [i, path] of paths.entries()) {
    volume.fs.writeFileSync(path, new Uint8Array(1_000).fill(i));
    if (i % 200 === 0) volume.commitSync();
  }
  volume.commitSync();
  return { volume, paths };
}

describe('the room that is held for staging', () => {
  // A fourth of the files, and half of the cache may be dirty: a block for each removal is room enough, three are not.
  const cacheBytes = 8 << 20;
  const seed = testSeed('staging room');

  it('of removals here and there makes no commit necessary', () => {
    const { volume, paths } = filledVolume(cacheBytes);
    const random = new Random(seed);
    const order = paths.map((path) => ({ path, rank: random.u32() })).sort((a, b) => a.rank - b.rank);
    const { commits } = volume.stats();
    for (const { path } of order.slice(0, 500)) volume.fs.unlinkSync(path);
    expect(volume.stats().commits).toBe(commits);
    volume.commitSync();
    volume.checkInvariants();
    expect([...volume.check()]).toEqual([]);
    expect(volume.fs.readdirSync('/', { recursive: true })).toHaveLength(DIRECTORIES + FILES - 500);
    for (const { path } of order.slice(500)) volume.fs.unlinkSync(path);
    volume.commitSync();
    expect([...volume.check()]).toEqual([]);
    expect(volume.stats().inodeCount).toBe(DIRECTORIES + 1);
    volume.closeSync();
  });
});

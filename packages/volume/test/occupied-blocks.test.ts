/** The count of blocks in `stat`: what a file occupies now, whenever somebody asked before. */
import { MemoryDevice } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const tuning = { autoCommitMilliseconds: 0 };

function create(): Volume {
  return Volume.create(new MemoryDevice({ maxSizeBytes: 64 << 20 }), tuning);
}

it('counts what the commit has given to a file that was looked at before it', () => {
  const volume = create();
  const { fs } = volume;
  fs.writeFileSync('/file', new Uint8Array(50_000).fill(1));
  fs.statSync('/file');
  volume.commitSync();
  expect(fs.statSync('/file').blocks).toBe((13 * 4096) / 512);
  expect(fs.statSync('/file', { bigint: true }).blocks).toBe(BigInt((13 * 4096) / 512));
  volume.closeSync();
});

it('counts the pieces of a long write as they arrive', async () => {
  const releases: (() => void)[] = [];
  const device = new SimulatedDevice({
    hold: ({ lengthBytes }) =>
      lengthBytes >= 64 * 1024 ? new Promise<void>((resolve) => void releases.push(resolve)) : undefined,
  });
  const volume = Volume.create(device, tuning);
  const handle = await volume.fs.promises.open('/file', 'w');
  const writing = handle.write(new Uint8Array(2 << 20).fill(1));
  for (let pieces = 0; pieces <= 2; pieces++) {
    expect((await handle.stat()).blocks).toBe((pieces << 20) / 512);
    for (const release of releases.splice(0)) release();
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
  await writing;
  await handle.close();
  await volume.close();
});

it('counts right when more files have been looked at than stay open in memory', () => {
  const volume = create();
  const { fs } = volume;
  const names = Array.from({ length: 1200 }, (_, i) => `/file ${i}`);
  for (const name of names) {
    fs.writeFileSync(name, new Uint8Array(5000).fill(1));
    fs.statSync(name);
  }
  volume.commitSync();
  for (let round = 0; round < 2; round++) {
    const reads = volume.stats().cache.blocks.misses;
    for (const name of names) expect(fs.statSync(name).blocks).toBe(16);
    expect(volume.stats().cache.blocks.misses).toBe(reads);
  }
  volume.closeSync();
});

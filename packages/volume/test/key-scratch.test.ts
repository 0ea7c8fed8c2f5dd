import { MemoryDevice } from '@outwrite/blockdev';
import { expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

it('a commit for want of room within a put leaves the key of that put alone', () => {
  const volume = Volume.create(new MemoryDevice(), {
    blockSize: 512,
    cacheBytes: 1 << 16,
    autoCommitMilliseconds: 0,
  });
  const small = new Uint8Array(40).fill(7);
  for (let i = 0; i < 400; i++) volume.fs.writeFileSync(`/file-${i}`, small);
  volume.commitSync();
  for (let i = 0; i < 400; i++) {
    // Changed contents wait for staging; one that becomes an extent is put at once, and now and then makes a commit for want of memory.
    const path = `/file-${(i * 37) % 400}`;
    volume.fs.writeFileSync(path, small);
    volume.fs.writeFileSync(`/file-${(i * 91 + 5) % 400}`, small);
    const descriptor = volume.fs.openSync(path, 'r+');
    volume.fs.writeSync(descriptor, new Uint8Array(3000), 0, 3000, 40);
    volume.fs.closeSync(descriptor);
  }
  for (let i = 0; i < 400; i++) {
    expect(volume.fs.readFileSync(`/file-${i}`).subarray(0, 40)).toEqual(small);
  }
  volume.commitSync();
  expect([...volume.check()]).toEqual([]);
});

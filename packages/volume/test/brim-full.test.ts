import { MemoryDevice } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const BLOCK_BYTES = 512;

/** Makes files until there is no room, in three manners; returns their paths. */
function fill(volume: Volume, manner: 'names' | 'contents' | 'mixed'): string[] {
  const paths: string[] = [];
  for (let i = 0; ; i++) {
    const path = `/${'n'.repeat(manner === 'contents' ? 1 : 40 + ((i * 37) % 60))}-${(i * 7919) % 100_003}`;
    const length = manner === 'names' ? 0 : manner === 'contents' ? 100 : (i % 3) * 400;
    try {
      volume.fs.writeFileSync(path, new Uint8Array(length));
      paths.push(path);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
      if (volume.fs.existsSync(path)) paths.push(path);
      return paths;
    }
  }
}

describe('a volume that is full to the brim', () => {
  it.each(['names', 'contents', 'mixed'] as const)('lets every file go, full of %s', (manner) => {
    for (let blockCount = 296; blockCount < 1500; blockCount += 241) {
      for (const commits of [true, false]) {
        const volume = Volume.create(new MemoryDevice(), {
          blockSize: BLOCK_BYTES,
          maxBytes: blockCount * BLOCK_BYTES,
          cacheBytes: 1 << 20,
          autoCommitMilliseconds: 0,
        });
        const paths = fill(volume, manner);
        if (commits) volume.commitSync();
        for (let i = 0; i < paths.length; i++) {
          const path = paths[(i * 31) % paths.length]!;
          if (volume.fs.existsSync(path)) volume.fs.unlinkSync(path);
          if (commits && i % 5 === 0) volume.commitSync();
        }
        for (const path of paths) if (volume.fs.existsSync(path)) volume.fs.unlinkSync(path);
        volume.commitSync();
        expect(volume.fs.readdirSync('/')).toEqual([]);
        expect([...volume.check()]).toEqual([]);
      }
    }
  });
});

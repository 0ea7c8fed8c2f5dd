/**
 * Objects that leave the cache of inodes and names serve again: nobody may use one that was looked up before the cache could shrink.
 */
import { type BlockDevice, MemoryDevice } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import type { Head } from '../src/head.ts';
import { NodeFs, type NodeVolume } from '../src/node.ts';
import { createWith } from '../src/volume.ts';

function create(device: BlockDevice): { volume: NodeVolume; head: Head } {
  let made: Head | undefined;
  const volume = createWith(device, { cachedInodes: 0, cachedNames: 0, autoCommitMilliseconds: 0 }, (head) => {
    made = head;
    return new NodeFs(head);
  });
  return { volume, head: made! };
}

describe('with no inodes in memory but those in use', () => {
  it('a copy has all of the content, wherever it goes', () => {
    const { volume } = create(new MemoryDevice({ maxSizeBytes: 16 << 20 }));
    const { fs } = volume;
    const content = 'content '.repeat(300);
    fs.mkdirSync('/a/b/c', { recursive: true });
    fs.writeFileSync('/a/b/c/source', content);
    for (let i = 0; i < 20; i++) {
      const copy = `${['', '/a', '/a/b', '/a/b/c'][i % 4]}/copy${i}`;
      volume.commitSync();
      fs.copyFileSync('/a/b/c/source', copy);
      expect(fs.readFileSync(copy, 'utf8') === content).toBe(true);
    }
    volume.closeSync();
  });
});

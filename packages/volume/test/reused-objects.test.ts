/**
 * Objects that leave the cache of inodes and names serve again: nobody may use one that was looked up before the cache could shrink.
 */
import { type BlockDevice, MemoryDevice } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import type { Head } from '../src/head.ts';
import { NodeFs, type NodeVolume } from '../src/node.ts';
import { createWith, Volume } from '../src/volume.ts';

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

  it('a write in the background that ends behind its closed file leaves those of another file alone', async () => {
    let gate: Promise<void> | undefined;
    const device = new SimulatedDevice({ maxSizeBytes: 16 << 20, trace: false, hold: () => gate });
    const { volume, head } = create(device);
    const { fs } = volume;
    const root = fs.opendirSync('/');
    const handle = await fs.promises.open('/first', 'w');
    const inode = head.cache.find(fs.statSync('/first').ino)!;
    const written = handle.writeFile(Buffer.alloc(300_000, 1));
    fs.closeSync(handle.fd);
    while (inode.changingCount > 0) await Promise.resolve();
    // The write has ended, and nobody has been told yet: its inode is still in use.
    volume.commitSync();
    let open = (): void => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const appended = [fs.promises.appendFile('/second', Buffer.alloc(300_000, 2))];
    expect(head.cache.find(fs.statSync('/second').ino)).not.toBe(inode);
    await written;
    appended.push(fs.promises.appendFile('/second', Buffer.alloc(300_000, 3)));
    open();
    await Promise.all(appended);
    const content = fs.readFileSync('/second');
    expect([content.length, content.indexOf(3)]).toEqual([600_000, 300_000]);
    root.closeSync();
    await volume.close();
  });
});

describe('with fewer inodes in memory than large files', () => {
  it('the maps of those that are kept stay open: those that have gone count no longer', () => {
    const device = new MemoryDevice({ maxSizeBytes: 16 << 20 });
    const volume = Volume.create(device, { blockSize: 512, cachedInodes: 400, autoCommitMilliseconds: 0 });
    const paths = Array.from({ length: 1200 }, (_, i) => `/${i}`);
    for (const path of paths) volume.fs.writeFileSync(path, new Uint8Array(600));
    volume.commitSync();
    const openCounts = paths.map((path) => {
      volume.fs.readFileSync(path);
      return volume.stats().files.openFiles;
    });
    expect(Math.min(...openCounts.slice(400))).toBeGreaterThan(300);
    volume.closeSync();
  });
});

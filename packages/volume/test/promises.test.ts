/**
 * Promises, file handles and streams; writes in the background; commits that nobody asks for.
 */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { MemoryDevice } from '@outwrite/blockdev';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NodeFileHandle, NodeFs, type NodeVolume } from '../src/node.ts';
import { createWith } from '../src/volume.ts';

let volume: NodeVolume;

beforeEach(() => {
  volume = createWith(
    new MemoryDevice({ maxSizeBytes: 64 << 20 }),
    { autoCommitMilliseconds: 0 },
    (head) => new NodeFs(head),
  );
});

afterEach(async () => {
  await volume.close();
});

const large = Buffer.from(Uint8Array.from({ length: 3_000_001 }, (_, index) => (index * 31 + (index >>> 10)) & 0xff));

describe('promises', () => {
  it('give handles that a block closes at its end', async () => {
    const opened: NodeFileHandle[] = [];
    {
      await using handle = await volume.fs.promises.open('/a', 'w');
      opened.push(handle);
      await handle.writeFile('text');
    }
    expect(opened.map(({ fd }) => fd)).toEqual([-1]);
    expect(volume.fs.readFileSync('/a', 'utf8')).toBe('text');
  });

  it('do what their synchronous twins do', async () => {
    const { promises: fs } = volume.fs;
    await fs.mkdir('/a/b', { recursive: true });
    await fs.writeFile('/a/b/file', 'text', { mode: 0o600 });
    await fs.appendFile('/a/b/file', ' and more');
    expect(await fs.readFile('/a/b/file', 'utf8')).toBe('text and more');
    expect(await fs.readFile('/a/b/file')).toBeInstanceOf(Buffer);
    expect((await fs.stat('/a/b/file')).mode & 0o777).toBe(0o600);
    expect((await fs.stat('/a/b/file', { bigint: true })).size).toBe(13n);
    await fs.symlink('b', '/a/link');
    expect(await fs.readlink('/a/link')).toBe('b');
    expect(await fs.realpath('/a/link/file')).toBe('/a/b/file');
    expect((await fs.lstat('/a/link')).isSymbolicLink()).toBe(true);
    await fs.link('/a/b/file', '/a/second');
    await fs.rename('/a/second', '/a/third');
    await fs.copyFile('/a/third', '/a/copy');
    expect(await fs.readdir('/a')).toEqual(['b', 'copy', 'link', 'third']);
    expect((await fs.readdir('/a', { withFileTypes: true })).map((entry) => entry.isDirectory())).toEqual([
      true,
      false,
      false,
      false,
    ]);
    await fs.truncate('/a/copy', 4);
    await fs.chmod('/a/copy', 0o644);
    await fs.chown('/a/copy', 1, 2);
    await fs.utimes('/a/copy', 1, 2);
    await fs.lutimes('/a/link', 1, 2);
    await fs.setxattr('/a/copy', 'user.k', 'v');
    expect(await fs.listxattr('/a/copy')).toEqual(['user.k']);
    expect((await fs.getxattr('/a/copy', 'user.k')).toString()).toBe('v');
    await fs.removexattr('/a/copy', 'user.k');
    expect((await fs.statfs('/')).bsize).toBe(4096);
    expect(await fs.mkdtemp('/a/tmp-')).toMatch(/^\/a\/tmp-.{6}$/);
    await fs.access('/a/copy');
    await fs.unlink('/a/copy');
    await expect(fs.access('/a/copy')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(fs.rmdir('/a')).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    await fs.rm('/a', { recursive: true });
    expect(await fs.readdir('/')).toEqual([]);
  });

  it('a directory is iterated in order, also when it is larger than a page', async () => {
    const { fs } = volume;
    const names = Array.from({ length: 2500 }, (_, index) => `name-${String(index).padStart(5, '0')}`);
    fs.mkdirSync('/many');
    for (const [index, name] of names.entries()) {
      fs.writeFileSync(`/many/${name}`, '');
      if (index === 1200) await volume.commit();
    }
    const seen: string[] = [];
    for await (const entry of await fs.promises.opendir('/many')) {
      seen.push(entry.name);
      fs.unlinkSync(`/many/${entry.name}`);
    }
    expect(seen).toEqual(names);
    fs.rmdirSync('/many');
  });
});

describe('file handles', () => {
  it('read, write, stat, sync and close', async () => {
    const handle = await volume.fs.promises.open('/f', 'w+');
    expect(await handle.write('hello')).toMatchObject({ bytesWritten: 5 });
    expect(await handle.write(Buffer.from('HE'), 0, 2, 0)).toMatchObject({ bytesWritten: 2 });
    expect((await handle.read(Buffer.alloc(5), 0, 5, 0)).buffer.toString()).toBe('HEllo');
    expect((await handle.stat()).size).toBe(5);
    await handle.truncate(2);
    await handle.chmod(0o600);
    await handle.utimes(5, 6);
    await handle.sync();
    expect(volume.stats().durableDelta).toBe(volume.stats().openDelta - 1);
    await handle.writev([Buffer.from('a'), Buffer.from('b')], 2);
    await handle.datasync();
    await handle.close();
    await handle.close();
    await expect(handle.read(Buffer.alloc(1))).rejects.toMatchObject({ code: 'EBADF' });
    expect(volume.fs.readFileSync('/f', 'utf8')).toBe('HEab');
    expect(volume.stats().openDescriptors).toBe(0);
  });

  it('writes in the background arrive, at their places, with commits between', async () => {
    const { promises: fs } = volume.fs;
    const handle = await fs.open('/large', 'w');
    const pieces = [large.subarray(0, 1_000_000), large.subarray(1_000_000, 1_500_000), large.subarray(1_500_000)];
    const writes = pieces.map((piece) => handle.write(piece));
    const commit = volume.commit();
    await handle.close();
    await Promise.all([...writes, commit]);
    expect((await fs.readFile('/large')).equals(large)).toBe(true);
    expect(await fs.stat('/large')).toMatchObject({ size: large.length });
    await volume.commit();
    expect([...volume.check()]).toEqual([]);
  });

  it('a file that is removed while a write is under way is reclaimed when the write has ended', async () => {
    const handle = await volume.fs.promises.open('/gone', 'w');
    const write = handle.write(large);
    volume.fs.unlinkSync('/gone');
    const closed = handle.close();
    await Promise.all([write, closed]);
    await volume.commit();
    await volume.checkpoint();
    expect([...volume.check()]).toEqual([]);
    expect(volume.stats().inodeCount).toBe(1);
  });
});

describe('closing the volume', () => {
  it('waits for writes under way, and closeSync refuses', async () => {
    const { promises: fs } = volume.fs;
    const handle = await fs.open('/large', 'w');
    const write = handle.write(large);
    expect(() => volume.closeSync()).toThrowError(expect.objectContaining({ code: 'EIO' }));
    expect(volume.closed).toBe(false);
    await volume.close();
    expect((await write).bytesWritten).toBe(large.length);
    expect(volume.closed).toBe(true);
    volume.closeSync();
  });
});

describe('streams', () => {
  it('read and write whole files', async () => {
    const { fs } = volume;
    const output = fs.createWriteStream('/stream');
    output.write(large.subarray(0, 100_000));
    output.end(large.subarray(100_000));
    await once(output, 'close');
    expect(fs.readFileSync('/stream').equals(large)).toBe(true);
    await pipeline(fs.createReadStream('/stream'), fs.createWriteStream('/copy', { flush: true }));
    expect(fs.readFileSync('/copy').equals(large)).toBe(true);
    expect(volume.stats().commits).toBeGreaterThan(0);
    expect(volume.stats().openDescriptors).toBe(0);
  });

  it('take ranges, encodings and descriptors', async () => {
    const { fs } = volume;
    fs.writeFileSync('/f', '0123456789');
    expect(await text(fs.createReadStream('/f', { start: 2, end: 5 }))).toBe('2345');
    const output = fs.createWriteStream('/f', { flags: 'r+', start: 8 });
    output.end('XY');
    await once(output, 'close');
    expect(await text(fs.createReadStream('/f', 'utf8'))).toBe('01234567XY');
    const handle = await fs.promises.open('/f');
    expect(await text(handle.createReadStream({ start: 8 }))).toBe('XY');
    const missing = fs.createReadStream('/none');
    const [error] = await once(missing, 'error').catch((thrown) => [thrown]);
    expect(error).toMatchObject({ code: 'ENOENT', path: '/none', syscall: 'open' });
    const web = await fs.promises.open('/f');
    expect(await text(web.readableWebStream() as unknown as AsyncIterable<Uint8Array>)).toBe('01234567XY');
    await web.close();
    expect(volume.stats().openDescriptors).toBe(0);
  });
});

describe('commits that nobody asks for', () => {
  it('come by age', async () => {
    const aging = createWith(
      new MemoryDevice({ maxSizeBytes: 64 << 20 }),
      { autoCommitMilliseconds: 20 },
      (head) => new NodeFs(head),
    );
    const before = aging.stats().commits;
    aging.fs.writeFileSync('/x', 'x');
    const deadline = Date.now() + 5000;
    while (aging.stats().commits === before && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(aging.stats().commits).toBe(before + 1);
    await aging.close();
  });

  it('come by dirty bytes, and never within a transaction', async () => {
    const busy = createWith(
      new MemoryDevice({ maxSizeBytes: 64 << 20 }),
      { autoCommitMilliseconds: 0, autoCommitBytes: 20_000 },
      (head) => new NodeFs(head),
    );
    const before = busy.stats().commits;
    for (let i = 0; i < 200; i++) busy.fs.writeFileSync(`/f${i}`, Buffer.alloc(500, i));
    const after = busy.stats().commits;
    expect(after).toBeGreaterThan(before);
    await busy.commit();
    const quiet = busy.stats().commits;
    busy.transact(() => {
      for (let i = 0; i < 200; i++) busy.fs.writeFileSync(`/g${i}`, Buffer.alloc(500, i));
      expect(() => busy.commitSync()).toThrowError(expect.objectContaining({ code: 'EINVAL' }));
    });
    expect(busy.stats().commits).toBe(quiet);
    await busy.close();
  });

  it('concurrent commits share flushes', async () => {
    const before = volume.stats();
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await volume.fs.promises.writeFile(`/shared${index}`, 'x');
        await volume.commit();
      }),
    );
    const after = volume.stats();
    expect(after.commits - before.commits).toBeLessThanOrEqual(3);
  });
});

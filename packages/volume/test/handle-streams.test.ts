/**
 * Streams that a file handle makes: they use the file of the handle, never another one that got its descriptor.
 */
import { once } from 'node:events';
import { buffer, text } from 'node:stream/consumers';
import { MemoryDevice } from '@outwrite/blockdev';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeFs, type NodeVolume } from '../src/node.ts';
import { createWith } from '../src/volume.ts';

let volume: NodeVolume;
let fs: NodeVolume['fs'];

beforeEach(() => {
  const device = new MemoryDevice({ maxSizeBytes: 64 << 20 });
  volume = createWith(device, { autoCommitMilliseconds: 0 }, (head) => new NodeFs(head));
  fs = volume.fs;
  fs.writeFileSync('/other', 'other');
  fs.writeFileSync('/f', 'content');
});

afterEach(async () => {
  expect(fs.readFileSync('/other', 'utf8')).toBe('other');
  expect([...volume.check()]).toEqual([]);
  await volume.close();
});

describe('after the handle is closed', () => {
  it('streams fail, and its descriptor is none', async () => {
    const handle = await fs.promises.open('/f', 'r+');
    const { fd } = handle;
    await handle.close();
    expect(handle.fd).toBe(-1);
    expect(fs.openSync('/other', 'r+')).toBe(fd);
    await expect(text(handle.createReadStream())).rejects.toMatchObject({ code: 'EBADF' });
    const stream = handle.createWriteStream();
    stream.end('wrong');
    expect((await once(stream, 'error'))[0]).toMatchObject({ code: 'EBADF' });
    fs.closeSync(fd);
  });

  it('so do streams that were made before its descriptor was closed', async () => {
    const handle = await fs.promises.open('/f', 'r+');
    const { fd } = handle;
    const writing = handle.createWriteStream({ autoClose: false });
    const reading = handle.createReadStream({ autoClose: false });
    fs.closeSync(fd);
    expect(handle.fd).toBe(-1);
    expect(fs.openSync('/other', 'r+')).toBe(fd);
    writing.write('wrong');
    expect((await once(writing, 'error'))[0]).toMatchObject({ code: 'EBADF' });
    await expect(text(reading)).rejects.toMatchObject({ code: 'EBADF' });
    await handle.close();
    fs.closeSync(fd);
  });
});

describe('close of the handle', () => {
  it('waits for what a stream was given', async () => {
    for (const autoClose of [true, false]) {
      for (const lengthBytes of [3, 300_000]) {
        const handle = await fs.promises.open('/f', 'w');
        const stream = handle.createWriteStream({ autoClose });
        for (const value of [1, 2, 3]) stream.write(Buffer.alloc(lengthBytes, value));
        await handle.close();
        expect(handle.fd).toBe(-1);
        const content = fs.readFileSync('/f');
        expect(content.length).toBe(3 * lengthBytes);
        expect([0, 1, 2].map((i) => content[i * lengthBytes])).toEqual([1, 2, 3]);
        if (!stream.closed) await once(stream, 'close');
      }
    }
  });

  it('ends streams in any state', async () => {
    const handle = await fs.promises.open('/f', 'r+');
    const finished = handle.createWriteStream({ autoClose: false, emitClose: false });
    finished.end('x');
    await once(finished, 'finish');
    const read = handle.createReadStream({ autoClose: false, start: 0 });
    expect((await buffer(read)).toString()).toBe('xontent');
    const idle = handle.createReadStream();
    const failed = handle.createWriteStream({ autoClose: false, start: 2 ** 53 - 1 });
    failed.write('y');
    await once(failed, 'error');
    const failing = handle.createWriteStream({ autoClose: false, start: 2 ** 53 - 1 });
    failing.write('y');
    const error = once(failing, 'error');
    await handle.close();
    await error;
    for (const stream of [finished, read, idle, failed, failing]) expect(stream.destroyed).toBe(true);
    expect(volume.fs.readFileSync('/f', 'utf8')).toBe('xontent');
  });

  it('comes from a stream that ends, when all others have', async () => {
    const handle = await fs.promises.open('/f', 'w+');
    const [first, second] = [handle.createWriteStream({ start: 0 }), handle.createWriteStream({ start: 5 })];
    second.write('second');
    first.end('first');
    await Promise.all([once(first, 'close'), once(second, 'close')]);
    expect(handle.fd).toBe(-1);
    expect(fs.readFileSync('/f', 'utf8')).toBe('firstsecond');
    await handle.close();
  });
});

/**
 * Writes that overlap in time: appends never write over each other, and what else looks at the length of a file knows of them.
 */
import { once } from 'node:events';
import { MemoryDevice } from '@outwrite/blockdev';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeFs, type NodeVolume } from '../src/node.ts';
import { createWith } from '../src/volume.ts';

let volume: NodeVolume;

function create(maxSizeBytes: number): NodeVolume {
  return createWith(new MemoryDevice({ maxSizeBytes }), { autoCommitMilliseconds: 0 }, (head) => new NodeFs(head));
}

beforeEach(() => {
  volume = create(64 << 20);
});

afterEach(async () => {
  expect([...volume.check()]).toEqual([]);
  await volume.close();
});

const bytes = (lengthBytes: number, value: number): Buffer => Buffer.alloc(lengthBytes, value);

/** The content of a file as runs of equal bytes. */
function runs(path: string): [number, number][] {
  const content = volume.fs.readFileSync(path);
  const found: [number, number][] = [];
  for (let at = 0; at < content.length; ) {
    let end = at;
    while (end < content.length && content[end] === content[at]) end++;
    found.push([content[at], end - at]);
    at = end;
  }
  return found;
}

describe('appends', () => {
  it('through one handle each have their own place, in the order of the calls', async () => {
    const handle = await volume.fs.promises.open('/log', 'a');
    await handle.appendFile(bytes(5000, 3));
    const lines = Array.from({ length: 100 }, (_, i) => `line ${String(i).padStart(3, '0')}\n`);
    await Promise.all(lines.map((line) => handle.appendFile(line)));
    expect(volume.fs.readFileSync('/log', 'latin1').slice(5000)).toBe(lines.join(''));
    await handle.close();
  });

  it('of large contents do not meet', async () => {
    const { promises: fs } = volume.fs;
    await Promise.all([1, 2, 3].map((value) => fs.appendFile('/x', bytes(300_000, value))));
    expect(runs('/x')).toEqual([
      [1, 300_000],
      [2, 300_000],
      [3, 300_000],
    ]);
  });

  it('by name keep the order of the calls, whatever their lengths', async () => {
    const { promises: fs } = volume.fs;
    const lengths = [300_000, 5, 270_000, 7, 100_000, 9];
    const appending = lengths.map((lengthBytes, i) => fs.appendFile('/x', bytes(lengthBytes, i + 1)));
    await Promise.all(appending);
    expect(runs('/x')).toEqual(lengths.map((lengthBytes, i) => [i + 1, lengthBytes]));
    const small = fs.appendFile('/y', 'at once');
    expect(volume.fs.readFileSync('/y', 'utf8')).toBe('at once');
    await small;
  });

  it('through several handles, large and small, keep the order of the calls', async () => {
    const { promises: fs } = volume.fs;
    const [a, b] = [await fs.open('/x', 'a'), await fs.open('/x', 'a')];
    await Promise.all([
      a.write(bytes(2_500_000, 1)),
      b.write(bytes(10, 2)),
      a.write(bytes(100_001, 3)),
      b.write(bytes(20, 4)),
    ]);
    expect(runs('/x')).toEqual([
      [1, 2_500_000],
      [2, 10],
      [3, 100_001],
      [4, 20],
    ]);
    await Promise.all([a.close(), b.close()]);
  });

  it('through two streams lose nothing', async () => {
    const streams = [1, 2].map(() => volume.fs.createWriteStream('/x', { flags: 'a' }));
    for (let round = 0; round < 20; round++) {
      streams.forEach((stream, i) => {
        stream.write(bytes(90_000, i + 1));
      });
    }
    await Promise.all(streams.map((stream) => once(stream.end(), 'close')));
    const content = volume.fs.readFileSync('/x');
    expect(content.length).toBe(40 * 90_000);
    expect(content.filter((byte) => byte === 1).length).toBe(20 * 90_000);
  });

  it('that cannot wait go behind what is under way', async () => {
    const handle = await volume.fs.promises.open('/x', 'a');
    const writing = handle.write(bytes(3_000_000, 1));
    volume.fs.appendFileSync('/x', bytes(10, 2));
    const later = handle.write(bytes(20, 3));
    volume.fs.appendFileSync('/x', bytes(30, 4));
    await Promise.all([writing, later]);
    expect(runs('/x')).toEqual([
      [1, 3_000_000],
      [2, 10],
      [4, 30],
      [3, 20],
    ]);
    await handle.close();
  });

  it('go behind a write without them that is under way', async () => {
    const { promises: fs } = volume.fs;
    const [writer, appender] = [await fs.open('/x', 'w'), await fs.open('/x', 'a')];
    const writing = writer.write(bytes(1_500_000, 1));
    volume.fs.truncateSync('/x', 0);
    const appending = appender.appendFile('aa');
    volume.fs.appendFileSync('/x', 'bb');
    await Promise.all([writing, appending]);
    expect(runs('/x')).toEqual([
      [1, 1_500_000],
      [98, 2],
      [97, 2],
    ]);
    await Promise.all([writer.close(), appender.close()]);
  });

  it('take the place of one that was refused', async () => {
    await volume.close();
    volume = create(4 << 20);
    const handle = await volume.fs.promises.open('/x', 'a');
    await handle.write(bytes(5000, 1));
    const results = await Promise.allSettled([
      handle.write(bytes(900_000, 2)),
      handle.write(bytes(8_000_000, 3)),
      handle.write(bytes(10, 4)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const found = runs('/x');
    expect(found.slice(0, 2)).toEqual([
      [1, 5000],
      [2, 900_000],
    ]);
    // Of the write that was refused a beginning may be there.
    expect(found.slice(2).filter(([value]) => value !== 3)).toEqual([[4, 10]]);
    await handle.close();
  });

  it('survive the close of the descriptor and the removal of the name, and the volume waits for them', async () => {
    const fd = volume.fs.openSync('/x', 'a');
    const stream = volume.fs.createWriteStream('', { fd, autoClose: false });
    const written = [bytes(200_000, 1), bytes(200_000, 2)].map(
      (content) => new Promise((resolve) => void stream.write(content, resolve)),
    );
    const handle = await volume.fs.promises.open('/x', 'a');
    const appended = [handle.write(bytes(100_000, 3)), handle.write('end')];
    volume.fs.unlinkSync('/x');
    const closing = handle.close();
    expect(() => volume.closeSync()).toThrow('under way');
    await Promise.all([...written, ...appended, closing]);
    expect(volume.fs.fstatSync(fd).size).toBe(500_003);
    volume.fs.closeSync(fd);
    await volume.commit();
    await volume.checkpoint();
  });
});

describe('while the first write of a file is under way', () => {
  it('it can be cut when it is opened', async () => {
    const handle = await volume.fs.promises.open('/x', 'w');
    const writing = handle.write(bytes(3_000_000, 1));
    // The first piece has taken effect, the others have not.
    while (volume.fs.readSync(volume.fs.openSync('/x', 'r'), Buffer.alloc(1)) === 0) await Promise.resolve();
    const fd = volume.fs.openSync('/x', 'w');
    expect(volume.fs.readSync(volume.fs.openSync('/x', 'r'), Buffer.alloc(1))).toBe(0);
    await writing;
    await handle.close();
    volume.fs.closeSync(fd);
    expect(runs('/x')[0]).toEqual([0, 1 << 20]);
  });

  it('holes can be punched', async () => {
    const handle = await volume.fs.promises.open('/x', 'w+');
    const writing = handle.write(bytes(3_000_000, 1));
    while ((await handle.read(Buffer.alloc(1), 0, 1, 0)).bytesRead === 0) await Promise.resolve();
    volume.fs.punchHoleSync(handle.fd, 0, 4096);
    await writing;
    await handle.close();
    expect(runs('/x')).toEqual([
      [0, 4096],
      [1, 3_000_000 - 4096],
    ]);
  });
});

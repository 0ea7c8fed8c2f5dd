/**
 * Writes of several buffers are one write: nothing comes between their parts, and none of them is left behind.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const tuning = { autoCommitMilliseconds: 0 };
let volume: Volume;

beforeEach(() => {
  volume = Volume.create(new MemoryDevice({ maxSizeBytes: 64 << 20 }), tuning);
});

afterEach(async () => {
  expect([...volume.check()]).toEqual([]);
  await volume.close();
});

const bytes = (lengthBytes: number, value: number): Uint8Array => new Uint8Array(lengthBytes).fill(value);
const letters = (text: string): Uint8Array[] => Array.from(text, (letter) => bytes(1, letter.charCodeAt(0)));

it('a handle is closed when all of them are written, and keeps nothing of a file without a name', async () => {
  const { usedBlocks } = volume.stats().space;
  const { fs } = volume;
  const handle = await fs.promises.open('/f', 'w');
  const writing = handle.writev([bytes(1, 1), bytes(1, 1), bytes(1, 1), bytes(9000, 1)]);
  fs.unlinkSync('/f');
  await handle.close();
  expect((await writing).bytesWritten).toBe(9003);
  await volume.commit();
  await volume.checkpoint();
  expect(volume.stats().space.usedBlocks).toBeLessThanOrEqual(usedBlocks + 4);
});

it('a large one under way keeps the handle open', async () => {
  const handle = await volume.fs.promises.open('/f', 'w');
  const writing = handle.writev([1, 2, 3].map((value) => bytes(1 << 20, value)));
  await handle.close();
  const content = volume.fs.readFileSync('/f');
  expect([0, 1, 2].map((i) => content[i << 20])).toEqual([1, 2, 3]);
  expect(content.length).toBe(3 << 20);
  await writing;
});

it('two at once do not mix', async () => {
  for (const flags of ['w', 'a']) {
    const handle = await volume.fs.promises.open(`/${flags}`, flags);
    await Promise.all([handle.writev(letters('abc')), handle.writev(letters('def'))]);
    expect(volume.fs.readFileSync(`/${flags}`, 'latin1')).toBe('abcdef');
    const large = [1, 2].map((value) => handle.writev([bytes(80_000, value), bytes(80_000, value)]));
    await Promise.all(large);
    const content = volume.fs.readFileSync(`/${flags}`).subarray(6);
    expect(content.indexOf(2)).toBe(160_000);
    expect(content.includes(1, 160_000)).toBe(false);
    await handle.close();
  }
});

it('a commit after the call has all of it', async () => {
  const device = new SimulatedDevice();
  const first = Volume.create(device, tuning);
  const handle = await first.fs.promises.open('/f', 'w');
  const writing = handle.writev(letters('abc'));
  first.commitSync();
  const again = Volume.open(new SimulatedDevice({ medium: device.medium.durableImage() }), tuning);
  expect(again.fs.readFileSync('/f')).toEqual(Uint8Array.from([97, 98, 99]));
  await writing;
  await handle.close();
  await first.close();
});

it('nothing is written when one of them is none', async () => {
  const wrong = [...letters('abc'), 'no'] as Uint8Array[];
  const handle = await volume.fs.promises.open('/f', 'w');
  expect(() => volume.fs.writevSync(handle.fd, wrong)).toThrow(TypeError);
  await expect(handle.writev(wrong)).rejects.toThrow(TypeError);
  expect(() => volume.fs.writevSync(handle.fd, 'abc' as unknown as Uint8Array[])).toThrow(TypeError);
  expect(volume.fs.fstatSync(handle.fd).size).toBe(0);
  expect(volume.fs.writevSync(handle.fd, [])).toBe(0);
  expect((await handle.writev([])).bytesWritten).toBe(0);
  await handle.close();
});

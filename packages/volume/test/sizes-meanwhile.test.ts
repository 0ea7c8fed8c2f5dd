/**
 * What a file tells of itself while a write in the background is under way: it takes effect piece by piece, and so much of it is there.
 */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { beforeEach, expect, it } from 'vitest';
import type { FileHandle } from '../src/index.ts';
import { Volume } from '../src/index.ts';

const MIB = 1 << 20;

let volume: Volume;
let handle: FileHandle;
let writing: Promise<unknown>;
/** Lets the piece that is on its way arrive, and waits until the next one is. */
let letArrive: () => Promise<void>;

beforeEach(async () => {
  const releases: (() => void)[] = [];
  letArrive = async () => {
    for (const release of releases.splice(0)) release();
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const device = new SimulatedDevice({
    hold: ({ lengthBytes }) =>
      lengthBytes >= 64 * 1024 ? new Promise<void>((resolve) => void releases.push(resolve)) : undefined,
  });
  volume = Volume.create(device, { autoCommitMilliseconds: 0 });
  handle = await volume.fs.promises.open('/file', 'w+');
  writing = handle.writev([1, 2, 3].map((value) => new Uint8Array(MIB).fill(value)));
});

async function end(): Promise<void> {
  for (let i = 0; i < 5; i++) await letArrive();
  await writing;
  await handle.close();
  expect([...volume.check()]).toEqual([]);
  await volume.close();
}

it('the length is that of what has arrived', async () => {
  const { fs } = volume;
  for (let pieces = 0; pieces <= 3; pieces++) {
    const sizes = [fs.statSync('/file').size, fs.lstatSync('/file').size, (await handle.stat()).size];
    expect([...sizes, fs.statSync('/file', { bigint: true }).size]).toEqual([
      ...Array.from({ length: 3 }, () => pieces * MIB),
      BigInt(pieces * MIB),
    ]);
    await letArrive();
  }
  await end();
});

it('whole files are read and copied as far as they have come', async () => {
  const { fs } = volume;
  await letArrive();
  await letArrive();
  const expected = new Uint8Array(2 * MIB).fill(1, 0, MIB).fill(2, MIB);
  expect(Buffer.compare(fs.readFileSync('/file'), expected)).toBe(0);
  expect(Buffer.compare(fs.readFileSync('/file', { flag: 'r+' }), expected)).toBe(0);
  const copying = fs.promises.copyFile('/file', '/copy');
  await copying;
  expect(Buffer.compare(fs.readFileSync('/copy'), expected)).toBe(0);
  const reader = fs.openSync('/file', 'r');
  expect(Buffer.compare(fs.readFileSync(reader), expected)).toBe(0);
  fs.closeSync(reader);
  await end();
});

it('a file that is emptied meanwhile has the length of what arrives after that', async () => {
  const { fs } = volume;
  await letArrive();
  fs.truncateSync('/file');
  expect(fs.statSync('/file').size).toBe(0);
  await letArrive();
  expect(fs.statSync('/file').size).toBe(2 * MIB);
  expect(fs.readFileSync('/file').length).toBe(2 * MIB);
  await end();
});

/** Hints to the disk: behind which reads they go out, how far they reach, and that a device closes in spite of them. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BlockDevice } from '../src/index.ts';
import { openFileDevice } from '../src/node.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const SIZE_BYTES = 8 * MIB;

let directory: string;
let file: string;
/** Hints that were given and have not been ended by the test. */
let underWay: { descriptor: number; position: number; lengthBytes: number; end: (error: Error | null) => void }[];
let now: number;
/** What each read of the system takes. */
let milliseconds: number;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'outwrite-ahead-'));
  file = path.join(directory, 'volume');
  fs.writeFileSync(file, new Uint8Array(SIZE_BYTES));
  underWay = [];
  now = 0;
  milliseconds = 1;
  const readSync = fs.readSync;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(fs, 'readSync').mockImplementation(((...call: Parameters<typeof fs.readSync>) => {
    now += milliseconds;
    return readSync(...call);
  }) as never);
  vi.spyOn(fs, 'read').mockImplementation(((
    descriptor: number,
    _target: Uint8Array,
    _offset: number,
    lengthBytes: number,
    position: number,
    end: (error: Error | null) => void,
  ) => {
    underWay.push({ descriptor, position, lengthBytes, end });
  }) as never);
});

afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

function read(device: BlockDevice, position: number, lengthBytes: number): void {
  device.readSync(position, [new Uint8Array(lengthBytes)]);
}

const hints = (): [number, number][] => underWay.map(({ position, lengthBytes }) => [position, lengthBytes]);
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

it('go out behind each slow piece that continues the one before, and not beyond the end', () => {
  const device = openFileDevice(file, { readOnly: true });
  read(device, MIB, MIB);
  expect(hints()).toEqual([]);
  read(device, 2 * MIB, MIB);
  expect(hints()).toEqual([[3 * MIB, MIB]]);
  // Short reads have nothing to do with the stream.
  read(device, 5 * MIB, 4 * KIB);
  read(device, 3 * MIB, 2 * MIB);
  read(device, 5 * MIB, 5 * MIB - 3 * MIB + 512 * KIB);
  expect(hints().slice(1)).toEqual([
    [5 * MIB, MIB],
    [SIZE_BYTES - 512 * KIB, 512 * KIB],
  ]);
  read(device, SIZE_BYTES - 512 * KIB, 512 * KIB);
  expect(underWay).toHaveLength(3);
  for (const { end } of underWay) end(null);
  device.closeSync();
});

it('do not go out behind pieces that come from memory, that are short, or that jump', () => {
  const device = openFileDevice(file);
  milliseconds = 0.1;
  for (let at = 0; at < 4 * MIB; at += MIB) read(device, at, MIB);
  milliseconds = 10;
  for (let at = 0; at < 4 * MIB; at += 128 * KIB) read(device, at, 128 * KIB);
  for (const at of [6, 2, 4, 0]) read(device, at * MIB, MIB);
  expect(hints()).toEqual([]);
  device.closeSync();
});

it('wait until that of an earlier turn of the event loop has ended', async () => {
  const device = openFileDevice(file);
  for (let at = 0; at < 4 * MIB; at += MIB) read(device, at, MIB);
  expect(underWay).toHaveLength(3);
  await nextTurn();
  read(device, 4 * MIB, MIB);
  expect(underWay).toHaveLength(3);
  for (const { end } of underWay) end(new Error('EIO: of no interest'));
  read(device, 5 * MIB, MIB);
  expect(hints().slice(3)).toEqual([[6 * MIB, MIB]]);
  underWay[3]!.end(null);
  device.closeSync();
});

it('keep their description open beyond the device, which closes at once', async () => {
  const device = openFileDevice(file);
  read(device, 0, MIB);
  read(device, MIB, MIB);
  const { descriptor, end } = underWay[0]!;
  await device.close();
  expect(() => fs.fstatSync(descriptor)).not.toThrow();
  end(null);
  await vi.waitFor(() => expect(() => fs.fstatSync(descriptor)).toThrow('EBADF'));
});

/** Writing out in the background: when it begins, how much of it there is, and what its errors do. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DeviceError } from '../src/index.ts';
import { openFileDevice } from '../src/node.ts';

const MIB = 2 ** 20;
const piece = new Uint8Array(MIB);

let directory: string;
let file: string;
/** What was begun and has not been ended by the test. */
let underWay: { descriptor: number; end: (error: NodeJS.ErrnoException | null) => void }[];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'outwrite-writeback-'));
  file = path.join(directory, 'volume');
  underWay = [];
  vi.spyOn(fs, 'fdatasync').mockImplementation((descriptor, end) => {
    underWay.push({ descriptor, end });
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(directory, { recursive: true, force: true });
});

function open() {
  const device = openFileDevice(file, { create: true });
  device.grow(256 * MIB);
  return device;
}

function write(device: ReturnType<typeof open>, pieceCount: number): void {
  for (let i = 0; i < pieceCount; i++) device.writeSync(i * MIB, [piece]);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

it('begins every 8 MiB, and not while two of an earlier turn of the event loop are under way', async () => {
  const device = open();
  write(device, 7);
  expect(underWay).toHaveLength(0);
  write(device, 1);
  expect(underWay).toHaveLength(1);
  await nextTurn();
  write(device, 8);
  expect(underWay).toHaveLength(2);
  await nextTurn();
  write(device, 80);
  expect(underWay).toHaveLength(2);
  underWay.shift()!.end(null);
  write(device, 1);
  expect(underWay).toHaveLength(2);
  for (const { end } of underWay) end(null);
  device.closeSync();
});

it('is bounded between two flushes of a caller that never lets it be heard of', () => {
  const device = open();
  for (let i = 0; i < 40; i++) write(device, 8);
  expect(underWay).toHaveLength(32);
  device.flushSync();
  for (let i = 0; i < 40; i++) write(device, 8);
  expect(underWay).toHaveLength(64);
  for (const { end } of underWay) end(null);
  device.closeSync();
});

it('has nothing to do where flushes are frequent', () => {
  const device = open();
  for (let i = 0; i < 100; i++) {
    write(device, 7);
    device.flushSync();
  }
  expect(underWay).toHaveLength(0);
  device.closeSync();
});

it('fails every later flush when it has failed', async () => {
  const device = open();
  write(device, 8);
  underWay[0]!.end(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
  for (let i = 0; i < 2; i++) {
    expect(() => device.flushSync()).toThrow(DeviceError);
    const flushed = device.flush();
    underWay.at(-1)!.end(null);
    await expect(flushed).rejects.toThrow(/EIO: i\/o error/);
  }
  await device.close();
});

it('keeps its description until it has ended, and no device from being closed', () => {
  const closed: number[] = [];
  const { closeSync, close } = fs;
  vi.spyOn(fs, 'closeSync').mockImplementation((descriptor) => {
    closed.push(descriptor);
    closeSync(descriptor);
  });
  vi.spyOn(fs, 'close').mockImplementation((descriptor, callback) => {
    closed.push(descriptor);
    close(descriptor, callback);
  });
  const device = open();
  write(device, 8);
  const { descriptor, end } = underWay[0]!;
  device.closeSync();
  expect(closed).not.toContain(descriptor);
  end(null);
  expect(closed).toContain(descriptor);
});

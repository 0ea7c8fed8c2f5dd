/** Files that are read where no lock can be made. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openFileDevice } from '../src/node.ts';

const NOBODY = 65534;

let directory: string;
let file: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'outwrite-watch-'));
  file = path.join(directory, 'volume');
  fs.writeFileSync(file, new Uint8Array(4096));
  fs.chmodSync(directory, 0o555);
});

afterEach(() => {
  fs.chmodSync(directory, 0o755);
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Runs `task` as somebody whom the folder keeps from making files: permissions do not bind root. */
function unprivileged<T>(task: () => T): T {
  if (process.geteuid?.() !== 0) return task();
  process.seteuid!(NOBODY);
  try {
    return task();
  } finally {
    process.seteuid!(0);
  }
}

const watching = { readOnly: true, lock: 'or-watch' } as const;

/** A lock as another process leaves it: of this one, which lives, or of one on this host that is gone. */
function writeLock(text: string): void {
  fs.chmodSync(directory, 0o755);
  fs.writeFileSync(`${file}.lock`, text);
  fs.chmodSync(directory, 0o555);
}

function lockOfThisProcess(): string {
  fs.chmodSync(directory, 0o755);
  const device = openFileDevice(file);
  const text = fs.readFileSync(`${file}.lock`, 'utf8');
  device.closeSync();
  fs.chmodSync(directory, 0o555);
  return text;
}

it('an opening says that it is the lock that cannot be made, and what to do', () => {
  for (const readOnly of [true, false]) {
    expect(() => unprivileged(() => openFileDevice(file, { readOnly }))).toThrow(
      expect.objectContaining({
        code: 'EACCES',
        message: expect.stringMatching(/^cannot lock .*volume: EACCES: .*; its lock is a file beside it; copy it to/),
      }),
    );
  }
});

it('a file is read without its lock where none can be made, and undisturbed until it is changed', () => {
  const device = unprivileged(() => openFileDevice(file, watching));
  const bytes = new Uint8Array(512);
  device.readSync(0, [bytes]);
  expect(device.isUndisturbed()).toBe(true);
  expect(() => unprivileged(() => openFileDevice(file, watching))).toThrow('this process has it open');
  fs.utimesSync(file, new Date(), new Date(Date.now() - 1000));
  expect(device.isUndisturbed()).toBe(false);
  device.closeSync();
  expect(device.isUndisturbed()).toBe(false);
  expect(fs.readdirSync(directory)).toEqual(['volume']);
});

it('somebody who holds the lock is in the way, and so is somebody who takes it', () => {
  const living = lockOfThisProcess();
  writeLock(living);
  expect(() => unprivileged(() => openFileDevice(file, watching))).toThrow(
    expect.objectContaining({ code: 'ELOCKED' }),
  );
  writeLock('');
  const device = unprivileged(() => openFileDevice(file, watching));
  expect(device.isUndisturbed()).toBe(true);
  writeLock(living);
  expect(device.isUndisturbed()).toBe(false);
  fs.chmodSync(directory, 0o755);
  fs.rmSync(`${file}.lock`);
  // Whoever has taken the dead lock over was here.
  expect(device.isUndisturbed()).toBe(false);
  device.closeSync();
});

it('the lock is taken where it can be, and is needed for writing', () => {
  fs.chmodSync(directory, 0o755);
  const device = openFileDevice(file, watching);
  expect(fs.existsSync(`${file}.lock`)).toBe(true);
  expect(device.isUndisturbed()).toBe(true);
  device.closeSync();
  expect(() => openFileDevice(file, { lock: 'or-watch' })).toThrow(TypeError);
});

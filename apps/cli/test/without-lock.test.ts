/**
 * Verifying a volume in a folder where this user cannot make the lock file.
 */
import { appendFileSync, chmodSync, readdirSync, rmSync } from 'node:fs';
import { FileDevice } from '@outwrite/blockdev/node';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type CommandResult, outwrite } from './command-run.ts';
import { makeSampleVolume } from './sample-volume.ts';

const NOBODY = 65534;

let folder: string;
let volume: string;

beforeEach(async () => {
  ({ folder, volume } = await makeSampleVolume());
  chmodSync(volume, 0o644);
  chmodSync(folder, 0o555);
});

afterEach(() => {
  vi.restoreAllMocks();
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command as somebody whom the folder keeps from making files: permissions do not bind root. */
async function unprivileged(parameters: readonly string[]): Promise<CommandResult> {
  if (process.geteuid?.() !== 0) return await outwrite(parameters);
  process.seteuid!(NOBODY);
  try {
    return await outwrite(parameters);
  } finally {
    process.seteuid!(0);
  }
}

const VERIFYING = [['check'], ['scrub'], ['check', '--repair', '--dry-run']];

it.each(VERIFYING)('%s %s %s works there', async (...command) => {
  const files = readdirSync(folder);
  expect(await unprivileged([...command, '--json', volume])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('"clean":true'),
    stderr: '',
  });
  expect(readdirSync(folder)).toEqual(files);
});

it.each(VERIFYING)('%s %s %s does not count if somebody changes the volume meanwhile', async (...command) => {
  const { readSync } = FileDevice.prototype;
  let readCount = 0;
  vi.spyOn(FileDevice.prototype, 'readSync').mockImplementation(function (this: FileDevice, position, buffers) {
    if (++readCount === 5) change();
    readSync.call(this, position, buffers);
  });
  const change = (): void => {
    if (process.getuid?.() === 0) process.seteuid!(0);
    appendFileSync(volume, Buffer.alloc(512));
    if (process.getuid?.() === 0) process.seteuid!(NOBODY);
  };
  const result = await unprivileged([...command, '--json', volume]);
  expect(result).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining('was changed while it was read without a lock'),
  });
  expect(result.stdout).not.toContain('summary');
});

it('other commands say what is missing', async () => {
  const result = await unprivileged(['ls', volume]);
  expect(result).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^outwrite: cannot lock .*EACCES/) });
  expect((await unprivileged(['ls', '--no-lock', volume])).exitCode).toBe(0);
});

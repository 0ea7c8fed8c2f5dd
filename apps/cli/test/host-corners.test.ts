/**
 * Corners of the host that trees come from and go to: times before 1970, pipes, large files, a full disk below the volume.
 */
import { execFileSync } from 'node:child_process';
import { lstatSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeviceError, LatchedError } from '@outwrite/blockdev';
import { createVolume } from '@outwrite/volume/node';
import { expect, it } from 'vitest';
import { exitCodeOf } from '../src/failures.ts';
import { hostTree } from '../src/transfer/host-tree.ts';
import { importTree } from '../src/transfer/import-tree.ts';
import type { TreeSource } from '../src/transfer/tree-source.ts';
import { outwrite, outwriteOk } from './command-run.ts';
import { withImportFolder } from './import-folder.ts';

let folder: string;
let source: string;
let volume: string;

withImportFolder((made) => {
  ({ folder, source, volume } = made);
});

it.each(['-1.5', '-0.000001', '-312753293.876543', '-2147472000', '0', '2188170123.999999'])(
  'a time of %s seconds comes out as it went in',
  async (seconds) => {
    const path = join(source, 'file');
    writeFileSync(path, 'content');
    utimesSync(path, seconds, seconds);
    utimesSync(source, seconds, seconds);
    const wanted = Math.round(Number(seconds) * 1e6);
    await outwriteOk(['import', '--create', '--quiet', volume, source]);
    const target = join(folder, 'target');
    await outwriteOk(['export', '--quiet', volume, target]);
    for (const exported of [target, join(target, 'file')]) {
      const { mtimeNs } = lstatSync(exported, { bigint: true });
      expect(Math.abs(Number(mtimeNs) / 1e3 - wanted)).toBeLessThanOrEqual(1);
    }
  },
);

it('a pipe is no file to put, and nobody is waited for who might write to it', async () => {
  execFileSync('mkfifo', [join(source, 'pipe')]);
  await outwriteOk(['create', volume]);
  const result = await outwrite(['put', volume, join(source, 'pipe')]);
  expect(result).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is not a file') });
});

it('a volume is not put into itself, which would have no end', async () => {
  await outwriteOk(['create', '--max-size', '2M', volume]);
  const result = await outwrite(['put', volume, volume]);
  expect(result).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is the volume itself') });
  expect(await outwriteOk(['ls', volume])).toBe('');
});

it.each(['check', 'scrub', 'import'])('a cache that is too small is a usage error of %s', async (command) => {
  await outwriteOk(['create', volume]);
  const result = await outwrite([command, '--cache', '1', volume, ...(command === 'import' ? [source] : [])]);
  expect(result).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--cache must be at least 128 KiB') });
});

it('a full disk below the volume has the exit code of no space', () => {
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  const failed = new DeviceError({ operation: 'write' }, 'write failed', { cause: full });
  expect(exitCodeOf(failed)).toBe(5);
  expect(exitCodeOf(new LatchedError(failed))).toBe(5);
  expect(exitCodeOf(new LatchedError(new DeviceError({ operation: 'flush' }, 'flush failed')))).toBe(1);
});

it('the progress of an import goes on within a large file', async () => {
  const sizeBytes = 12 << 20;
  writeFileSync(join(source, 'large'), new Uint8Array(sizeBytes));
  const host = hostTree(source);
  const slow: TreeSource = {
    fullPath: (path) => host.fullPath(path),
    entry: (path) => host.entry(path),
    list: (path) => host.list(path),
    linkTarget: (path) => host.linkTarget(path),
    open: (path) => {
      const file = host.open(path);
      const read = (position: number, target: Uint8Array): number => {
        for (const end = performance.now() + 40; performance.now() < end; );
        return file.read(position, target);
      };
      return { entry: () => file.entry(), read, close: () => file.close() };
    },
  };
  const target = createVolume(volume);
  const told: number[] = [];
  await importTree({
    volume: target,
    source: slow,
    target: '/',
    commitBytes: 2 ** 40,
    commitStepCount: 1000,
    signal: new AbortController().signal,
    onProgress: (done) => told.push(done.sizeBytes),
  });
  await target.close();
  expect(told.some((doneBytes) => doneBytes > 0 && doneBytes < sizeBytes)).toBe(true);
});

it('a volume is not replaced by what comes out of it', async () => {
  writeFileSync(join(source, 'test.ow'), 'not a volume');
  await outwriteOk(['import', '--create', '--quiet', volume, source]);
  const got = await outwrite(['get', '--overwrite', volume, 'test.ow', folder]);
  expect(got).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is the volume itself') });
  const exported = await outwrite(['export', '--overwrite', '--quiet', volume, folder]);
  expect(exported).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is the volume itself') });
  await outwriteOk(['check', volume]);
});

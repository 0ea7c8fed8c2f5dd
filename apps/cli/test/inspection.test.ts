/**
 * What tells about the volume itself: info, df, log and check, on volumes in good and in bad order.
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVolume, openVolume } from '@outwrite/volume/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { separatorText } from '../src/log-text.ts';
import { outwrite, outwriteOk } from './command-run.ts';
import { makeSampleVolume } from './sample-volume.ts';

let folder: string;
let volume: string;

beforeEach(async () => {
  ({ folder, volume } = await makeSampleVolume());
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A copy of the volume as a crash would leave it: two commits after the last checkpoint. */
async function crashedCopy(): Promise<string> {
  const copy = join(folder, 'crashed.ow');
  const opened = openVolume(volume);
  opened.fs.writeFileSync('/new.txt', 'committed before the crash');
  opened.commitSync();
  opened.fs.renameSync('/new.txt', '/docs/renamed.txt');
  opened.commitSync();
  opened.fs.writeFileSync('/lost.txt', 'never committed');
  copyFileSync(volume, copy);
  await opened.close();
  return copy;
}

describe('info and df', () => {
  it('tell what the volume is', async () => {
    const text = await outwriteOk(['info', volume]);
    expect(text).toMatch(/^volume: .*test\.ow\nid: +[0-9a-f]{32}\nblocks of: +4\.00 KiB\n/);
    expect(text).toMatch(/holds: +12 files, directories and links in /);
    expect(text).toContain('nothing to replay');
    const report = JSON.parse(await outwriteOk(['info', '--json', volume])) as Record<string, unknown>;
    expect(report).toMatchObject({ volume, blockSizeBytes: 4096, inodeCount: 12, logBlocks: 0 });
  });

  it('df adds up to the limit', async () => {
    const limited = join(folder, 'limited.ow');
    await outwriteOk(['create', '--max-size', '10M', limited]);
    const spaces = JSON.parse(await outwriteOk(['df', '--json', volume, limited])) as Record<string, number>[];
    expect(spaces).toHaveLength(2);
    const [, { limitBytes, usedBytes, freeBytes, heldBytes }] = spaces;
    expect(limitBytes).toBe(10 * 1024 * 1024);
    expect(usedBytes + freeBytes + heldBytes).toBe(limitBytes);
    const lines = (await outwriteOk(['df', '--bytes', limited])).trimEnd().split('\n');
    expect(lines[0].split(/ +/)).toEqual(['volume', 'limit', 'used', 'free', 'held', 'use', 'inodes']);
    expect(lines[1]).toContain(` ${limitBytes} `);
  });

  it('df goes on after a volume that it cannot look at, and ends as for the worst', async () => {
    const locked = join(folder, 'locked.ow');
    const text = join(folder, 'text');
    const absent = join(folder, 'absent.ow');
    const held = createVolume(locked);
    writeFileSync(text, 'some text\n'.repeat(100_000));

    const result = await outwrite(['df', absent, text, locked, volume]);
    expect(result.exitCode).toBe(3);
    expect(result.stdout).toMatch(/^volume .*\n.*test\.ow .*\n$/);
    const [first, second, third] = result.stderr.split('\n');
    expect(first).toMatch(/^outwrite: .*absent\.ow: .*ENOENT/);
    expect(second).toBe(
      `outwrite: ${text} is no Outwrite volume: neither superblock place holds one; create a volume first, or check the path`,
    );
    expect(third).toMatch(/^outwrite: .*locked\.ow is in use by process /);

    const asJson = await outwrite(['df', '--json', locked, absent, volume]);
    expect(asJson.exitCode).toBe(4);
    expect(JSON.parse(asJson.stdout)).toMatchObject([{ volume }]);
    expect(
      asJson.stderr
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ error: { code: 'ELOCKED', path: locked } }, { error: { code: 'ENOENT', path: absent } }]);
    expect(await outwrite(['df', absent])).toMatchObject({ exitCode: 1, stdout: '' });
    await held.close();
  });

  it('info tells what recovery found after a crash', async () => {
    const text = await outwriteOk(['info', await crashedCopy()]);
    expect(text).toMatch(/2 deltas with \d+ promises replayed from the log/);
  });
});

describe('log', () => {
  it('is empty after a proper close', async () => {
    const text = await outwriteOk(['log', volume]);
    expect(text).toMatch(/^checkpoint at delta \d+ .*\n0 deltas since the checkpoint\n$/);
  });

  it('shows the records of each delta', async () => {
    const copy = await crashedCopy();
    const text = await outwriteOk(['log', copy]);
    expect(text.match(/^delta \d+: /gm)).toHaveLength(2);
    expect(text).toMatch(/^ {2}leaf {3}from .* \(tree 1\) is at block \d+, checksum [0-9a-f]{8}/m);
    expect(text).toMatch(/^ {2}take {3}block/m);
    expect(text).toContain('2 deltas since the checkpoint');
    expect((await outwriteOk(['log', '--summary', copy])).trimEnd().split('\n')).toHaveLength(4);

    const lines = (await outwriteOk(['log', '--json', copy]))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(4);
    expect(lines[0]).toHaveProperty('checkpoint.nextLogBlock');
    expect(lines[1].leaves[0]).toMatchObject({ promise: 'leaf at', tree: 1, block: expect.any(Number) });
    expect(lines[2].delta).toBe(lines[1].delta + 1);
    expect(lines[3]).toEqual({ end: { deltas: 2, unfinishedDelta: null, damage: null } });
  });

  it('separators are read as keys of the volume, as far as they go', () => {
    const key = (...bytes: number[]): string => separatorText(Uint8Array.from(bytes));
    expect(key(0, 0, 0, 0, 1)).toBe('inodes from 256');
    expect(key(0, 0, 0, 0, 1, 2)).toBe('inode 258');
    expect(key(0, 0, 0, 0, 0, 7, 0x10)).toBe('inode 7, record');
    expect(key(0, 0, 0, 0, 0, 7, 0x50, 0x61, 0x0a)).toBe('inode 7, name "a\\n"');
    expect(key(0, 0, 0, 0, 0, 7, 0x40, 0, 0, 0, 0, 1)).toBe('inode 7, extent 256');
    expect(key(0, 0, 0, 0, 0, 7, 0x7f)).toBe('inode 7, kind 0x7f');
  });
});

describe('check', () => {
  it('says clean, and exits with 0', async () => {
    const text = await outwriteOk(['check', volume]);
    expect(text).toMatch(/^opened: the state of delta .*\nclean; checked in /);
    expect(await outwriteOk(['check', '--quiet', volume])).toBe('');
    expect(JSON.parse(await outwriteOk(['check', '--json', volume]))).toMatchObject({
      summary: { clean: true, errorCount: 0 },
    });
    expect((await outwrite(['check', await crashedCopy()])).exitCode).toBe(0);
  });

  it('finds a flipped bit in a file, names it, and exits with 1', async () => {
    const bytes = readFileSync(volume);
    // The large file is the one that consists of nothing but this word.
    const position = bytes.indexOf('outwrite'.repeat(100));
    expect(position).toBeGreaterThan(0);
    bytes[position + 5] ^= 1;
    writeFileSync(volume, bytes);

    const result = await outwrite(['check', volume]);
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/^error .*\/large\.bin/m);
    expect(result.stdout).toMatch(/1 error found in /);
    const lines = (await outwrite(['check', '--json', volume])).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0])).toMatchObject({ severity: 'error', path: '/large.bin' });
    expect((await outwrite(['check', '--metadata-only', volume])).exitCode).toBe(0);

    // Other files stay readable, and reading this one is an error that says so.
    expect(await outwriteOk(['cat', volume, 'docs/hello.txt'])).toBe('hello\n');
    const cat = await outwrite(['cat', volume, 'large.bin']);
    expect(cat.exitCode).toBe(3);
    expect(cat.stderr).toContain('damaged data block');
    const target = join(folder, 'target');
    const exported = await outwrite(['export', volume, target]);
    expect(exported.exitCode).toBe(1);
    expect(exported.stderr).toContain('large.bin: damaged data block');
    expect(readFileSync(join(target, 'docs', 'hello.txt'), 'utf8')).toBe('hello\n');
  });

  it('exit code 3 when nothing can be opened', async () => {
    const bytes = readFileSync(volume);
    bytes.fill(0xff, 100, 4000);
    bytes.fill(0xff, 131072 + 100, 131072 + 4000);
    writeFileSync(volume, bytes);
    for (const command of ['check', 'ls', 'info', 'log', 'df']) {
      const result = await outwrite([command, volume]);
      expect(result.exitCode, command).toBe(3);
      expect(result.stderr).toMatch(/^outwrite: .*superblock/);
    }
  });
});

describe('progress', () => {
  it('is a bar in a terminal, which is taken away at the end', async () => {
    const target = join(folder, 'target');
    const exported = await outwrite(['export', volume, target], { terminalWidth: 100 });
    expect(exported.stderr).toContain('export ░');
    expect(exported.stderr).toContain('293 KiB');
    expect((await outwrite(['check', volume], { terminalWidth: 100 })).stderr).toContain('check ░');
    expect((await outwrite(['check', '-q', volume], { terminalWidth: 100 })).stderr).toBe('');
  });

  it('is silent about short work without a terminal', async () => {
    const target = join(folder, 'target');
    expect((await outwrite(['export', volume, target])).stderr).toBe('');
  });
});

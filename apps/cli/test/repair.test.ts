/**
 * `outwrite check --repair`: says what it would change, changes it, and the result checks clean.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { outwrite, outwriteOk } from './command-run.ts';
import { writeSampleTree } from './sample-tree.ts';

let folder: string;
let volume: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-repair-'));
  volume = join(folder, 'test.ow');
  const source = join(folder, 'source');
  mkdirSync(source);
  writeSampleTree(source);
  await outwriteOk(['import', '--create', '--quiet', volume, source]);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('finds nothing to change in a sound volume', async () => {
  const before = readFileSync(volume);
  expect(await outwriteOk(['check', '--repair', '--dry-run', volume])).toBe('0 changes to make; nothing was changed\n');
  expect(await outwriteOk(['check', '--repair', volume])).toBe('0 changes made; clean\n');
  expect(readFileSync(volume).equals(before)).toBe(true);
  expect((await outwrite(['check', '--dry-run', volume])).exitCode).toBe(2);
  expect((await outwrite(['check', '--repair', '--metadata-only', volume])).exitCode).toBe(2);
});

it('cuts a damaged block out of a file, after it has said so', async () => {
  const bytes = readFileSync(volume);
  const position = bytes.indexOf('outwrite'.repeat(100));
  bytes[position + 5] ^= 1;
  writeFileSync(volume, bytes);
  const dry = await outwrite(['check', '--repair', '--dry-run', volume]);
  expect(dry.exitCode).toBe(1);
  expect(dry.stdout).toMatch(/^would change block-dropped: .*\(\/large\.bin\)$/m);
  expect(readFileSync(volume).equals(bytes)).toBe(true);
  expect(await outwriteOk(['check', '--repair', volume])).toMatch(
    /^changed block-dropped: .*\n1 change made; clean\n$/,
  );
  expect(await outwriteOk(['check', '--quiet', volume])).toBe('');
  expect(JSON.parse(await outwriteOk(['check', '--repair', '--json', volume]))).toMatchObject({
    summary: { clean: true, changeCount: 0, obstacle: null },
  });
});

/**
 * `outwrite check --repair`: says what it would change, changes it, and the result checks clean.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { openFileDevice } from '@outwrite/blockdev/node';
import { TreeStore } from '@outwrite/btree-cow';
import { Volume } from '@outwrite/volume';
import { afterEach, beforeEach, expect, it } from 'vitest';
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

it('names a lost range, and stops at a lost root unless that is accepted', async () => {
  const sound = Volume.open(openFileDevice(volume));
  const total = sound.fs.readdirSync('/').length;
  sound.closeSync();
  expect(total).toBeGreaterThan(2);
  const root = rootBlock(volume);
  const bytes = readFileSync(volume);
  bytes[root * 4096 + 40] ^= 1;
  writeFileSync(volume, bytes);
  const refused = await outwrite(['check', '--repair', volume]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(/nothing was changed; repair stops .* root of the tree of files/);
  expect(readFileSync(volume).equals(bytes)).toBe(true);
  expect((await outwrite(['check', '--accept-root-loss', volume])).exitCode).toBe(2);
  const dry = await outwrite(['check', '--repair', '--dry-run', '--accept-root-loss', volume]);
  expect(dry.stdout).toMatch(/^would change range-lost: entries from the first to before the last are lost/m);
  expect(await outwriteOk(['check', '--repair', '--accept-root-loss', volume])).toMatch(/changes made; clean\n$/);
  expect(await outwriteOk(['ls', volume])).toBe('');
});

it('cuts a log that is damaged in its middle, and says what that costs', async () => {
  const working = Volume.open(openFileDevice(volume), { autoCommitMilliseconds: 0 });
  for (let i = 0; i < 5; i++) {
    working.fs.writeFileSync(`/late-${i}`, 'late');
    working.commitSync();
  }
  const bytes = readFileSync(volume);
  working.closeSync();
  writeFileSync(volume, bytes);
  const device = openFileDevice(volume, { readOnly: true });
  const { deltas } = readLogChain(device, readSlots(device).chosen);
  device.closeSync();
  bytes[deltas[3]!.blocks[0]! * 4096 + 60] ^= 1;
  writeFileSync(volume, bytes);
  expect((await outwrite(['ls', volume])).stdout).toContain('late-0');
  expect((await outwrite(['mkdir', volume, '/new'])).exitCode).toBe(3);
  const dry = await outwrite(['check', '--repair', '--dry-run', volume]);
  expect(dry.exitCode).toBe(1);
  expect(dry.stdout).toMatch(
    /^would change log-cut: the log is cut behind delta \d+, the last whole one; 2 later deltas are lost/m,
  );
  expect(readFileSync(volume).equals(bytes)).toBe(true);
  expect(await outwriteOk(['check', '--repair', volume])).toMatch(/^changed log-cut: (.|\n)*clean\n$/);
  const names = await outwriteOk(['ls', volume]);
  expect(names).toContain('late-2');
  expect(names).not.toContain('late-3');
});

/** The block of the root of the tree of files, after an opening to which both superblocks lead. */
function rootBlock(path: string): number {
  const store = TreeStore.open(openFileDevice(path, { readOnly: true }), { readOnly: true });
  let root = -1;
  store.check({
    block: (block, _count, kind, treeId) => {
      if (root === -1 && kind === 'index' && treeId === 1) root = block;
    },
    problem(error) {
      throw error;
    },
  });
  store.closeSync();
  return root;
}

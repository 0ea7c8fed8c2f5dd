/**
 * Volumes into which somebody has put names that lead elsewhere: nothing is written outside of what was asked for, the damage is told, and what
 * is sound comes out.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileDevice } from '@outwrite/blockdev/node';
import { TreeStore } from '@outwrite/btree-cow';
import { KIND } from '@outwrite/volume';
import { createVolume } from '@outwrite/volume/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../src/exit-codes.ts';
import { outwrite } from './command-run.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-names-'));
  file = join(folder, 'test.ow');
  // What an attacker would like to replace.
  writeFileSync(join(folder, 'outside'), 'mine');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A volume with `/sound/file`, and `/dir` that has a file named `name`. */
async function volumeWith(name: string | readonly number[]): Promise<void> {
  const volume = createVolume(file);
  volume.fs.mkdirSync('/dir');
  volume.fs.writeFileSync('/dir/stolen', 'not yours');
  volume.fs.mkdirSync('/sound');
  volume.fs.writeFileSync('/sound/file', 'sound');
  const directory = volume.fs.statSync('/dir').ino;
  const stolen = volume.fs.statSync('/dir/stolen').ino;
  await volume.close();
  const store = TreeStore.open(openFileDevice(file));
  const tree = store.tree(1);
  const bytes = typeof name === 'string' ? Buffer.from(name) : Buffer.from(name);
  const head = [0, 0, 0, 0, 0, directory, KIND.name];
  tree.delete(Uint8Array.from([...head, ...Buffer.from('stolen')]));
  tree.put(Uint8Array.from([...head, ...bytes]), Uint8Array.from([stolen, 0, 0, 0, 0, 0, 1]));
  store.closeSync();
}

describe.each<[string, string | readonly number[]]>([
  ['above', '../../outside'],
  ['two dots', '..'],
  ['one dot', '.'],
  ['below', 'x/y'],
  ['absolute', '/tmp/outwrite-stolen'],
  ['a NUL', 'outside\0.txt'],
  ['nothing', ''],
  ['no UTF-8', [0x2e, 0xc0, 0xae, 0xc0, 0xaf]],
  ['too long', 'n'.repeat(256)],
])('a name that is %s', (_what, name) => {
  it('is not exported, and does not keep the rest from it', async () => {
    await volumeWith(name);
    const target = join(folder, 'target');
    mkdirSync(target);
    const result = await outwrite(['export', '--overwrite', file, target]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^outwrite: \/dir: damaged directory \d+: a name/m);
    expect(readdirSync(folder).sort()).toEqual(['outside', 'target', 'test.ow']);
    expect(readFileSync(join(folder, 'outside'), 'utf8')).toBe('mine');
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['dir', 'sound', join('sound', 'file')]);
    expect(readFileSync(join(target, 'sound', 'file'), 'utf8')).toBe('sound');
  });

  it('is told by check and scrub', async () => {
    await volumeWith(name);
    const check = await outwrite(['check', file]);
    expect(check.exitCode).toBe(1);
    expect(check.stdout).toContain('bad-name');
    const scrub = await outwrite(['scrub', file]);
    expect(scrub.exitCode).toBe(1);
    expect(scrub.stdout).toContain('bad-name');
  });
});

describe('directories to which second names lead', () => {
  const DEPTH = 12;

  /** `/0/1/2/...`, in which every directory has two names for the one below it: more paths than anybody could walk. */
  async function graph(): Promise<void> {
    const volume = createVolume(file);
    volume.fs.mkdirSync('/sound');
    volume.fs.writeFileSync('/sound/file', 'sound');
    const inodes: number[] = [];
    for (let path = '/0', depth = 0; depth < DEPTH; depth++, path += `/${depth}`) {
      volume.fs.mkdirSync(path);
      volume.fs.writeFileSync(`${path}/file`, 'x');
      inodes.push(volume.fs.statSync(path).ino);
    }
    await volume.close();
    const store = TreeStore.open(openFileDevice(file));
    const tree = store.tree(1);
    for (let depth = 0; depth + 1 < DEPTH; depth++) {
      const head = [0, 0, 0, 0, 0, inodes[depth]!];
      tree.put(
        Uint8Array.from([...head, KIND.name, ...Buffer.from('z')]),
        Uint8Array.from([inodes[depth + 1]!, 0, 0, 0, 0, 0, 2]),
      );
      // It counts its names in what would be its size.
      const record = tree.get(Uint8Array.from([...head, KIND.record]))!;
      record[16]!++;
      tree.put(Uint8Array.from([...head, KIND.record]), record);
    }
    store.closeSync();
  }

  it('end no walk of the tree in all its paths, and what is sound comes out', async () => {
    await graph();
    for (const command of ['tree', 'du']) {
      const result = await outwrite([command, file]);
      expect(result.exitCode, command).toBe(EXIT.notUsable);
      expect(result.stderr, command).toContain('a second name leads to it');
      expect(result.stdout.split('\n').length + result.stderr.split('\n').length).toBeLessThan(10 * DEPTH);
    }
    const target = join(folder, 'target');
    const result = await outwrite(['export', file, target]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('a second name leads to it');
    expect(readFileSync(join(target, 'sound', 'file'), 'utf8')).toBe('sound');
    expect(readFileSync(join(target, '0', '1', '2', 'file'), 'utf8')).toBe('x');
    expect(readdirSync(target, { recursive: true }).length).toBeLessThan(10 * DEPTH);
  });
});

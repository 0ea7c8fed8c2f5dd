/**
 * Names that no operation can have made, in images that somebody has put them into: they are refused wherever they are decoded, told by check,
 * and end neither check nor scrub. What leads past them stays readable.
 */
import { CorruptionError } from '@outwrite/blockdev';
import { TreeStore } from '@outwrite/btree-cow';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { KeyScratch, KIND, maxNameBytes } from '../src/key-format.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };
const DIRECTORY = 3;
const FILE = 4;

const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];

const BAD_NAMES: [string, number[]][] = [
  ['the empty name', []],
  ['one dot', bytes('.')],
  ['two dots', bytes('..')],
  ['a slash', bytes('/')],
  ['a path below', bytes('x/y')],
  ['a path above', bytes('../../../outside')],
  ['an absolute path', bytes('/etc/passwd')],
  ['a NUL at the end', bytes('file\0')],
  ['a NUL alone', [0]],
  ['a NUL in a long name', bytes(`${'n'.repeat(50)}\0${'n'.repeat(40)}`)],
  ['a byte that is no UTF-8', [0x61, 0xff]],
  ['a slash in two bytes', [0x61, 0xc0, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['half a character', [0x61, 0xe2, 0x82]],
];

/** `/a/dir` (inode 3) with the file `sound` (4) and an entry whose key ends in `name`. */
function imageWith(blockSize: number, name: readonly number[], leadsTo = FILE): LastingDevice {
  const device = new LastingDevice({ maxSizeBytes: 16 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize });
  volume.fs.mkdirSync('/a/dir', { recursive: true });
  volume.fs.writeFileSync('/a/dir/sound', 'sound');
  volume.fs.writeFileSync('/a/other', 'other');
  expect([volume.fs.statSync('/a/dir').ino, volume.fs.statSync('/a/dir/sound').ino]).toEqual([DIRECTORY, FILE]);
  volume.closeSync();
  const store = TreeStore.open(device);
  const tree = store.tree(1);
  const plain = new KeyScratch().plain(DIRECTORY, KIND.name);
  const key = new Uint8Array(plain.length + name.length);
  key.set(plain);
  key.set(name, plain.length);
  tree.put(key, new Uint8Array([leadsTo, 0, 0, 0, 0, 0, leadsTo === FILE ? 1 : 2]));
  store.closeSync();
  return device;
}

describe.each([512, 4096, 16384])('with blocks of %i bytes', (blockSize) => {
  const longest = maxNameBytes(blockSize);
  // The largest key is a quarter of a block, its length apart.
  const keyRoom = blockSize / 4 - 7;
  const names: [string, number[]][] = [
    ...BAD_NAMES,
    ['a name that is one byte too long', new Array(longest + 1).fill(0x6e)],
    ...([256, 768, 769, keyRoom] as const)
      .filter((length) => length > longest && length <= keyRoom)
      .map((length): [string, number[]] => [`a name of ${length} bytes`, new Array(length).fill(0x6e)]),
  ];

  it.each(names)('%s is refused, told and passed over', async (_what, name) => {
    const device = imageWith(blockSize, name);
    const volume = Volume.open(device, { ...tuning, readOnly: true });
    const { fs } = volume;
    expect(() => fs.readdirSync('/a/dir')).toThrowError(CorruptionError);
    expect(() => fs.readdirSync('/a/dir')).toThrowError(/damaged directory 3: a name/);
    expect(() => fs.readdirSync('/', { recursive: true })).toThrowError(CorruptionError);
    expect(() => fs.opendirSync('/a/dir').readSync()).toThrowError(CorruptionError);
    await expect(fs.promises.readdir('/a/dir')).rejects.toThrowError(CorruptionError);
    expect(fs.readdirSync('/a')).toEqual(['dir', 'other']);
    expect(fs.readFileSync('/a/dir/sound', 'utf8')).toBe('sound');
    const findings = [...volume.check()];
    expect(findings[0]).toMatchObject({ severity: 'error', code: 'bad-name', inode: DIRECTORY, path: '/a/dir' });
    // The name is counted as one: it has to be given up, and its link is one too many.
    expect(findings.map(({ code }) => code).sort()).toEqual(['bad-name', 'wrong-link-count', 'wrong-name-count']);
    const told: string[] = [];
    const report = await volume.scrub({ onFinding: ({ code }) => told.push(code) });
    expect(report.complete).toBe(true);
    expect(told).toContain('bad-name');
    expect(report.damaged).toContainEqual({ inode: DIRECTORY, path: '/a/dir' });
    volume.closeSync();
    const repair = Volume.repair(device);
    expect(repair).toMatchObject({ obstacle: null });
    const mended = Volume.open(device, { ...tuning, readOnly: true });
    expect([...mended.check()]).toEqual([]);
    expect(mended.fs.readdirSync('/a/dir')).toEqual(['sound']);
    expect(mended.fs.readFileSync('/a/dir/sound', 'utf8')).toBe('sound');
  });

  it('the longest name is none of them', () => {
    const volume = Volume.open(imageWith(blockSize, new Array(longest).fill(0x6e)), { ...tuning, readOnly: true });
    expect(volume.fs.readdirSync('/a/dir')).toEqual(['n'.repeat(longest), 'sound']);
    expect([...volume.check()].map(({ code }) => code)).not.toContain('bad-name');
  });

  it('no path that is told goes through one', async () => {
    // The only way to inode 5 is through a directory whose second name is a path, and its first is gone.
    const device = imageWith(blockSize, bytes('../up'), DIRECTORY);
    const store = TreeStore.open(device);
    store.tree(1).delete(new KeyScratch().named(2, KIND.name, 'dir'));
    store.closeSync();
    const volume = Volume.open(device, { ...tuning, readOnly: true });
    const report = await volume.scrub();
    for (const { path } of [...volume.check(), ...report.damaged]) expect(path ?? '').not.toContain('..');
  });
});

/**
 * Directories that several names lead to, as only a damaged image has them: walks over such a graph would pass through it once for each path,
 * of which there are exponentially many, or go round in it. They end in damage instead, soon, and what is sound stays readable.
 */
import { CorruptionError } from '@outwrite/blockdev';
import { TreeStore } from '@outwrite/btree-cow';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { KeyScratch, KIND } from '../src/key-format.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };
/** Deep enough to be seen, and not too deep for a walk that follows all paths. */
const DEPTH = 12;
/** Of the size in the record of an inode, low byte first. */
const SIZE_AT = 16;

/** `/sound/file`, and `/0/1/2/...` with more names, each of directory, name, and what it leads to, given as depths. */
function graph(names: [directory: number, name: string, leadsTo: number][]): LastingDevice {
  const device = new LastingDevice({ maxSizeBytes: 16 << 20 });
  const volume = Volume.create(device, tuning);
  volume.fs.mkdirSync('/sound');
  volume.fs.writeFileSync('/sound/file', 'sound');
  const inodes: number[] = [];
  let path = '';
  for (let depth = 0; depth < DEPTH; depth++) {
    path += `/${depth}`;
    volume.fs.mkdirSync(path);
    inodes.push(volume.fs.statSync(path).ino);
  }
  volume.closeSync();
  const store = TreeStore.open(device);
  const keys = new KeyScratch();
  for (const [directory, name, leadsTo] of names) {
    const value = Uint8Array.of(inodes[leadsTo], 0, 0, 0, 0, 0, 2);
    store.tree(1).put(keys.named(inodes[directory], KIND.name, name), value);
    // It counts its names, and whoever knows so many of them looks for no other.
    const key = keys.plain(inodes[directory], KIND.record).slice();
    const record = store.tree(1).get(key) as Uint8Array;
    record[SIZE_AT]++;
    store.tree(1).put(key, record);
  }
  store.closeSync();
  return device;
}

const all = Array.from({ length: DEPTH - 1 }, (_, depth) => depth);

describe.each<[string, [number, string, number][]]>([
  ['a second name at each depth', all.map((depth) => [depth, 'again', depth + 1])],
  ['a directory in itself, twice', [0, 1].map((i) => [3, `self-${i}`, 3])],
  ['a directory below itself, from everywhere', all.map((depth) => [depth + 1, 'up', 0])],
])('%s', (_what, names) => {
  it('ends every walk with damage, and is told by check', () => {
    const volume = Volume.open(graph(names), tuning);
    const { fs } = volume;
    expect([...volume.check()].map(({ code }) => code)).toContain('wrong-link-count');
    expect(() => fs.readdirSync('/', { recursive: true })).toThrowError(CorruptionError);
    expect(() => fs.readdirSync('/', { recursive: true })).toThrowError(/a second name leads to it/);
    expect(() => fs.rmSync('/0', { recursive: true })).toThrowError(CorruptionError);
    expect(fs.readFileSync('/sound/file', 'utf8')).toBe('sound');
    fs.rmSync('/sound', { recursive: true });
    expect(fs.existsSync('/sound')).toBe(false);
  });

  it('is mended by repair, which keeps one name of each', () => {
    const device = graph(names);
    expect(Volume.repair(device).obstacle).toBe(null);
    const volume = Volume.open(device, { ...tuning, readOnly: true });
    expect([...volume.check()]).toEqual([]);
    // The directories, `sound` and its file.
    expect(volume.fs.readdirSync('/', { recursive: true })).toHaveLength(DEPTH + 2);
  });
});

it('a sound directory can be moved, its old name given to another, and all are walked', () => {
  const { fs } = Volume.create(new LastingDevice({ maxSizeBytes: 16 << 20 }), tuning);
  fs.mkdirSync('/a/b/c', { recursive: true });
  fs.writeFileSync('/a/b/c/file', 'first');
  for (let round = 0; round < 3; round++) {
    fs.renameSync('/a/b', '/moved');
    expect(fs.readFileSync('/moved/c/file', 'utf8')).toBe('first');
    fs.mkdirSync('/a/b/c', { recursive: true });
    fs.writeFileSync('/a/b/c/file', 'second');
    expect(fs.readdirSync('/', { recursive: true })).toHaveLength(7);
    fs.rmSync('/a/b', { recursive: true });
    fs.renameSync('/moved', '/a/other');
    fs.symlinkSync('/a/other', '/link');
    expect(fs.readFileSync('/link/c/file', 'utf8')).toBe('first');
    expect(fs.readFileSync('/a/other/../../link/c/../c/file', 'utf8')).toBe('first');
    fs.rmSync('/link');
    fs.renameSync('/a/other', '/a/b');
  }
});

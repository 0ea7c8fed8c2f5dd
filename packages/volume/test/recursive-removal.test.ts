/** `rm` with `recursive` refuses what it cannot remove before it has removed anything below it. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

let volume: Volume;

beforeEach(() => {
  volume = Volume.create(new MemoryDevice({ maxSizeBytes: 16 << 20 }), { autoCommitMilliseconds: 0 });
  volume.fs.mkdirSync('/a/b', { recursive: true });
  volume.fs.writeFileSync('/a/f', 'kept');
  volume.fs.writeFileSync('/a/b/g', 'kept');
  volume.fs.symlinkSync('a', '/l');
  volume.fs.symlinkSync('/', '/top');
});

const everything = ['a', 'a/b', 'a/b/g', 'a/f', 'l', 'top'];

describe.each([
  ['/l/', 'ENOTDIR'],
  ['/l//', 'ENOTDIR'],
  ['/top/', 'ENOTDIR'],
  ['/l/.', 'EINVAL'],
  ['/a/.', 'EINVAL'],
  ['/a/./', 'EINVAL'],
  ['/a/b/..', 'EINVAL'],
  ['/', 'EPERM'],
  ['//', 'EPERM'],
])('%s', (path, code) => {
  it.each([false, true])('is refused whole, force: %s', async (force) => {
    const { fs } = volume;
    const failure = expect.objectContaining({ code, syscall: 'rm', path });
    expect(() => fs.rmSync(path, { recursive: true, force })).toThrow(failure);
    await expect(fs.promises.rm(path, { recursive: true, force })).rejects.toEqual(failure);
    expect(fs.readdirSync('/', { recursive: true }).sort()).toEqual(everything);
  });
});

it('a directory goes with a slash behind its name, and through a link on the way', () => {
  const { fs } = volume;
  fs.rmSync('/l/b/', { recursive: true });
  expect(fs.readdirSync('/a')).toEqual(['f']);
  fs.rmSync('/a//', { recursive: true });
  fs.rmSync('/l', { recursive: true });
  expect(fs.readdirSync('/')).toEqual(['top']);
});

it.each([
  ['rm', (path: string) => volume.fs.rmSync(path, { recursive: true })],
  ['rmdir', (path: string) => volume.fs.rmdirSync(path, { recursive: true })],
])('what was moved so deep that no path leads there goes with the rest: %s', (_name, remove) => {
  const { fs } = volume;
  const half = '/d'.repeat(1500);
  fs.mkdirSync(`/upper${half}`, { recursive: true });
  fs.mkdirSync(`/lower${half}`, { recursive: true });
  fs.writeFileSync(`/lower${half}/f`, 'deepest');
  fs.renameSync('/lower', `/upper${half}/lower`);
  remove('/upper');
  expect(fs.readdirSync('/', { recursive: true }).sort()).toEqual(everything);
  expect([...volume.check()]).toEqual([]);
});

it('directories of several pages go with files, directories and names that were never committed', () => {
  const { fs } = volume;
  fs.mkdirSync('/many');
  for (let i = 0; i < 3000; i++) {
    if (i % 100 === 0) fs.mkdirSync(`/many/${i}`);
    else fs.writeFileSync(`/many/${i}`, '');
    if (i % 300 === 0) fs.writeFileSync(`/many/${i}/file`, 'below');
    if (i === 2000) volume.commitSync();
  }
  volume.transact(() => fs.rmSync('/many', { recursive: true }));
  expect(fs.readdirSync('/', { recursive: true }).sort()).toEqual(everything);
  expect([...volume.check()]).toEqual([]);
  expect(volume.stats().inodeCount).toBe(everything.length + 1);
});

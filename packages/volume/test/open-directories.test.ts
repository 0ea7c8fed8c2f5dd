/** Open directories with `recursive`: level after level, as `readdir` lists them. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, expect, it } from 'vitest';
import type { Dir } from '../src/index.ts';
import { Volume } from '../src/index.ts';

let volume: Volume;
let fs: Volume['fs'];

beforeEach(() => {
  volume = Volume.create(new MemoryDevice({ maxSizeBytes: 64 << 20 }), { autoCommitMilliseconds: 0 });
  fs = volume.fs;
  for (const path of ['/d/a/b/c', '/d/e', '/d/z/empty']) fs.mkdirSync(path, { recursive: true });
  for (const path of ['/d/a/file', '/d/a/b/file', '/d/m']) fs.writeFileSync(path, '');
  fs.symlinkSync('a', '/d/link');
});

function* paths(directory: Dir): Generator<string> {
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
    yield `${entry.parentPath}/${entry.name}`;
  }
}

it('list everything below', async () => {
  const expected = fs.readdirSync('/d', { recursive: true }).map((path) => `/d/${path}`);
  const directory = fs.opendirSync('/d', { recursive: true });
  expect([...paths(directory)]).toEqual(expected);
  expect(directory.readSync()).toBe(null);
  directory.closeSync();
  const seen: string[] = [];
  for await (const { parentPath, name } of await fs.promises.opendir('/d', { recursive: true })) {
    seen.push(`${parentPath}/${name}`);
  }
  expect(seen).toEqual(expected);
  const single = fs.opendirSync('/d', { recursive: false });
  expect([...paths(single)]).toEqual(fs.readdirSync('/d').map((name) => `/d/${name}`));
  single.closeSync();
});

it('list directories of many pages', () => {
  for (let i = 0; i < 1500; i++) fs.mkdirSync(`/d/e/${i}`);
  fs.writeFileSync('/d/e/1499/last', '');
  const directory = fs.opendirSync('/d', { recursive: true });
  expect([...paths(directory)]).toEqual(fs.readdirSync('/d', { recursive: true }).map((path) => `/d/${path}`));
  directory.closeSync();
});

it('pass over what has gone or is no directory any more, and keep nothing that they have left', () => {
  const directory = fs.opendirSync('/d', { recursive: true });
  const seen: string[] = [];
  for (const path of paths(directory)) {
    seen.push(path);
    if (path === '/d/z') {
      fs.rmSync('/d/e', { recursive: true });
      fs.rmSync('/d/z', { recursive: true });
      fs.symlinkSync('a', '/d/z');
    }
    if (path === '/d/a/file') fs.rmSync('/d/a', { recursive: true });
  }
  expect(seen).toEqual(['/d/a', '/d/e', '/d/link', '/d/m', '/d/z', '/d/a/b', '/d/a/file']);
  directory.closeSync();
  volume.commitSync();
  expect([...volume.check()]).toEqual([]);
});

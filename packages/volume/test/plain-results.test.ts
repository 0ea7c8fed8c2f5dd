/** Results that are copied or printed as JSON hold what those of `node:fs` hold. */
import * as nodeFs from 'node:fs';
import { tmpdir } from 'node:os';
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

let fs: Volume['fs'];

beforeEach(() => {
  fs = Volume.create(new MemoryDevice({ maxSizeBytes: 16 << 20 }), { autoCommitMilliseconds: 0 }).fs;
  fs.writeFileSync('/file', 'content');
});

it('Stats have their times as dates', () => {
  fs.utimesSync('/file', 86_400, 1_700_000_000.123);
  const printed = JSON.parse(JSON.stringify(fs.statSync('/file'))) as Record<string, unknown>;
  expect(printed).toMatchObject({ size: 7, atime: '1970-01-02T00:00:00.000Z', mtime: '2023-11-14T22:13:20.123Z' });
  // Some releases of Node have the dates among them, some do not.
  const names = Object.keys(JSON.parse(JSON.stringify(nodeFs.statSync(tmpdir()))));
  expect(Object.keys(printed)).toEqual(expect.arrayContaining(names));
  expect(printed).toHaveProperty('birthtime');
  expect(printed).toHaveProperty('ctime');
});

it('Dirents have their directory under both names', () => {
  const [entry] = fs.readdirSync('/', { withFileTypes: true });
  expect({ ...entry }).toEqual({ name: 'file', parentPath: '/', path: '/' });
});

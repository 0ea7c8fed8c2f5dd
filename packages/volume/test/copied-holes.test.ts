/** `copyFile` leaves the holes of a file holes: a sparse file may be larger than the volume. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = 1024 * 1024 * MIB;

let volume: Volume;
let fs: Volume['fs'];

beforeEach(() => {
  volume = Volume.create(new MemoryDevice({ maxSizeBytes: 16 * MIB }), { autoCommitMilliseconds: 0 });
  fs = volume.fs;
});

/** The runs of data of a file, as pairs of first position and end. */
function dataRuns(path: string): [number, number][] {
  const runs: [number, number][] = [];
  const fd = fs.openSync(path, 'r');
  for (let at = fs.seekDataSync(fd, 0); at !== -1; ) {
    const end = fs.seekHoleSync(fd, at);
    runs.push([at, end]);
    at = end < fs.fstatSync(fd).size ? fs.seekDataSync(fd, end) : -1;
  }
  fs.closeSync(fd);
  return runs;
}

function bytesAt(path: string, position: number, length: number): string {
  const fd = fs.openSync(path, 'r');
  const bytes = Buffer.alloc(length);
  fs.readSync(fd, bytes, 0, length, position);
  fs.closeSync(fd);
  return bytes.toString('latin1');
}

/** Writes `text` at each of `places`, and gives the file its size. */
function sparseFile(path: string, sizeBytes: number, places: readonly number[], text: string): void {
  const fd = fs.openSync(path, 'w');
  for (const place of places) fs.writeSync(fd, text, place);
  fs.ftruncateSync(fd, sizeBytes);
  fs.closeSync(fd);
}

describe.each(['waiting for a commit', 'committed'])('a sparse file, %s', (state) => {
  it.each([
    ['a hole at its end', TIB, [0, 3 * MIB]],
    ['a hole at its beginning', 3 * MIB + 4, [3 * MIB]],
    ['nothing else', 5 * MIB + 1, []],
    ['runs of data beside holes of one block', 40 * KIB, [0, 8 * KIB, 16 * KIB, 20 * KIB, 39 * KIB]],
    ['data that is longer than one piece', 4 * MIB, [0, ...Array.from({ length: 300 }, (_, i) => MIB + i * 4 * KIB)]],
  ] as const)('with %s', async (_, sizeBytes, places) => {
    sparseFile('/source', sizeBytes, places, 'text');
    if (state === 'committed') volume.commitSync();
    fs.writeFileSync('/there', Buffer.alloc(MIB, 'x'));
    fs.copyFileSync('/source', '/new');
    await fs.promises.copyFile('/source', '/there');
    for (const copy of ['/new', '/there']) {
      expect(fs.statSync(copy).size).toBe(sizeBytes);
      expect(dataRuns(copy)).toEqual(dataRuns('/source'));
      for (const place of places) expect(bytesAt(copy, place, 4)).toBe('text');
    }
    volume.commitSync();
    expect(fs.statSync('/new').blocks).toBe(fs.statSync('/source').blocks);
    expect([...volume.check()]).toEqual([]);
  });
});

it('ends when the space does, and leaves what was there', () => {
  sparseFile(
    '/source',
    9 * MIB,
    Array.from({ length: 2304 }, (_, i) => i * 4 * KIB),
    'x'.repeat(4 * KIB),
  );
  volume.commitSync();
  expect(() => fs.copyFileSync('/source', '/copy')).toThrow(
    expect.objectContaining({ code: 'ENOSPC', syscall: 'copyfile' }),
  );
  expect(dataRuns('/source')).toEqual([[0, 9 * MIB]]);
});

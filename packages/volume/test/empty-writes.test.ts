/**
 * Operations that write no bytes: emptying what is empty, which touches the file, and writes of nothing, which do nothing.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

let volume: Volume;
let fs: Volume['fs'];
let now: number;

beforeEach(() => {
  now = 1000;
  const clock = (): number => now;
  volume = Volume.create(new MemoryDevice({ maxSizeBytes: 4 << 20 }), { autoCommitMilliseconds: 0, clock });
  fs = volume.fs;
});

function times(path: string): [number, number] {
  const { mtimeMs, ctimeMs } = fs.statSync(path);
  return [mtimeMs, ctimeMs];
}

describe('an empty file is touched', () => {
  const ways: [string, (path: string) => void][] = [
    ['by opening it to be cut', (path) => fs.closeSync(fs.openSync(path, 'w'))],
    ['by writing nothing to it', (path) => fs.writeFileSync(path, '')],
  ];
  const lengths: [string, number][] = [
    ['that never had a byte', 0],
    ['that was large', 9000],
  ];
  for (const [how, touch] of ways) {
    for (const [which, lengthBytes] of lengths) {
      it(`${how}: one ${which}`, () => {
        fs.writeFileSync('/f', new Uint8Array(lengthBytes));
        fs.truncateSync('/f', 0);
        volume.commitSync();
        now = 2000;
        touch('/f');
        expect(times('/f')).toEqual([2000, 2000]);
        volume.commitSync();
        expect([...volume.check()]).toEqual([]);
      });
    }
  }

  it('on a full volume, too, unless the call might have made it', () => {
    fs.writeFileSync('/f', '');
    volume.commitSync();
    expect(() => fs.writeFileSync('/large', new Uint8Array(8 << 20))).toThrow('ENOSPC');
    for (let i = 0; i < 5000; i++) {
      try {
        fs.writeFileSync(`/${i}`, new Uint8Array(1000));
      } catch {
        break;
      }
    }
    now = 3000;
    fs.closeSync(fs.openSync('/f', fs.constants.O_WRONLY | fs.constants.O_TRUNC));
    expect(times('/f')).toEqual([3000, 3000]);
  });

  it('and a file of some bytes has the time of the cut', () => {
    fs.writeFileSync('/f', 'abc');
    now = 2000;
    fs.closeSync(fs.openSync('/f', 'w'));
    expect(times('/f')).toEqual([2000, 2000]);
  });
});

describe('a write of no bytes', () => {
  it('leaves the position where it is', async () => {
    fs.writeFileSync('/f', 'abcdef');
    const handle = await fs.promises.open('/f', 'a+');
    const letter = new Uint8Array(1);
    const nothing: (() => unknown)[] = [
      () => fs.writeSync(handle.fd, ''),
      () => fs.writeSync(handle.fd, new Uint8Array(0), 0, 0, 3),
      () => fs.writevSync(handle.fd, []),
      () => fs.writeFileSync(handle.fd, ''),
      () => handle.write(''),
      () => handle.appendFile(''),
    ];
    for (const [i, write] of nothing.entries()) {
      await write();
      expect(fs.readSync(handle.fd, letter)).toBe(1);
      expect(letter[0]).toBe(97 + i);
    }
    await handle.close();
  });

  it('is refused where others are', async () => {
    fs.writeFileSync('/f', 'abc');
    const handle = await fs.promises.open('/f', 'r');
    expect(() => fs.writeSync(handle.fd, '')).toThrow('EBADF');
    await expect(handle.write('')).rejects.toThrow('EBADF');
    await handle.close();
  });
});

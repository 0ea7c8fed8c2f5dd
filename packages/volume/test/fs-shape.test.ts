/**
 * The `fs` face beside the real `node:fs`: the same calls on a folder of the host and on a volume give the same results and errors.
 */
import * as nodeFs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDevice } from '@outwrite/blockdev';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NodeFs, NodeFs as NodeFsClass, type NodeVolume } from '../src/node.ts';
import { createWith, openWith } from '../src/volume.ts';

type Fs = Pick<NodeFs, keyof NodeFs & keyof typeof nodeFs>;

let folder: string;
let volume: NodeVolume;

beforeEach(() => {
  folder = nodeFs.mkdtempSync(join(tmpdir(), 'outwrite-fs-'));
  volume = createWith(
    new MemoryDevice({ maxSizeBytes: 64 << 20 }),
    { autoCommitMilliseconds: 0 },
    (head) => new NodeFsClass(head),
  );
  volume.fs.mkdirSync(folder, { recursive: true });
});

afterEach(() => {
  volume.closeSync();
  nodeFs.rmSync(folder, { recursive: true, force: true });
});

/** What a call came to, in a form that can be compared. */
function outcome(run: () => unknown): unknown {
  try {
    return { value: plain(run()) };
  } catch (error) {
    const { code, syscall, path, dest, message, errno } = error as NodeJS.ErrnoException & { dest?: string };
    if (code?.startsWith('ERR_')) return { code };
    return { code, syscall, path, dest, message, errno };
  }
}

function plain(value: unknown): unknown {
  if (value !== null && typeof value === 'object' && 'isFile' in value) {
    const entry = value as nodeFs.Stats & nodeFs.Dirent;
    const kind = [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink(), entry.isFIFO(), entry.isSocket()];
    if ('name' in value) return { name: entry.name, kind, parentPath: entry.parentPath };
    const { mode, uid, gid, nlink, size } = entry;
    // Sizes of directories are the host's own business.
    return { mode, uid, gid, nlink, size: entry.isDirectory() ? 0 : size, kind };
  }
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

/** Runs one call on both and compares. Directory listings of the host are not sorted. */
function both(call: (fs: Fs, at: (name: string) => string) => unknown): void {
  const at = (name: string): string => (name === '' ? folder : `${folder}/${name}`);
  const expected = outcome(() => call(nodeFs as unknown as Fs, at));
  const actual = outcome(() => call(volume.fs, at));
  expect(actual, String(call)).toEqual(expected);
}

describe('synchronous functions do what those of Node do', () => {
  it('files and directories', () => {
    both((fs, at) => fs.writeFileSync(at('a'), 'text'));
    both((fs, at) => fs.readFileSync(at('a')));
    both((fs, at) => fs.readFileSync(at('a'), 'utf8'));
    both((fs, at) => fs.readFileSync(at('a'), { encoding: 'base64' }));
    both((fs, at) => fs.appendFileSync(at('a'), 'dGV4dA==', 'base64'));
    both((fs, at) => fs.readFileSync(at('a'), 'latin1'));
    both((fs, at) => fs.statSync(at('a')));
    both((fs, at) => fs.writeFileSync(at('b'), Buffer.alloc(5000, 1), { mode: 0o755, flag: 'wx' }));
    both((fs, at) => fs.writeFileSync(at('b'), 'x', { flag: 'wx' }));
    both((fs, at) => fs.statSync(at('b')));
    both((fs, at) => fs.mkdirSync(at('d')));
    both((fs, at) => fs.mkdirSync(at('d')));
    both((fs, at) => fs.mkdirSync(at('d/e/f/g'), { recursive: true }));
    both((fs, at) => fs.mkdirSync(at('d/e/f/g'), { recursive: true }));
    both((fs, at) => fs.mkdirSync(at('private'), 0o700));
    both((fs, at) => fs.statSync(at('private')));
    both((fs, at) => fs.statSync(at('d')));
    both((fs, at) => fs.readdirSync(at('')).sort());
    both((fs, at) => fs.readdirSync(at(''), { recursive: true }).sort());
    both((fs, at) => fs.readdirSync(at('d'), 'buffer' as never));
    both((fs, at) => fs.readdirSync(at(''), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)));
    both((fs, at) => fs.copyFileSync(at('b'), at('copy')));
    both((fs, at) => fs.statSync(at('copy')));
    both((fs, at) => fs.copyFileSync(at('b'), at('copy'), fs.constants.COPYFILE_EXCL));
    both((fs, at) => fs.renameSync(at('copy'), at('d/copy')));
    both((fs, at) => fs.existsSync(at('copy')));
    both((fs, at) => fs.existsSync(at('d/copy')));
    both((fs, at) => fs.accessSync(at('a')));
    both((fs, at) => fs.accessSync(at('none')));
    both((fs, at) => fs.rmdirSync(at('d')));
    both((fs, at) => fs.rmSync(at('none'), { force: true }));
    both((fs, at) => fs.rmSync(at('d'), { recursive: true }));
    both((fs, at) => fs.unlinkSync(at('b')));
    both((fs, at) => fs.readdirSync(at('')).sort());
    both((fs, at) => fs.statSync(at('none'), { throwIfNoEntry: false }));
  });

  it('links', () => {
    both((fs, at) => fs.writeFileSync(at('a'), 'text'));
    both((fs, at) => fs.linkSync(at('a'), at('hard')));
    both((fs, at) => fs.statSync(at('hard')));
    both((fs, at) => fs.linkSync(at('none'), at('hard')));
    both((fs, at) => fs.linkSync(at('a'), at('hard')));
    both((fs, at) => fs.symlinkSync('a', at('soft')));
    both((fs, at) => fs.symlinkSync('a', at('soft')));
    both((fs, at) => fs.readlinkSync(at('soft')));
    both((fs, at) => fs.readlinkSync(at('soft'), 'buffer'));
    both((fs, at) => fs.readlinkSync(at('a')));
    both((fs, at) => fs.lstatSync(at('soft')));
    both((fs, at) => fs.statSync(at('soft')));
    both((fs, at) => fs.readFileSync(at('soft'), 'utf8'));
    both((fs, at) => fs.realpathSync(at('soft')).replace(folder, ''));
    both((fs, at) => fs.symlinkSync('none', at('dangling')));
    both((fs, at) => fs.existsSync(at('dangling')));
    both((fs, at) => fs.writeFileSync(at('dangling'), 'made through a link'));
    both((fs, at) => fs.readFileSync(at('none'), 'utf8'));
    both((fs, at) => fs.mkdirSync(at('dir')));
    both((fs, at) => fs.symlinkSync('../dir/', at('dir/self')));
    both((fs, at) => fs.writeFileSync(at('dir/self/self/./x'), '1'));
    both((fs, at) => fs.readdirSync(at('dir/self/..')).sort());
    both((fs, at) => fs.unlinkSync(at('dir/self/')));
    both((fs, at) => fs.rmdirSync(at('dir/self')));
    both((fs, at) => fs.unlinkSync(at('dir/self')));
    both((fs, at) => fs.unlinkSync(at('a')));
    both((fs, at) => fs.statSync(at('hard')));
  });

  it('descriptors', () => {
    // Numbers of descriptors differ, so each call takes them from here.
    const opened = new Map<unknown, number>();
    both((fs, at) => void opened.set(fs, fs.openSync(at('f'), 'w+')));
    const fd = (fs: Fs): number => opened.get(fs) as number;
    both((fs) => fs.writeSync(fd(fs), 'hello world'));
    both((fs) => fs.writeSync(fd(fs), Buffer.from('WORLD'), 0, 5, 6));
    both((fs) => fs.writeSync(fd(fs), Buffer.from('!?'), 0, 1));
    both((fs) => {
      const buffer = Buffer.alloc(32);
      const byteCount = fs.readSync(fd(fs), buffer, 2, 20, 0);
      return [byteCount, buffer.toString('hex')];
    });
    both((fs) => fs.readSync(fd(fs), Buffer.alloc(8)));
    both((fs) => fs.readSync(fd(fs), Buffer.alloc(8), { position: 100 }));
    both((fs) => fs.writevSync(fd(fs), [Buffer.from('ab'), Buffer.from('cd')], 20));
    both((fs) => {
      const buffers = [Buffer.alloc(6), Buffer.alloc(30)];
      return [fs.readvSync(fd(fs), buffers, 0), buffers.map((buffer) => buffer.toString('hex'))];
    });
    both((fs) => fs.fstatSync(fd(fs)));
    both((fs) => fs.ftruncateSync(fd(fs), 4));
    both((fs) => fs.ftruncateSync(fd(fs), 6));
    both((fs, at) => fs.readFileSync(at('f')));
    both((fs) => fs.fchmodSync(fd(fs), 0o640));
    both((fs) => fs.fsyncSync(fd(fs)));
    both((fs) => fs.fdatasyncSync(fd(fs)));
    both((fs) => fs.fstatSync(fd(fs)));
    both((fs, at) => fs.unlinkSync(at('f')));
    both((fs) => fs.fstatSync(fd(fs)).nlink);
    both((fs) => fs.readFileSync(fd(fs)));
    both((fs) => fs.closeSync(fd(fs)));
    both((fs) => fs.closeSync(1_000_000));
    both((fs, at) => void opened.set(fs, fs.openSync(at('log'), 'a')));
    both((fs) => fs.writeSync(fd(fs), 'one'));
    both((fs) => fs.writeSync(fd(fs), 'two', 0));
    both((fs) => fs.readSync(fd(fs), Buffer.alloc(1)));
    both((fs) => fs.closeSync(fd(fs)));
    both((fs, at) => fs.readFileSync(at('log'), 'utf8'));
  });

  it('attributes', () => {
    both((fs, at) => fs.writeFileSync(at('a'), 'text'));
    both((fs, at) => fs.chmodSync(at('a'), 0o4751));
    both((fs, at) => fs.chmodSync(at('a'), '640'));
    both((fs, at) => fs.statSync(at('a')));
    both((fs, at) => fs.symlinkSync('a', at('l')));
    for (const times of [
      [1, 2],
      [1700000000.123456, 1500000000.5],
      ['1600000000', '3'],
      [new Date(1e12), new Date(5)],
    ] as const) {
      both((fs, at) => fs.utimesSync(at('a'), times[0], times[1]));
      both((fs, at) => {
        const { atimeMs, mtimeMs, atime, mtime } = fs.statSync(at('a'));
        return [atimeMs, mtimeMs, atime.getTime(), mtime.getTime()];
      });
    }
    both((fs, at) => fs.lutimesSync(at('l'), 10, 20));
    both((fs, at) => [fs.lstatSync(at('l')).mtimeMs, fs.statSync(at('l')).mtimeMs]);
    both((fs, at) => fs.utimesSync(at('none'), 1, 2));
    both((fs, at) => fs.chownSync(at('a'), fs.statSync(at('a')).uid, fs.statSync(at('a')).gid));
    both((fs, at) => {
      const stats = fs.statSync(at('a'), { bigint: true });
      return [stats.size, stats.mtimeNs, stats.mtimeMs, typeof stats.ino];
    });
    both((fs, at) => typeof fs.statfsSync(at('')).bsize);
  });
});

it('times keep their nanoseconds, also over an opening', () => {
  const { fs } = volume;
  fs.writeFileSync('/t', '');
  fs.utimesSync('/t', 1_234_567_890_123_456_789n, -1_500_000_001n);
  fs.utimesSync('/tmp', new Date('2446-05-10'), new Date('2500-01-01'));
  const { atimeNs, mtimeNs } = fs.statSync('/t', { bigint: true });
  expect([atimeNs, mtimeNs]).toEqual([1_234_567_890_123_456_789n, -1_500_000_001n]);
  expect(fs.statSync('/tmp').mtime.getUTCFullYear(), 'held to what a record can store').toBe(2446);
});

it('methods can be taken off the object', () => {
  const { writeFileSync, readFileSync, promises } = volume.fs;
  const { readFile } = promises;
  writeFileSync('/taken', 'x');
  expect(readFileSync('/taken', 'utf8')).toBe('x');
  return expect(readFile('/taken', 'utf8')).resolves.toBe('x');
});

it('a path can be bytes or a file URL', () => {
  const { fs } = volume;
  fs.writeFileSync(Buffer.from('/bytes'), 'b');
  expect(fs.readFileSync(new URL('file:///bytes'), 'utf8')).toBe('b');
  expect(() => fs.readFileSync(new URL('http://example.org/bytes'))).toThrowError(TypeError);
});

it('holes are known to seek and to the block count', () => {
  const { fs } = volume;
  const fd = fs.openSync('/sparse', 'w+');
  fs.writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 40_960);
  expect([fs.seekDataSync(fd, 0), fs.seekHoleSync(fd, 40_960), fs.seekHoleSync(fd, 0)]).toEqual([40_960, 45_056, 0]);
  volume.commitSync();
  expect(fs.fstatSync(fd).blocks).toBe(8);
  expect(fs.fstatSync(fd).size).toBe(45_056);
  fs.punchHoleSync(fd, 40_960, 4096);
  volume.commitSync();
  expect(fs.fstatSync(fd).blocks).toBe(0);
  expect(fs.seekDataSync(fd, 0)).toBe(-1);
  fs.closeSync(fd);
});

it('opens as a volume of either face', () => {
  const device = MemoryDevice.fromImage(new Uint8Array(0), { maxSizeBytes: 64 << 20 });
  expect(() => openWith(device, {}, (head) => new NodeFsClass(head))).toThrowError(
    expect.objectContaining({ code: 'ENOTVOLUME' }),
  );
});

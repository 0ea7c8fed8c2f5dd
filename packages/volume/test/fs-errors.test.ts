/**
 * Wrong use and bad input: each failure has its code, names the thing, and changes nothing.
 */
import { MemoryDevice, OutwriteError } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { FsError, LINK_LIMIT, maxNameBytes, Volume } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';

let device: LastingDevice;
let volume: Volume;

beforeEach(() => {
  device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  volume = Volume.create(device, { autoCommitMilliseconds: 0 });
  volume.fs.mkdirSync('/dir/full/sub', { recursive: true });
  volume.fs.writeFileSync('/file', 'content');
  volume.fs.symlinkSync('loop', '/loop');
  volume.fs.symlinkSync('file', '/link');
});

interface Shape {
  code: string;
  syscall: string;
  path?: string;
  dest?: string;
}

function expectFailure(run: () => unknown, shape: Shape, message: string): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(FsError);
  expect(thrown).toBeInstanceOf(OutwriteError);
  const error = thrown as FsError;
  const { code, syscall, path, dest } = error;
  expect({ code, syscall, ...(path === undefined ? {} : { path }), ...(dest === undefined ? {} : { dest }) }).toEqual(
    shape,
  );
  expect(error.message).toBe(message);
  expect(error.errno).toBeLessThan(0);
}

describe('errors have the shape of those of node:fs', () => {
  it('ENOENT for paths that do not exist', () => {
    const { fs } = volume;
    const missing = { code: 'ENOENT', path: '/none' };
    expectFailure(
      () => fs.openSync('/none', 'r'),
      { ...missing, syscall: 'open' },
      "ENOENT: no such file or directory, open '/none'",
    );
    expectFailure(
      () => fs.readFileSync('/none'),
      { ...missing, syscall: 'open' },
      "ENOENT: no such file or directory, open '/none'",
    );
    expectFailure(
      () => fs.statSync('/none'),
      { ...missing, syscall: 'stat' },
      "ENOENT: no such file or directory, stat '/none'",
    );
    expectFailure(
      () => fs.unlinkSync('/none'),
      { ...missing, syscall: 'unlink' },
      "ENOENT: no such file or directory, unlink '/none'",
    );
    expectFailure(
      () => fs.readdirSync('/none'),
      { ...missing, syscall: 'scandir' },
      "ENOENT: no such file or directory, scandir '/none'",
    );
    expectFailure(
      () => fs.renameSync('/none', '/other'),
      { ...missing, syscall: 'rename', dest: '/other' },
      "ENOENT: no such file or directory, rename '/none' -> '/other'",
    );
    expectFailure(
      () => fs.writeFileSync('', ''),
      { code: 'ENOENT', syscall: 'open', path: '' },
      "ENOENT: no such file or directory, open ''",
    );
    expect(fs.statSync('/none', { throwIfNoEntry: false })).toBeUndefined();
    expect(fs.existsSync('/none/at/all')).toBe(false);
  });

  it('ENOTDIR, EISDIR, ENOTEMPTY, EEXIST, EINVAL, EPERM for what does not go together', () => {
    const { fs } = volume;
    const cases: [() => unknown, string, string][] = [
      [() => fs.readFileSync('/file/x'), 'ENOTDIR', 'open'],
      [() => fs.statSync('/file/'), 'ENOTDIR', 'stat'],
      [() => fs.readdirSync('/file'), 'ENOTDIR', 'scandir'],
      [() => fs.rmdirSync('/file'), 'ENOTDIR', 'rmdir'],
      [() => fs.renameSync('/dir', '/file'), 'ENOTDIR', 'rename'],
      [() => fs.opendirSync('/file'), 'ENOTDIR', 'opendir'],
      [() => fs.openSync('/file', fs.constants.O_DIRECTORY), 'ENOTDIR', 'open'],
      [() => fs.readFileSync('/dir'), 'EISDIR', 'read'],
      [() => fs.writeFileSync('/dir', ''), 'EISDIR', 'open'],
      [() => fs.writeFileSync('/new/', ''), 'EISDIR', 'open'],
      [() => fs.unlinkSync('/dir'), 'EISDIR', 'unlink'],
      [() => fs.truncateSync('/dir'), 'EISDIR', 'truncate'],
      [() => fs.renameSync('/file', '/dir'), 'EISDIR', 'rename'],
      [() => fs.rmSync('/dir'), 'EISDIR', 'rm'],
      [() => fs.copyFileSync('/dir', '/copy'), 'EISDIR', 'copyfile'],
      [() => fs.rmdirSync('/dir'), 'ENOTEMPTY', 'rmdir'],
      [() => fs.renameSync('/dir/full/sub', '/dir'), 'ENOTEMPTY', 'rename'],
      [() => fs.mkdirSync('/file'), 'EEXIST', 'mkdir'],
      [() => fs.mkdirSync('/'), 'EEXIST', 'mkdir'],
      [() => fs.mkdirSync('/file', { recursive: true }), 'EEXIST', 'mkdir'],
      [() => fs.mkdirSync('/file/x', { recursive: true }), 'ENOTDIR', 'mkdir'],
      [() => fs.symlinkSync('x', '/file'), 'EEXIST', 'symlink'],
      [() => fs.linkSync('/file', '/link'), 'EEXIST', 'link'],
      [() => fs.openSync('/file', 'wx'), 'EEXIST', 'open'],
      [() => fs.copyFileSync('/file', '/link', fs.constants.COPYFILE_EXCL), 'EEXIST', 'copyfile'],
      [() => fs.renameSync('/dir', '/dir/full/sub/x'), 'EINVAL', 'rename'],
      [() => fs.rmdirSync('/dir/.'), 'EINVAL', 'rmdir'],
      [() => fs.readlinkSync('/file'), 'EINVAL', 'readlink'],
      [() => fs.writeFileSync('/\ud800', ''), 'EINVAL', 'open'],
      [() => fs.copyFileSync('/file', '/copy', fs.constants.COPYFILE_FICLONE_FORCE), 'EINVAL', 'copyfile'],
      [() => fs.linkSync('/dir', '/other'), 'EPERM', 'link'],
      [() => fs.rmdirSync('/'), 'EPERM', 'rmdir'],
      [() => fs.accessSync('/file', fs.constants.X_OK), 'EACCES', 'access'],
      [() => fs.openSync('/link', fs.constants.O_NOFOLLOW), 'ELOOP', 'open'],
    ];
    for (const [run, code, syscall] of cases) {
      expect(run, String(run)).toThrowError(expect.objectContaining({ code, syscall }));
    }
    expect([...volume.check()]).toEqual([]);
  });

  it('ELOOP for more than 40 links, and for links in a circle', () => {
    const { fs } = volume;
    expect(() => fs.statSync('/loop')).toThrowError(expect.objectContaining({ code: 'ELOOP' }));
    fs.symlinkSync('file', '/chain0');
    for (let i = 1; i <= LINK_LIMIT; i++) fs.symlinkSync(`chain${i - 1}`, `/chain${i}`);
    expect(fs.readFileSync(`/chain${LINK_LIMIT - 1}`, 'utf8')).toBe('content');
    expectFailure(
      () => fs.readFileSync(`/chain${LINK_LIMIT}`),
      { code: 'ELOOP', syscall: 'open', path: `/chain${LINK_LIMIT}` },
      `ELOOP: too many symbolic links encountered, open '/chain${LINK_LIMIT}'`,
    );
  });

  it('EBADF for descriptors that are closed or open the wrong way', () => {
    const { fs } = volume;
    const reading = fs.openSync('/file', 'r');
    const writing = fs.openSync('/file', 'a');
    expectFailure(
      () => fs.writeSync(reading, 'x'),
      { code: 'EBADF', syscall: 'write' },
      'EBADF: bad file descriptor, write',
    );
    expectFailure(
      () => fs.readSync(writing, new Uint8Array(1)),
      { code: 'EBADF', syscall: 'read' },
      'EBADF: bad file descriptor, read',
    );
    expect(() => fs.ftruncateSync(reading, 0)).toThrowError(expect.objectContaining({ code: 'EINVAL' }));
    fs.closeSync(reading);
    expectFailure(
      () => fs.closeSync(reading),
      { code: 'EBADF', syscall: 'close' },
      'EBADF: bad file descriptor, close',
    );
    expectFailure(() => fs.fstatSync(99), { code: 'EBADF', syscall: 'fstat' }, 'EBADF: bad file descriptor, fstat');
    expect(fs.openSync('/file'), 'the lowest descriptor is used again').toBe(reading);
  });

  it('TypeError and RangeError for arguments that are none', () => {
    const { fs } = volume;
    const wrong = (run: () => unknown, type: ErrorConstructor, code: string): void => {
      expect(run, String(run)).toThrowError(type);
      expect(run, String(run)).toThrowError(expect.objectContaining({ code }));
    };
    wrong(() => fs.openSync(7 as never), TypeError as never, 'ERR_INVALID_ARG_TYPE');
    wrong(() => fs.openSync('/x\0y'), TypeError as never, 'ERR_INVALID_ARG_VALUE');
    wrong(() => fs.openSync('/file', 'q'), TypeError as never, 'ERR_INVALID_ARG_VALUE');
    wrong(() => fs.openSync('/file', -1), TypeError as never, 'ERR_INVALID_ARG_VALUE');
    wrong(() => fs.chmodSync('/file', 'rwx'), RangeError as never, 'ERR_OUT_OF_RANGE');
    wrong(() => fs.chownSync('/file', -7, 0), RangeError as never, 'ERR_OUT_OF_RANGE');
    wrong(() => fs.truncateSync('/file', -1.5), RangeError as never, 'ERR_OUT_OF_RANGE');
    wrong(() => fs.truncateSync('/file', 'x' as never), TypeError as never, 'ERR_INVALID_ARG_TYPE');
    wrong(() => fs.utimesSync('/file', Number.NaN, 0), RangeError as never, 'ERR_OUT_OF_RANGE');
    wrong(() => fs.writeFileSync('/file', 5 as never), TypeError as never, 'ERR_INVALID_ARG_TYPE');
    wrong(() => fs.readFileSync('/file', 'klingon'), TypeError as never, 'ERR_INVALID_ARG_VALUE');
    const fd = fs.openSync('/file', 'r+');
    wrong(() => fs.readSync(fd, new Uint8Array(4), 0, 5), RangeError as never, 'ERR_OUT_OF_RANGE');
    wrong(() => fs.readSync(fd, 'no' as never), TypeError as never, 'ERR_INVALID_ARG_TYPE');
    wrong(() => fs.writeSync(fd, new Uint8Array(4), 5), RangeError as never, 'ERR_OUT_OF_RANGE');
    wrong(() => fs.readSync(fd, new Uint8Array(4), 0, 4, 1.5), RangeError as never, 'ERR_OUT_OF_RANGE');
  });
});

describe('limits', () => {
  it.each([512, 4096, 16384])('names and paths that are too long, with blocks of %i bytes', (blockSize) => {
    const small = Volume.create(new MemoryDevice({ maxSizeBytes: 64 << 20 }), { blockSize, autoCommitMilliseconds: 0 });
    const limit = maxNameBytes(blockSize);
    expect(limit).toBe(blockSize === 512 ? 120 : 255);
    const longest = 'ü'.repeat(Math.floor(limit / 2)) + 'x'.repeat(limit % 2);
    small.fs.writeFileSync(`/${longest}`, 'x');
    small.commitSync();
    expect(small.fs.readdirSync('/')).toEqual([longest]);
    expectFailure(
      () => small.fs.writeFileSync(`/${longest}x`, ''),
      { code: 'ENAMETOOLONG', syscall: 'open', path: `/${longest}x` },
      `ENAMETOOLONG: name too long, open '/${longest}x'`,
    );
    const path = '/d'.repeat(2048);
    expect(() => small.fs.statSync(path)).toThrowError(expect.objectContaining({ code: 'ENAMETOOLONG' }));
    expect(() => small.fs.symlinkSync('t'.repeat(4096), '/l')).toThrowError(
      expect.objectContaining({ code: 'ENAMETOOLONG' }),
    );
    small.fs.symlinkSync('t'.repeat(4095), '/l');
    small.commitSync();
    expect(small.fs.readlinkSync('/l')).toBe('t'.repeat(4095));
    small.closeSync();
  });

  it('attributes: names, values, modes', () => {
    const { fs } = volume;
    fs.setxattrSync('/file', 'user.a', new Uint8Array(65_536).fill(3));
    expect(() => fs.setxattrSync('/file', 'user.b', new Uint8Array(65_537))).toThrowError(
      expect.objectContaining({ code: 'EFBIG' }),
    );
    expect(() => fs.setxattrSync('/file', 'n'.repeat(256), '')).toThrowError(
      expect.objectContaining({ code: 'ENAMETOOLONG' }),
    );
    expect(() => fs.setxattrSync('/file', '', '')).toThrowError(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => fs.setxattrSync('/file', 'user.a', '', 'create')).toThrowError(
      expect.objectContaining({ code: 'EEXIST' }),
    );
    expect(() => fs.setxattrSync('/file', 'user.c', '', 'replace')).toThrowError(
      expect.objectContaining({ code: 'ENODATA' }),
    );
    expectFailure(
      () => fs.getxattrSync('/file', 'user.c'),
      { code: 'ENODATA', syscall: 'getxattr', path: '/file' },
      "ENODATA: no data available, getxattr '/file'",
    );
    expect(() => fs.removexattrSync('/file', 'user.c')).toThrowError(expect.objectContaining({ code: 'ENODATA' }));
    expect(fs.listxattrSync('/file')).toEqual(['user.a']);
    expect(fs.getxattrSync('/file', 'user.a')).toEqual(new Uint8Array(65_536).fill(3));
  });

  it('a file larger than an array can be is not read as a whole', async () => {
    const sizeBytes = 2 ** 43;
    const { fs } = volume;
    const { promises } = fs;
    fs.truncateSync('/file', sizeBytes);
    const tooLarge = expect.objectContaining({
      code: 'ERR_FS_FILE_TOO_LARGE',
      message: `File size (${sizeBytes}) is greater than an array can be; read it in parts`,
    });
    const fd = fs.openSync('/file', 'r+');
    expect(() => fs.readFileSync('/file')).toThrowError(tooLarge);
    expect(() => fs.readFileSync('/file', { encoding: 'utf8', flag: 'r+' })).toThrowError(tooLarge);
    expect(() => fs.readFileSync(fd)).toThrowError(tooLarge);
    expect(() => fs.readFileSync('/file')).toThrowError(RangeError);
    await expect(promises.readFile('/file')).rejects.toThrowError(tooLarge);
    const handle = await promises.open('/file');
    await expect(handle.readFile('utf8')).rejects.toThrowError(tooLarge);
    await expect(promises.readFile(handle)).rejects.toThrowError(tooLarge);
    await handle.close();
    expect(fs.readSync(fd, new Uint8Array(7))).toBe(7);
    fs.closeSync(fd);
    expect(volume.stats().openDescriptors).toBe(0);
  });

  it('attributes: names that have no UTF-8, or are no text, and modes that are none', () => {
    const { fs } = volume;
    fs.setxattrSync('/file', '\ufffd', 'kept');
    for (const name of ['\ud800', 'a\udc00']) {
      const failure = (syscall: string) => expect.objectContaining({ code: 'EINVAL', syscall, path: '/file' });
      expect(() => fs.setxattrSync('/file', name, '')).toThrowError(failure('setxattr'));
      expect(() => fs.getxattrSync('/file', name)).toThrowError(failure('getxattr'));
      expect(() => fs.removexattrSync('/file', name)).toThrowError(failure('removexattr'));
    }
    const wrongType = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => fs.setxattrSync('/file', 5 as never, '')).toThrowError(wrongType);
    expect(() => fs.getxattrSync('/file', undefined as never)).toThrowError(wrongType);
    expect(() => fs.setxattrSync('/file', 'a', '', 'make' as never)).toThrowError(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(fs.listxattrSync('/file')).toEqual(['\ufffd']);
  });

  it('EFBIG beyond the size of a file', async () => {
    const { fs } = volume;
    const far = Number.MAX_SAFE_INTEGER;
    const handle = await fs.promises.open('/file', 'r+');
    expectFailure(
      () => fs.truncateSync('/file', far),
      { code: 'EFBIG', syscall: 'truncate', path: '/file' },
      "EFBIG: file too large, truncate '/file'",
    );
    expectFailure(
      () => fs.writeSync(handle.fd, Uint8Array.of(1), 0, 1, far),
      { code: 'EFBIG', syscall: 'write' },
      'EFBIG: file too large, write',
    );
    const failure = expect.objectContaining({ code: 'EFBIG', syscall: 'write' });
    await expect(handle.write(new Uint8Array(1 << 20), 0, 1 << 20, 2 ** 52)).rejects.toEqual(failure);
    await handle.close();
    expect(fs.readFileSync('/file', 'utf8')).toBe('content');
  });

  it.each([10, 100_000])('nothing is beyond the end of a file, however far: %i bytes', (sizeBytes) => {
    const { fs } = volume;
    fs.writeFileSync('/file', new Uint8Array(sizeBytes));
    const fd = fs.openSync('/file', 'r');
    expect(fs.readSync(fd, new Uint8Array(4), 0, 4, Number.MAX_SAFE_INTEGER)).toBe(0);
    expect(fs.seekDataSync(fd, Number.MAX_SAFE_INTEGER)).toBe(-1);
    expect(fs.seekHoleSync(fd, Number.MAX_SAFE_INTEGER)).toBe(-1);
    fs.closeSync(fd);
  });
});

describe('volumes that cannot be changed', () => {
  it('EROFS when open read-only, and reading works', () => {
    volume.closeSync();
    const reader = Volume.open(device, { readOnly: true });
    expect(reader.readOnly).toBe(true);
    expect(reader.fs.readFileSync('/file', 'utf8')).toBe('content');
    const descriptor = reader.fs.openSync('/file', 'r');
    expect(reader.fs.readSync(descriptor, new Uint8Array(100))).toBe('content'.length);
    reader.fs.closeSync(descriptor);
    expect(reader.fs.readdirSync('/')).toEqual(['dir', 'file', 'link', 'loop']);
    expectFailure(
      () => reader.fs.writeFileSync('/file', ''),
      { code: 'EROFS', syscall: 'open', path: '/file' },
      "EROFS: read-only file system, open '/file'",
    );
    const { fs } = reader;
    for (const run of [
      () => fs.mkdirSync('/x'),
      () => fs.unlinkSync('/file'),
      () => fs.rmdirSync('/dir'),
      () => fs.rmSync('/dir', { recursive: true }),
      () => fs.renameSync('/file', '/x'),
      () => fs.linkSync('/file', '/x'),
      () => fs.symlinkSync('/file', '/x'),
      () => fs.chmodSync('/file', 0o600),
      () => fs.chownSync('/file', 1, 1),
      () => fs.utimesSync('/file', 1, 1),
      () => fs.truncateSync('/file', 0),
      () => fs.appendFileSync('/file', 'x'),
      () => fs.openSync('/file', 'r+'),
      () => fs.openSync('/file', 'w'),
      () => fs.copyFileSync('/file', '/x'),
      () => fs.mkdtempSync('/x'),
      () => fs.setxattrSync('/file', 'a', 'b'),
      () => fs.removexattrSync('/file', 'a'),
      () => fs.accessSync('/file', fs.constants.W_OK),
    ]) {
      expect(run, String(run)).toThrowError(expect.objectContaining({ code: 'EROFS' }));
    }
    expect([...reader.check()]).toEqual([]);
    expect(reader.commitSync()).toBeGreaterThan(0);
    reader.closeSync();
  });

  it('ECLOSED after close', async () => {
    const fd = volume.fs.openSync('/file', 'r');
    await volume.close();
    await volume.close();
    volume.closeSync();
    const closed = expect.objectContaining({
      code: 'ECLOSED',
      message: 'the volume is closed; open it again to use it',
    });
    expect(() => volume.fs.readFileSync('/file')).toThrowError(closed);
    expect(() => volume.fs.writeFileSync('/file', '')).toThrowError(closed);
    expect(() => volume.fs.existsSync('/file')).toThrowError(closed);
    expect(() => volume.commitSync()).toThrowError(closed);
    expect(() => volume.stats()).toThrowError(closed);
    expect(() => volume.transact(() => 1)).toThrowError(closed);
    expect(() => [...volume.check()]).toThrowError(closed);
    await expect(volume.commit()).rejects.toThrowError(closed);
    expect(() => volume.fs.readSync(fd, new Uint8Array(1))).toThrowError(expect.objectContaining({ code: 'EBADF' }));
  });
});

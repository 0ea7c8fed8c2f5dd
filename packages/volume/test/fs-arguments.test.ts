/** Arguments that are seldom given: each does what it does in `node:fs`. */
import { MemoryDevice } from '@outwrite/blockdev';
import { beforeEach, describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

let fs: Volume['fs'];

beforeEach(() => {
  const device = new MemoryDevice({ maxSizeBytes: 16 << 20 });
  fs = Volume.create(device, { autoCommitMilliseconds: 0, umask: 0o022 }).fs;
});

describe('mkdtemp', () => {
  it.each([
    ['a text', '/made-'],
    ['bytes', new TextEncoder().encode('/made-')],
    ['a URL', new URL('file:///made-')],
  ])('takes %s', async (_title, prefix) => {
    const made = [fs.mkdtempSync(prefix), await fs.promises.mkdtemp(prefix)];
    for (const path of made) expect(path).toMatch(/^\/made-[A-Za-z0-9]{6}$/);
    expect(fs.readdirSync('/').map((name) => `/${name}`)).toEqual(made.sort());
  });
});

describe('mkdir', () => {
  it('of an empty path is ENOENT, recursive too', () => {
    for (const recursive of [false, true]) {
      expect(() => fs.mkdirSync('', { recursive })).toThrow(
        expect.objectContaining({ code: 'ENOENT', syscall: 'mkdir', path: '' }),
      );
    }
  });

  it.each([
    [0o6777, 0o755],
    [0o1777, 0o1755],
    [0o7777, 0o1755],
    [0o2700, 0o700],
  ])('drops setuid and setgid and keeps sticky: %o', (mode, expected) => {
    fs.mkdirSync('/single', mode);
    fs.mkdirSync('/many/more', { mode, recursive: true });
    for (const path of ['/single', '/many', '/many/more']) expect(fs.statSync(path).mode).toBe(0o40000 | expected);
  });
});

describe('truncate', () => {
  it('to less than nothing cuts to nothing', async () => {
    fs.writeFileSync('/file', '');
    const handle = await fs.promises.open('/file', 'r+');
    for (const cut of [
      () => fs.truncateSync('/file', -5),
      () => fs.promises.truncate('/file', -1),
      () => fs.ftruncateSync(handle.fd, -5),
      () => handle.truncate(-1),
    ]) {
      fs.writeFileSync('/file', 'content');
      await cut();
      expect(fs.readFileSync('/file')).toEqual(new Uint8Array(0));
    }
    await handle.close();
  });

  it.each([1.5, -1.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 60, -(2 ** 60)])('refuses %d', (length) => {
    fs.writeFileSync('/file', 'content');
    expect(() => fs.truncateSync('/file', length)).toThrow(RangeError);
    expect(fs.readFileSync('/file', 'utf8')).toBe('content');
  });
});

describe('mkdir with recursive', () => {
  it('makes nothing where a link leads nowhere', () => {
    fs.symlinkSync('/nowhere', '/link');
    for (const path of ['/link', '/link/a', '/link/a/b']) {
      const call = (): unknown => fs.mkdirSync(path, { recursive: true });
      expect(call).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'mkdir' }));
    }
    expect(fs.existsSync('/nowhere')).toBe(false);
  });
});

describe('rmdir with recursive', () => {
  beforeEach(() => {
    fs.mkdirSync('/a/b', { recursive: true });
    fs.writeFileSync('/a/b/f', '');
    fs.symlinkSync('a', '/l');
  });

  it('removes what is below', async () => {
    fs.rmdirSync('/a/b', { recursive: true });
    expect(fs.readdirSync('/a')).toEqual([]);
    fs.mkdirSync('/a/b');
    await fs.promises.rmdir('/a/', { recursive: true });
    expect(fs.readdirSync('/')).toEqual(['l']);
  });

  it.each([
    ['/a/b/f', 'ENOTDIR'],
    ['/l', 'ENOTDIR'],
    ['/l/', 'ENOTDIR'],
    ['/missing', 'ENOENT'],
    ['/a/.', 'EINVAL'],
    ['/', 'EPERM'],
  ])('refuses %s', async (path, code) => {
    const failure = expect.objectContaining({ code, syscall: 'rmdir', path });
    expect(() => fs.rmdirSync(path, { recursive: true })).toThrow(failure);
    await expect(fs.promises.rmdir(path, { recursive: true })).rejects.toEqual(failure);
    expect(fs.readdirSync('/', { recursive: true }).sort()).toEqual(['a', 'a/b', 'a/b/f', 'l']);
  });

  it('without it refuses what is not empty', () => {
    expect(() => fs.rmdirSync('/a', { recursive: false })).toThrow(expect.objectContaining({ code: 'ENOTEMPTY' }));
  });
});

describe('appendFile', () => {
  it.each([undefined, null, ''])('appends with no flag: %j', async (given) => {
    const options = { flag: given as string | undefined };
    fs.writeFileSync('/file', 'first');
    fs.appendFileSync('/file', ', second', options);
    await fs.promises.appendFile('/file', ', third', options);
    expect(fs.readFileSync('/file', 'utf8')).toBe('first, second, third');
  });
});

it.each([
  ['a text', (fd: number) => String(fd)],
  ['a bigint', BigInt],
  ['an array', (fd: number) => [fd]],
])('a descriptor is a number, and not %s of it', (_title, other) => {
  const fd = fs.openSync('/file', 'w');
  const wrongType = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  for (const call of [fs.closeSync, fs.fsyncSync, fs.fstatSync, fs.ftruncateSync]) {
    expect(() => call(other(fd) as never)).toThrow(wrongType);
  }
  fs.closeSync(fd);
});

describe('reads', () => {
  it('of a handle take all in one argument, or none', async () => {
    fs.writeFileSync('/file', 'content of a file');
    const handle = await fs.promises.open('/file', 'r');
    const buffer = new Uint8Array(6);
    expect(await handle.read({ buffer, offset: 1, length: 4, position: 11 })).toEqual({ bytesRead: 4, buffer });
    expect(new TextDecoder().decode(buffer)).toBe('\0a fi\0');
    const whole = await handle.read();
    expect(whole.bytesRead).toBe(17);
    expect(whole.buffer).toHaveLength(16_384);
    expect(new TextDecoder().decode(whole.buffer.subarray(0, 18))).toBe('content of a file\0');
    expect((await handle.read({ position: 8 })).bytesRead).toBe(9);
    expect((await handle.read(null)).bytesRead).toBe(0);
    const wrongType = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    await expect(handle.read('text' as never)).rejects.toEqual(wrongType);
    await expect(handle.read({ buffer: 'text' as never })).rejects.toEqual(wrongType);
    await handle.close();
  });

  it('into several buffers look at all of them first', () => {
    fs.writeFileSync('/file', 'content');
    const fd = fs.openSync('/file', 'r');
    const wrongType = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => fs.readvSync(fd, [new Uint8Array(3), 'text' as never])).toThrow(wrongType);
    expect(() => fs.readvSync(fd, undefined as never)).toThrow(wrongType);
    const buffer = new Uint8Array(7);
    expect(fs.readvSync(fd, [buffer])).toBe(7);
    expect(new TextDecoder().decode(buffer)).toBe('content');
    fs.closeSync(fd);
  });
});

it.each([
  'http://x/y',
  'file://host/y',
  'file:///a%2Fb',
  'file:///a%2fb',
  'file:///%zz',
  'file:///%ff',
  'file:///a%00b',
])('%s is no path', (text) => {
  const url = new URL(text);
  const failure = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  expect(() => fs.writeFileSync(url, 'content')).toThrow(failure);
  expect(fs.existsSync(url)).toBe(false);
  expect(fs.readdirSync('/')).toEqual([]);
});

/** The file device: conformance, growth, opening errors, damage of the file behind its back, and real block devices. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClosedError, DeviceError, NoSpaceError, TruncatedError } from '../src/index.ts';
import { openFileDevice } from '../src/node.ts';
import { blockDeviceConformance } from '../src/testing.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'outwrite-blockdev-'));
  file = path.join(directory, 'volume');
});

afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true });
});

blockDeviceConformance(
  'FileDevice',
  () => ({
    open: ({ sizeBytes, maxSizeBytes }) => {
      const device = openFileDevice(file, { create: 'exclusive', maxSizeBytes, growthStepBytes: 65536 });
      device.grow(sizeBytes);
      return device;
    },
    reopen: ({ readOnly }) => openFileDevice(file, { readOnly }),
  }),
  { describe, it },
);

describe('growth', () => {
  it('goes in steps, in proportion to the size, and never shrinks', () => {
    const device = openFileDevice(file, { create: true });
    device.grow(512);
    expect(device.sizeBytes).toBe(2 ** 20);
    expect(fs.statSync(file).size).toBe(2 ** 20);
    device.grow(512);
    expect(device.sizeBytes).toBe(2 ** 20);
    device.grow(100 * 2 ** 20 + 512);
    expect(device.sizeBytes).toBe(112 * 2 ** 20);
    device.grow(2 ** 40 + 512);
    expect(device.sizeBytes).toBe(2 ** 40 + 64 * 2 ** 20);
    device.closeSync();
  });

  it('stops at the limit, which need not be a multiple of the step', () => {
    const device = openFileDevice(file, { create: true, maxSizeBytes: 10 * 512, growthStepBytes: 8 * 512 });
    device.grow(512);
    expect(device.sizeBytes).toBe(8 * 512);
    device.grow(9 * 512);
    expect(device.sizeBytes).toBe(10 * 512);
    expect(() => device.grow(11 * 512)).toThrow(NoSpaceError);
    device.closeSync();
    const again = openFileDevice(file, { maxSizeBytes: 512 });
    expect(again).toMatchObject({ sizeBytes: 10 * 512, maxSizeBytes: 10 * 512 });
    again.closeSync();
  });

  it('that the file system refuses is ENOSPC', () => {
    const device = openFileDevice(file, { create: true, growthStepBytes: 512 });
    expect(() => device.grow(2 ** 53 - 512)).toThrow(NoSpaceError);
    expect(device.sizeBytes).toBe(0);
    device.closeSync();
  });
});

describe('opening', () => {
  it('says what is wrong', () => {
    expect(() => openFileDevice(file)).toThrow(
      expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining(file) }),
    );
    expect(() => openFileDevice(directory)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    expect(() => openFileDevice(path.join(directory, 'no', 'where'), { create: true })).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
    fs.writeFileSync(file, 'x');
    expect(() => openFileDevice(file, { create: 'exclusive' })).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(() => openFileDevice(path.join(file, 'below'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
    expect(() => openFileDevice('/dev/null')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => openFileDevice(file, { lock: false })).toThrow(TypeError);
    expect(() => openFileDevice(file, { create: true, readOnly: true })).toThrow(TypeError);
    expect(() => openFileDevice(file, { growthStepBytes: 0 })).toThrow(RangeError);
    expect(fs.readdirSync(directory)).toEqual(['volume']);
  });

  it('takes strings for paths, and leaves nothing behind for anything else', () => {
    for (const wrong of [pathToFileURL(file), Buffer.from(file), undefined, null, 5, `${file}\0`]) {
      for (const create of [false, true, 'exclusive'] as const) {
        expect(() => openFileDevice(wrong as string, { create })).toThrow(TypeError);
      }
    }
    expect(() => openFileDevice(pathToFileURL(file) as unknown as string)).toThrow(/fileURLToPath/);
    for (const create of [false, true]) {
      expect(() => openFileDevice('', { create })).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    }
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('says what to do where a file is in the way', () => {
    fs.writeFileSync(file, 'x');
    expect(() => openFileDevice(file, { create: 'exclusive' })).toThrow(/overwrite it, or choose another path/);
  });

  it('leaves out a part of a sector at the end', () => {
    fs.writeFileSync(file, new Uint8Array(1000));
    const device = openFileDevice(file);
    expect(device.sizeBytes).toBe(512);
    device.grow(1024);
    expect(device.sizeBytes).toBe(2 ** 20);
    device.closeSync();
  });

  it('gives back everything when it fails', () => {
    fs.writeFileSync(file, new Uint8Array(512));
    const openDescriptors = (): number => fs.readdirSync('/proc/self/fd').length;
    if (!fs.existsSync('/proc/self/fd')) return;
    const before = openDescriptors();
    const device = openFileDevice(file);
    for (let i = 0; i < 5; i++) expect(() => openFileDevice(file)).toThrow();
    device.closeSync();
    expect(openDescriptors()).toBe(before);
    expect(fs.readdirSync(directory)).toEqual(['volume']);
  });
});

describe('a file that changes behind the back', () => {
  it('is an error of the read when it became shorter', () => {
    const device = openFileDevice(file, { create: true });
    device.grow(8192);
    fs.truncateSync(file, 1024 + 100);
    const buffer = new Uint8Array(2048);
    let thrown: unknown;
    try {
      device.readSync(0, [buffer]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DeviceError);
    expect(thrown).toMatchObject({ operation: 'read', position: 0, lengthBytes: 2048 });
    expect((thrown as DeviceError).cause).toBeInstanceOf(TruncatedError);
    device.closeSync();
  });
});

describe('failures of the operating system', () => {
  const full = '/dev/full';

  it.skipIf(!fs.existsSync(full))('carry the system call that failed', async () => {
    // A file device on /dev/full is refused, so the descriptors of a device are replaced by it.
    const device = openFileDevice(file, { create: true });
    device.grow(8192);
    const descriptors = fs
      .readdirSync('/proc/self/fd')
      .map(Number)
      .filter((descriptor) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${descriptor}`) === file;
        } catch {
          return false;
        }
      });
    expect(descriptors.length).toBe(3);
    for (const descriptor of descriptors) fs.closeSync(descriptor);
    const replaced = descriptors.map(() => fs.openSync(full, 'r+'));
    expect(replaced.sort()).toEqual(descriptors.sort());
    const sector = [new Uint8Array(512)];
    expect(() => device.writeSync(512, sector)).toThrow(
      expect.objectContaining({
        code: 'EIO',
        operation: 'write',
        position: 512,
        cause: expect.objectContaining({ code: 'ENOSPC' }),
      }),
    );
    await expect(device.write(512, sector)).rejects.toMatchObject({
      code: 'EIO',
      operation: 'write',
      lengthBytes: 512,
    });
    expect(() => device.flushSync()).toThrow(expect.objectContaining({ code: 'EIO', operation: 'flush' }));
    await expect(device.flush()).rejects.toMatchObject({ code: 'EIO', operation: 'flush' });
    await device.close();
    expect(() => device.flushSync()).toThrow(ClosedError);
  });
});

/** Why no loop device can be had here, or null. */
function whyNoLoopDevice(): string | null {
  if (process.platform !== 'linux') return 'loop devices are a thing of Linux';
  if (process.getuid?.() !== 0) return 'only root may attach a loop device';
  const probe = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'outwrite-loop-')), 'image');
  try {
    fs.writeFileSync(probe, new Uint8Array(4096));
    const device = execFileSync('losetup', ['--find', '--show', probe], { stdio: ['ignore', 'pipe', 'ignore'] });
    execFileSync('losetup', ['--detach', device.toString().trim()]);
    return null;
  } catch {
    return 'losetup is absent or not allowed here';
  } finally {
    fs.rmSync(path.dirname(probe), { recursive: true, force: true });
  }
}

const reason = whyNoLoopDevice();

describe.skipIf(reason !== null)(`a real block device${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let loop: string;

  function attach(sizeBytes: number): string {
    fs.writeFileSync(file, '');
    fs.truncateSync(file, sizeBytes);
    loop = execFileSync('losetup', ['--find', '--show', file]).toString().trim();
    return loop;
  }

  afterEach(() => {
    execFileSync('losetup', ['--detach', loop]);
  });

  it('has the size that it has', async () => {
    const sizeBytes = 3 * 2 ** 20 + 7 * 512;
    const device = openFileDevice(attach(sizeBytes));
    expect(device).toMatchObject({ sizeBytes, maxSizeBytes: sizeBytes });
    const content = new Uint8Array(1024).fill(7);
    await device.write(sizeBytes - 1024, [content]);
    await device.flush();
    const found = new Uint8Array(1024);
    device.readSync(sizeBytes - 1024, [found]);
    expect(found).toEqual(content);
    expect(() => device.grow(sizeBytes + 512)).toThrow(NoSpaceError);
    expect(() => openFileDevice(loop)).toThrow(expect.objectContaining({ code: 'ELOCKED' }));
    await device.close();
    expect(fs.existsSync(`${loop}.lock`)).toBe(false);
    expect(fs.readFileSync(file).subarray(-1024)).toEqual(Buffer.from(content));
  });

  it('is refused while something else in the system claims it', () => {
    attach(2 ** 20);
    const claim = fs.openSync(loop, fs.constants.O_RDWR | fs.constants.O_EXCL);
    expect(() => openFileDevice(loop)).toThrow(
      expect.objectContaining({ code: 'EIO', message: expect.stringContaining('in use') }),
    );
    fs.closeSync(claim);
    openFileDevice(loop).closeSync();
  });
});

const loopReason = reason;
blockDeviceConformance(
  'FileDevice on a block device',
  () => {
    let loop: string;
    return {
      open: ({ sizeBytes }) => {
        fs.writeFileSync(file, new Uint8Array(sizeBytes));
        loop = execFileSync('losetup', ['--find', '--show', file]).toString().trim();
        return openFileDevice(loop);
      },
      reopen: ({ readOnly }) => openFileDevice(loop, { readOnly }),
      dispose: () => {
        execFileSync('losetup', ['--detach', loop]);
      },
    };
  },
  { describe: (name, body) => describe.skipIf(loopReason !== null)(name, body), it },
);

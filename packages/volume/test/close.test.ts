/**
 * Closing a volume in a file: whatever it tells, file, lock and timers are released, and the next opening finds the last commit.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceError } from '@outwrite/blockdev';
import { type FileDevice, openFileDevice } from '@outwrite/blockdev/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Volume } from '../src/index.ts';
import { openVolume } from '../src/node.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-close-'));
  path = join(folder, 'volume');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** A volume with a committed file and one that is not, whose device takes no more writes from now on. */
function failing(): { device: FileDevice; volume: Volume } {
  const device = openFileDevice(path, { create: true });
  const volume = Volume.create(device);
  volume.fs.writeFileSync('/kept', 'kept');
  volume.commitSync();
  volume.fs.writeFileSync('/lost', 'lost');
  volume.fs.openSync('/lost', 'r+');
  const fail = (): never => {
    throw new DeviceError({ operation: 'write' }, 'no more writes');
  };
  device.writeSync = fail;
  device.write = () => Promise.reject(new DeviceError({ operation: 'write' }, 'no more writes'));
  return { device, volume };
}

async function expectReleased(volume: Volume): Promise<void> {
  expect(volume.closed).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  expect(readdirSync(folder)).toEqual(['volume']);
  await volume.close();
  volume.closeSync();
  const again = openVolume(path);
  expect(again.fs.readdirSync('/')).toEqual(['kept']);
  expect([...again.check()]).toEqual([]);
  await again.close();
}

const told = { code: 'ELATCHED', cause: { message: expect.stringContaining('no more writes') } };

describe.each([
  ['that is latched already', (volume: Volume) => expect(() => volume.commitSync()).toThrow()],
  ['that fails on its last commit', () => undefined],
])('closing a volume %s', (_which, before) => {
  it('tells of the failure and releases everything', async () => {
    const { volume } = failing();
    expect(vi.getTimerCount()).toBe(1);
    before(volume);
    await expect(volume.close()).rejects.toMatchObject(told);
    await expectReleased(volume);
  });

  it('does so synchronously too', async () => {
    const { volume } = failing();
    before(volume);
    expect(() => volume.closeSync()).toThrow(expect.objectContaining({ code: 'ELATCHED' }));
    await expectReleased(volume);
  });
});

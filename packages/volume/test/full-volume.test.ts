/**
 * Volumes that are full, and devices that fail: what was asked for happens whole or not at all, and what frees space always can.
 */
import { LatchedError, NoSpaceError } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { FsError, Volume } from '../src/index.ts';
import { volumeText } from './compare.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };

function isFull(run: () => void): boolean {
  try {
    run();
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(FsError);
    expect(error).toMatchObject({ code: 'ENOSPC' });
    expect((error as FsError).cause).toBeInstanceOf(NoSpaceError);
    expect((error as FsError).message).toMatch(/^ENOSPC: no space left on device, /);
    return true;
  }
}

describe.each([512, 4096])('a full volume with blocks of %i bytes', (blockSize) => {
  function fill(content: (index: number) => Uint8Array): { device: LastingDevice; volume: Volume; count: number } {
    const device = new LastingDevice({ maxSizeBytes: 1024 * blockSize });
    const volume = Volume.create(device, { ...tuning, blockSize });
    volume.fs.mkdirSync('/d');
    let count = 0;
    while (!isFull(() => volume.fs.writeFileSync(`/d/${count}`, content(count)))) {
      count++;
      if (count > 100_000) throw new Error('the volume does not fill');
    }
    return { device, volume, count };
  }

  it('changes nothing when it says so, and is sound', () => {
    const { device, volume, count } = fill((index) => new Uint8Array(100).fill(index));
    expect(count).toBeGreaterThan(100);
    const before = volumeText(volume);
    for (const run of [
      () => volume.fs.writeFileSync('/d/more', new Uint8Array(100)),
      () => volume.fs.mkdirSync('/more'),
      () => volume.fs.symlinkSync('x', '/more'),
      () => volume.fs.writeFileSync('/large', new Uint8Array(200 * blockSize)),
      () => volume.transact(() => volume.fs.mkdirSync('/more')),
    ]) {
      // A little may still fit; then it is taken away again.
      if (!isFull(run))
        for (const name of ['/d/more', '/more', '/large']) volume.fs.rmSync(name, { force: true, recursive: true });
      volume.fs.rmSync('/large', { force: true });
    }
    expect(volumeText(volume)).toBe(before);
    volume.commitSync();
    expect([...volume.check()]).toEqual([]);
    volume.closeSync();
    const again = Volume.open(device, tuning);
    expect(volumeText(again)).toBe(before);
    expect([...again.check()]).toEqual([]);
  });

  it('a change of a large file that is refused leaves its times, too', () => {
    const { device, volume } = fill(() => new Uint8Array(3 * blockSize));
    volume.fs.unlinkSync('/d/0');
    volume.checkpointSync();
    volume.checkpointSync();
    volume.fs.writeFileSync('/d/0', new Uint8Array(2 * blockSize).fill(1));
    const longAgo = new Date(1e9);
    volume.fs.utimesSync('/d/0', longAgo, longAgo);
    volume.commitSync();
    const before = volume.fs.statSync('/d/0', { bigint: true });
    for (const run of [
      () => volume.fs.appendFileSync('/d/0', new Uint8Array(200 * blockSize)),
      () => volume.fs.writeFileSync('/d/0', new Uint8Array(200 * blockSize), { flag: 'r+' }),
    ]) {
      expect(isFull(run)).toBe(true);
      expect(volume.fs.statSync('/d/0', { bigint: true })).toEqual(before);
    }
    volume.commitSync();
    expect([...volume.check()]).toEqual([]);
    volume.closeSync();
    const again = Volume.open(device, tuning);
    expect(again.fs.statSync('/d/0', { bigint: true })).toEqual(before);
    expect([...again.check()]).toEqual([]);
  });

  it('refused changes at the same time leave the times, too, except those that another call has given', async () => {
    let milliseconds = 1_700_000_000_000;
    const device = new LastingDevice({ maxSizeBytes: 512 * 1024 });
    const volume = Volume.create(device, { ...tuning, blockSize, clock: () => milliseconds });
    volume.fs.writeFileSync('/a', new Uint8Array(2 * blockSize));
    volume.commitSync();
    const before = volume.fs.statSync('/a', { bigint: true });
    const handle = await volume.fs.promises.open('/a', 'r+');
    const refused = (): Promise<unknown> =>
      expect(handle.write(new Uint8Array(1024 * 1024), 0, 1024 * 1024, 0)).rejects.toMatchObject({ code: 'ENOSPC' });
    milliseconds += 1000;
    await Promise.all([refused(), refused(), refused()]);
    expect(volume.fs.statSync('/a', { bigint: true })).toEqual(before);
    milliseconds += 1000;
    const writing = refused();
    volume.fs.chmodSync('/a', 0o600);
    await writing;
    const after = volume.fs.statSync('/a');
    expect(after.ctimeMs).toBe(milliseconds);
    expect(after.mode & 0o777).toBe(0o600);
    await handle.close();
    expect([...volume.check()]).toEqual([]);
  });

  it.each([
    ['small files', 100],
    ['large files', 20_000],
  ])('%s can be removed, one by one, and the space comes back', (_what, size) => {
    const { volume, count } = fill(() => new Uint8Array(size).fill(1));
    volume.commitSync();
    for (let i = 0; i < count; i++) volume.fs.unlinkSync(`/d/${i}`);
    expect(volume.fs.readdirSync('/d')).toEqual(volume.fs.existsSync(`/d/${count}`) ? [`${count}`] : []);
    volume.fs.rmSync('/d', { recursive: true });
    volume.checkpointSync();
    volume.checkpointSync();
    expect([...volume.check()]).toEqual([]);
    volume.fs.mkdirSync('/d');
    let again = 0;
    while (!isFull(() => volume.fs.writeFileSync(`/d/${again}`, new Uint8Array(size)))) again++;
    expect(again).toBeGreaterThan(count * 0.8);
  });

  it('files can be removed while writes that were overtaken are still on their way', async () => {
    let isHeld = false;
    const held: (() => void)[] = [];
    const device = new SimulatedDevice({
      trace: false,
      hold: () => (isHeld ? new Promise<void>((letGo) => held.push(letGo)) : undefined),
    });
    const maxBytes = 1024 * blockSize;
    const volume = Volume.create(device, { ...tuning, blockSize, maxBytes, bounds: { syncWriteBytes: 0 } });
    let count = 0;
    while (!isFull(() => volume.fs.writeFileSync(`/${count}`, new Uint8Array(100).fill(count)))) count++;
    volume.commitSync();
    isHeld = true;
    for (let i = 0; i < count; i++) {
      volume.fs.unlinkSync(`/${i}`);
      if (i % 50 !== 0 || i >= 200) continue;
      // This one begins and is overtaken; its writes return long after.
      const committing = volume.commit();
      await Promise.resolve();
      volume.commitSync();
      await committing;
    }
    volume.commitSync();
    expect(device.medium.pending.some(({ state }) => state === 'in flight')).toBe(true);
    isHeld = false;
    for (const letGo of held) letGo();
    await volume.checkpoint();
    expect(device.changedBufferCount).toBe(0);
    expect([...volume.check()]).toEqual([]);
    volume.checkpointSync();
    volume.checkpointSync();
    const { space } = volume.stats();
    expect(space.usedBlocks).toBeLessThan(40);
    expect(space.usedBlocks + space.freeBlocks + space.waitingBlocks + space.reservedBlocks).toBe(1024);
    await volume.close();
  });

  it('files can be cut, and directories emptied in a transaction', () => {
    const { volume, count } = fill(() => new Uint8Array(3 * blockSize).fill(1));
    for (let i = 0; i < count; i += 2) volume.fs.truncateSync(`/d/${i}`, 10);
    volume.commitSync();
    volume.checkpointSync();
    expect([...volume.check()]).toEqual([]);
    expect(isFull(() => volume.fs.writeFileSync('/fits', new Uint8Array(blockSize)))).toBe(false);
  });
});

describe('a device that fails', () => {
  it('latches the volume: it reads, every change and commit says why, and closing writes nothing', async () => {
    const device = new SimulatedDevice({ maxSizeBytes: 64 << 20 });
    const volume = Volume.create(device, tuning);
    volume.fs.writeFileSync('/kept', 'kept');
    volume.commitSync();
    volume.fs.writeFileSync('/lost', 'lost');
    device.failAt({ operation: 'write', nth: 1, effect: 'error' });
    expect(() => volume.commitSync()).toThrowError();
    expect(volume.stats().latched).toBe(true);
    expect(volume.fs.readFileSync('/kept', 'utf8')).toBe('kept');
    const latched = expect.objectContaining({ code: 'ELATCHED' });
    expect(() => volume.fs.writeFileSync('/more', '')).toThrowError(latched);
    expect(() => volume.fs.unlinkSync('/kept')).toThrowError(latched);
    expect(() => volume.fs.mkdirSync('/more')).toThrowError(latched);
    expect(() => volume.commitSync()).toThrowError(LatchedError);
    await expect(volume.commit()).rejects.toThrowError(latched);
    const writes = device.operationCounts.write;
    await expect(volume.close()).rejects.toThrowError(latched);
    await volume.close();
    expect(device.operationCounts.write).toBe(writes);
    const again = Volume.open(device.kill(), tuning);
    expect(again.fs.readdirSync('/')).toEqual(['kept']);
    expect([...again.check()]).toEqual([]);
  });

  it('a flush that fails in the background is reported at the next call', async () => {
    const device = new SimulatedDevice({ maxSizeBytes: 64 << 20 });
    const volume = Volume.create(device, { autoCommitMilliseconds: 5 });
    device.failAt({ operation: 'flush', nth: 1, effect: 'error' });
    volume.fs.writeFileSync('/x', 'x');
    const deadline = Date.now() + 5000;
    while (!volume.stats().latched && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(() => volume.fs.writeFileSync('/y', '')).toThrowError(expect.objectContaining({ code: 'ELATCHED' }));
    await expect(volume.close()).rejects.toMatchObject({ code: 'ELATCHED' });
  });
});

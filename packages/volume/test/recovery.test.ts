/**
 * What an opening finds: files that were removed while open, transactions, devices that hold no volume or another version of one.
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDevice } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { TreeStore } from '@outwrite/btree-cow';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KIND, Volume } from '../src/index.ts';
import { KeyScratch } from '../src/key-format.ts';
import { createVolume, openVolume } from '../src/node.ts';

const tuning = { autoCommitMilliseconds: 0 };

describe('files that are removed while they are open', () => {
  it('work until they are closed, and are reclaimed then', () => {
    const volume = Volume.create(new MemoryDevice({ maxSizeBytes: 64 << 20 }), tuning);
    for (const size of [10, 100_000]) {
      volume.fs.writeFileSync('/f', new Uint8Array(size).fill(1));
      const fd = volume.fs.openSync('/f', 'r+');
      volume.commitSync();
      volume.fs.unlinkSync('/f');
      volume.commitSync();
      expect([...volume.check()]).toEqual([]);
      expect(volume.fs.fstatSync(fd).nlink).toBe(0);
      volume.fs.writeSync(fd, new Uint8Array(size).fill(2), 0, size, 0);
      expect(volume.fs.readFileSync(fd).every((byte) => byte === 2)).toBe(true);
      volume.checkpointSync();
      expect(volume.stats().inodeCount).toBe(2);
      volume.fs.closeSync(fd);
      expect(volume.stats().inodeCount).toBe(1);
      volume.commitSync();
      expect([...volume.check()]).toEqual([]);
    }
  });

  it.each([10, 300_000])('are reclaimed by the next opening after a crash (%i bytes)', (size) => {
    const device = new SimulatedDevice({ maxSizeBytes: 64 << 20 });
    const volume = Volume.create(device, tuning);
    volume.fs.writeFileSync('/f', new Uint8Array(size).fill(1));
    volume.fs.setxattrSync('/f', 'user.large', new Uint8Array(9000));
    volume.fs.openSync('/f', 'r');
    volume.fs.mkdirSync('/d');
    volume.fs.unlinkSync('/f');
    volume.commitSync();
    const killed = device.kill();
    const reader = Volume.open(killed, { ...tuning, readOnly: true });
    expect(reader.reclaimedOrphans).toBe(0);
    expect([...reader.check()], 'an orphan on the list is no fault').toEqual([]);
    const again = Volume.open(killed, tuning);
    expect(again.reclaimedOrphans).toBe(1);
    expect(again.recovery?.replayedDeltas).toBeGreaterThan(0);
    expect(again.fs.readdirSync('/')).toEqual(['d']);
    again.checkpointSync();
    expect(again.stats().inodeCount).toBe(2);
    expect([...again.check()]).toEqual([]);
  });
});

describe('a transaction', () => {
  it('is there whole or not at all after a crash', () => {
    const device = new SimulatedDevice({ maxSizeBytes: 64 << 20 });
    const volume = Volume.create(device, tuning);
    volume.transact(() => {
      volume.fs.mkdirSync('/d');
      for (let i = 0; i < 50; i++) volume.fs.writeFileSync(`/d/${i}`, `${i}`);
    });
    expect(Volume.open(device.kill(), tuning).fs.readdirSync('/')).toEqual([]);
  });

  it('hands on results and errors, and what was done before an error stays', () => {
    const volume = Volume.create(new MemoryDevice({ maxSizeBytes: 64 << 20 }), tuning);
    expect(volume.transact(() => 42)).toBe(42);
    expect(() =>
      volume.transact(() => {
        volume.fs.mkdirSync('/d');
        volume.fs.mkdirSync('/d');
      }),
    ).toThrowError(expect.objectContaining({ code: 'EEXIST' }));
    expect(volume.fs.existsSync('/d')).toBe(true);
    volume.commitSync();
    expect([...volume.check()]).toEqual([]);
  });
});

describe('what is no volume', () => {
  it('an empty device, garbage, a bare store, another version', () => {
    const open = (device: MemoryDevice): unknown => Volume.open(device, tuning);
    const notAVolume = expect.objectContaining({ code: 'ENOTVOLUME' });
    expect(() => open(new MemoryDevice({ maxSizeBytes: 1 << 20 }))).toThrowError(notAVolume);
    expect(() => open(MemoryDevice.fromImage(new Uint8Array(1 << 20).fill(0xa5)))).toThrowError(notAVolume);

    const bare = new MemoryDevice({ maxSizeBytes: 8 << 20 });
    const store = TreeStore.format(bare);
    store.commitSync();
    const bareImage = bare.snapshot();
    expect(() => open(MemoryDevice.fromImage(bareImage))).toThrowError(notAVolume);
    store.createTree().put(new Uint8Array([1]), new Uint8Array([1]));
    store.commitSync();
    expect(() => open(MemoryDevice.fromImage(bare.snapshot()))).toThrowError(notAVolume);

    const other = new MemoryDevice({ maxSizeBytes: 8 << 20 });
    Volume.create(other, tuning).closeSync();
    const changed = MemoryDevice.fromImage(imageOf(other), { maxSizeBytes: 8 << 20 });
    const trees = TreeStore.open(changed);
    const key = new KeyScratch().plain(0, KIND.record);
    const record = trees.tree(1).get(key) as Uint8Array;
    record[4] = 9;
    trees.tree(1).put(key, record);
    trees.commitSync();
    expect(() => open(MemoryDevice.fromImage(changed.snapshot()))).toThrowError(
      expect.objectContaining({ code: 'EUNSUPPORTED' }),
    );
  });
});

/** The bytes of a device that has been closed. */
function imageOf(device: MemoryDevice): Uint8Array {
  return device.snapshot();
}

describe('volumes in files', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outwrite-volume-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('are made once, locked while open, and found again', async () => {
    const path = join(folder, 'v.outwrite');
    const volume = createVolume(path, { blockSize: 512 });
    volume.fs.writeFileSync('/x', 'x');
    expect(volume.fs.statSync('/x').uid).toBe(process.getuid?.() ?? 0);
    expect(() => openVolume(path)).toThrowError(expect.objectContaining({ code: 'ELOCKED' }));
    expect(() => createVolume(path)).toThrowError(expect.objectContaining({ code: 'EEXIST' }));
    await volume.close();
    expect(() => createVolume(path)).toThrowError(expect.objectContaining({ code: 'EEXIST' }));
    const again = openVolume(path);
    expect(again.blockSize).toBe(512);
    expect(again.recovery?.droppedDelta).toBeNull();
    expect(again.fs.readFileSync('/x', 'utf8')).toBe('x');
    expect(Buffer.from(again.volumeId).equals(Buffer.from(again.volumeId))).toBe(true);
    again.closeSync();
    const empty = createVolume(path, { overwrite: true });
    expect(empty.fs.readdirSync('/')).toEqual([]);
    empty.closeSync();
    const reader = openVolume(path, { readOnly: true });
    expect(() => reader.fs.mkdirSync('/x')).toThrowError(expect.objectContaining({ code: 'EROFS' }));
    reader.closeSync();
  });

  it('that are none, cut short or not there have their codes, and leave no lock', () => {
    expect(() => openVolume(join(folder, 'none'))).toThrowError(expect.objectContaining({ code: 'ENOENT' }));
    const garbage = join(folder, 'garbage');
    writeFileSync(garbage, Buffer.alloc(1 << 20, 7));
    expect(() => openVolume(garbage)).toThrowError(expect.objectContaining({ code: 'ENOTVOLUME' }));
    const cut = join(folder, 'cut');
    const volume = createVolume(cut);
    volume.fs.writeFileSync('/large', Buffer.alloc(3 << 20, 1));
    volume.closeSync();
    truncateSync(cut, 256 << 10);
    expect(() => openVolume(cut)).toThrowError(expect.objectContaining({ code: 'ETRUNCATED' }));
    expect(() => openVolume(cut, { readOnly: true })).toThrowError(expect.objectContaining({ code: 'ETRUNCATED' }));
    expect(() => createVolume(join(folder, 'odd'), { blockSize: 1000 })).toThrowError(RangeError);
    createVolume(join(folder, 'odd')).closeSync();
  });
});

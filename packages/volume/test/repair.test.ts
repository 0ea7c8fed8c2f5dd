/**
 * Repair: what it promises for each kind of harm, that the result checks clean and holds what could be read, and that a dry run and damage
 * beyond repair change nothing.
 */
import { readSlots } from '@outwrite/alloc-log';
import { TreeStore } from '@outwrite/btree-cow';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { KIND, Volume } from '../src/index.ts';
import { KeyScratch } from '../src/key-format.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };
const SIZES = [512, 4096, 16384];
const keys = new KeyScratch();
type Tree = ReturnType<TreeStore['tree']>;

/** Inodes: 2 /a, 3 /a/b, 4 /a/large, 5 /a/other, 6 /a/b/small and /a/second, 7 /a/link. */
function make(blockSize: number): LastingDevice {
  const device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize });
  volume.fs.mkdirSync('/a/b', { recursive: true });
  volume.fs.writeFileSync('/a/large', largeContent(blockSize));
  volume.fs.writeFileSync('/a/other', new Uint8Array(10 * blockSize).fill(9));
  volume.fs.writeFileSync('/a/b/small', 'small');
  volume.fs.linkSync('/a/b/small', '/a/second');
  volume.fs.symlinkSync('b', '/a/link');
  volume.closeSync();
  return device;
}

function largeContent(blockSize: number): Uint8Array {
  return new Uint8Array(10 * blockSize).map((_, index) => 1 + (Math.floor(index / blockSize) % 200));
}

function harmTree(device: LastingDevice, harm: (tree: Tree, store: TreeStore) => void): void {
  const store = TreeStore.open(device);
  harm(store.tree(1), store);
  store.closeSync();
}

function change(tree: Tree, key: Uint8Array, at: number, byte: number): void {
  const value = tree.get(key) as Uint8Array;
  value[at] = byte;
  tree.put(key, value);
}

function entry(inode: number, type = 1): Uint8Array {
  return new Uint8Array([inode, 0, 0, 0, 0, 0, type]);
}

/** Says what repair would do without doing it, does it, checks, goes on working, and checks again. */
function repair(device: LastingDevice): { codes: string[]; volume: Volume } {
  const before = device.snapshot();
  const dry = Volume.repair(device, { dryRun: true });
  expect(Buffer.compare(device.snapshot(), before)).toBe(0);
  const report = Volume.repair(device);
  expect(report.obstacle).toBeNull();
  expect(report.changes).toEqual(dry.changes);
  expect(report.remaining).toEqual([]);
  expect(Volume.repair(device)).toEqual({ changes: [], obstacle: null, remaining: [] });
  const volume = Volume.open(device, tuning);
  expect([...volume.check()]).toEqual([]);
  volume.fs.writeFileSync('/after', new Uint8Array(40 * volume.blockSize).fill(3));
  volume.fs.rmSync('/after');
  volume.checkpointSync();
  expect([...volume.check()]).toEqual([]);
  return { codes: [...new Set(report.changes.map(({ code }) => code))].sort(), volume };
}

describe.each(SIZES)('repair, blocks of %i bytes', (blockSize) => {
  it('changes nothing in a sound volume, after a crash neither', () => {
    const device = make(blockSize);
    const before = device.snapshot();
    expect(Volume.repair(device)).toEqual({ changes: [], obstacle: null, remaining: [] });
    expect(Buffer.compare(device.snapshot(), before)).toBe(0);
    const volume = Volume.open(device, tuning);
    volume.fs.writeFileSync('/late', 'late');
    volume.commitSync();
    expect(Volume.repair(device)).toEqual({ changes: [], obstacle: null, remaining: [] });
  });

  it.each<[string, string[], (tree: Tree) => void, (volume: Volume) => void]>([
    [
      'a name that leads nowhere is removed',
      ['name-dropped', 'record-fields', 'volume-counts'],
      (tree) => {
        tree.delete(keys.plain(7, KIND.record));
      },
      (volume) => expect(volume.fs.readdirSync('/a')).toEqual(['b', 'large', 'other', 'second']),
    ],
    [
      'an inode without a name comes into lost+found',
      ['lost-and-found', 'record-fields', 'record-made', 'volume-counts'],
      (tree) => {
        tree.delete(keys.named(2, KIND.name, 'other'));
      },
      (volume) =>
        expect(Buffer.compare(volume.fs.readFileSync('/lost+found/#5'), new Uint8Array(10 * blockSize).fill(9))).toBe(
          0,
        ),
    ],
    [
      'a directory without a name comes there with all that it holds',
      ['lost-and-found', 'record-made', 'volume-counts'],
      (tree) => {
        tree.delete(keys.named(1, KIND.name, 'a'));
      },
      (volume) => expect(volume.fs.readFileSync('/lost+found/#2/b/small', 'utf8')).toBe('small'),
    ],
    [
      'directories in a loop come there too',
      ['lost-and-found', 'name-dropped', 'record-fields', 'record-made', 'volume-counts'],
      (tree) => {
        tree.delete(keys.named(1, KIND.name, 'a'));
        tree.put(keys.named(3, KIND.name, 'up'), entry(2, 2));
      },
      (volume) => expect(volume.fs.readdirSync('/lost+found')).toHaveLength(1),
    ],
    [
      'a wrong number of links is corrected',
      ['record-fields'],
      (tree) => change(tree, keys.plain(6, KIND.record), 12, 7),
      (volume) => expect(volume.fs.statSync('/a/second').nlink).toBe(2),
    ],
    [
      'a wrong number of names is corrected',
      ['record-fields'],
      (tree) => change(tree, keys.plain(3, KIND.record), 16, 5),
      (volume) => expect(volume.fs.readdirSync('/a/b')).toEqual(['small']),
    ],
    [
      'a name of the wrong type is corrected',
      ['name-type'],
      (tree) => change(tree, keys.named(2, KIND.name, 'other'), 6, 2),
      (volume) => expect(volume.fs.statSync('/a/other').isFile()).toBe(true),
    ],
    [
      'an orphan that has a name leaves the list',
      ['orphan-list'],
      (tree) => tree.put(keys.numbered(0, KIND.orphan, 6), new Uint8Array(0)),
      (volume) => expect(volume.fs.readFileSync('/a/second', 'utf8')).toBe('small'),
    ],
    [
      'a content without a record gets one',
      ['record-made'],
      (tree) => {
        tree.delete(keys.plain(5, KIND.record));
      },
      (volume) =>
        expect(Buffer.compare(volume.fs.readFileSync('/a/other'), new Uint8Array(10 * blockSize).fill(9))).toBe(0),
    ],
    [
      'names that cannot be are removed',
      ['name-dropped'],
      (tree) => {
        tree.put(keys.named(3, KIND.name, 'a/b'), entry(6));
        tree.put(keys.named(3, KIND.name, 'self'), entry(3, 2));
      },
      (volume) => expect(volume.fs.readdirSync('/a/b')).toEqual(['small']),
    ],
    [
      'counts of the volume are corrected',
      ['volume-counts'],
      (tree) => change(tree, keys.plain(0, KIND.record), 14, 3),
      (volume) => expect(volume.fs.readdirSync('/')).toEqual(['a']),
    ],
    [
      'blocks that two files have stay with one of them',
      ['block-dropped'],
      (tree) => {
        const key = keys.numbered(4, KIND.extent, 0).slice();
        const value = tree.get(key) as Uint8Array;
        tree.put(keys.numbered(5, KIND.extent, 0), value);
      },
      (volume) => {
        expect(Buffer.compare(volume.fs.readFileSync('/a/large'), largeContent(blockSize))).toBe(0);
        expect(
          volume.fs
            .readFileSync('/a/other')
            .subarray(0, blockSize)
            .every((byte) => byte === 0),
        ).toBe(true);
      },
    ],
  ])('%s', (what, codes, harm, look) => {
    const device = make(blockSize);
    harmTree(device, harm);
    const { codes: found, volume } = repair(device);
    // What files let go of shows as leaks in some of them.
    const expected = what.startsWith('blocks that two') ? [...codes, 'free-map'] : codes;
    expect(found).toEqual(expected);
    look(volume);
    volume.closeSync();
  });

  it('blocks of a file that cannot be read become a hole, the rest stays', () => {
    const device = make(blockSize);
    const image = device.snapshot();
    for (const blockIndex of [0, 4, 5, 9]) {
      const place = findBytes(image, new Uint8Array(200).fill(1 + blockIndex));
      image[place + 7] ^= 0x40;
    }
    const damaged = lasting(image);
    const { codes, volume } = repair(damaged);
    expect(codes).toEqual(['block-dropped']);
    const expected = largeContent(blockSize);
    for (const blockIndex of [0, 4, 5, 9]) expected.fill(0, blockIndex * blockSize, (blockIndex + 1) * blockSize);
    expect(Buffer.compare(volume.fs.readFileSync('/a/large'), expected)).toBe(0);
    volume.closeSync();
  });

  it('the free map is made anew: damaged, with leaks, and with live blocks that count as free', () => {
    const device = make(blockSize);
    // Leaks: an extent whose entry is gone; the file keeps its size and has a hole.
    harmTree(device, (tree) => tree.delete(keys.numbered(4, KIND.extent, 0)));
    expect(repair(lasting(device.snapshot())).codes).toEqual(['free-map']);
    // Live blocks that count as free: the same extent back, after its blocks have been freed.
    const sound = make(blockSize);
    harmTree(sound, (tree, store) => {
      const value = tree.get(keys.numbered(4, KIND.extent, 0)) as Uint8Array;
      store.log.free(value[0]! + value[1]! * 256 + value[2]! * 65536, (value.length - 10) / 4, 1);
    });
    const { codes, volume } = repair(sound);
    expect(codes).toEqual(['free-map']);
    expect(Buffer.compare(volume.fs.readFileSync('/a/large'), largeContent(blockSize))).toBe(0);
    volume.closeSync();
    // A flipped bit in any block of the map itself.
    const whole = make(blockSize);
    const store = TreeStore.open(LastingDevice.fromImage(whole.snapshot()), { readOnly: true });
    const mapBlocks = [...store.log.systemExtents()].slice(2).map(({ start }) => start);
    expect(mapBlocks.length).toBeGreaterThan(1);
    for (const block of mapBlocks) {
      const image = whole.snapshot();
      image[block * blockSize + 17] ^= 2;
      const repaired = repair(lasting(image));
      expect(repaired.codes).toEqual(['free-map']);
      expect(Buffer.compare(repaired.volume.fs.readFileSync('/a/large'), largeContent(blockSize))).toBe(0);
      repaired.volume.closeSync();
    }
  });

  it('a damaged superblock is written again', () => {
    const device = make(blockSize);
    const image = device.snapshot();
    image[131072 + 50] ^= 1;
    expect(repair(lasting(image)).codes).toEqual(['superblock']);
  });

  it('stops at a tree node that cannot be read, and then changes nothing', () => {
    const device = make(blockSize);
    const blocks: number[] = [];
    const store = TreeStore.open(LastingDevice.fromImage(device.snapshot()), { readOnly: true });
    store.check({
      block: (start, _count, kind) => {
        if (kind === 'leaf' || kind === 'index') blocks.push(start);
      },
      problem(error) {
        throw error;
      },
    });
    for (const block of blocks) {
      const image = device.snapshot();
      image[block * blockSize + 40] ^= 1;
      const damaged = lasting(image);
      try {
        expect(Volume.repair(damaged)).toMatchObject({
          changes: [],
          obstacle: expect.stringContaining('repair stops'),
        });
      } catch (error) {
        // The catalogue itself: nothing can be opened.
        expect(error).toMatchObject({ code: 'ECORRUPT' });
      }
      expect(Buffer.compare(damaged.snapshot(), image)).toBe(0);
    }
  });
});

/** Remembers what is written between flushes, to make the images that a crash could leave. */
class RecordingDevice extends LastingDevice {
  readonly log: ({ position: number; bytes: Uint8Array } | 'flush')[] = [];

  override writeSync(position: number, buffers: readonly Uint8Array[]): void {
    let at = position;
    for (const buffer of buffers) {
      this.log.push({ position: at, bytes: buffer.slice() });
      at += buffer.length;
    }
    super.writeSync(position, buffers);
  }

  override flushSync(): void {
    this.log.push('flush');
    super.flushSync();
  }
}

/** For each operation on the device: what was flushed before, and any part of what was written since. */
function* crashImages(before: Uint8Array, device: RecordingDevice, random: Random): Generator<Uint8Array> {
  const flushed = new Uint8Array(device.sizeBytes);
  flushed.set(before);
  let pending: { position: number; bytes: Uint8Array }[] = [];
  for (const operation of device.log) {
    if (operation !== 'flush') pending.push(operation);
    const image = flushed.slice();
    for (const { position, bytes } of pending) if (random.chance(0.6)) image.set(bytes, position);
    yield image;
    if (operation !== 'flush') continue;
    for (const { position, bytes } of pending) flushed.set(bytes, position);
    pending = [];
  }
}

describe('repair', () => {
  it.each(SIZES)('a crash in the middle of it leaves what can be repaired again, blocks of %i bytes', (blockSize) => {
    const random = new Random(testSeed('crash in repair'));
    const harmed = make(blockSize);
    harmTree(harmed, (tree) => {
      tree.delete(keys.plain(7, KIND.record));
      tree.delete(keys.named(2, KIND.name, 'other'));
      tree.delete(keys.named(2, KIND.name, 'b'));
    });
    const before = harmed.snapshot();
    before[findBytes(before, new Uint8Array(200).fill(4)) + 7] ^= 0x40;
    const expected = largeContent(blockSize);
    expected.fill(0, 3 * blockSize, 4 * blockSize);
    const device = new RecordingDevice({ sizeBytes: before.length });
    device.writeSync(0, [before]);
    device.log.length = 0;
    expect(Volume.repair(device).remaining).toEqual([]);
    let imageCount = 0;
    for (const image of crashImages(before, device, random)) {
      imageCount++;
      const crashed = lasting(image);
      expect(Volume.repair(crashed)).toMatchObject({ obstacle: null, remaining: [] });
      const { fs } = Volume.open(crashed, { ...tuning, readOnly: true });
      expect(fs.readdirSync('/lost+found')).toEqual(['#3', '#5']);
      expect(Buffer.compare(fs.readFileSync('/a/large'), expected)).toBe(0);
      expect(fs.readFileSync('/lost+found/#3/small', 'utf8')).toBe('small');
    }
    expect(imageCount).toBeGreaterThan(10);
  });

  it('stops at damage in the middle of the log, and then changes nothing', () => {
    const device = make(4096);
    const volume = Volume.open(device, tuning);
    const { chosen } = readSlots(device);
    for (let i = 0; i < 3; i++) {
      volume.fs.writeFileSync(`/late-${i}`, 'late');
      volume.commitSync();
    }
    const image = device.snapshot();
    // Its payload: the header survives and leads to a successor.
    image[chosen.nextLogBlock * 4096 + 200] ^= 1;
    const damaged = lasting(image);
    expect(Volume.repair(damaged)).toMatchObject({ changes: [], obstacle: expect.stringContaining('log block') });
    expect(Buffer.compare(damaged.snapshot(), image)).toBe(0);
  });

  it('on a full volume it works, or says that there is no space before it has written anything', () => {
    for (let maxBytes = 160 << 10; maxBytes < 168 << 10; maxBytes += 512) {
      const device = new LastingDevice({ maxSizeBytes: maxBytes });
      const volume = Volume.create(device, { ...tuning, blockSize: 512 });
      try {
        for (let i = 0; ; i++) volume.fs.writeFileSync(`/f${i}`, new Uint8Array(300 + i));
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
      }
      volume.closeSync();
      harmTree(device, (tree) => tree.delete(keys.plain(4, KIND.record)));
      const before = device.snapshot();
      try {
        expect(Volume.repair(device)).toMatchObject({ obstacle: null, remaining: [] });
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
        expect(Buffer.compare(device.snapshot(), before)).toBe(0);
      }
    }
  });

  it('survives random harm to entries: it ends clean, or says why it stops', () => {
    const random = new Random(testSeed('repair harm'));
    for (let round = 0; round < 30; round++) {
      const device = make(512);
      harmTree(device, (tree) => {
        const all = [...tree.entries()];
        for (let i = random.between(1, 6); i > 0; i--) {
          const [key, value] = all[random.below(all.length)] as [Uint8Array, Uint8Array];
          const isVolumeRecord = key.subarray(0, 6).every((byte) => byte === 0);
          if (random.chance(0.4)) {
            if (!isVolumeRecord) tree.delete(key);
          } else if (random.chance(0.5) && value.length > 0 && !isVolumeRecord) {
            const changed = value.slice();
            changed[random.below(changed.length)] ^= 1 << random.below(8);
            tree.put(key, changed);
          } else {
            tree.put(key.slice(0, -1).length >= 7 ? key.slice(0, -1) : key, value);
          }
        }
      });
      const before = device.snapshot();
      const report = Volume.repair(device);
      if (report.obstacle !== null) expect(Buffer.compare(device.snapshot(), before)).toBe(0);
      else {
        // What repair does not claim to mend stays told; space and names are always in order afterwards.
        for (const { code } of report.remaining) expect(['beyond-end', 'overlap', 'wrong-size']).toContain(code);
        const volume = Volume.open(device, tuning);
        volume.fs.rmSync('/a', { recursive: true, force: true });
        volume.closeSync();
      }
    }
  });
});

function lasting(image: Uint8Array): LastingDevice {
  const device = new LastingDevice({ sizeBytes: image.length });
  device.writeSync(0, [image]);
  return device;
}

function findBytes(image: Uint8Array, wanted: Uint8Array): number {
  const at = Buffer.from(image.buffer, image.byteOffset, image.length).indexOf(wanted);
  expect(at).toBeGreaterThan(0);
  return at;
}

/**
 * Repair of entries: what it promises for each kind of harm, that the result checks clean and holds what could be read, and that a dry run
 * changes nothing.
 */
import { TreeStore } from '@outwrite/btree-cow';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { KIND, Volume } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';
import {
  change,
  entry,
  findBytes,
  harmTree,
  keys,
  largeContent,
  lasting,
  make,
  repair,
  SIZES,
  type Tree,
  tuning,
} from './repair-harness.ts';

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
});

describe('repair', () => {
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
        expect(report.remaining).toEqual([]);
        const volume = Volume.open(device, tuning);
        volume.fs.rmSync('/a', { recursive: true, force: true });
        volume.closeSync();
      }
    }
  });
});

/**
 * Repair of what cannot be decoded, and of entries that contradict one another: what goes, what stays, and what is said about it.
 */
import { setU32, setU48 } from '@outwrite/blockdev';
import { encodeReclaim, KIND_RECLAIM } from '@outwrite/filemap';
import { describe, expect, it } from 'vitest';
import { KIND, Volume } from '../src/index.ts';
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

const SIZE_AT = 16;
const TYPE_AT = 1;
const EXTENT_BIRTH_AT = 4;

function setSize(tree: Tree, inode: number, size: number): void {
  const value = tree.get(keys.plain(inode, KIND.record)) as Uint8Array;
  setU32(value, SIZE_AT, size);
  tree.put(keys.plain(inode, KIND.record), value);
}

function extentOf(tree: Tree, inode: number, birth: number): Uint8Array {
  const value = tree.get(keys.numbered(inode, KIND.extent, 0)) as Uint8Array;
  setU48(value, EXTENT_BIRTH_AT, birth);
  return value;
}

function putExtent(tree: Tree, [inode, blockIndex]: [number, number], value: Uint8Array): void {
  tree.put(keys.numbered(inode, KIND.extent, blockIndex), value);
}

const nines = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 9);

describe.each(SIZES)('repair of entries, blocks of %i bytes', (blockSize) => {
  it.each<[string, string[], (tree: Tree) => void, (volume: Volume) => void]>([
    [
      'a record that cannot be decoded is made anew from what the inode has, and its size is kept',
      ['record-dropped', 'record-made'],
      (tree) => {
        setSize(tree, 5, 10 * blockSize - 7);
        change(tree, keys.plain(5, KIND.record), TYPE_AT, 0);
      },
      ({ fs }) => {
        expect(fs.statSync('/a/other')).toMatchObject({ size: 10 * blockSize - 7, nlink: 1 });
        expect(nines(fs.readFileSync('/a/other'))).toBe(true);
      },
    ],
    [
      'the size of such a record is not believed where the content ends elsewhere',
      ['record-dropped', 'record-made'],
      (tree) => {
        setSize(tree, 5, 3);
        change(tree, keys.plain(5, KIND.record), TYPE_AT, 0);
      },
      ({ fs }) => expect(fs.readFileSync('/a/other')).toHaveLength(10 * blockSize),
    ],
    [
      'a record that cannot be decoded goes, and its names with it, when there is nothing else of the inode',
      ['inode-dropped', 'name-dropped', 'record-dropped', 'record-fields', 'volume-counts'],
      (tree) => change(tree, keys.plain(7, KIND.record), TYPE_AT, 0),
      ({ fs }) => expect(fs.readdirSync('/a')).toEqual(['b', 'large', 'other', 'second']),
    ],
    [
      'the names in a directory whose record cannot be decoded stay',
      ['record-dropped', 'record-made'],
      (tree) => change(tree, keys.plain(3, KIND.record), TYPE_AT, 0),
      ({ fs }) => expect(fs.readFileSync('/a/b/small', 'utf8')).toBe('small'),
    ],
    [
      'a root that is no directory is made one again',
      ['record-dropped', 'record-made'],
      (tree) => change(tree, keys.plain(1, KIND.record), TYPE_AT, 0x80),
      ({ fs }) => expect(fs.readdirSync('/')).toEqual(['a']),
    ],
    [
      'the record of the volume is made anew',
      ['record-dropped', 'volume-counts'],
      (tree) => change(tree, keys.plain(0, KIND.record), 0, 0),
      ({ fs }) => expect(fs.readdirSync('/')).toEqual(['a']),
    ],
    [
      'a directory entry that cannot be decoded goes, its inode is found',
      ['lost-and-found', 'name-dropped', 'record-fields', 'record-made', 'volume-counts'],
      (tree) => tree.put(keys.named(2, KIND.name, 'other'), new Uint8Array(3)),
      ({ fs }) => expect(nines(fs.readFileSync('/lost+found/#5'))).toBe(true),
    ],
    [
      'a directory entry that cannot be decoded goes, and its inode stays where another name leads to it',
      ['name-dropped', 'record-fields'],
      (tree) => tree.put(keys.named(2, KIND.name, 'second'), entry(6, 77)),
      ({ fs }) => expect(fs.statSync('/a/b/small').nlink).toBe(1),
    ],
    [
      'keys and kinds that make no sense go',
      ['entry-dropped'],
      (tree) => {
        tree.put(new Uint8Array([0, 0, 0, 0, 0, 5]), new Uint8Array(3));
        tree.put(keys.plain(5, 0x77), new Uint8Array(3));
        tree.put(keys.plain(0, 0x77), new Uint8Array(3));
        tree.put(keys.named(5, KIND.record, 'rest'), new Uint8Array(56));
        tree.put(keys.plain(0xffffffffffff, KIND.record), new Uint8Array(56));
        tree.put(keys.numbered(0, KIND.orphan, 5), new Uint8Array(3));
      },
      ({ fs }) => expect(nines(fs.readFileSync('/a/other'))).toBe(true),
    ],
    [
      'an extent that cannot be decoded goes, the file has a hole there',
      ['entry-dropped', 'free-map'],
      (tree) => tree.put(keys.numbered(5, KIND.extent, 0), new Uint8Array(11)),
      ({ fs }) => expect(fs.readFileSync('/a/other')).toHaveLength(10 * blockSize),
    ],
    [
      'a content of what is no file goes',
      ['entry-dropped'],
      (tree) => {
        tree.put(keys.numbered(7, KIND.inline, 0), new Uint8Array(3));
        tree.put(keys.numbered(3, KIND.inline, 0), new Uint8Array(3));
      },
      ({ fs }) => expect(fs.readlinkSync('/a/link')).toBe('b'),
    ],
    [
      'a file is as long as the extents that can be read',
      ['record-fields'],
      (tree) => setSize(tree, 4, 1),
      ({ fs }) => expect(Buffer.compare(fs.readFileSync('/a/large'), largeContent(blockSize))).toBe(0),
    ],
    [
      'a small file is as long as its content',
      ['record-fields'],
      (tree) => setSize(tree, 6, 3),
      ({ fs }) => expect(fs.readFileSync('/a/second', 'utf8')).toBe('small'),
    ],
    [
      'a small file whose content is gone is empty',
      ['record-fields'],
      (tree) => tree.delete(keys.numbered(6, KIND.inline, 0)),
      ({ fs }) => expect(fs.readFileSync('/a/second', 'utf8')).toBe(''),
    ],
    [
      'extents of a file whose record does not know of them are told to it',
      ['record-fields'],
      (tree) => change(tree, keys.plain(5, KIND.record), 2, 0),
      ({ fs }) => expect(nines(fs.readFileSync('/a/other'))).toBe(true),
    ],
    [
      'a content in the tree beside extents goes',
      ['entry-dropped'],
      (tree) => tree.put(keys.numbered(5, KIND.inline, 0), new Uint8Array(20)),
      ({ fs }) => expect(nines(fs.readFileSync('/a/other'))).toBe(true),
    ],
    [
      'extents beside the content that the record tells of go',
      ['entry-dropped'],
      (tree) => putExtent(tree, [6, 0], extentOf(tree, 5, 1)),
      ({ fs }) => expect(fs.readFileSync('/a/second', 'utf8')).toBe('small'),
    ],
    [
      'of extents that cover the same blocks the younger one stays',
      ['block-dropped'],
      (tree) => {
        // Blocks 3 to 12 of the file of nines become those of the large file, which has none any more.
        putExtent(tree, [5, 3], extentOf(tree, 4, 2));
        putExtent(tree, [5, 0], extentOf(tree, 5, 1));
        tree.delete(keys.numbered(4, KIND.extent, 0));
        setSize(tree, 5, 13 * blockSize);
      },
      ({ fs }) => {
        const content = fs.readFileSync('/a/other');
        expect(nines(content.subarray(0, 3 * blockSize))).toBe(true);
        expect(Buffer.compare(content.subarray(3 * blockSize), largeContent(blockSize))).toBe(0);
      },
    ],
    [
      'of extents of one age that cover the same blocks the first one stays',
      ['block-dropped'],
      (tree) => {
        putExtent(tree, [5, 3], extentOf(tree, 4, 1));
        putExtent(tree, [5, 0], extentOf(tree, 5, 1));
        tree.delete(keys.numbered(4, KIND.extent, 0));
        setSize(tree, 5, 13 * blockSize);
      },
      ({ fs }) => {
        const content = fs.readFileSync('/a/other');
        expect(nines(content.subarray(0, 10 * blockSize))).toBe(true);
        expect(Buffer.compare(content.subarray(10 * blockSize), largeContent(blockSize).subarray(7 * blockSize))).toBe(
          0,
        );
      },
    ],
  ])('%s', (_what, codes, harm, look) => {
    const device = make(blockSize);
    harmTree(device, harm);
    const { codes: found, volume } = repair(device);
    expect(found).toEqual(codes);
    look(volume);
    volume.closeSync();
  });

  it('what a file is giving up is neither read nor counted to its size', () => {
    const device = make(blockSize);
    harmTree(device, (tree) => {
      tree.put(keys.numbered(4, KIND_RECLAIM, 0), encodeReclaim({ fromIndex: 4, toIndex: 2 ** 48 }));
      setSize(tree, 4, 4 * blockSize);
    });
    const image = device.snapshot();
    image[findBytes(image, new Uint8Array(200).fill(7)) + 3] ^= 1;
    expect(repair(lasting(image)).codes).toEqual([]);
    image[findBytes(image, new Uint8Array(200).fill(3)) + 3] ^= 1;
    const { codes, volume } = repair(lasting(image));
    expect(codes).toEqual(['block-dropped']);
    expect(volume.fs.readFileSync('/a/large')).toHaveLength(4 * blockSize);
    volume.closeSync();
  });

  it('names in lost+found that are taken get a number', () => {
    const device = make(blockSize);
    const volume = Volume.open(device, tuning);
    volume.fs.mkdirSync('/lost+found');
    volume.fs.writeFileSync('/lost+found/#5', 'mine');
    volume.fs.writeFileSync('/lost+found/#5.2', 'mine too');
    volume.closeSync();
    harmTree(device, (tree) => tree.delete(keys.named(2, KIND.name, 'other')));
    const repaired = repair(device);
    const { fs } = repaired.volume;
    expect(fs.readdirSync('/lost+found').sort()).toEqual(['#5', '#5.2', '#5.3']);
    expect(fs.readFileSync('/lost+found/#5', 'utf8')).toBe('mine');
    expect(nines(fs.readFileSync('/lost+found/#5.3'))).toBe(true);
    repaired.volume.closeSync();
  });

  it('a file by the name of lost+found stays what it is', () => {
    const device = make(blockSize);
    const volume = Volume.open(device, tuning);
    volume.fs.writeFileSync('/lost+found', 'mine');
    volume.closeSync();
    harmTree(device, (tree) => tree.delete(keys.named(2, KIND.name, 'other')));
    const repaired = repair(device);
    expect(repaired.volume.fs.readFileSync('/lost+found', 'utf8')).toBe('mine');
    expect(nines(repaired.volume.fs.readFileSync('/lost+found.2/#5'))).toBe(true);
    repaired.volume.closeSync();
  });

  it('attributes and link targets that stand in blocks of their own and cannot be read go', () => {
    const device = make(blockSize);
    const volume = Volume.open(device, tuning);
    const target = 'target/'.repeat(Math.min(4000, 2 * blockSize) / 7);
    volume.fs.setxattrSync('/a/other', 'user.note', Buffer.from('attribute'.repeat(3000)));
    volume.fs.setxattrSync('/a/other', 'user.small', Buffer.from('small'));
    volume.fs.symlinkSync(target, '/a/far');
    volume.closeSync();
    const image = device.snapshot();
    image[findBytes(image, Buffer.from('attribute'.repeat(blockSize / 16))) + 20] ^= 1;
    const isFar = target.length > blockSize / 4;
    if (isFar) image[findBytes(image, Buffer.from('target/'.repeat(blockSize / 16))) + 20] ^= 1;
    const { volume: repaired, codes } = repair(lasting(image));
    expect(codes).toContain('entry-dropped');
    expect(repaired.fs.listxattrSync('/a/other')).toEqual(['user.small']);
    if (isFar)
      expect(codes).toEqual(['entry-dropped', 'inode-dropped', 'name-dropped', 'record-fields', 'volume-counts']);
    expect(repaired.fs.readdirSync('/a').includes('far')).toBe(!isFar);
    repaired.closeSync();
  });
});

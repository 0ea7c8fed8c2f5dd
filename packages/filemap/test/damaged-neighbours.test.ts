/**
 * Damage to a leaf that has entries of other files only: nothing of a healthy file depends on it.
 */
import { DeviceError, MemoryDevice } from '@outwrite/blockdev';
import { TreeStore } from '@outwrite/btree-cow';
import { beforeAll, describe, expect, it } from 'vitest';
import { DIRECT_WRITE_BYTES } from '../src/file-write.ts';
import { type FileMap, FileMaps, relocateFileEntry } from '../src/index.ts';
import { decodeFileKey } from '../src/key-format.ts';
import { expectBytes } from './harness.ts';

const BLOCK_BYTES = 512;
const MAX_BYTES = 1 << 22;
const OTHER_EXTENTS = 40;
const options = { blockSize: BLOCK_BYTES, relocateValue: relocateFileEntry };
const page = new Uint8Array(BLOCK_BYTES).fill(1);

/** A volume of three files with extents of a block each: 1 and 3 have many, 2 has `extents`, with a hole before each. */
function makeImage(extents: number): Uint8Array {
  const device = new MemoryDevice({ maxSizeBytes: MAX_BYTES });
  const store = TreeStore.format(device, options);
  const maps = new FileMaps(store, store.createTree());
  for (const fileId of [1, 2, 3]) {
    const file = maps.open(fileId, 0, { isNew: true });
    const count = fileId === 2 ? extents : OTHER_EXTENTS;
    for (let i = 0; i < count; i++) file.write((2 * i + 1) * BLOCK_BYTES, page);
  }
  store.commitSync();
  store.closeSync();
  return device.snapshot();
}

function leavesOf(image: Uint8Array): number[] {
  const store = TreeStore.open(MemoryDevice.fromImage(image), { ...options, readOnly: true });
  const [treeId] = store.treeIds();
  const leaves: number[] = [];
  store.check({
    block: (start, _count, kind, id) => {
      if (kind === 'leaf' && id === treeId) leaves.push(start);
    },
    problem: (error) => {
      throw error;
    },
  });
  return leaves;
}

/** Whether some entry of the file can no longer be read. */
function isHurt(image: Uint8Array, damaged: Uint8Array, fileId: number): boolean {
  const good = TreeStore.open(MemoryDevice.fromImage(image), { ...options, readOnly: true });
  const bad = TreeStore.open(MemoryDevice.fromImage(damaged), { ...options, readOnly: true });
  const tree = bad.tree(bad.treeIds()[0]!);
  for (const key of good.tree(good.treeIds()[0]!).keys()) {
    if (decodeFileKey(key)?.fileId !== fileId) continue;
    try {
      tree.get(key);
    } catch {
      return true;
    }
  }
  return false;
}

/** A volume with a leaf that has no entry of file 2. */
interface Case {
  readonly image: Uint8Array;
  readonly damaged: Uint8Array;
  readonly leafPosition: number;
  readonly extents: number;
}

const cases: Case[] = [];

beforeAll(() => {
  for (let extents = 3; extents < 34; extents += 2) {
    const image = makeImage(extents);
    for (const leaf of leavesOf(image)) {
      const leafPosition = leaf * BLOCK_BYTES;
      const damaged = image.slice();
      damaged[leafPosition + 300]! ^= 1;
      if (!isHurt(image, damaged, 2)) cases.push({ image, damaged, leafPosition, extents });
    }
  }
  expect(cases.length).toBeGreaterThan(50);
});

/** Calls `use` with file 2 on a volume of each case, with the leaf damaged, and with one that the device fails to read. */
function withEachDamage(use: (file: FileMap, store: TreeStore, maps: FileMaps, size: number) => void): void {
  for (const { image, damaged, leafPosition, extents } of cases) {
    for (const isUnreadable of [false, true]) {
      const device = MemoryDevice.fromImage(isUnreadable ? image : damaged, { maxSizeBytes: MAX_BYTES });
      const store = TreeStore.open(device, options);
      const read = device.readSync.bind(device);
      device.readSync = (position, target) => {
        if (isUnreadable && position === leafPosition) {
          throw new DeviceError({ operation: 'read', position }, 'the read failed');
        }
        read(position, target);
      };
      const maps = new FileMaps(store, store.tree(store.treeIds()[0]!));
      const size = 2 * extents * BLOCK_BYTES;
      use(maps.open(2, size), store, maps, size);
    }
  }
}

function contentOf(file: FileMap): Uint8Array {
  const bytes = new Uint8Array(file.sizeBytes);
  expect(file.read(0, bytes)).toBe(bytes.length);
  return bytes;
}

function contentOfSize(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = BLOCK_BYTES; at < size; at += 2 * BLOCK_BYTES) bytes.set(page, at);
  return bytes;
}

describe('a leaf of other files that cannot be read', () => {
  it('does not keep anybody from reading a file', () => {
    withEachDamage((file, _store, _maps, size) => {
      expectBytes(contentOf(file), contentOfSize(size));
      for (let at = 0; at < size; at += BLOCK_BYTES) {
        const isHole = (at / BLOCK_BYTES) % 2 === 0;
        const bytes = new Uint8Array(BLOCK_BYTES);
        expect(file.read(at, bytes)).toBe(BLOCK_BYTES);
        expectBytes(bytes, isHole ? new Uint8Array(BLOCK_BYTES) : page);
        expect(file.seekHole(at)).toBe(isHole ? at : at + BLOCK_BYTES);
        expect(file.seekData(at)).toBe(isHole ? at + BLOCK_BYTES : at);
      }
      expect(file.allocatedBytes()).toBe(size / 2);
    });
  });

  it('does not keep it from being read where it grew without content', () => {
    withEachDamage((file, store, _maps, size) => {
      file.truncate(size + 100 * BLOCK_BYTES);
      store.commitSync();
      const expected = new Uint8Array(file.sizeBytes);
      expected.set(contentOfSize(size));
      expectBytes(contentOf(file), expected);
      expect(file.seekData(size)).toBe(-1);
      expect(file.seekHole(size - 1)).toBe(size);
      expect(file.allocatedBytes()).toBe(size / 2);
    });
  });

  it.each<[string, (file: FileMap, expected: Uint8Array, size: number) => void]>([
    [
      'pages beyond its end',
      (file, expected, size) => {
        for (const at of [size + 10 * BLOCK_BYTES, size + 20 * BLOCK_BYTES]) {
          file.write(at, page);
          expected.set(page, at);
        }
      },
    ],
    [
      'pages at its beginning, its end and in the midst',
      (file, expected, size) => {
        const content = new Uint8Array(100).fill(9);
        for (const at of [0, 700, size / 2, size - 600, size - 100]) {
          file.write(at, content);
          expected.set(content, at);
        }
      },
    ],
    [
      'nearly all of it, and more, directly',
      (file, expected) => {
        const content = new Uint8Array(DIRECT_WRITE_BYTES).fill(7);
        file.write(BLOCK_BYTES, content);
        expected.set(content, BLOCK_BYTES);
      },
    ],
    [
      'nothing in its last half',
      (file, expected, size) => {
        file.punchHole(size / 2, size / 2);
        expected.fill(0, size / 2, size);
      },
    ],
  ])('does not keep anybody from writing: %s', (_, change) => {
    withEachDamage((file, store, _maps, size) => {
      const expected = new Uint8Array(size + 200 * BLOCK_BYTES);
      expected.set(contentOfSize(size));
      change(file, expected, size);
      store.commitSync();
      expect(store.log.latched).toBeNull();
      expectBytes(contentOf(file), expected.subarray(0, file.sizeBytes));
      file.write(BLOCK_BYTES + 5, page.subarray(5));
      store.commitSync();
      file.truncate(700);
      store.commitSync();
      expect(store.log.latched).toBeNull();
    });
  });

  it('does not keep it from being removed', () => {
    withEachDamage((_file, store, maps) => {
      while (!maps.remove(2).done);
      store.commitSync();
      expect(store.log.latched).toBeNull();
    });
  });
});

/**
 * A device that fails to read once, at any moment of a change, under a cache that is too small to keep what the change has looked at:
 * either nothing has changed, or the volume is latched and the last commit stays.
 */
import { SpaceAudit } from '@outwrite/alloc-log';
import { DeviceError, MemoryDevice } from '@outwrite/blockdev';
import { type Tree, TreeStore } from '@outwrite/btree-cow';
import { Random, testSeed } from '@outwrite/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FileMap, FileMaps, relocateFileEntry } from '../src/index.ts';

const KIB = 1024;
const BLOCK_BYTES = 512;
const EXTENTS = 2000;
const SIZE_BYTES = (2 * EXTENTS - 1) * BLOCK_BYTES;
const MAX_BYTES = 1 << 24;
const MOST_READS = 400;

const options = {
  blockSize: BLOCK_BYTES,
  relocateValue: relocateFileEntry,
  cacheBytes: BLOCK_BYTES * 24,
  bounds: { zeroAheadBytes: 0 },
};

/** A file of extents of a block each, with as many holes between. */
let image: Uint8Array;

beforeAll(() => {
  const device = new MemoryDevice({ maxSizeBytes: MAX_BYTES });
  const store = TreeStore.format(device, options);
  const file = new FileMaps(store, store.createTree()).open(1, 0, { isNew: true });
  const page = new Uint8Array(BLOCK_BYTES).fill(1);
  for (let i = 0; i < EXTENTS; i++) file.write(2 * i * BLOCK_BYTES, page);
  store.commitSync();
  store.closeSync();
  image = device.snapshot();
});

interface Opened {
  readonly store: TreeStore;
  readonly tree: Tree;
  readonly maps: FileMaps;
  readonly file: FileMap;
}

function open(device: MemoryDevice): Opened {
  const store = TreeStore.open(device, options);
  const tree = store.tree(store.treeIds()[0]!);
  const maps = new FileMaps(store, tree);
  return { store, tree, maps, file: maps.open(1, SIZE_BYTES) };
}

function contentOf(file: FileMap): Uint8Array {
  const bytes = new Uint8Array(file.sizeBytes);
  file.read(0, bytes);
  return bytes;
}

/** What is wrong with the space of the volume. */
function findings({ store, maps, file }: Opened): string[] {
  const messages: string[] = [];
  const audit = new SpaceAudit(store.log);
  const reach = (start: number, count: number): void => {
    for (const { message } of audit.reach(start, count, 'block')) messages.push(message);
  };
  store.check({ block: reach, problem: (error) => messages.push(error.message) });
  maps.check(1, file.sizeBytes, {
    extent: ({ start, checksums }) => reach(start, checksums.length),
    problem: (error) => messages.push(String(error)),
  });
  for (const { message } of audit.finish()) messages.push(message);
  return messages;
}

/** Runs the change with its n-th read failing, once for each n. Returns how often it failed. */
async function failEachRead(change: (file: FileMap) => void | Promise<void>): Promise<number> {
  for (let n = 1; n < MOST_READS; n++) {
    const device = MemoryDevice.fromImage(image, { maxSizeBytes: MAX_BYTES });
    const read = device.readSync.bind(device);
    let left = 0;
    device.readSync = (position, target) => {
      if (left > 0 && --left === 0) throw new DeviceError({ operation: 'read', position }, 'the read failed');
      read(position, target);
    };
    const opened = open(device);
    const before = contentOf(opened.file);
    left = n;
    let failure: unknown = null;
    try {
      await change(opened.file);
    } catch (error) {
      failure = error;
    }
    const isOver = left > 0;
    left = 0;
    if (failure !== null && opened.store.log.latched === null) {
      expect(opened.file.sizeBytes).toBe(SIZE_BYTES);
      expect(Buffer.compare(contentOf(opened.file), before)).toBe(0);
    }
    if (opened.store.log.latched === null) {
      opened.store.commitSync();
      expect({ n, findings: findings(opened) }).toEqual({ n, findings: [] });
    }
    if (isOver) return n - 1;
  }
  throw new Error('a change does not read that often');
}

describe('a read that fails once', () => {
  it.each<[string, (file: FileMap) => void | Promise<void>]>([
    ['a direct write', (file) => file.write(500 * KIB, new Uint8Array(128 * KIB).fill(9))],
    ['an asynchronous write', (file) => file.writeAsync(500 * KIB, new Uint8Array(128 * KIB).fill(9))],
    ['punching a hole', (file) => file.punchHole(500 * KIB, 100 * KIB)],
    ['cutting off the end', (file) => file.truncate(SIZE_BYTES - 100 * KIB)],
    ['cutting off more than one step gives up', (file) => file.truncate(100 * KIB + 7)],
    ['changing a part of a page', (file) => file.write(500 * KIB, new Uint8Array(100).fill(9))],
  ])('in %s loses nothing', async (_, change) => {
    expect(await failEachRead(change)).toBeGreaterThan(2);
  });
});

describe('reads that fail while a delta is closed', () => {
  it('do not matter: what is needed then is in memory', () => {
    const random = new Random(testSeed('files under reads that fail'));
    let failed = 0;
    for (let round = 0; round < 60; round++) {
      const device = MemoryDevice.fromImage(image, { maxSizeBytes: MAX_BYTES });
      const opened = open(device);
      const { store, file } = opened;
      const read = device.readSync.bind(device);
      device.readSync = (position, target) => {
        if (store.log.isStaging) {
          failed++;
          throw new DeviceError({ operation: 'read', position }, 'the read failed');
        }
        read(position, target);
      };
      const model = new Uint8Array(SIZE_BYTES * 2);
      model.set(contentOf(file));
      for (let step = 0; step < 12; step++) {
        const near = random.below(SIZE_BYTES);
        for (let i = 0; i <= random.below(5); i++) {
          const position = Math.min(near + random.below(20) * BLOCK_BYTES, SIZE_BYTES * 2 - 4 * KIB);
          const content = new Uint8Array(1 + random.below(3 * BLOCK_BYTES)).fill(1 + random.below(250));
          file.write(position, content);
          model.set(content, position);
        }
        if (random.chance(0.2)) {
          const content = new Uint8Array(64 * KIB).fill(1 + random.below(250));
          file.write(near, content);
          model.set(content, near);
        }
        if (random.chance(0.2)) {
          const lengthBytes = random.below(30 * BLOCK_BYTES);
          file.punchHole(near, lengthBytes);
          model.fill(0, near, Math.min(near + lengthBytes, file.sizeBytes));
        }
        // Reads in between push out of the cache what changes nobody has touched.
        if (random.chance(0.7)) file.read(random.below(SIZE_BYTES), new Uint8Array(16 * KIB));
        if (random.chance(0.5)) store.commitSync();
      }
      store.commitSync();
      expect(Buffer.compare(contentOf(file), model.subarray(0, file.sizeBytes))).toBe(0);
      expect({ round, findings: findings(opened) }).toEqual({ round, findings: [] });
    }
    expect(failed).toBeGreaterThan(0);
  });
});

/**
 * What a crash leaves of files: at every point of a workload, an acknowledged state or a later one, byte for byte, and nothing leaked.
 */
import { type BlockDevice, NIL_BLOCK } from '@outwrite/blockdev';
import type { SimulatedDevice } from '@outwrite/blockdev/testing';
import { type Tree, TreeStore } from '@outwrite/btree-cow';
import { everyCrashPoint, Random, testSeed, unevenHold } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type Extent, type FileMap, FileMaps, relocateFileEntry } from '../src/index.ts';
import { expectBytes, Harness, pattern } from './harness.ts';

const KIB = 1024;
const FILE_ID = 7;
const SIZE_KEY = Uint8Array.of(1);

/** A file whose size is kept in the tree, in the same delta as its content. */
class SizedFile {
  readonly store: TreeStore;
  readonly tree: Tree;
  readonly maps: FileMaps;
  readonly file: FileMap;
  /** Called with the content at the close of each delta, those that the log closes for want of memory included. */
  closing: (content: Uint8Array) => void = () => {};

  constructor(store: TreeStore) {
    this.store = store;
    const [treeId] = store.treeIds();
    this.tree = treeId === undefined ? store.createTree() : store.tree(treeId);
    this.maps = new FileMaps(store, this.tree);
    const size = this.tree.get(SIZE_KEY);
    this.file = this.maps.open(
      FILE_ID,
      size === undefined ? 0 : new DataView(size.buffer, size.byteOffset).getUint32(0),
    );
    store.log.registerStager(this);
  }

  static format(device: BlockDevice, blockSize: number): SizedFile {
    return new SizedFile(
      TreeStore.format(device, { blockSize, cacheBytes: 64 * blockSize, bounds: { flushFirstBytes: 64 * KIB } }),
    );
  }

  static open(device: BlockDevice, blockSize: number, readOnly = false): SizedFile {
    return new SizedFile(
      TreeStore.open(device, { cacheBytes: 64 * blockSize, relocateValue: relocateFileEntry, readOnly }),
    );
  }

  stage(): void {
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, this.file.sizeBytes);
    this.tree.put(SIZE_KEY, size);
    this.closing(this.content());
  }

  content(): Uint8Array {
    const bytes = new Uint8Array(this.file.sizeBytes);
    expect(this.file.read(0, bytes)).toBe(bytes.length);
    return bytes;
  }

  /** The entries and every byte behind them are sound, and each block belongs to one extent. */
  expectSound(): void {
    const problems: string[] = [];
    const extents: Extent[] = [];
    const sink = {
      extent: (extent: Extent) => void extents.push(extent),
      problem: (error: Error) => void problems.push(error.message),
    };
    this.maps.check(FILE_ID, this.file.sizeBytes, sink);
    for (const extent of extents) this.maps.verifyExtent(FILE_ID, extent, sink);
    expect(problems).toEqual([]);
    const blocks = extents.flatMap(({ start, checksums }) => Array.from(checksums, (_, i) => start + i));
    expect(new Set(blocks).size).toBe(blocks.length);
  }
}

/** Changes of all kinds, with commits of all kinds in between; notes the index of each acknowledged state. */
async function workload(device: SimulatedDevice, blockSize: number, seed: number, states: Uint8Array[]): Promise<void> {
  const random = new Random(seed);
  const sized = SizedFile.format(device, blockSize);
  const { file, store } = sized;
  sized.closing = (content) => void states.push(content);
  store.commitSync();
  device.note(states.length - 1);
  for (let step = 0; step < 14; step++) {
    for (let change = random.below(3); change >= 0; change--) {
      const position = random.below(20 * blockSize);
      const lengthBytes = random.below(random.chance(0.2) ? 100 * KIB : 4 * blockSize);
      const kind = random.below(20);
      if (kind < 3) file.truncate(position);
      else if (kind < 6) file.punchHole(position, lengthBytes);
      else if (kind < 10) await file.writeAsync(position, pattern(step, lengthBytes));
      else file.write(position, pattern(step, lengthBytes));
    }
    if (random.chance(0.4)) await store.commit();
    else if (random.chance(0.2)) await store.checkpoint();
    else store.commitSync();
    device.note(states.length - 1);
  }
}

describe.each([512, 4096])('after a crash, with blocks of %i bytes', (blockSize) => {
  it('a file holds an acknowledged state or a later one', async () => {
    const seed = testSeed('crashes of files');
    const states: Uint8Array[] = [];
    const report = await everyCrashPoint(
      (device) => workload(device, blockSize, seed, states),
      ({ device, notes }) => {
        if (notes.length === 0) return;
        const acknowledged = Math.max(...(notes as number[]));
        const looking = SizedFile.open(device, blockSize, true);
        const seen = looking.content();
        expect(() => looking.file.write(0, pattern(1, 10))).toThrow('read-only');
        const sized = SizedFile.open(device, blockSize);
        const content = sized.content();
        const found = states.findLastIndex((state) => Buffer.compare(state, content) === 0);
        expect(found).toBeGreaterThanOrEqual(acknowledged);
        expectBytes(seen, content);
        sized.expectSound();
        // The file goes on from there.
        sized.file.write(sized.file.sizeBytes, pattern(99, 3 * blockSize));
        sized.store.commitSync();
        expectBytes(sized.content().subarray(0, content.length), content);
        sized.expectSound();
      },
      { seed, pieceBytes: blockSize, samples: 2, maxStates: 300, device: { hold: unevenHold(new Random(seed)) } },
    );
    expect(report.stateCount).toBeGreaterThan(100);
  });
});

describe('the opening after an unclean end', () => {
  it.each([512, 4096, 16384])('copies the data of the last delta, and what was older stays (%i)', (blockSize) => {
    const harness = new Harness({ blockSize });
    harness.write(0, pattern(1, 30 * blockSize));
    harness.commit();
    harness.write(10 * blockSize, pattern(2, 5 * blockSize));
    harness.commit();
    const before = harness.file.mapRegion(0, 30, 'read');
    const lastDelta = harness.store.log.openDelta - 1;
    harness.crash();
    expect(harness.store.log.recovery?.relocatedBlocks).toBeGreaterThanOrEqual(5);
    const after = harness.file.mapRegion(0, 30, 'read');
    const blockAt = (segments: typeof before, index: number): { block: number; birth: number } => {
      const segment = segments.find(
        ({ blockIndex, blockCount }) => index >= blockIndex && index < blockIndex + blockCount,
      )!;
      expect(segment.block).not.toBe(NIL_BLOCK);
      return { block: segment.block + index - segment.blockIndex, birth: segment.birth };
    };
    for (let index = 0; index < 30; index++) {
      const was = blockAt(before, index);
      const is = blockAt(after, index);
      expect(is.birth).toBe(was.birth);
      expect(is.block === was.block).toBe(was.birth !== lastDelta);
    }
    harness.expectContent();
    harness.crash();
    harness.expectContent();
  });

  it('leaves entries alone that are not extents, or make no sense', () => {
    const relocator = {
      delta: 5,
      copyExtent: () => {
        throw new Error('nothing is to be copied');
      },
    } as unknown as Parameters<typeof relocateFileEntry>[3];
    for (const key of [
      Uint8Array.of(1),
      new Uint8Array(13),
      Uint8Array.of(0, 0, 0, 0, 0, 1, 0x40),
      Uint8Array.of(0, 0, 0, 0, 0, 1, 0x50, 65),
    ]) {
      expect(relocateFileEntry(1, key, new Uint8Array(3), relocator)).toBeNull();
    }
    expect(
      relocateFileEntry(1, Uint8Array.of(0, 0, 0, 0, 0, 1, 0x40, 0, 0, 0, 0, 0, 1), new Uint8Array(3), relocator),
    ).toBeNull();
  });
});

/** What a file holds: small ones, writes of every kind, and what they cost; regions that are mapped. */
import { NIL_BLOCK, OutwriteError } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { fileKey, KIND_EXTENT, KIND_INLINE, type Segment } from '../src/index.ts';
import { blocksOf, expectBytes, Harness, pattern } from './harness.ts';

const KIB = 1024;
const MIB = 1024 * 1024;
const SIZES = [512, 4096, 16384];

/** Segments taken apart. */
function byBlock(segments: readonly Segment[]): { block: number; birth: number; checksum: number | undefined }[] {
  return segments.flatMap(({ block, birth, blockCount, checksums }) =>
    Array.from({ length: blockCount }, (_, i) => ({ block: block + i, birth, checksum: checksums[i] })),
  );
}

describe.each(SIZES)('small files with blocks of %i bytes', (blockSize) => {
  it('are one value of the tree', () => {
    const harness = new Harness({ blockSize });
    harness.write(0, pattern(1, blockSize / 4));
    harness.commit();
    expect(harness.file.isInline).toBe(true);
    expect(harness.file.allocatedBytes()).toBe(0);
    expect(harness.tree.get(fileKey(harness.fileId, KIND_INLINE, 0))).toEqual(harness.model);
    harness.reopen();
    expect(harness.file.isInline).toBe(true);
    harness.expectContent();
  });

  it('become extents when they outgrow it, and a value again when cut to nothing', () => {
    const harness = new Harness({ blockSize });
    harness.write(0, pattern(1, 100));
    harness.commit();
    harness.write(harness.blockSize, pattern(2, 10));
    harness.commit();
    expect(harness.file.isInline).toBe(false);
    expect(harness.tree.has(fileKey(harness.fileId, KIND_INLINE, 0))).toBe(false);
    expect(harness.file.allocatedBytes()).toBe(2 * blockSize);
    harness.crash();
    harness.expectContent();
    harness.truncate(50);
    expect(harness.file.isInline).toBe(false);
    harness.truncate(0);
    harness.write(0, pattern(3, 60));
    expect(harness.file.isInline).toBe(true);
    harness.reopen();
    expect(harness.file.isInline).toBe(true);
    harness.expectContent();
    expect(harness.tree.cursor().seek(fileKey(harness.fileId, KIND_EXTENT, 0))).toBe(false);
  });

  it('keep nothing beyond their end that a later growth could show', () => {
    const harness = new Harness({ blockSize });
    for (const sizeBytes of [blockSize / 4, 3 * blockSize]) {
      harness.write(0, pattern(1, sizeBytes));
      harness.commit();
      harness.truncate(sizeBytes - 30);
      harness.truncate(sizeBytes);
      harness.expectContent();
      harness.truncate(sizeBytes - 60);
      harness.write(sizeBytes + 10, pattern(2, 3));
      harness.crash();
      harness.truncate(sizeBytes - 40);
      harness.truncate(sizeBytes + 40);
      harness.reopen();
      harness.expectContent();
    }
  });

  it('never reach the tree when they come and go within a delta', () => {
    const harness = new Harness({ blockSize });
    const version = harness.tree.version;
    for (let fileId = 100; fileId < 200; fileId++) {
      const file = harness.maps.open(fileId, 0, { isNew: true });
      file.write(0, pattern(fileId, 90));
      file.close();
      expect(harness.maps.remove(fileId)).toEqual({ done: true });
    }
    harness.commit();
    expect(harness.tree.version).toBe(version);
    expect(harness.maps.stats().openFiles).toBe(1);
  });
});

describe.each(SIZES)('writing with blocks of %i bytes', (blockSize) => {
  it('reads its own writes at every alignment', () => {
    const harness = new Harness({ blockSize });
    let seed = 0;
    for (const start of [0, 1, blockSize - 1, blockSize, 3 * blockSize + 7]) {
      for (const lengthBytes of [
        1,
        blockSize - 1,
        blockSize,
        blockSize + 1,
        64 * KIB,
        64 * KIB + 2 * blockSize + 1,
        150 * KIB,
      ]) {
        harness.write(start, pattern(seed++, lengthBytes));
        harness.expectContent();
      }
      harness.commit();
      harness.expectContent();
    }
    harness.crash();
    harness.expectContent();
  });

  it('sends large aligned writes straight to the device', () => {
    const harness = new Harness({ blockSize });
    const dirtyBefore = harness.store.log.cache.stats.dirtyFrameCount;
    harness.write(0, pattern(1, MIB));
    const grown = harness.store.log.cache.stats.dirtyFrameCount - dirtyBefore;
    // Only tree nodes; the content is on the device already.
    expect(grown * blockSize).toBeLessThan(MIB / 4);
    expect(harness.maps.stats().directBlocks).toBe(MIB / blockSize);
    const bytes = new Uint8Array(blockSize);
    harness.device.readSync(blocksOf(harness)[3]! * blockSize, [bytes]);
    expectBytes(bytes, harness.model.subarray(3 * blockSize, 4 * blockSize));
    harness.crash();
    expect(harness.model.length).toBe(0);
    harness.expectContent();
  });

  it('replaces cached and dirty pages by direct writes, and the other way round', () => {
    const harness = new Harness({ blockSize });
    for (let round = 0; round < 3; round++) {
      harness.write(5 * blockSize, pattern(10 + round, 2 * blockSize));
      harness.write(0, pattern(20 + round, 128 * KIB));
      harness.expectContent();
      harness.write(2 * blockSize + 5, pattern(30 + round, blockSize));
      harness.write(blockSize, pattern(40 + round, 64 * KIB));
      harness.write(3 * blockSize, pattern(50 + round, 20));
      harness.expectContent();
      if (round === 1) harness.commit();
    }
    harness.commit();
    harness.crash();
    harness.expectContent();
  });

  it('lesson 28: addresses rise with position, whatever the order in which pages were written', () => {
    const harness = new Harness({ blockSize });
    for (let index = 30; index >= 0; index--) harness.write(index * blockSize, pattern(index, blockSize));
    harness.commit();
    const blocks = blocksOf(harness);
    expect(new Set(blocks).size).toBe(31);
    // Space is given out going round, so it may begin anew once; within a round addresses rise.
    expect(blocks.filter((block, index) => index > 0 && block < blocks[index - 1]!).length).toBeLessThanOrEqual(1);
  });

  it('lesson 18: a region mapped in a clean leaf that others share is there after a crash', () => {
    const harness = new Harness({ blockSize });
    const others = [3, 4, 5, 8, 9].map((fileId) => harness.maps.open(fileId, 0, { isNew: true }));
    for (const other of others) other.write(0, pattern(other.fileId, 2 * blockSize));
    harness.write(0, pattern(1, 5 * blockSize));
    harness.checkpoint();
    harness.reopen();
    harness.write(2 * blockSize, pattern(2, blockSize));
    harness.commit();
    harness.crash();
    harness.expectContent();
    for (const fileId of [3, 4, 5, 8, 9]) {
      const bytes = new Uint8Array(2 * blockSize);
      harness.maps.open(fileId, bytes.length).read(0, bytes);
      expectBytes(bytes, pattern(fileId, bytes.length));
    }
  });

  it('keeps births and checksums of the pieces of an extent that is cut', () => {
    const harness = new Harness({ blockSize });
    harness.write(0, pattern(1, 20 * blockSize));
    harness.commit();
    const before = byBlock(harness.file.mapRegion(0, 20, 'read'));
    harness.write(7 * blockSize, pattern(2, 2 * blockSize));
    harness.commit();
    const after = byBlock(harness.file.mapRegion(0, 20, 'read'));
    for (let index = 0; index < 20; index++) {
      if (index !== 7 && index !== 8) expect(after[index]).toEqual(before[index]);
      else expect(after[index]!.birth).toBeGreaterThan(before[index]!.birth);
    }
  });

  it('lesson 20: a page that is changed again in the next delta is written again', () => {
    const harness = new Harness({ blockSize });
    // Two changes of one block in one delta, one more in the next, and neighbours that are dirty for one reason only.
    for (let round = 0; round < 20; round++) {
      harness.write(blockSize / 2, pattern(round, blockSize));
      harness.write(10, pattern(100 + round, 20));
      if (round % 2 === 0) harness.write(2 * blockSize + 1, pattern(200 + round, 2));
      harness.commit();
      harness.crash();
      harness.expectContent();
    }
  });
});

describe('a commit of one changed block of a large file', () => {
  it('writes the block, its leaf and a log block, and flushes once', () => {
    const harness = new Harness({ maxBytes: 128 * MIB });
    for (let at = 0; at < 32 * MIB; at += MIB) harness.file.write(at, pattern(at, MIB));
    harness.checkpoint();
    const before = harness.store.log.stats();
    harness.file.write(20 * MIB + 4096, pattern(1, 4096));
    harness.commit();
    const after = harness.store.log.stats();
    expect(after.flushes - before.flushes).toBe(1);
    for (const kind of ['data', 'leaf', 'log'] as const) {
      expect(after.bytesWritten[kind] - before.bytesWritten[kind]).toBe(4096);
    }
    expect(after.bytesWritten.index).toBe(before.bytesWritten.index);
  });
});

describe('mapRegion', () => {
  it('reads, fills holes, and redirects', () => {
    const harness = new Harness();
    harness.write(4 * 4096, pattern(1, 4 * 4096));
    harness.truncate(12 * 4096);
    harness.commit();
    const before = harness.file.mapRegion(0, 12, 'read');
    expect(before.map(({ blockIndex, blockCount, block }) => [blockIndex, blockCount, block === NIL_BLOCK])).toEqual([
      [0, 4, true],
      [4, 4, false],
      [8, 4, true],
    ]);
    const checksums = new Uint32Array(8).fill(77);
    harness.store.transact(() => {
      expect(harness.store.log.ensure(40, 40, false)).toBe(true);
      const filled = harness.file.mapRegion(2, 8, 'write', checksums);
      expect(filled.map((segment) => segment.blockCount)).toEqual([2, 4, 2]);
      expect(filled[1]).toEqual(before[1]);
      expect(harness.file.mapRegion(2, 8, 'read').every((segment) => segment.block !== NIL_BLOCK)).toBe(true);
      const redirected = harness.file.mapRegion(4, 4, 'redirect', checksums.subarray(0, 4));
      expect(redirected[0]!.block).not.toBe(before[1]!.block);
      expect(redirected[0]!.birth).toBe(harness.store.log.openDelta);
    });
    expect(harness.file.mapRegion(0, 12, 'read').reduce((sum, segment) => sum + segment.blockCount, 0)).toBe(12);
    expect(harness.maps.stats().redirectedBlocks).toBe(4);
  });

  it('does not map beyond the file or an inline one', () => {
    const harness = new Harness();
    harness.write(0, pattern(1, 10));
    expect(harness.file.mapRegion(0, 1, 'read')[0]!.block).toBe(NIL_BLOCK);
    expect(() => harness.file.mapRegion(0, 1, 'redirect', new Uint32Array(1))).toThrow(OutwriteError);
    harness.write(0, pattern(1, 5000));
    expect(() => harness.file.mapRegion(2, 1, 'write', new Uint32Array(1))).toThrow(OutwriteError);
    expect(() => harness.file.mapRegion(0, 0, 'read')).toThrow(RangeError);
  });
});

describe('closing and opening again', () => {
  it('keeps what is dirty until it is written', () => {
    const harness = new Harness();
    harness.write(0, pattern(1, 9000));
    harness.file.close();
    expect(harness.maps.stats().openFiles).toBe(1);
    harness.file = harness.maps.open(harness.fileId, 9000);
    harness.expectContent();
    harness.file.close();
    harness.commit();
    // The next close of a delta finds its pages written.
    harness.commit();
    expect(harness.maps.stats().openFiles).toBe(0);
    harness.file = harness.maps.open(harness.fileId, 9000);
    harness.expectContent();
  });
});

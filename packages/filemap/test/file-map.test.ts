import { CorruptionError, NIL_BLOCK, NoSpaceError, OutwriteError } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { fileKey, KIND_EXTENT, KIND_INLINE, MAX_FILE_BYTES, type Segment } from '../src/index.ts';
import { expectBytes, Harness, pattern } from './harness.ts';

const KIB = 1024;
const MIB = 1024 * 1024;
const SIZES = [512, 4096, 16384];

/** Block numbers behind the blocks of the harness's file, -1 for a hole. */
function blocksOf(harness: Harness): number[] {
  const blocks: number[] = [];
  const count = Math.ceil(harness.file.sizeBytes / harness.blockSize);
  for (const segment of harness.file.mapRegion(0, count, 'read')) {
    for (let i = 0; i < segment.blockCount; i++) blocks.push(segment.block === NIL_BLOCK ? -1 : segment.block + i);
  }
  return blocks;
}

/** Segments taken apart. */
function byBlock(segments: readonly Segment[]): { block: number; birth: number; checksum: number | undefined }[] {
  return segments.flatMap(({ block, birth, blockCount, checksums }) =>
    Array.from({ length: blockCount }, (_, i) => ({ block: block + i, birth, checksum: checksums[i] })),
  );
}

/** Flips a bit of a block on the device. */
function damage(harness: Harness, block: number): void {
  const bytes = new Uint8Array(harness.blockSize);
  harness.device.readSync(block * harness.blockSize, [bytes]);
  bytes[100]! ^= 4;
  harness.device.writeSync(block * harness.blockSize, [bytes]);
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

describe('fragmented space', () => {
  it.each(SIZES)(
    'lesson 19: with only one-block holes left, a large write is stored in as many pieces (%i)',
    (blockSize) => {
      const harness = new Harness({ blockSize, maxBytes: blockSize * 1500 + MIB });
      const filler = harness.maps.open(99, 0, { isNew: true });
      // Fill the volume, then free every other block of the filler.
      let filledBytes = 0;
      for (let pieceBlocks = (64 * KIB) / 512; pieceBlocks >= 1; ) {
        try {
          filler.write(filledBytes, pattern(1, pieceBlocks * blockSize, filledBytes));
          filledBytes += pieceBlocks * blockSize;
        } catch (error) {
          expect(error).toBeInstanceOf(NoSpaceError);
          pieceBlocks >>>= 1;
        }
      }
      harness.commit();
      for (let at = 0; at < filledBytes; at += 2 * blockSize) filler.punchHole(at, blockSize);
      harness.checkpoint();
      harness.checkpoint();
      const lengthBytes = Math.max(64 * KIB, 200 * blockSize);
      harness.write(0, pattern(2, lengthBytes));
      const pieces = harness.file.mapRegion(0, lengthBytes / blockSize, 'read');
      expect(pieces.length).toBeGreaterThan(lengthBytes / blockSize / 4);
      harness.write(lengthBytes + 5, pattern(3, 10 * blockSize));
      harness.expectContent();
      harness.commit();
      harness.crash();
      harness.expectContent();
      const kept = new Uint8Array(blockSize);
      const reopened = harness.maps.open(99, filledBytes);
      for (let at = blockSize; at + blockSize <= filledBytes; at += 2 * blockSize) {
        reopened.read(at, kept);
        expectBytes(kept, pattern(1, blockSize, at));
      }
    },
  );
});

describe('holes', () => {
  it('read as zeros, take no space, and are found', () => {
    const harness = new Harness();
    harness.write(100 * 4096, pattern(1, 4096));
    harness.write(1000 * 4096, pattern(2, 64 * KIB));
    harness.commit();
    expect(harness.file.allocatedBytes()).toBe(4096 + 64 * KIB);
    expect(harness.file.seekData(0)).toBe(100 * 4096);
    expect(harness.file.seekData(100 * 4096 + 5)).toBe(100 * 4096 + 5);
    expect(harness.file.seekHole(0)).toBe(0);
    expect(harness.file.seekHole(100 * 4096)).toBe(101 * 4096);
    expect(harness.file.seekData(101 * 4096)).toBe(1000 * 4096);
    expect(harness.file.seekHole(1000 * 4096)).toBe(harness.model.length);
    expect(harness.file.seekData(harness.model.length)).toBe(-1);
    expect(harness.file.seekHole(harness.model.length)).toBe(-1);
    harness.expectContent();
  });

  it('count what waits in memory as data', () => {
    const harness = new Harness();
    harness.truncate(MIB);
    expect(harness.file.seekData(0)).toBe(-1);
    harness.write(20 * 4096 + 1, pattern(1, 4096));
    expect(harness.file.seekData(0)).toBe(20 * 4096);
    expect(harness.file.seekHole(20 * 4096)).toBe(22 * 4096);
    harness.commit();
    harness.write(22 * 4096, pattern(1, 4096));
    expect(harness.file.seekHole(20 * 4096)).toBe(23 * 4096);
  });

  it('are given up to the block, zeroed below it', () => {
    const harness = new Harness();
    harness.write(0, pattern(1, 40 * 4096 + 100));
    harness.commit();
    harness.reopen();
    expect(harness.file.knownAllocatedBytes).toBe(null);
    const blocksBefore = harness.file.allocatedBytes() / 4096;
    expect(harness.file.knownAllocatedBytes).toBe(blocksBefore * 4096);
    harness.punchHole(10 * 4096 + 5, 5 * 4096);
    expect(harness.file.allocatedBytes() / 4096).toBe(blocksBefore - 4);
    // Up to the end of the file, and beyond it.
    harness.punchHole(38 * 4096 + 1, MIB);
    expect(harness.file.allocatedBytes() / 4096).toBe(blocksBefore - 6);
    expect(harness.file.sizeBytes).toBe(40 * 4096 + 100);
    harness.expectContent();
    harness.expectHoles();
    harness.reopen();
    harness.expectContent();
  });

  it('of many extents are given up in steps, and read as holes from the first on', () => {
    const harness = new Harness({ blockSize: 512, maxBytes: 64 * MIB });
    const everyOther = 2600;
    for (let i = 0; i < everyOther; i++) harness.write(i * 1024, pattern(i, 512));
    harness.commit();
    expect(harness.file.allocatedBytes()).toBe(everyOther * 512);
    harness.punchHole(1024 * 10, 1024 * 2500);
    expect(harness.file.allocatedBytes()).toBe((everyOther - 2500) * 512);
    harness.expectContent();
    harness.crash();
    harness.expectContent();
    harness.punchHole(0, 1024 * everyOther);
    harness.commit();
    harness.crash();
    expect(harness.file.allocatedBytes()).toBe(0);
    harness.expectContent();
  });
});

describe('removing', () => {
  it('goes on in bounded steps, also after a crash between them', () => {
    const harness = new Harness({ blockSize: 512, maxBytes: 64 * MIB });
    const free = harness.freeBlocks();
    for (let i = 0; i < 2600; i++) harness.write(i * 1024, pattern(i, 512));
    harness.commit();
    expect(harness.maps.remove(harness.fileId).done).toBe(false);
    harness.commit();
    const { sizeBytes } = harness.file as { sizeBytes: number };
    expect(sizeBytes).toBe(harness.model.length);
    harness.crash();
    let stepCount = 0;
    while (!harness.maps.remove(harness.fileId).done) stepCount++;
    expect(stepCount).toBe(1);
    expect(harness.freeBlocks()).toBe(free);
  });

  it('takes dirty pages along', () => {
    const harness = new Harness();
    const free = harness.freeBlocks();
    harness.write(0, pattern(1, 20 * 4096));
    harness.commit();
    harness.write(3 * 4096, pattern(2, 5000));
    expect(harness.maps.remove(harness.fileId)).toEqual({ done: true });
    expect(() => harness.file.write(0, pattern(1, 1))).toThrow('closed');
    expect(harness.store.log.cache.stats.pinnedFrameCount).toBe(0);
    expect(harness.freeBlocks()).toBe(free);
  });
});

describe('a full volume', () => {
  function fill(harness: Harness): void {
    let lengthBytes = 256 * KIB;
    while (lengthBytes >= 1) {
      try {
        harness.write(harness.model.length, pattern(harness.model.length, lengthBytes));
      } catch (error) {
        expect(error).toBeInstanceOf(NoSpaceError);
        lengthBytes >>>= 1;
      }
    }
  }

  it.each(SIZES)('refuses writes and changes nothing, and gives up space when asked (%i)', (blockSize) => {
    const harness = new Harness({ blockSize, maxBytes: 300 * blockSize + 2 * MIB });
    fill(harness);
    expect(() => harness.write(0, pattern(1, 128 * KIB))).toThrow(NoSpaceError);
    harness.expectContent();
    harness.commit();
    harness.crash();
    harness.expectContent();
    harness.punchHole(blockSize + 1, Math.max(512 * KIB, 128 * blockSize));
    harness.expectContent();
    harness.write(0, pattern(2, 64 * KIB));
    fill(harness);
    harness.truncate(1000);
    harness.write(2000, pattern(3, 100 * KIB));
    harness.reopen();
    harness.expectContent();
  });

  it('refuses inside a transaction without a commit in between', () => {
    const harness = new Harness({ maxBytes: 3 * MIB });
    fill(harness);
    harness.commit();
    const commits = harness.store.log.stats().commits;
    expect(() => harness.store.transact(() => harness.write(harness.model.length, pattern(1, 300 * KIB)))).toThrow(
      NoSpaceError,
    );
    expect(harness.store.log.stats().commits).toBe(commits);
    harness.expectContent();
  });
});

describe('damage', () => {
  function written(): { harness: Harness; blocks: number[] } {
    const harness = new Harness();
    harness.write(0, pattern(1, 200 * 4096));
    harness.reopen();
    return { harness, blocks: blocksOf(harness) };
  }

  it('is met as an error that names file and block, in small and in large reads', () => {
    const { harness, blocks } = written();
    damage(harness, blocks[50]!);
    for (const lengthBytes of [100, 40 * 4096]) {
      try {
        harness.file.read(49 * 4096, new Uint8Array(4096 + lengthBytes));
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptionError);
        const { structure, block, message } = error as CorruptionError;
        expect({ structure, block }).toEqual({ structure: 'data block', block: blocks[50] });
        expect(message).toContain(`block 50 of file ${harness.fileId}`);
      }
    }
    harness.expectPart(0, 50 * 4096);
    harness.expectPart(51 * 4096, 149 * 4096);
  });

  it('stops a change of a part of the block, and nothing has changed; the whole block can be written anew', () => {
    const { harness, blocks } = written();
    damage(harness, blocks[50]!);
    expect(() => harness.file.write(49 * 4096 + 10, pattern(2, 4096))).toThrow(CorruptionError);
    expect(() => harness.file.punchHole(50 * 4096 + 10, 10)).toThrow(CorruptionError);
    expect(() => harness.file.truncate(50 * 4096 + 10)).toThrow(CorruptionError);
    expect(harness.file.sizeBytes).toBe(200 * 4096);
    expect(harness.file.isDirty).toBe(false);
    harness.write(50 * 4096, pattern(3, 4096));
    harness.expectContent();
    harness.commit();
    harness.crash();
    harness.expectContent();
  });

  it('in an extent entry is an error in use, and reported and passed over when the file is removed', () => {
    const reported: CorruptionError[] = [];
    const harness = new Harness({ report: (error) => reported.push(error) });
    harness.write(0, pattern(1, 10 * 4096));
    harness.write(20 * 4096, pattern(2, 4096));
    harness.commit();
    harness.tree.put(fileKey(harness.fileId, KIND_EXTENT, 20), Uint8Array.of(1, 2, 3));
    expect(() => harness.file.mapRegion(15, 6, 'read')).toThrow(CorruptionError);
    expect(() => harness.file.write(20 * 4096, pattern(3, 128 * KIB))).toThrow(CorruptionError);
    expect(reported).toHaveLength(0);
    expect(harness.maps.remove(harness.fileId).done).toBe(true);
    expect(reported).toHaveLength(1);
    expect(reported[0]!.message).toContain('block 20 of file');
    expect(harness.tree.has(fileKey(harness.fileId, KIND_EXTENT, 0))).toBe(false);
    expect(harness.tree.has(fileKey(harness.fileId, KIND_EXTENT, 20))).toBe(false);
  });

  it('of an inline content shows when its length is not that of the file', () => {
    const harness = new Harness();
    harness.write(0, pattern(1, 100));
    harness.commit();
    harness.file.close();
    const file = harness.maps.open(harness.fileId, 99);
    expect(() => file.read(0, new Uint8Array(10))).toThrow(CorruptionError);
  });
});

describe('misuse', () => {
  it('of arguments is a TypeError or a RangeError', () => {
    const { file, maps } = new Harness();
    expect(() => file.write(0, 'text' as unknown as Uint8Array)).toThrow(TypeError);
    expect(() => file.read(0, [] as unknown as Uint8Array)).toThrow(TypeError);
    for (const position of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(() => file.read(position, new Uint8Array(1))).toThrow(RangeError);
      expect(() => file.write(position, new Uint8Array(1))).toThrow(RangeError);
      expect(() => file.truncate(position)).toThrow(RangeError);
      expect(() => file.punchHole(position, 1)).toThrow(RangeError);
      expect(() => file.seekData(position)).toThrow(RangeError);
    }
    expect(() => maps.open(2 ** 48, 0)).toThrow(RangeError);
    expect(() => maps.open(1, -1)).toThrow(RangeError);
    expect(() => maps.open(7, 0)).toThrow('one handle');
  });

  it('of sizes is EFBIG, and the largest file works', () => {
    const harness = new Harness();
    const { file } = harness;
    const tooBig = (action: () => void): void => {
      try {
        action();
        expect.unreachable();
      } catch (error) {
        expect((error as OutwriteError).code).toBe('EFBIG');
      }
    };
    tooBig(() => file.write(MAX_FILE_BYTES - 1, new Uint8Array(2)));
    tooBig(() => file.truncate(MAX_FILE_BYTES + 1));
    tooBig(() => file.punchHole(1, MAX_FILE_BYTES));
    file.write(MAX_FILE_BYTES - 3, Uint8Array.of(1, 2, 3));
    expect(file.sizeBytes).toBe(MAX_FILE_BYTES);
    expect(file.seekData(0)).toBe(MAX_FILE_BYTES - 4096);
    harness.commit();
    const bytes = new Uint8Array(10).fill(9);
    expect(file.read(MAX_FILE_BYTES - 5, bytes)).toBe(5);
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 1, 2, 3]);
    file.truncate(5);
    expect(file.allocatedBytes()).toBe(0);
    harness.commit();
  });

  it('of a closed file is a ClosedError; closing twice is none', () => {
    const { file } = new Harness();
    file.close();
    file.close();
    expect(() => file.read(0, new Uint8Array(1))).toThrow('closed');
    expect(() => file.write(0, new Uint8Array(1))).toThrow('closed');
  });

  it('of a closed or read-only volume is the error of the log', () => {
    const harness = new Harness();
    harness.write(0, pattern(1, 5000));
    harness.commit();
    harness.store.closeSync();
    expect(() => harness.file.write(0, new Uint8Array(1))).toThrow('closed');
    expect(() => harness.file.truncate(0)).toThrow('closed');
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

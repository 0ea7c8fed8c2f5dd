/** The space of files: in pieces, in holes, given back, and when there is none. */
import { NoSpaceError } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { expectBytes, Harness, pattern } from './harness.ts';

const KIB = 1024;
const MIB = 1024 * 1024;
const SIZES = [512, 4096, 16384];

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

/** Damage that files meet, and wrong use. */
import { CorruptionError, type OutwriteError } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { fileKey, KIND_EXTENT, MAX_FILE_BYTES } from '../src/index.ts';
import { blocksOf, Harness, pattern } from './harness.ts';

const KIB = 1024;

/** Flips a bit of a block on the device. */
function damage(harness: Harness, block: number): void {
  const bytes = new Uint8Array(harness.blockSize);
  harness.device.readSync(block * harness.blockSize, [bytes]);
  bytes[100]! ^= 4;
  harness.device.writeSync(block * harness.blockSize, [bytes]);
}

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

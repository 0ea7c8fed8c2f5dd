import { CorruptionError } from '@outwrite/blockdev';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkExtentValue,
  decodeExtent,
  decodeReclaim,
  encodeExtent,
  encodeReclaim,
  extentValueBytes,
  maxExtentBlocks,
} from '../src/extent-format.ts';
import {
  BLOCK_INDEX_LIMIT,
  decodeFileKey,
  FILE_ID_LIMIT,
  FILE_KEY_BYTES,
  fileKey,
  KIND_EXTENT,
  KIND_INLINE,
  KIND_RECLAIM,
  setFileKey,
} from '../src/key-format.ts';

const limits = { maxBlocks: maxExtentBlocks(4096), openDelta: 1000 };

describe('keys', () => {
  it('sort by file, then kind, then position', () => {
    fc.assert(
      fc.property(
        fc.tuple(
          fc.nat(5),
          fc.constantFrom(KIND_INLINE, KIND_RECLAIM, KIND_EXTENT),
          fc.integer({ min: 0, max: 2 ** 40 }),
        ),
        fc.tuple(
          fc.nat(5),
          fc.constantFrom(KIND_INLINE, KIND_RECLAIM, KIND_EXTENT),
          fc.integer({ min: 0, max: 2 ** 40 }),
        ),
        (a, b) => {
          const expected = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
          expect(Math.sign(Buffer.compare(fileKey(...a), fileKey(...b)))).toBe(Math.sign(expected));
        },
      ),
    );
  });

  it('come back as they went in', () => {
    for (const fileId of [0, 1, 0xffff, 0x10000, 2 ** 32, FILE_ID_LIMIT - 1]) {
      for (const blockIndex of [0, 1, 0xffff, 0x10000, 2 ** 32, BLOCK_INDEX_LIMIT - 1]) {
        expect(decodeFileKey(fileKey(fileId, KIND_EXTENT, blockIndex))).toEqual({
          fileId,
          kind: KIND_EXTENT,
          blockIndex,
        });
      }
    }
  });

  it('at the limit of block indexes is past all of the kind, and of that file only', () => {
    const past = setFileKey(new Uint8Array(FILE_KEY_BYTES), 5, KIND_EXTENT, BLOCK_INDEX_LIMIT);
    expect(Buffer.compare(past, fileKey(5, KIND_EXTENT, BLOCK_INDEX_LIMIT - 1))).toBe(1);
    expect(Buffer.compare(past, fileKey(6, KIND_INLINE, 0))).toBe(-1);
  });

  it('of other owners are left alone, malformed ones are damage', () => {
    expect(decodeFileKey(new Uint8Array(3))).toBeNull();
    expect(decodeFileKey(Uint8Array.of(0, 0, 0, 0, 0, 1, 0x10))).toBeNull();
    expect(() => decodeFileKey(Uint8Array.of(0, 0, 0, 0, 0, 1, KIND_EXTENT))).toThrow(CorruptionError);
    expect(() => decodeFileKey(fileKey(1, KIND_INLINE, 1))).toThrow(CorruptionError);
  });
});

describe('extents', () => {
  it('hold as many blocks as fit a quarter of a block', () => {
    expect([512, 4096, 16384].map(maxExtentBlocks)).toEqual([29, 253, 1021]);
    for (const blockSize of [512, 4096, 16384]) {
      expect(extentValueBytes(maxExtentBlocks(blockSize))).toBeLessThanOrEqual(blockSize / 4);
    }
  });

  it('come back as they went in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xeffffff0 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.uint32Array({ minLength: 1, maxLength: 16 }),
        fc.integer({ min: 0, max: 2 ** 44 }),
        (start, birth, checksums, blockIndex) => {
          const extent = { blockIndex, start, birth, checksums: Uint32Array.from(checksums) };
          expect(decodeExtent(encodeExtent(extent), blockIndex, limits)).toEqual(extent);
        },
      ),
    );
  });

  const good = encodeExtent({ blockIndex: 0, start: 7, birth: 3, checksums: Uint32Array.of(1, 2) });
  const refused: [string, Uint8Array, number][] = [
    ['nothing', new Uint8Array(0), 0],
    ['only a header', good.subarray(0, 10), 0],
    ['a checksum cut off', good.subarray(0, good.length - 1), 0],
    ['more blocks than an entry holds', new Uint8Array(extentValueBytes(limits.maxBlocks + 1)).fill(1), 0],
    ['no birth', encodeExtent({ blockIndex: 0, start: 7, birth: 0, checksums: Uint32Array.of(1) }), 0],
    ['a birth to come', encodeExtent({ blockIndex: 0, start: 7, birth: 1001, checksums: Uint32Array.of(1) }), 0],
    [
      'a block that no device has',
      encodeExtent({ blockIndex: 0, start: 0xefffffff, birth: 1, checksums: Uint32Array.of(1, 2) }),
      0,
    ],
    ['a place beyond every file', good, BLOCK_INDEX_LIMIT - 1],
  ];
  it.each(refused)('with %s are damage', (_what, value, blockIndex) => {
    expect(() => checkExtentValue(value, blockIndex, limits)).toThrow(CorruptionError);
    expect(() => decodeExtent(value, blockIndex, limits)).toThrow(CorruptionError);
  });

  it('of random bytes are refused or understood, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          const extent = decodeExtent(bytes, 0, limits);
          expect(encodeExtent(extent)).toEqual(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
        }
      }),
    );
  });
});

describe('reclaim marks', () => {
  it('come back as they went in, "to the end" included', () => {
    for (const range of [
      { fromIndex: 0, toIndex: BLOCK_INDEX_LIMIT },
      { fromIndex: 5, toIndex: 6 },
      { fromIndex: 2 ** 40, toIndex: 2 ** 41 },
    ]) {
      expect(decodeReclaim(encodeReclaim(range))).toEqual(range);
    }
  });

  it('that are empty or of another length are damage', () => {
    expect(() => decodeReclaim(encodeReclaim({ fromIndex: 5, toIndex: 5 }))).toThrow(CorruptionError);
    expect(() => decodeReclaim(new Uint8Array(11))).toThrow(CorruptionError);
  });
});

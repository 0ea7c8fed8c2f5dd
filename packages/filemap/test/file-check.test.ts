import type { CorruptionError } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import {
  decodeFileEntry,
  type Extent,
  encodeExtent,
  encodeReclaim,
  fileKey,
  KIND_EXTENT,
  KIND_INLINE,
  KIND_RECLAIM,
} from '../src/index.ts';
import { Harness, pattern } from './harness.ts';

interface Findings {
  extents: Extent[];
  inlineBytes: number[];
  problems: string[];
}

function check(harness: Harness, sizeBytes: number = harness.file.sizeBytes): Findings {
  const findings: Findings = { extents: [], inlineBytes: [], problems: [] };
  harness.maps.check(harness.fileId, sizeBytes, {
    extent: (extent) => void findings.extents.push(extent),
    inline: (lengthBytes) => void findings.inlineBytes.push(lengthBytes),
    problem: (error: CorruptionError) => void findings.problems.push(error.message),
  });
  return findings;
}

/** A file of ten blocks, a hole, and ten more. */
function written(): Harness {
  const harness = new Harness();
  harness.write(0, pattern(1, 10 * 4096));
  harness.write(100 * 4096, pattern(2, 10 * 4096));
  harness.commit();
  return harness;
}

describe('checking a file', () => {
  it('lists extents and contents, and finds nothing wrong with good ones', () => {
    const harness = written();
    const { extents, problems } = check(harness);
    expect(problems).toEqual([]);
    expect(extents.reduce((sum, extent) => sum + extent.checksums.length, 0)).toBe(20);
    const damaged: string[] = [];
    for (const extent of extents) {
      harness.maps.verifyExtent(harness.fileId, extent, { problem: (error) => void damaged.push(error.message) });
    }
    expect(damaged).toEqual([]);

    const small = new Harness();
    small.write(0, pattern(1, 77));
    small.commit();
    expect(check(small)).toEqual({ extents: [], inlineBytes: [77], problems: [] });
  });

  it('does not look into other files', () => {
    const harness = written();
    const other = harness.maps.open(8, 0, { isNew: true });
    other.write(0, pattern(3, 5 * 4096));
    harness.commit();
    harness.tree.put(fileKey(8, KIND_EXTENT, 3), Uint8Array.of(1));
    expect(check(harness).problems).toEqual([]);
  });

  it('names each block whose content is not what was written', () => {
    const harness = written();
    const { extents } = check(harness);
    const block = extents[0]!.start + 2;
    harness.device.writeSync(block * 4096, [new Uint8Array(4096)]);
    const damaged: CorruptionError[] = [];
    for (const extent of extents) {
      harness.maps.verifyExtent(harness.fileId, extent, { problem: (error) => void damaged.push(error) });
    }
    expect(damaged).toHaveLength(1);
    expect(damaged[0]!.block).toBe(block);
    expect(damaged[0]!.message).toContain(`block ${extents[0]!.blockIndex + 2} of file ${harness.fileId}`);
  });

  const good: Extent = { blockIndex: 50, start: 70, birth: 1, checksums: Uint32Array.of(1, 2, 3) };
  const wrong: [string, (harness: Harness) => void, string][] = [
    [
      'an overlap',
      ({ tree }) => tree.put(fileKey(7, KIND_EXTENT, 5), encodeExtent(good)),
      'before the one before it ends',
    ],
    [
      'an extent beyond the end',
      ({ tree }) => tree.put(fileKey(7, KIND_EXTENT, 109), encodeExtent(good)),
      'beyond the end of the file',
    ],
    [
      'an extent beyond the device',
      ({ tree }) => tree.put(fileKey(7, KIND_EXTENT, 50), encodeExtent({ ...good, start: 0x10000000 })),
      'beyond the end of the device',
    ],
    [
      'an extent that cannot be decoded',
      ({ tree }) => tree.put(fileKey(7, KIND_EXTENT, 50), Uint8Array.of(1, 2)),
      'impossible length',
    ],
    [
      'a value that is far too long',
      ({ tree }) => tree.put(fileKey(7, KIND_EXTENT, 50), new Uint8Array(100_000)),
      'impossible length',
    ],
    [
      'an inline content beside extents',
      ({ tree }) => tree.put(fileKey(7, KIND_INLINE, 0), new Uint8Array(9)),
      'an inline content',
    ],
    [
      'a malformed key',
      ({ tree }) => tree.put(fileKey(7, KIND_EXTENT, 50).subarray(0, 12), Uint8Array.of(1)),
      'wrong length',
    ],
    ['a malformed reclaim mark', ({ tree }) => tree.put(fileKey(7, KIND_RECLAIM, 0), Uint8Array.of(1)), 'wrong length'],
  ];
  it.each(wrong)('finds %s, and goes on', (_what, spoil, message) => {
    const harness = written();
    spoil(harness);
    const { extents, problems } = check(harness);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join()).toContain(message);
    expect(extents.reduce((sum, extent) => sum + extent.checksums.length, 0)).toBeGreaterThanOrEqual(20);
  });

  it('understands a range that is being given up', () => {
    const harness = written();
    harness.tree.put(fileKey(7, KIND_RECLAIM, 0), encodeReclaim({ fromIndex: 20, toIndex: 2 ** 48 }));
    harness.commit();
    expect(check(harness, 20 * 4096).problems).toEqual([]);
    expect(check(harness, 5 * 4096).problems.join()).toContain('beyond the end of the file');
    // The file reads as if they were gone, and the next change completes the work.
    harness.file.close();
    harness.model = harness.model.slice(0, 20 * 4096);
    harness.file = harness.maps.open(7, 20 * 4096);
    harness.expectContent();
    expect(harness.file.seekData(12 * 4096)).toBe(-1);
    harness.write(15 * 4096, pattern(5, 10));
    harness.commit();
    expect(harness.tree.has(fileKey(7, KIND_RECLAIM, 0))).toBe(false);
    expect(check(harness).extents.at(-1)!.blockIndex).toBe(15);
    harness.truncate(200 * 4096);
    harness.expectContent();
  });
});

describe('entries in a walk of the whole tree', () => {
  it('are told apart from those of others', () => {
    const limits = { blockSize: 4096, openDelta: 10 };
    const extent: Extent = { blockIndex: 5, start: 9, birth: 2, checksums: Uint32Array.of(8) };
    expect(decodeFileEntry(Uint8Array.of(0, 0, 0, 0, 0, 1, 0x50, 65), new Uint8Array(3), limits)).toBeNull();
    expect(decodeFileEntry(fileKey(3, KIND_EXTENT, 5), encodeExtent(extent), limits)).toEqual({
      kind: 'extent',
      fileId: 3,
      extent,
    });
    expect(decodeFileEntry(fileKey(3, KIND_INLINE, 0), new Uint8Array(3), limits)).toEqual({
      kind: 'inline',
      fileId: 3,
      lengthBytes: 3,
    });
    expect(() => decodeFileEntry(fileKey(3, KIND_INLINE, 0), new Uint8Array(0), limits)).toThrow('impossible length');
    expect(() => decodeFileEntry(fileKey(3, KIND_EXTENT, 5), encodeExtent({ ...extent, birth: 11 }), limits)).toThrow(
      'block 5 of file 3',
    );
  });
});

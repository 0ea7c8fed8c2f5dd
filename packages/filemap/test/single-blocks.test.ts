/**
 * Changes of single blocks take short ways through the tree (in the midst of an extent, behind all that is mapped); the entries that they
 * leave are those of the long way, which works on lists of extents.
 */
import { describe, expect, it } from 'vitest';
import type { Extent } from '../src/extent-format.ts';
import { decodeExtent, maxExtentBlocks } from '../src/extent-format.ts';
import { extentEnd, replaceRegion } from '../src/extent-list.ts';
import { decodeFileKey, fileKey, KIND_EXTENT } from '../src/index.ts';
import { Harness, pattern } from './harness.ts';

/** The file's entries as they are in the tree. */
function entriesOf(harness: Harness): Extent[] {
  const { blockSize, log } = { blockSize: harness.blockSize, log: harness.store.log };
  const limits = { maxBlocks: maxExtentBlocks(blockSize), openDelta: log.openDelta };
  const entries: Extent[] = [];
  const cursor = harness.tree.cursor();
  cursor.seek(fileKey(harness.fileId, KIND_EXTENT, 0));
  for (let found = cursor.valid; found; found = cursor.next()) {
    const key = decodeFileKey(cursor.key());
    if (key === null || key.fileId !== harness.fileId || key.kind !== KIND_EXTENT) break;
    entries.push(decodeExtent(cursor.value(), key.blockIndex, limits));
  }
  return entries;
}

/** What the long way makes of `before` when the region's blocks are those that `after` has there. */
function byLists(
  before: readonly Extent[],
  after: readonly Extent[],
  fromIndex: number,
  toIndex: number,
  maxBlocks: number,
): Extent[] {
  const pieces = after.flatMap((entry) => {
    const from = Math.max(entry.blockIndex, fromIndex);
    const to = Math.min(extentEnd(entry), toIndex);
    if (from >= to) return [];
    const skipped = from - entry.blockIndex;
    const checksums = entry.checksums.subarray(skipped, to - entry.blockIndex);
    return [{ blockIndex: from, start: entry.start + skipped, birth: entry.birth, checksums }];
  });
  const around = before.filter((entry) => entry.blockIndex <= toIndex && extentEnd(entry) >= fromIndex);
  const change = replaceRegion(around, { fromIndex, toIndex }, pieces, maxBlocks);
  const kept = before.filter(
    ({ blockIndex }) =>
      !change.deleted.includes(blockIndex) && !change.stored.some((entry) => entry.blockIndex === blockIndex),
  );
  return [...kept, ...change.stored].sort((a, b) => a.blockIndex - b.blockIndex);
}

function plain(entries: readonly Extent[]): object[] {
  return entries.map(({ blockIndex, start, birth, checksums }) => ({
    blockIndex,
    start,
    birth,
    checksums: [...checksums],
  }));
}

describe.each([512, 4096])('single blocks, with blocks of %i bytes', (blockSize) => {
  const maxBlocks = maxExtentBlocks(blockSize);

  it('leave the entries that lists of extents would', () => {
    const harness = new Harness({ blockSize });
    const fileBlocks = 3 * maxBlocks + 10;
    harness.write(0, pattern(1, fileBlocks * blockSize));
    harness.commit();
    // In the midst, at both ends of an extent, next to an earlier change, all of one block, behind the end, beyond a hole, and from a hole
    // over what comes behind it.
    const end = fileBlocks;
    const singles = [5, 6, 4, 0, maxBlocks - 1, maxBlocks, 5, end - 1, end, end + 1, end + 9, end + 5];
    const regions = [
      ...singles.map((place) => [place, 1] as const),
      [end + 7, 3],
      [end + 2, 4],
      [20, 5],
      [4, 3],
    ] as const;
    for (const [round, [place, count]] of regions.entries()) {
      const before = entriesOf(harness);
      harness.write(place * blockSize, pattern(2 + round, count * blockSize));
      harness.commit();
      const after = entriesOf(harness);
      expect(plain(after)).toEqual(plain(byLists(before, after, place, place + count, maxBlocks)));
      harness.expectContent();
    }
  });

  it('join what was mapped earlier in their delta and continues on the device', () => {
    const harness = new Harness({ blockSize });
    // Straight to the device, and then a block behind it through a page.
    const direct = (64 * 1024) / blockSize;
    harness.write(0, pattern(1, direct * blockSize));
    const before = entriesOf(harness);
    harness.write(direct * blockSize, pattern(2, blockSize));
    harness.commit();
    const after = entriesOf(harness);
    expect(plain(after)).toEqual(plain(byLists(before, after, direct, direct + 1, maxBlocks)));
    harness.expectContent();
  });

  it('are found again when the end was cut off and grows once more', () => {
    const harness = new Harness({ blockSize });
    harness.write(0, pattern(1, 40 * blockSize));
    harness.commit();
    harness.truncate(10 * blockSize + 1);
    harness.commit();
    for (const place of [11, 10, 12, 30]) {
      const before = entriesOf(harness);
      harness.write(place * blockSize, pattern(place, blockSize));
      harness.commit();
      const after = entriesOf(harness);
      expect(plain(after)).toEqual(plain(byLists(before, after, place, place + 1, maxBlocks)));
      harness.expectContent();
    }
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Extent } from '../src/extent-format.ts';
import { cutExtent, extentEnd, joinExtents, replaceRegion } from '../src/extent-list.ts';

const MAX_BLOCKS = 5;
const FILE_BLOCKS = 40;

/** An extent whose checksums name its blocks, so that a piece that took the wrong ones shows. */
function extent(blockIndex: number, start: number, blockCount: number, birth: number): Extent {
  return { blockIndex, start, birth, checksums: Uint32Array.from({ length: blockCount }, (_, i) => start + i) };
}

describe('cutting and joining', () => {
  it('keeps birth and checksums of a piece', () => {
    expect(cutExtent(extent(10, 100, 6, 3), 12, 14)).toEqual(extent(12, 102, 2, 3));
    expect(cutExtent(extent(10, 100, 6, 3), 0, 11)).toEqual(extent(10, 100, 1, 3));
    expect(cutExtent(extent(10, 100, 6, 3), 16, 20)).toBeNull();
  });

  it('joins only what meets in the file and on the device and is as old', () => {
    const first = extent(0, 100, 2, 3);
    expect(joinExtents([first, extent(2, 102, 2, 3)], MAX_BLOCKS)).toEqual([extent(0, 100, 4, 3)]);
    for (const other of [extent(2, 103, 2, 3), extent(3, 102, 2, 3), extent(2, 102, 2, 4)]) {
      expect(joinExtents([first, other], MAX_BLOCKS)).toEqual([first, other]);
    }
  });

  it('fills entries before it begins new ones', () => {
    expect(joinExtents([extent(0, 100, 4, 3), extent(4, 104, 4, 3), extent(8, 108, 4, 3)], MAX_BLOCKS)).toEqual([
      extent(0, 100, 5, 3),
      extent(5, 105, 5, 3),
      extent(10, 110, 2, 3),
    ]);
  });
});

interface Mapping {
  block: number;
  birth: number;
}

/** What the entries say, block by block. */
function mappings(entries: readonly Extent[]): Map<number, Mapping> {
  const map = new Map<number, Mapping>();
  for (const entry of entries) {
    for (let i = 0; i < entry.checksums.length; i++) {
      expect(map.has(entry.blockIndex + i)).toBe(false);
      expect(entry.checksums[i]).toBe(entry.start + i);
      map.set(entry.blockIndex + i, { block: entry.start + i, birth: entry.birth });
    }
  }
  return map;
}

describe('replacing a region', () => {
  it('agrees with a map of single blocks, step by step', () => {
    const step = fc.record({
      fromIndex: fc.nat(FILE_BLOCKS - 1),
      blockCount: fc.integer({ min: 1, max: 16 }),
      // Lengths of the pieces of the new blocks; 0 leaves a hole of one block.
      pieces: fc.array(fc.nat(6), { maxLength: 6 }),
      gap: fc.boolean(),
      birthStep: fc.nat(1),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let entries: Extent[] = [];
        const model = new Map<number, Mapping>();
        let nextBlock = 1000;
        let birth = 1;
        for (const { fromIndex, blockCount, pieces: lengths, gap, birthStep } of steps) {
          const toIndex = fromIndex + blockCount;
          birth += birthStep;
          const pieces: Extent[] = [];
          let at = fromIndex;
          for (const length of lengths) {
            const count = Math.min(length, toIndex - at);
            if (count > 0) pieces.push(extent(at, nextBlock, count, birth));
            nextBlock += count + (gap ? 1 : 0);
            at += Math.max(1, count);
            if (at >= toIndex) break;
          }
          const around = entries.filter((entry) => entry.blockIndex <= toIndex && extentEnd(entry) >= fromIndex);
          const change = replaceRegion(around, { fromIndex, toIndex }, pieces, MAX_BLOCKS);

          const expectedFreed: Mapping[] = [];
          for (let index = fromIndex; index < toIndex; index++) {
            const was = model.get(index);
            if (was !== undefined) expectedFreed.push(was);
            model.delete(index);
          }
          for (const [index, mapping] of mappings(pieces)) model.set(index, mapping);
          const freed = change.freed.flatMap(({ start, blockCount: count, birth: freedBirth }) =>
            Array.from({ length: count }, (_, i) => ({ block: start + i, birth: freedBirth })),
          );
          expect(freed).toEqual(expectedFreed);

          const stored = new Map(entries.map((entry) => [entry.blockIndex, entry]));
          for (const blockIndex of change.deleted) expect(stored.delete(blockIndex)).toBe(true);
          for (const entry of change.stored) {
            expect(change.deleted).not.toContain(entry.blockIndex);
            expect(entry.checksums.length).toBeLessThanOrEqual(MAX_BLOCKS);
            stored.set(entry.blockIndex, entry);
          }
          entries = [...stored.values()].sort((a, b) => a.blockIndex - b.blockIndex);
          expect(new Map([...mappings(entries)].sort(([a], [b]) => a - b))).toEqual(
            new Map([...model].sort(([a], [b]) => a - b)),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  it('leaves untouched what does not change', () => {
    const entries = [extent(0, 100, 5, 3), extent(5, 200, 5, 3), extent(10, 300, 5, 3)];
    const change = replaceRegion(entries, { fromIndex: 5, toIndex: 10 }, [extent(5, 400, 5, 4)], MAX_BLOCKS);
    expect(change).toEqual({
      deleted: [],
      stored: [extent(5, 400, 5, 4)],
      freed: [{ start: 200, blockCount: 5, birth: 3 }],
    });
  });
});

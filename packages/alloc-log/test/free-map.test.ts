import { MemoryDevice, NIL_BLOCK } from '@outwrite/blockdev';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Extent, extentBalance } from '../src/extent.ts';
import { FreeMap } from '../src/free-map.ts';
import { nodeFanOut, pageBlockCount } from '../src/free-map-format.ts';
import { LONG_RUN_BLOCKS, MapPages } from '../src/map-pages.ts';
import { readVerified } from '../src/recovery.ts';
import { SummaryBits } from '../src/summary-bits.ts';

describe('summary bits', () => {
  it('find the next member as a sorted list does', () => {
    const index = fc.oneof(fc.nat(100), fc.nat(5000), fc.nat(70000));
    fc.assert(
      fc.property(fc.array(fc.tuple(index, fc.boolean()), { maxLength: 60 }), fc.array(index), (changes, questions) => {
        const bits = new SummaryBits();
        const naive = new Set<number>();
        for (const [at, member] of changes) {
          bits.set(at, member);
          if (member) naive.add(at);
          else naive.delete(at);
          for (const from of questions) {
            const next = Math.min(...[...naive].filter((value) => value >= from));
            expect(bits.next(from)).toBe(next === Number.POSITIVE_INFINITY ? -1 : next);
            expect(bits.has(from)).toBe(naive.has(from));
          }
        }
      }),
    );
  });
});

describe('the balance of extents', () => {
  it('is what a count per block says', () => {
    const extent = fc.record({ start: fc.nat(30), count: fc.integer({ min: 1, max: 8 }) });
    fc.assert(
      fc.property(fc.array(extent, { maxLength: 6 }), fc.array(extent, { maxLength: 6 }), (added, removed) => {
        const depth = new Array<number>(50).fill(0);
        for (const { start, count } of added) for (let i = 0; i < count; i++) depth[start + i]!++;
        for (const { start, count } of removed) for (let i = 0; i < count; i++) depth[start + i]!--;
        const blocks = extentBalance(added, removed).flatMap(({ start, count }) =>
          Array.from({ length: count }, (_, i) => start + i),
        );
        expect(blocks).toEqual(depth.flatMap((value, block) => (value > 0 ? [block] : [])));
      }),
    );
  });

  it('lesson 17: counts 65,536 blocks and more', () => {
    const many: Extent[] = [{ start: 10, count: 200_000 }];
    expect(extentBalance(many, [{ start: 70_000, count: 1 }])).toEqual([
      { start: 10, count: 69_990 },
      { start: 70_001, count: 130_009 },
    ]);
  });
});

describe('long runs', () => {
  it('are found where going block by block finds them', () => {
    const sizeBlocks = 700;
    const extent = fc.record({ start: fc.nat(sizeBlocks - 1), count: fc.integer({ min: 1, max: 90 }) });
    const property = fc.property(
      fc.array(extent, { maxLength: 12 }),
      fc.array(extent, { maxLength: 6 }),
      fc.integer({ min: 0, max: 60 }),
      (used, held, cutBlocks) => {
        const end = sizeBlocks - cutBlocks;
        const pages = new MapPages(new MemoryDevice({ sizeBytes: 0 }), { blockBytes: 512, blockLimit: sizeBlocks });
        pages.extend(end);
        const taken = new Array<boolean>(end).fill(false);
        for (const [extents, take] of [
          [used, (block: number) => pages.setUsed(block, 1)],
          [held, (block: number) => pages.setHeld(block, 1)],
        ] as const) {
          for (const { start, count } of extents) {
            for (let block = start; block < Math.min(start + count, end); block++) {
              if (!taken[block]) take(block);
              taken[block] = true;
            }
          }
        }
        for (let from = end - 1; from >= 0; from--) {
          let expected = -1;
          for (let start = from; start + LONG_RUN_BLOCKS <= end && expected === -1; start++) {
            if (!taken.slice(start, start + LONG_RUN_BLOCKS).includes(true)) expected = start;
          }
          expect(pages.nextLongRun(from)).toBe(expected);
        }
      },
    );
    fc.assert(property, { numRuns: 60 });
  });
});

/** Writes an image to its device and loads it into a new map. */
function stored(device: MemoryDevice, map: FreeMap, delta: number): FreeMap {
  const { blockBytes, blockLimit } = map.pages;
  const image = map.writeImage(
    delta,
    () => {
      const block = map.findBlock();
      map.pages.setUsed(block, 1);
      return block;
    },
    (block) => {
      map.pages.clearUsed(block, 1);
      map.pages.setHeld(block, 1);
    },
  );
  for (const { block, bytes } of image.blocks) {
    device.grow((block + 1) * blockBytes);
    device.writeSync(block * blockBytes, [bytes]);
  }
  const loaded = new FreeMap(device, { blockBytes, blockLimit });
  loaded.load(image.root, map.pages.sizeBlocks, (pointer) =>
    readVerified(device, blockBytes, pointer, 'free-map node'),
  );
  return loaded;
}

describe('the free map', () => {
  it('agrees with a list of blocks after every step, in memory and stored', () => {
    const limit = 3 * pageBlockCount(512);
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('take' as const),
        count: fc.oneof(fc.constant(1), fc.nat(150)),
        aspect: fc.constantFrom('used' as const, 'held' as const),
      }),
      fc.record({ kind: fc.constant('give' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ kind: fc.constant('store' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const device = new MemoryDevice();
        const map = new FreeMap(device, { blockBytes: 512, blockLimit: limit });
        const owned: { start: number; count: number; aspect: 'used' | 'held' }[] = [];
        const naive = new Map<number, 'used' | 'held'>();
        let delta = 1;
        for (const current of steps) {
          if (current.kind === 'take') {
            const found = map.findExtent(Math.max(1, current.count));
            expect(found).not.toBeNull();
            const { start, count } = found!;
            for (let block = start; block < start + count; block++) {
              expect(naive.has(block)).toBe(false);
              naive.set(block, current.aspect);
            }
            if (current.aspect === 'used') map.pages.setUsed(start, count);
            else map.pages.setHeld(start, count);
            owned.push({ start, count, aspect: current.aspect });
          } else if (current.kind === 'give' && owned.length > 0) {
            const [gone] = owned.splice(Math.floor(current.at * (owned.length - 0.001)), 1);
            if (gone === undefined) continue;
            for (let block = gone.start; block < gone.start + gone.count; block++) naive.delete(block);
            if (gone.aspect === 'used') map.pages.clearUsed(gone.start, gone.count);
            else map.pages.clearHeld(gone.start, gone.count);
          } else if (current.kind === 'store') {
            const before = new Set(map.ownBlocks());
            const loaded = stored(device, map, delta++);
            const after = new Set(map.ownBlocks());
            for (const block of before) {
              if (after.has(block)) continue;
              naive.delete(block);
              map.pages.clearHeld(block, 1);
            }
            for (const block of map.ownBlocks()) naive.set(block, 'used');
            // What is stored is what is used, its own blocks included, and nothing that is only held.
            expect([...loaded.pages.usedExtents()]).toEqual([...map.pages.usedExtents()]);
            expect(loaded.pages.usedCount).toBe(map.pages.usedCount);
          }
          const used = [...naive]
            .flatMap(([block, aspect]) => (aspect === 'used' ? [block] : []))
            .sort((a, b) => a - b);
          const seen = [...map.pages.usedExtents()].flatMap(({ start, count }) =>
            Array.from({ length: count }, (_, i) => start + i),
          );
          expect(seen).toEqual(used);
          expect(map.availableCount).toBe(limit - naive.size);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('is read again where the volume has grown by a page of which nothing is used', () => {
    const device = new MemoryDevice();
    const pageBlocks = pageBlockCount(512);
    const map = new FreeMap(device, { blockBytes: 512, blockLimit: 200 * pageBlocks });
    map.pages.setUsed(0, 10);
    stored(device, map, 1);
    map.pages.setHeld(pageBlocks + 5, 20);
    map.pages.clearHeld(pageBlocks + 5, 20);
    const grown = stored(device, map, 2);
    expect(grown.pages.pageCount).toBe(2);
    // By so many that another level of nodes is needed.
    grown.pages.extend(150 * pageBlocks);
    const tall = stored(device, grown, 3);
    expect(tall.pages.pageCount).toBe(150);
    expect([...tall.pages.usedExtents()]).toEqual([...grown.pages.usedExtents()]);
  });

  it('is read again where storing it takes the last used blocks out of a page that it has given a place already', () => {
    const device = new MemoryDevice();
    const pageBlocks = pageBlockCount(512);
    const map = new FreeMap(device, { blockBytes: 512, blockLimit: 2 * pageBlocks });
    map.pages.extend(2 * pageBlocks);
    map.pages.setUsed(0, pageBlocks);
    // All blocks of this image lie in the second page, which has no others.
    stored(device, map, 1);
    for (const block of map.ownBlocks()) expect(map.pages.pageOf(block)).toBe(1);
    const rest = Math.max(...map.ownBlocks()) + 1;
    map.pages.setHeld(rest, 2 * pageBlocks - rest);
    map.pages.clearUsed(1, pageBlocks - 1);
    // And those of the next one in the first.
    const loaded = stored(device, map, 2);
    for (const block of map.ownBlocks()) expect(map.pages.pageOf(block)).toBe(0);
    expect(map.pages.usedCountOf(1)).toBe(0);
    expect([...loaded.pages.usedExtents()]).toEqual([...map.pages.usedExtents()]);
    const again = stored(device, loaded, 3);
    expect([...again.pages.usedExtents()]).toEqual([...loaded.pages.usedExtents()]);
    // A page that has a place and no used block gives the place back with the first image that it changes for.
    loaded.pages.setUsed(pageBlocks, 1);
    loaded.pages.clearUsed(pageBlocks, 1);
    expect([...stored(device, loaded, 4).pages.usedExtents()]).toEqual([...loaded.pages.usedExtents()]);
    expect(loaded.pages.pointers[1]!.block).toBe(NIL_BLOCK);
  });

  it('lesson 28: lays an empty volume out with rising addresses', () => {
    const map = new FreeMap(new MemoryDevice(), { blockBytes: 4096, blockLimit: 100_000 });
    let last = -1;
    for (let i = 0; i < 5000; i++) {
      const block = map.findBlock();
      map.pages.setUsed(block, 1);
      expect(block).toBe(last + 1);
      last = block;
    }
  });

  it('finds the only long run among holes, and the only hole in a full map', () => {
    const map = new FreeMap(new MemoryDevice(), { blockBytes: 512, blockLimit: 20_000 });
    map.pages.extend(20_000);
    for (let block = 0; block < 20_000; block++) {
      if (block % 2 === 0 && !(block >= 15_000 && block < 15_000 + LONG_RUN_BLOCKS)) map.pages.setUsed(block, 1);
    }
    expect(map.findExtent(1000)).toEqual({ start: 14_999, count: LONG_RUN_BLOCKS + 1 });
    const full = new FreeMap(new MemoryDevice(), { blockBytes: 512, blockLimit: 20_000 });
    full.pages.setUsed(0, 20_000);
    expect(full.findBlock()).toBe(-1);
    expect(full.findExtent(500)).toBeNull();
    full.pages.clearUsed(12_345, 1);
    expect(full.findBlock()).toBe(12_345);
  });

  it('keeps single blocks and short extents apart, and each together', () => {
    const map = new FreeMap(new MemoryDevice(), { blockBytes: 4096, blockLimit: 100_000 });
    const singles: number[] = [];
    const extents: number[] = [];
    for (let i = 0; i < LONG_RUN_BLOCKS; i++) {
      const block = map.findBlock();
      map.pages.setUsed(block, 1);
      singles.push(block);
      const extent = map.findExtent(2, i === 0 ? undefined : extents[i - 1]! + 2)!;
      map.pages.setUsed(extent.start, extent.count);
      extents.push(extent.start);
      expect(extent.count).toBe(2);
    }
    expect(singles).toEqual(singles.map((_, i) => singles[0]! + i));
    // Two claims of a run each; the one in between is the other kind's.
    expect(extents.filter((start, i) => i > 0 && start !== extents[i - 1]! + 2).length).toBeLessThanOrEqual(1);
    // What the single blocks leave behind is a long run again, and the next to be taken.
    map.pages.clearUsed(singles[0]!, LONG_RUN_BLOCKS);
    expect(map.findBlock()).toBe(singles[0]);
  });

  it('takes holes when a quarter of the space is free and no run is long', () => {
    const map = new FreeMap(new MemoryDevice(), { blockBytes: 4096, blockLimit: 100_000 });
    map.pages.setUsed(0, 16_000);
    for (let block = 0; block < 16_000; block += 3) map.pages.clearUsed(block, 1);
    for (const expected of [0, 3, 6]) {
      expect(map.findBlock()).toBe(expected);
      map.pages.setUsed(expected, 1);
    }
    expect(map.findExtent(5)).toEqual({ start: 9, count: 1 });
    // Less is not worth it: the volume grows.
    const young = new FreeMap(new MemoryDevice(), { blockBytes: 4096, blockLimit: 100_000 });
    young.pages.setUsed(0, 1000);
    for (let block = 0; block < 1000; block += 3) young.pages.clearUsed(block, 1);
    expect(young.findBlock()).toBe(1000);
  });

  it('takes holes of eight blocks before smaller ones, and the smaller ones before nothing', () => {
    const map = new FreeMap(new MemoryDevice(), { blockBytes: 4096, blockLimit: 16_000 });
    map.pages.setUsed(0, 16_000);
    const good = [4000, 9000, 9100];
    for (let block = 0; block < 16_000; block += 3) {
      if (!good.some((start) => block >= start - 1 && block <= start + 10)) map.pages.clearUsed(block, 1);
    }
    for (const start of good) map.pages.clearUsed(start, 10);
    const taken: number[] = [];
    for (let block = map.findBlock(); block !== -1; block = map.findBlock()) {
      map.pages.setUsed(block, 1);
      taken.push(block);
    }
    // The first goes on where the map is.
    expect(taken.slice(1, 31)).toEqual(good.flatMap((start) => Array.from({ length: 10 }, (_, i) => start + i)));
    expect(map.availableCount).toBe(0);
    expect(new Set(taken).size).toBe(taken.length);
  });

  it('stores a volume of several levels at the cost of what changed', () => {
    const device = new MemoryDevice();
    const pageBlocks = pageBlockCount(512);
    const fanOut = nodeFanOut(512);
    const pageCount = fanOut * fanOut + 5;
    const map = new FreeMap(device, { blockBytes: 512, blockLimit: pageCount * pageBlocks });
    map.pages.extend(pageCount * pageBlocks);
    map.pages.setUsed(0, 1);
    map.pages.setUsed((pageCount - 1) * pageBlocks + 7, 70);
    const loaded = stored(device, map, 1);
    expect([...loaded.pages.usedExtents()]).toEqual([...map.pages.usedExtents()]);
    const writtenBefore = map.pages.changed.size;
    expect(writtenBefore).toBe(0);
    map.pages.setUsed(300 * pageBlocks, 1);
    expect(map.imageBlockBound()).toBeLessThan(40);
    expect([...stored(device, map, 2).pages.usedExtents()]).toEqual([...map.pages.usedExtents()]);
  });

  it('allocates around a page that cannot be read', () => {
    const device = new MemoryDevice();
    const map = new FreeMap(device, { blockBytes: 512, blockLimit: 3 * pageBlockCount(512) });
    map.pages.extend(3 * pageBlockCount(512));
    map.pages.setUsed(5, 1);
    map.pages.setUsed(pageBlockCount(512) + 5, 1);
    const loaded = stored(device, map, 1);
    const damaged = loaded.pages.pointers[0]!.block;
    device.writeSync(damaged * 512, [new Uint8Array(512).fill(0xff)]);
    expect(loaded.findBlock()).toBeGreaterThanOrEqual(pageBlockCount(512));
    expect(loaded.pages.damage.get(0)).toMatchObject({ code: 'ECORRUPT', block: damaged });
    expect(() => loaded.pages.prefetch(3, 1)).toThrow(expect.objectContaining({ code: 'ECORRUPT' }));
  });
});

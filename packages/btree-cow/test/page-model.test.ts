/** Leaves and index nodes alone, against sorted arrays: every operation is followed by a comparison of all entries and by the node check. */
import { compareBytes } from '@outwrite/blockdev';
import { Slab } from '@outwrite/buffer-cache';
import { Random, testSeed } from '@outwrite/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IndexBuilder } from '../src/index-build.ts';
import {
  childBirth,
  childBlock,
  childChecksum,
  copySeparator,
  IndexEntry,
  indexFit,
  insertIntoIndex,
  removeFromIndex,
  replaceSeparator,
} from '../src/index-page.ts';
import { LeafBuilder } from '../src/leaf-build.ts';
import { LeafEntry } from '../src/leaf-entry.ts';
import {
  copyLeafKey,
  FITS,
  insertIntoLeaf,
  leafFit,
  leafValueLength,
  leafValueStart,
  removeFromLeaf,
  replaceInLeaf,
  TOO_FULL,
} from '../src/leaf-page.ts';
import { checkNode } from '../src/node-check.ts';
import { fitsInline, maxKeyBytes } from '../src/node-format.ts';
import { entryCount, headsOf, prefixLengthOf, writeHeader, zeroUnused } from '../src/node-header.ts';
import { childPosition, findInLeaf, searchLeaf } from '../src/page-search.ts';

const BASE = 16;

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

/** Keys that share prefixes, differ in length only, or hold zeros, so that heads and prefixes are put to the test. */
function keyArbitrary(blockSize: number): fc.Arbitrary<Uint8Array> {
  const few = fc.constantFrom(0, 0, 1, 0x61, 0x62, 0xff);
  return fc.oneof(
    fc.array(few, { minLength: 1, maxLength: 7 }).map((bytes) => Uint8Array.from(bytes)),
    fc
      .tuple(fc.constantFrom(3, 20, 40), fc.array(few, { minLength: 0, maxLength: 6 }))
      .map(([length, bytes]) => Uint8Array.from([...new Array<number>(length).fill(0x70), ...bytes])),
    fc.uint8Array({ minLength: 1, maxLength: maxKeyBytes(blockSize) }),
  );
}

interface Pair {
  key: Uint8Array;
  value: Uint8Array;
}

function readLeaf(slab: Slab, blockSize: number): Pair[] {
  const scratch = new Uint8Array(blockSize);
  const pairs: Pair[] = [];
  for (let i = 0; i < entryCount(slab, BASE); i++) {
    const keyLength = copyLeafKey(slab, BASE, blockSize, i, scratch);
    const start = leafValueStart(slab, BASE, i);
    pairs.push({
      key: scratch.slice(0, keyLength),
      value: slab.u8.slice(start, start + leafValueLength(slab, BASE, i)),
    });
  }
  return pairs;
}

function newSlab(blockSize: number): Slab {
  const slab = new Slab(BASE + blockSize + 16);
  slab.u8.fill(0xa5);
  return slab;
}

function checkLeaf(slab: Slab, blockSize: number, model: Pair[]): void {
  zeroUnused(slab, BASE, blockSize);
  const check = (): void =>
    checkNode(slab, BASE, blockSize, { block: 7, level: 0, birth: 1, isRoot: false, blockCount: 100 });
  // A leaf of which nothing is left goes from its tree, and is damage where it stands in one.
  if (model.length === 0) expect(check).toThrow('no entries');
  else check();
  expect(readLeaf(slab, blockSize)).toEqual(model);
  expect(slab.u8.subarray(0, BASE).every((byte) => byte === 0xa5)).toBe(true);
  expect(slab.u8.subarray(BASE + blockSize).every((byte) => byte === 0xa5)).toBe(true);
}

describe.each([512, 4096, 16384])('a leaf of %i bytes', (blockSize) => {
  it('equals a sorted array after every insertion, replacement, removal, split and merge', () => {
    const step = fc.record({
      key: keyArbitrary(blockSize),
      valueLength: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: blockSize >>> 2 })),
      fill: fc.integer({ min: 0, max: 255 }),
      removes: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
      ascending: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: blockSize === 512 ? 60 : 40 }), (steps) => {
        let slab = newSlab(blockSize);
        writeHeader(slab, BASE, blockSize, 0, 0, 0);
        let model: Pair[] = [];
        const entry = new LeafEntry(blockSize);
        const builder = new LeafBuilder(blockSize);
        for (const { key, valueLength, fill, removes, ascending } of steps) {
          entry.loadKey(key);
          const index = model.findIndex((pair) => compare(pair.key, key) >= 0);
          const insertAt = index < 0 ? model.length : index;
          const found = index >= 0 && compare(model[index]!.key, key) === 0;
          expect(searchLeaf(slab, BASE, blockSize, entry.key, entry.keyLength)).toBe(found ? insertAt : -1 - insertAt);
          expect(findInLeaf(slab, BASE, blockSize, entry.key, entry.keyLength)).toBe(found ? insertAt : -1);
          if (removes && found) {
            removeFromLeaf(slab, BASE, insertAt);
            model.splice(insertAt, 1);
            checkLeaf(slab, blockSize, model);
            continue;
          }
          if (!fitsInline(blockSize, key.length, valueLength)) continue;
          const value = new Uint8Array(valueLength).fill(fill);
          entry.loadValue(value);
          model = model.slice();
          if (found) model[insertAt] = { key, value };
          else model.splice(insertAt, 0, { key, value });
          const fit = leafFit(slab, BASE, blockSize, insertAt, found, entry);
          if (fit === FITS) {
            if (found) replaceInLeaf(slab, BASE, insertAt, entry);
            else insertIntoLeaf(slab, BASE, insertAt, entry);
          } else {
            builder.load(slab, BASE, insertAt, found, entry);
            if (fit !== TOO_FULL) {
              builder.build(slab, BASE, 0, builder.count);
            } else {
              const split = builder.chooseSplit(ascending);
              const right = newSlab(blockSize);
              builder.build(slab, BASE, 0, split);
              builder.build(right, BASE, split, builder.count);
              const separator = builder.separator.slice(0, builder.separatorLength);
              expect(compare(model[split - 1]!.key, separator)).toBeLessThan(0);
              expect(compare(separator, model[split]!.key)).toBeLessThanOrEqual(0);
              checkLeaf(slab, blockSize, model.slice(0, split));
              checkLeaf(right, blockSize, model.slice(split));
              // Leave out some of either half and put the rest together, if it fits.
              const leftSkip = { start: fill % split, end: fill % 3 === 0 ? fill % split : split };
              const rightEnd = model.length - split;
              const rightSkip = { start: fill % rightEnd, end: fill % 5 === 0 ? fill % rightEnd : rightEnd };
              builder.loadPair(slab, BASE, leftSkip, right, BASE, rightSkip);
              if (fill % 4 === 1 && builder.usedBytes() <= blockSize) {
                builder.build(slab, BASE, 0, builder.count);
                model = [
                  ...model.slice(0, leftSkip.start),
                  ...model.slice(leftSkip.end, split + rightSkip.start),
                  ...model.slice(split + rightSkip.end),
                ];
              } else if (fill % 2 === 0) {
                model = model.slice(0, split);
              } else {
                slab = right;
                model = model.slice(split);
              }
            }
          }
          checkLeaf(slab, blockSize, model);
        }
      }),
      { numRuns: blockSize === 512 ? 150 : blockSize === 4096 ? 60 : 25 },
    );
  });
});

describe('a page that is full to the last bytes', () => {
  it('is compacted even where a longer prefix would cost more than it saves', () => {
    const random = new Random(testSeed('full pages'));
    const blockSize = 512;
    let compactedCount = 0;
    for (let round = 0; round < 400; round++) {
      const slab = newSlab(blockSize);
      writeHeader(slab, BASE, blockSize, 0, 0, 0);
      const entry = new LeafEntry(blockSize);
      const builder = new LeafBuilder(blockSize);
      let model: Pair[] = [];
      const beginning = 'abcdef'.slice(0, random.below(6));
      for (let step = 0; step < 60; step++) {
        // One key without the common beginning comes and goes: the prefix of the page is shorter than that of its keys.
        const isStray = step % 20 === 3;
        const key = isStray ? text('z') : text(beginning + String.fromCharCode(97 + random.below(26)));
        entry.loadKey(key);
        const found = searchLeaf(slab, BASE, blockSize, entry.key, entry.keyLength);
        const position = found < 0 ? -1 - found : found;
        if (found >= 0 && (isStray || random.below(4) === 0)) {
          removeFromLeaf(slab, BASE, position);
          model = model.filter((_, i) => i !== position);
          continue;
        }
        const value = new Uint8Array(random.below(40)).fill(step);
        entry.loadValue(value);
        const fit = leafFit(slab, BASE, blockSize, position, found >= 0, entry);
        if (fit === TOO_FULL) continue;
        if (fit !== FITS) {
          compactedCount++;
          builder.load(slab, BASE, position, found >= 0, entry);
          builder.build(slab, BASE, 0, builder.count);
        } else if (found >= 0) replaceInLeaf(slab, BASE, position, entry);
        else insertIntoLeaf(slab, BASE, position, entry);
        model = model.slice();
        model.splice(position, found >= 0 ? 1 : 0, { key, value });
        zeroUnused(slab, BASE, blockSize);
        checkNode(slab, BASE, blockSize, { block: 7, level: 0, birth: 1, isRoot: false, blockCount: 100 });
      }
      checkLeaf(slab, blockSize, model);
    }
    expect(compactedCount).toBeGreaterThan(1000);
  });

  it('is taken in as a whole by an empty left neighbour', () => {
    const random = new Random(testSeed('full neighbours'));
    const blockSize = 512;
    for (let round = 0; round < 300; round++) {
      const right = newSlab(blockSize);
      writeHeader(right, BASE, blockSize, 0, 0, 0);
      const entry = new LeafEntry(blockSize);
      const model: Pair[] = [];
      const beginning = 'abcdef'.slice(0, random.below(5));
      for (let i = 0; i < 26; i++) {
        const key = text(beginning + String.fromCharCode(97 + i));
        const value = new Uint8Array(random.below(24)).fill(i);
        entry.loadKey(key);
        entry.loadValue(value);
        if (leafFit(right, BASE, blockSize, model.length, false, entry) !== FITS) continue;
        insertIntoLeaf(right, BASE, model.length, entry);
        model.push({ key, value });
      }
      const left = newSlab(blockSize);
      writeHeader(left, BASE, blockSize, 0, 0, 0);
      const none = { start: 0, end: 0 };
      const builder = new LeafBuilder(blockSize);
      builder.loadPair(left, BASE, none, right, BASE, none);
      builder.build(left, BASE, 0, builder.count);
      checkLeaf(left, blockSize, model);
    }
  });

  it('is compacted as an index node, too', () => {
    const random = new Random(testSeed('full index nodes'));
    const blockSize = 512;
    let compactedCount = 0;
    for (let round = 0; round < 400; round++) {
      const slab = newSlab(blockSize);
      writeHeader(slab, BASE, blockSize, 1, 0, 0);
      const entry = new IndexEntry(blockSize);
      const builder = new IndexBuilder(blockSize);
      entry.separatorLength = 0;
      insertIntoIndex(slab, BASE, 0, entry);
      const beginning = 'abcdef'.slice(0, random.below(6));
      for (let step = 0; step < 80; step++) {
        const tail = 'x'.repeat(random.below(3) * random.below(5));
        const separator =
          step % 20 === 3 ? text('z') : text(beginning + String.fromCharCode(97 + random.below(26)) + tail);
        entry.setSeparator(separator, separator.length);
        entry.setPointer(step, step, step);
        const position = childPosition(slab, BASE, blockSize, separator, separator.length);
        const isThere = position > 0 && compare(readIndex(slab, blockSize)[position]!.separator, separator) === 0;
        if (position > 0 && (separator[0] === 0x7a || random.below(5) === 0)) {
          removeFromIndex(slab, BASE, position);
        } else if (!isThere) {
          const fit = indexFit(slab, BASE, blockSize, position + 1, false, entry.separator, entry.separatorLength);
          if (fit === TOO_FULL) continue;
          if (fit === FITS) insertIntoIndex(slab, BASE, position + 1, entry);
          else {
            compactedCount++;
            builder.load(slab, BASE, position + 1, false, entry);
            builder.build(slab, BASE, 0, builder.count);
          }
        }
        zeroUnused(slab, BASE, blockSize);
        checkNode(slab, BASE, blockSize, { block: 7, level: 1, birth: 100, isRoot: true, blockCount: 100 });
      }
    }
    expect(compactedCount).toBeGreaterThan(500);
  });
});

interface Child {
  separator: Uint8Array;
  block: number;
  checksum: number;
  birth: number;
}

function readIndex(slab: Slab, blockSize: number): Child[] {
  const scratch = new Uint8Array(blockSize);
  const children: Child[] = [];
  for (let i = 0; i < entryCount(slab, BASE); i++) {
    const length = i === 0 ? 0 : copySeparator(slab, BASE, blockSize, i, scratch);
    children.push({
      separator: scratch.slice(0, length),
      block: childBlock(slab, BASE, i),
      checksum: childChecksum(slab, BASE, i),
      birth: childBirth(slab, BASE, i),
    });
  }
  return children;
}

const EMPTY = new Uint8Array(0);

describe.each([512, 4096])('an index node of %i bytes', (blockSize) => {
  function checkIndex(slab: Slab, model: Child[]): void {
    zeroUnused(slab, BASE, blockSize);
    checkNode(slab, BASE, blockSize, { block: 7, level: 1, birth: 2 ** 48 - 1, isRoot: true, blockCount: 0xf0000000 });
    expect(readIndex(slab, blockSize)).toEqual(model);
    expect(slab.u8.subarray(0, BASE).every((byte) => byte === 0xa5)).toBe(true);
    expect(slab.u8.subarray(BASE + blockSize).every((byte) => byte === 0xa5)).toBe(true);
  }

  it('equals a sorted array after every insertion, replacement of a separator, removal, split and merge', () => {
    const step = fc.record({
      separator: keyArbitrary(blockSize),
      birth: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      block: fc.integer({ min: 0, max: 0xf0000000 - 1 }),
      action: fc.integer({ min: 0, max: 7 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: blockSize === 512 ? 60 : 200 }), (steps) => {
        let slab = newSlab(blockSize);
        writeHeader(slab, BASE, blockSize, 1, 0, 0);
        let model: Child[] = [];
        const entry = new IndexEntry(blockSize);
        const builder = new IndexBuilder(blockSize);
        for (const { separator, birth, block, action } of steps) {
          entry.setSeparator(separator, separator.length);
          entry.setPointer(block, block ^ 0x5555, birth);
          if (entry.checksum < 0) entry.checksum += 0x100000000;
          const pointer = { block, checksum: entry.checksum, birth };
          if (model.length === 0) {
            entry.separatorLength = 0;
            insertIntoIndex(slab, BASE, 0, entry);
            model = [{ separator: EMPTY, ...pointer }];
            checkIndex(slab, model);
            continue;
          }
          let position = 0;
          while (position + 1 < model.length && compare(model[position + 1]!.separator, separator) <= 0) position++;
          expect(childPosition(slab, BASE, blockSize, separator, separator.length)).toBe(position);
          const found = position > 0 && compare(model[position]!.separator, separator) === 0;
          if (action === 0) {
            removeFromIndex(slab, BASE, position);
            model = model.filter((_, i) => i !== position);
            if (model.length > 0) model[0] = { ...model[0]!, separator: EMPTY };
            checkIndex(slab, model);
            continue;
          }
          if (found) continue;
          // A separator between its neighbours may take the place of the one before it.
          const replaces = action === 1 && position > 0;
          const at = replaces ? position : position + 1;
          if (replaces) entry.copyPointer(slab, BASE, at);
          const fit = indexFit(slab, BASE, blockSize, at, replaces, entry.separator, entry.separatorLength);
          model = model.slice();
          if (replaces) model[at] = { ...model[at]!, separator };
          else model.splice(at, 0, { separator, ...pointer });
          if (fit === FITS) {
            if (replaces) replaceSeparator(slab, BASE, at, entry);
            else insertIntoIndex(slab, BASE, at, entry);
          } else {
            builder.load(slab, BASE, at, replaces, entry);
            if (fit !== TOO_FULL) {
              builder.build(slab, BASE, 0, builder.count);
            } else {
              const split = builder.chooseSplit(action === 2);
              const right = newSlab(blockSize);
              builder.build(slab, BASE, 0, split);
              builder.build(right, BASE, split, builder.count);
              const promoted = builder.separator.slice(0, builder.separatorLength);
              expect(promoted).toEqual(model[split]!.separator);
              checkIndex(slab, model.slice(0, split));
              const rightModel = model.slice(split);
              rightModel[0] = { ...rightModel[0]!, separator: EMPTY };
              checkIndex(right, rightModel);
              if (action === 3) {
                const middle = new IndexEntry(blockSize);
                middle.setSeparator(promoted, promoted.length);
                middle.copyPointer(right, BASE, 0);
                builder.loadPair(slab, BASE, right, BASE, middle);
                if (builder.usedBytes() <= blockSize) {
                  builder.build(slab, BASE, 0, builder.count);
                  checkIndex(slab, model);
                  continue;
                }
              }
              if (block % 2 === 0) {
                model = model.slice(0, split);
              } else {
                slab = right;
                model = rightModel;
              }
            }
          }
          checkIndex(slab, model);
        }
      }),
      { numRuns: blockSize === 512 ? 200 : 40 },
    );
  });

  it('that grows from one separator has the prefix that all of them share, so that their heads tell them apart', () => {
    const slab = newSlab(blockSize);
    writeHeader(slab, BASE, blockSize, 1, 0, 0);
    const entry = new IndexEntry(blockSize);
    const builder = new IndexBuilder(blockSize);
    for (let i = 0; i < 12; i++) {
      const separator = text(`shared/beginning/${String.fromCharCode(97 + i)}`);
      entry.setSeparator(separator, i === 0 ? 0 : separator.length);
      entry.setPointer(i, i, i);
      const fit = indexFit(slab, BASE, blockSize, i, false, entry.separator, entry.separatorLength);
      if (fit === FITS) {
        insertIntoIndex(slab, BASE, i, entry);
      } else {
        builder.load(slab, BASE, i, false, entry);
        builder.build(slab, BASE, 0, builder.count);
      }
      expect(prefixLengthOf(slab, BASE)).toBe(i < 2 ? 0 : 'shared/beginning/'.length);
    }
    for (let i = 2; i < 12; i++) {
      expect(slab.u32[headsOf(BASE) + i]).toBeGreaterThan(slab.u32[headsOf(BASE) + i - 1]!);
    }
  });
});

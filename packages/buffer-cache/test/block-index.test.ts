/** The two hashes against Maps, with keys chosen to collide and to sit at the borders of their ranges. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockIndex } from '../src/block-index.ts';
import { NO_FRAME } from '../src/frame-table.ts';
import { PageIndex } from '../src/page-index.ts';

/** Multiples of these share their place in a small table. */
const strides = [1, 2 ** 10, 2 ** 22];
const blockNumber = fc.oneof(
  fc.tuple(fc.nat(40), fc.constantFrom(...strides)).map(([i, stride]) => i * stride),
  fc.nat(200).map((i) => 0xf0000000 + i),
  fc.nat(3).map((i) => 0xfffffffe - i),
);
const blockIndex = fc.oneof(
  fc.nat(60),
  fc.nat(30).map((i) => i * 2 ** 32),
  fc.nat(30).map((i) => 2 ** 48 - 1 - i),
  fc.tuple(fc.nat(10), fc.nat(10)).map(([i, j]) => i * 2 ** 20 + j * 2 ** 40),
);

describe('block index', () => {
  test('agrees with a Map after every step', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(blockNumber, fc.boolean()), { maxLength: 300, size: 'max' }), (steps) => {
        const index = new BlockIndex();
        const model = new Map<number, number>();
        let frame = 0;
        for (const [number, removes] of steps) {
          if (removes && model.delete(number)) index.remove(number);
          else if (!model.has(number)) {
            index.insert(number, ++frame);
            model.set(number, frame);
          }
          expect(index.find(number)).toBe(model.get(number) ?? NO_FRAME);
          expect(index.count).toBe(model.size);
        }
        index.checkInvariants();
        for (const [number, expected] of model) expect(index.find(number)).toBe(expected);
      }),
      { numRuns: 200 },
    );
  });

  test('grows, and empties without a trace', () => {
    const index = new BlockIndex();
    for (let number = 0; number < 50_000; number++) index.insert(number * 3, number);
    index.checkInvariants();
    for (let number = 0; number < 50_000; number++) index.remove(number * 3);
    expect(index.count).toBe(0);
    index.checkInvariants();
    expect(index.find(3)).toBe(NO_FRAME);
  });

  test('maps a number once, and removes only what is there', () => {
    const index = new BlockIndex();
    index.insert(5, 1);
    expect(() => index.insert(5, 2)).toThrow('mapped once');
    expect(() => index.remove(6)).toThrow('unmapped');
    expect(() => index.insert(0xffffffff, 2)).toThrow('NIL');
    index.checkInvariants();
  });
});

describe('page index', () => {
  test('agrees with a Map after every step, ranges included', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(blockIndex, fc.nat(9)), { maxLength: 200, size: 'max' }), (steps) => {
        const index = new PageIndex();
        const model = new Map<number, number>();
        let frame = 0;
        for (const [key, act] of steps) {
          if (act < 3 && model.delete(key)) index.remove(key);
          else if (act < 8 && !model.has(key)) {
            index.insert(key, ++frame);
            model.set(key, frame);
          } else if (act === 8 && model.has(key)) {
            index.replace(key, ++frame);
            model.set(key, frame);
          } else if (act === 9) {
            const expected = [...model].filter(([at]) => at >= key).map(([, found]) => found);
            expect(index.framesFrom(key).sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
          }
          expect(index.find(key)).toBe(model.get(key) ?? NO_FRAME);
          expect(index.count).toBe(model.size);
        }
        index.checkInvariants();
        for (const [key, expected] of model) expect(index.find(key)).toBe(expected);
      }),
      { numRuns: 200 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  INTEGER_KEYS,
  PATH_KEYS,
  Permutation,
  RandomIndexes,
  VALUE_BYTES,
  ValueSource,
} from '../src/workloads/key-data.ts';

describe('keys', () => {
  for (const shape of [INTEGER_KEYS, PATH_KEYS]) {
    it(`${shape.name}: ascend with the index and are all different`, () => {
      const index = fc.integer({ min: 0, max: 99_999_999 });
      fc.assert(
        fc.property(index, index, (a, b) => {
          const [keyA, keyB] = [Buffer.alloc(shape.keyBytes), Buffer.alloc(shape.keyBytes)];
          shape.write(a, keyA);
          shape.write(b, keyB);
          expect(Math.sign(keyA.compare(keyB))).toBe(Math.sign(a - b));
        }),
      );
    });
  }

  it('path keys look like paths', () => {
    const key = Buffer.alloc(PATH_KEYS.keyBytes);
    PATH_KEYS.write(123_456_789, key);
    expect(key.toString()).toBe('/srv/project-123/src/module-45/f-6789.ts');
    expect(key.length).toBe(40);
  });
});

describe('orders', () => {
  it('a permutation visits every index once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 0, max: 1_000 }), (count, seed) => {
        const order = new Permutation(count, seed);
        const seen = new Set(Array.from({ length: count }, (_, i) => order.at(i)));
        expect(seen.size).toBe(count);
        expect(Math.max(...seen)).toBe(count - 1);
      }),
      { numRuns: 50 },
    );
  });

  it('a permutation of many has no pattern of neighbours', () => {
    const count = 100_000;
    const order = new Permutation(count, 11);
    let near = 0;
    for (let i = 1; i < count; i++) if (Math.abs(order.at(i) - order.at(i - 1)) < count / 100) near++;
    // Two random places are that near with a chance of 2 in 100.
    expect(near / count).toBeGreaterThan(0.015);
    expect(near / count).toBeLessThan(0.025);
  });

  it('random indexes cover the range evenly', () => {
    const indexes = new RandomIndexes(10, 5);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[indexes.next()]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('values', () => {
  it('differ by index and by version, and are the same each time', () => {
    const source = new ValueSource();
    const seen = new Set<string>();
    for (let index = 0; index < 100; index++) {
      for (let version = 0; version < 3; version++) {
        source.fill(index, version);
        seen.add(source.bytes.toString('hex'));
      }
    }
    expect(seen.size).toBe(300);
    expect(source.bytes.length).toBe(VALUE_BYTES);
    source.fill(5, 1);
    expect(seen.has(source.bytes.toString('hex'))).toBe(true);
  });
});

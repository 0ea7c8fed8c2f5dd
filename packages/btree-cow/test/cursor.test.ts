/** Cursors against a sorted array, in both directions, while the tree is changed under them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cursor, Tree } from '../src/index.ts';
import { auditStore, compare, formatInMemory, ModelTree, text } from './store-audit.ts';

/** What a cursor must do: a place in a sorted array, kept by key. */
class ModelCursor {
  readonly model: ModelTree;
  place: 'before' | 'at' | 'after' = 'before';
  key: Uint8Array = new Uint8Array(0);

  constructor(model: ModelTree) {
    this.model = model;
  }

  get valid(): boolean {
    return this.place === 'at' && this.model.get(this.key) !== undefined;
  }

  #go(index: number): boolean {
    const { pairs } = this.model;
    if (index < 0) this.place = 'before';
    else if (index >= pairs.length) this.place = 'after';
    else {
      this.place = 'at';
      this.key = pairs[index]!.key;
      return true;
    }
    return false;
  }

  first(): boolean {
    return this.#go(this.model.pairs.length === 0 ? Number.POSITIVE_INFINITY : 0);
  }

  last(): boolean {
    return this.#go(this.model.pairs.length - 1);
  }

  seek(key: Uint8Array): boolean {
    this.#go(this.model.indexOf(key));
    return this.valid && compare(this.key, key) === 0;
  }

  seekBefore(key: Uint8Array): boolean {
    return this.#go(this.model.indexOf(key) - 1);
  }

  next(): boolean {
    if (this.place === 'after') return false;
    if (this.place === 'before') return this.first();
    return this.#go(this.model.indexOf(this.key) + (this.valid ? 1 : 0));
  }

  previous(): boolean {
    if (this.place === 'before') return false;
    if (this.place === 'after') return this.last();
    return this.#go(this.model.indexOf(this.key) - 1);
  }
}

/** An empty tree in a cache of so many blocks, its model, and puts to both. */
function modelledTree(cacheBlocks: number) {
  const { store } = formatInMemory({ blockSize: 512, cacheBytes: 512 * cacheBlocks });
  const tree = store.createTree();
  const model = new ModelTree();
  const put = (k: Uint8Array, length: number): void => {
    const value = new Uint8Array(length).fill(length);
    tree.put(k, value);
    model.put(k, value);
  };
  return { store, tree, model, put };
}

function expectSame(cursor: Cursor, expected: ModelCursor): void {
  expect(cursor.valid).toBe(expected.valid);
  if (expected.place !== 'at') {
    expect(() => cursor.key()).toThrow(RangeError);
    return;
  }
  expect(cursor.key()).toEqual(expected.key);
  expect(cursor.keyLength).toBe(expected.key.length);
  if (expected.valid) {
    const value = expected.model.get(expected.key)!;
    expect(cursor.value()).toEqual(value);
    expect(cursor.valueView()).toEqual(value);
    const place = { bytes: value, start: 0, length: 0 };
    cursor.locateValue(place);
    expect(place.bytes.subarray(place.start, place.start + place.length)).toEqual(value);
    expect(cursor.valueLength).toBe(value.length);
  } else {
    expect(() => cursor.value()).toThrow(RangeError);
  }
}

const key = fc
  .tuple(fc.nat(120), fc.boolean())
  .map(([n, long]) => text(`${n}`.padStart(3, '0') + (long ? '/'.repeat(50) : '')));
const move = fc.constantFrom('next', 'previous', 'next', 'previous', 'first', 'last') as fc.Arbitrary<
  'next' | 'previous' | 'first' | 'last'
>;
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ type: fc.constant('move' as const), which: fc.nat(1), move }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('seek' as const), which: fc.nat(1), key, before: fc.boolean() }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('put' as const), key, length: fc.oneof(fc.nat(60), fc.nat(2000)) }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('deleteHere' as const), which: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'commit' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'checkpoint' as const }) },
);

describe('a cursor', () => {
  it('stays right across insertions, removals, splits, merges, commits and checkpoints', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 120 }),
        fc.array(step, { maxLength: 80, size: 'max' }),
        (initial, steps) => {
          const { store, tree, model, put } = modelledTree(64);
          for (let i = 0; i < initial; i++) put(text(`${i}`.padStart(3, '0')), i % 40);
          const cursors = [tree.cursor(), tree.cursor()];
          const models = [new ModelCursor(model), new ModelCursor(model)];
          for (const current of steps) {
            switch (current.type) {
              case 'move':
                expect(cursors[current.which]![current.move]()).toBe(models[current.which]![current.move]());
                break;
              case 'seek':
                if (current.before) {
                  expect(cursors[current.which]!.seekBefore(current.key)).toBe(
                    models[current.which]!.seekBefore(current.key),
                  );
                } else {
                  expect(cursors[current.which]!.seek(current.key)).toBe(models[current.which]!.seek(current.key));
                }
                break;
              case 'put':
                put(current.key, current.length);
                break;
              case 'delete':
                expect(tree.delete(current.key)).toBe(model.delete(current.key));
                break;
              case 'deleteHere':
                if (models[current.which]!.valid) {
                  tree.delete(models[current.which]!.key);
                  model.delete(models[current.which]!.key);
                }
                break;
              case 'commit':
                store.commitSync();
                break;
              default:
                store.checkpointSync();
            }
            cursors.forEach((cursor, i) => {
              expectSame(cursor, models[i]!);
            });
          }
          auditStore(store);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('visits what a loop of steps finds, whatever the visitor does meanwhile', () => {
    const deed = fc.oneof(
      { weight: 6, arbitrary: fc.constant({ type: 'nothing' as const }) },
      { weight: 1, arbitrary: fc.constant({ type: 'deleteHere' as const }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('put' as const), key, length: fc.nat(150) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('look' as const), key }) },
      { weight: 1, arbitrary: fc.constant({ type: 'step' as const }) },
      { weight: 1, arbitrary: fc.constant({ type: 'checkpoint' as const }) },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 120 }),
        fc.option(key),
        fc.integer({ min: 1, max: 200 }),
        fc.array(deed, { minLength: 1, maxLength: 60, size: 'max' }),
        (initial, from, limit, deeds) => {
          // So few frames that looking elsewhere evicts the leaf that is being visited.
          const { store, tree, model, put } = modelledTree(16);
          for (let i = 0; i < initial; i++) put(text(`${i}`.padStart(3, '0')), i % 7 === 0 ? 700 : i % 40);
          const cursor = tree.cursor();
          const expected = new ModelCursor(model);
          if (from !== null) {
            cursor.seek(from);
            expected.seek(from);
          }
          let shown = 0;
          let hasMore = expected.valid || expected.next();
          const count = cursor.visitForward((k, keyLength, bytes, start, length) => {
            expect(hasMore).toBe(true);
            expect(k.slice(0, keyLength)).toEqual(expected.key);
            expect(bytes.slice(start, start + length)).toEqual(model.get(expected.key));
            expectSame(cursor, expected);
            if (++shown === limit) return false;
            const current = deeds[shown % deeds.length]!;
            switch (current.type) {
              case 'deleteHere':
                tree.delete(expected.key);
                model.delete(expected.key);
                break;
              case 'put':
                put(current.key, current.length);
                break;
              case 'delete':
                expect(tree.delete(current.key)).toBe(model.delete(current.key));
                break;
              case 'look':
                expect(tree.get(current.key)).toEqual(model.get(current.key));
                for (const value of tree.values({ limit: 40 })) expect(value.length).toBeLessThan(2000);
                break;
              case 'step':
                expect(cursor.next()).toBe(expected.next());
                break;
              case 'checkpoint':
                store.checkpointSync();
                break;
            }
            hasMore = expected.next();
            return;
          });
          expect(count).toBe(shown);
          if (shown < limit) expect(hasMore).toBe(false);
          expectSame(cursor, expected);
          auditStore(store);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('walks ranges in both directions with every kind of bound', () => {
    const { store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    const numbers = Array.from({ length: 300 }, (_, i) => i * 2);
    for (const number of numbers) tree.put(text(String(number).padStart(4, '0')), text(String(number)));
    const at = (number: number): Uint8Array => text(String(number).padStart(4, '0'));
    const shown = (range: Parameters<Tree['entries']>[0]): number[] =>
      [...tree.values(range)].map((v) => Number(new TextDecoder().decode(v)));
    for (const low of [-1, 0, 1, 200, 201, 598, 599, 700]) {
      for (const high of [0, 1, 200, 299, 300, 598, 599, 800]) {
        for (const lowerIn of [true, false]) {
          for (const upperIn of [true, false]) {
            for (const reverse of [true, false]) {
              const range = {
                ...(low < 0 ? {} : lowerIn ? { gte: at(low) } : { gt: at(low) }),
                ...(upperIn ? { lte: at(high) } : { lt: at(high) }),
                reverse,
              };
              const expected = numbers.filter(
                (n) => (low < 0 || (lowerIn ? n >= low : n > low)) && (upperIn ? n <= high : n < high),
              );
              expect(shown(range)).toEqual(reverse ? expected.reverse() : expected);
            }
          }
        }
      }
    }
    expect(shown({ gte: at(100), limit: 3 })).toEqual([100, 102, 104]);
    expect(shown({ limit: 0 })).toEqual([]);
    expect([...tree.keys({ reverse: true, limit: 1 })]).toEqual([at(598)]);
    expect(() => [...tree.entries({ gt: at(1), gte: at(1) })]).toThrow(TypeError);
    expect(() => [...tree.entries({ limit: -1 })]).toThrow(RangeError);
  });

  it('an iterator that was left or has thrown is over', () => {
    const { store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    for (let i = 0; i < 10; i++) tree.put(text(String(i)), text('x'));
    const left = tree.keys();
    for (const found of left) if (found[0] === 0x33) break;
    expect(left.next()).toEqual({ done: true, value: undefined });
    const thrown = tree.entries();
    thrown.next();
    store.dropTree(tree.id);
    expect(() => thrown.next()).toThrow();
    expect(thrown.next()).toEqual({ done: true, value: undefined });
    expect([...thrown]).toEqual([]);
  });

  it('an iterator goes on over a tree that is changed meanwhile', () => {
    const { store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    for (let i = 0; i < 200; i++) tree.put(text(String(i).padStart(4, '0')), text('x'));
    const seen: string[] = [];
    for (const found of tree.keys()) {
      const number = Number(new TextDecoder().decode(found));
      seen.push(String(number));
      if (number % 2 === 0) tree.delete(found);
      if (number < 100) tree.put(text(String(number + 1000).padStart(4, '0')), new Uint8Array(100));
      if (number % 50 === 0) store.checkpointSync();
    }
    expect(seen.length).toBe(300);
    expect([...tree.keys()].length).toBe(150);
  });
});

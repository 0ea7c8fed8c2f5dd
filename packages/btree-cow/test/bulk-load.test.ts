/** Loading in order: content, fill, order of blocks, interruption by commits and by other users of the tree, refusal of what does not ascend. */
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import type { Tree, TreeStore } from '../src/index.ts';
import { auditStore, expectEqual, formatInMemory, ModelTree, openCopy, text } from './store-audit.ts';

const key = (n: number): Uint8Array => text(String(n).padStart(7, '0'));

function leafCount(store: TreeStore, tree: Tree): number {
  let count = 0;
  store.check({
    block: (_start, _count, kind, treeId) => void (kind === 'leaf' && treeId === tree.id && count++),
    problem(error) {
      throw error;
    },
  });
  return count;
}

describe('a bulk load', () => {
  it.each([512, 4096])('fills leaves to about 95 percent (blocks of %i bytes)', (blockSize) => {
    const { store } = formatInMemory({ blockSize, cacheBytes: blockSize * 4096 });
    const tree = store.createTree();
    const count = 20_000;
    const value = new Uint8Array(20);
    expect(
      tree.bulkLoad(
        (function* () {
          for (let i = 0; i < count; i++) yield [key(i), value] as const;
        })(),
      ),
    ).toBe(count);
    // Directory 6, cell 4 + 20; there are no tails, because the prefix of a leaf is long.
    const fill = (count * 30) / (leafCount(store, tree) * blockSize);
    expect(fill).toBeGreaterThan(0.86);
    expect(fill).toBeLessThan(0.96);
    auditStore(store);
    // Puts in ascending order leave full leaves behind, too.
    const other = store.createTree();
    for (let i = 0; i < count; i++) other.put(key(i), value);
    expect((count * 30) / (leafCount(store, other) * blockSize)).toBeGreaterThan(0.9);
  });

  it('and puts in ascending order store what long keys share once a leaf', () => {
    const { store } = formatInMemory({ blockSize: 4096 });
    const path = (i: number): Uint8Array =>
      text(`/a/directory/with/a/rather/long/name/of/64/bytes/or/so/${10_000 + i}`);
    const loaded = store.createTree();
    loaded.bulkLoad(Array.from({ length: 3000 }, (_, i) => [path(i), text('v')] as const));
    const ascending = store.createTree();
    for (let i = 0; i < 3000; i++) ascending.put(path(i), text('v'));
    // 59 bytes of key each would take 60 leaves; one is spent in all, the rest holds directory, cell header and value.
    expect(leafCount(store, loaded)).toBeLessThan(20);
    expect(leafCount(store, ascending)).toBeLessThan(20);
  });

  it('of small and large values is interrupted by commits and by others, and equals a sorted array', () => {
    const random = new Random(testSeed('bulk load'));
    const { device, store } = formatInMemory({ blockSize: 512, cacheBytes: 512 * 64, bounds: { dirtyBlocks: 40 } });
    const tree = store.createTree();
    const model = new ModelTree();
    for (let part = 0; part < 4; part++) {
      const entries = function* (): Generator<[Uint8Array, Uint8Array]> {
        for (let i = 0; i < 500; i++) {
          const pair: [Uint8Array, Uint8Array] = [
            key(part * 10_000 + i * 3),
            new Uint8Array(random.chance(0.05) ? 1200 : random.below(60)).fill(i),
          ];
          model.put(...pair);
          yield pair;
          if (random.chance(0.02)) store.commitSync();
          if (random.chance(0.01)) store.checkpointSync();
          if (random.chance(0.02)) {
            tree.put(key(random.below(part * 10_000 + 1)), text('by somebody else'));
          }
        }
      };
      const expected = model;
      tree.bulkLoad(entries());
      for (const [k, v] of tree.entries()) if (v.length === 16 && v[0] === 98) expected.put(k, v);
      expectEqual(tree, expected);
      auditStore(store);
    }
    store.commitSync();
    expectEqual(openCopy(device).tree(tree.id), model);
  });

  it('refuses what does not ascend, and keeps what came before', () => {
    const { store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    tree.put(key(50), text('v'));
    expect(() => tree.bulkLoad([[key(50), text('v')]])).toThrow(RangeError);
    expect(() =>
      tree.bulkLoad([
        [key(60), text('v')],
        [key(61), text('v')],
        [key(61), text('v')],
      ]),
    ).toThrow(RangeError);
    expect(() => tree.bulkLoad([[new Uint8Array(0), text('v')]])).toThrow(RangeError);
    expect(() => tree.bulkLoad([[key(70), 'v' as never]])).toThrow(TypeError);
    expect([...tree.keys()]).toEqual([key(50), key(60), key(61)]);
    expect(tree.bulkLoad([])).toBe(0);
  });
});

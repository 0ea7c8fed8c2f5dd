/**
 * Longer runs over taller trees: growing and shrinking phases, commits and checkpoints in between, reopening; long keys make nodes of few
 * entries and trees of many levels. Compared with a sorted array, with all space accounted for.
 */
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { auditStore, expectEqual, formatInMemory, ModelTree, openCopy, text } from './store-audit.ts';

const seed = testSeed('tree-stress');

const KEYS: Record<string, (number: number) => Uint8Array> = {
  short: (number) => text(number.toString(36)),
  path: (number) => text(`/home/user/${number % 3 === 0 ? 'documents' : 'pictures'}/${number}`),
  long: (number) =>
    text(
      number
        .toString(2)
        .padStart(100, 'z')
        .slice(-(30 + (number % 70))),
    ),
  // Groups that share a long beginning with nobody else: separators within a group are long, and no prefix shortens them.
  groups: (number) => {
    const beginning = new Random(number >>> 3);
    const bytes = Uint8Array.from({ length: 100 }, () => 0x61 + beginning.below(26));
    return Uint8Array.from([...bytes, 0x30 + (number & 7)]);
  },
  full: (number) => text(String(number).padStart(6, '0').repeat(22).slice(0, 128)),
};

// The last figure is a height that every seed reaches; most reach one level more.
describe.each([
  [512, 'short', 2],
  [512, 'path', 2],
  [512, 'long', 2],
  [512, 'full', 2],
  [512, 'groups', 3],
  [4096, 'groups', 1],
] as const)('blocks of %i bytes, %s keys', (blockSize, kind, minHeight) => {
  it('grows, shrinks, reopens and empties', () => {
    const random = new Random(seed);
    const makeKey = KEYS[kind]!;
    let { device, store } = formatInMemory({ blockSize, cacheBytes: blockSize * 256 });
    let tree = store.createTree();
    const { id } = tree;
    const model = new ModelTree();
    let height = 0;
    for (let phase = 0; phase < 6; phase++) {
      const putPercent = phase % 3 === 2 ? 10 : 85;
      for (let i = 0; i < 900; i++) {
        if (random.below(100) < putPercent) {
          const key = makeKey(random.below(2500));
          const value = new Uint8Array(random.below(40) === 0 ? random.below(blockSize * 4) : random.below(40)).fill(i);
          tree.put(key, value);
          model.put(key, value);
        } else if (model.pairs.length > 0) {
          const { key } = model.pairs[random.below(model.pairs.length)]!;
          expect(tree.delete(key)).toBe(true);
          model.delete(key);
        }
        if (i % 197 === 0) store.checkInvariants();
        height = Math.max(height, tree.height);
        if (i % 211 === 0) store.commitSync();
        if (i % 613 === 0) store.checkpointSync();
      }
      if (phase % 2 === 1 && model.pairs.length > 0) {
        const from = model.pairs[random.below(model.pairs.length)]!.key;
        const to = model.pairs[random.below(model.pairs.length)]!.key;
        expect(tree.deleteRange(from, to)).toBe(model.deleteRange(from, to));
      }
      expectEqual(tree, model);
      auditStore(store);
      store.commitSync();
      const reopened = openCopy(device);
      expectEqual(reopened.tree(id), model);
      auditStore(reopened);
      if (phase % 2 === 1) {
        store = reopened;
        device = reopened.log.device as typeof device;
        tree = store.tree(id);
      }
    }
    expect(height).toBeGreaterThanOrEqual(minHeight);
    expect(tree.deleteRange(null, null)).toBe(model.pairs.length);
    model.pairs = [];
    auditStore(store);
    store.commitSync();
    expectEqual(openCopy(device).tree(id), model);
  });
});

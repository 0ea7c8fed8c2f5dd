/**
 * Opening for repair with nodes that cannot be read: what is found is what was there last, never an older version of it; what is missing
 * lies in the ranges that are told; and every node can be read afterwards, in memory as after a writable opening.
 */
import { AllocLog, readSlots } from '@outwrite/alloc-log';
import { MemoryDevice } from '@outwrite/blockdev';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type LostRange, type Tree, TreeStore } from '../src/index.ts';
import { putValue } from '../src/leaf-put.ts';
import { StoreClient } from '../src/store-client.ts';

const BLOCK = 512;
const repair = { blocksOf: () => null };

class LastingDevice extends MemoryDevice {
  override closeSync(): void {}
}

function lasting(image: Uint8Array): LastingDevice {
  const device = new LastingDevice({ sizeBytes: image.length, maxSizeBytes: 64 << 20 });
  device.writeSync(0, [image]);
  return device;
}

const keyOf = (n: number): Uint8Array => new TextEncoder().encode(`key/${String(n * 7).padStart(6, '0')}`);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

interface Worked {
  readonly image: Uint8Array;
  /** By tree, what its entries were last. */
  readonly models: Map<string, Uint8Array>[];
  /** Index nodes of the last checkpoint, and leaves that it or the log leads to. */
  readonly nodes: { readonly block: number; readonly kind: string; readonly treeId: number }[];
}

/** Two trees (and one for the last delta): a checkpoint, and a log of changes to them, among them ranges that go and come back. */
function work(random: Random): Worked {
  const device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  const store = TreeStore.format(device, { blockSize: BLOCK, bounds: { zeroAheadBytes: 0 } });
  const trees = [store.createTree(), store.createTree(), store.createTree()];
  const models = trees.map(() => new Map<string, Uint8Array>());
  const put = (which: number, n: number): void => {
    const value = random.bytes(random.chance(0.02) ? 1500 : random.below(60));
    trees[which]!.put(keyOf(n), value);
    models[which]!.set(textOf(keyOf(n)), value);
  };
  for (let n = 0; n < 900; n++) put(random.below(2), n);
  store.checkpointSync();
  const nodes: Worked['nodes'][number][] = [];
  const note = (wanted: string): void => {
    store.check({
      block: (block, _count, kind, treeId) => {
        if (treeId > 0 && kind === wanted) nodes.push({ block, kind, treeId });
      },
      problem(error) {
        throw error;
      },
    });
  };
  note('index');
  for (let delta = 0; delta < 6; delta++) {
    const which = random.below(2);
    if (random.chance(0.5)) {
      const from = random.below(900);
      const to = from + random.below(250);
      trees[which]!.deleteRange(keyOf(from), keyOf(to));
      for (let n = from; n < to; n++) models[which]!.delete(textOf(keyOf(n)));
    }
    const near = random.below(900);
    for (let i = random.below(60); i > 0; i--) put(which, near + random.below(80));
    store.commitSync();
  }
  // Index nodes of the checkpoint are where they were, blocks of its leaves may hold something else by now.
  note('leaf');
  // Damage to the very last delta looks like a torn end: that one is elsewhere.
  put(2, 1);
  store.commitSync();
  return { image: device.snapshot(), models, nodes };
}

function isLost(lost: readonly LostRange[], treeId: number, key: Uint8Array): boolean {
  return lost.some(
    (range) =>
      range.treeId === treeId &&
      Buffer.compare(key, range.from) >= 0 &&
      (range.to === null || Buffer.compare(key, range.to) < 0),
  );
}

function expectNothingStale(tree: Tree, lost: readonly LostRange[], model: ReadonlyMap<string, Uint8Array>): number {
  const found = new Set<string>();
  for (const [key, value] of tree.entries()) {
    const text = textOf(key);
    found.add(text);
    expect(model.has(text), `${text} was deleted`).toBe(true);
    expect(Buffer.compare(model.get(text)!, value), `value of ${text}`).toBe(0);
  }
  for (const text of model.keys()) {
    if (!found.has(text)) expect(isLost(lost, tree.id, Buffer.from(text, 'latin1')), `${text} is missing`).toBe(true);
  }
  return found.size;
}

describe('an opening for repair', () => {
  it('finds what was there last, and nothing older, whichever nodes cannot be read', () => {
    const seed = testSeed('salvage');
    let lostCount = 0;
    for (let round = 0; round < 12; round++) {
      const random = new Random(seed).derive(round);
      const { image, models, nodes } = work(random);
      const indexes = nodes.filter(({ kind }) => kind === 'index');
      expect(indexes.length).toBeGreaterThan(4);
      for (let trial = 0; trial < 8; trial++) {
        const damaged = image.slice();
        for (let i = random.between(1, 4); i > 0; i--) {
          const { block } = random.pick(random.chance(0.7) ? indexes : nodes);
          damaged[block * BLOCK + 16 + random.below(400)]! ^= 1 + random.below(255);
        }
        const device = lasting(damaged);
        const reader = TreeStore.open(device, { readOnly: true, repair });
        let count = 0;
        reader.treeIds().forEach((id, which) => {
          count += expectNothingStale(reader.tree(id), reader.salvaged, models[which]!);
        });
        expect(Buffer.compare(device.snapshot(), damaged)).toBe(0);
        reader.checkInvariants();
        lostCount += reader.salvaged.length;
        // The same once more, for good.
        const writer = TreeStore.open(device, { repair });
        expect(writer.salvaged.map(({ from, to }) => [from, to])).toEqual(
          reader.salvaged.map(({ from, to }) => [from, to]),
        );
        writer.checkInvariants();
        writer.closeSync();
        const after = TreeStore.open(device);
        expect(after.salvaged).toEqual([]);
        let countAfter = 0;
        after.treeIds().forEach((id, which) => {
          countAfter += expectNothingStale(after.tree(id), reader.salvaged, models[which]!);
        });
        expect(countAfter).toBe(count);
        for (const id of after.treeIds())
          for (let n = 0; n < 50; n++) after.tree(id).put(keyOf(n * 31), new Uint8Array(40));
        after.checkpointSync();
        after.checkInvariants();
      }
    }
    expect(lostCount).toBeGreaterThan(50);
  });

  it('makes its edits together with what it salvages, or not at all', () => {
    const random = new Random(testSeed('salvage edits'));
    const { image } = work(random);
    const device = lasting(image);
    const edits = [
      { treeId: 1, key: keyOf(3), value: new Uint8Array([1, 2, 3]) },
      { treeId: 1, key: keyOf(4), value: null },
      { treeId: 99, key: keyOf(4), value: null },
      { treeId: 2, key: keyOf(5), value: random.bytes(3000) },
    ];
    TreeStore.open(device, { repair: { ...repair, edits } }).closeSync();
    const store = TreeStore.open(device, { readOnly: true });
    expect(store.tree(1).get(keyOf(3))).toEqual(new Uint8Array([1, 2, 3]));
    expect(store.tree(1).get(keyOf(4))).toBeUndefined();
    expect(store.tree(2).get(keyOf(5))).toEqual(edits[3]!.value);
    expect(readSlots(device).bothValid).toBe(true);
    store.checkInvariants();
  });

  it.each([
    ['a key of another length', new Uint8Array(7), new Uint8Array(16)],
    ['a root that cannot be', new Uint8Array([0, 0, 0, 0, 0, 9]), new Uint8Array(3)],
  ])('says that the list of trees cannot be read when a line of it makes no sense: %s', (_what, key, value) => {
    const device = new LastingDevice();
    TreeStore.format(device, { blockSize: BLOCK }).closeSync();
    const client = new StoreClient(null);
    const log = AllocLog.open(device, {}, client);
    putValue(client.catalogue.root, key, value);
    log.checkpointSync();
    log.closeSync();
    expect(() => TreeStore.open(device, { readOnly: true, repair })).toThrow(/the list of trees cannot be read/);
  });
});

/** The faults that the ancestor met in its trees, each with the test that would have caught it; numbers are those of the list of lessons. */
import { MemoryDevice } from '@outwrite/blockdev';
import { Random } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type Tree, TreeStore } from '../src/index.ts';
import { auditStore, expectEqual, formatInMemory, ModelTree, openCopy, text } from './store-audit.ts';

const number = (n: number): Uint8Array => text(String(n).padStart(6, '0'));

/** A tree of `height` levels above the leaves, with blocks of 512 bytes, committed and checkpointed; all its nodes are clean. */
function tallTree(height: number): { device: MemoryDevice; store: TreeStore; tree: Tree; model: ModelTree } {
  const { device, store } = formatInMemory({ blockSize: 512, cacheBytes: 512 * 4096 });
  const tree = store.createTree();
  const model = new ModelTree();
  for (let i = 0; tree.height < height || i % 50 !== 0; i++) {
    const beginning = new Random(i >>> 2);
    const key = Uint8Array.from([...Array.from({ length: 90 }, () => 0x61 + beginning.below(26)), i & 3, i >>> 2]);
    const value = text(`value ${i}`);
    tree.put(key, value);
    model.put(key, value);
  }
  store.checkpointSync();
  return { device, store, tree, model };
}

function expectRecovered(device: MemoryDevice, id: number, model: ModelTree): void {
  const reopened = openCopy(device);
  expectEqual(reopened.tree(id), model);
  auditStore(reopened);
}

describe('lessons', () => {
  it('1: a second leaf under an index node that is dirty already is found again', () => {
    const { device, store, tree, model } = tallTree(3);
    for (const { key } of [model.pairs[0]!, model.pairs[5]!, model.pairs[model.pairs.length - 1]!]) {
      tree.put(key, text('changed'));
      model.put(key, text('changed'));
      store.commitSync();
      expectRecovered(device, tree.id, model);
    }
  });

  it('2: ancestors of a changed leaf are of the open epoch, with a checkpoint in every position', () => {
    const { device, store, tree, model } = tallTree(3);
    const random = new Random(2);
    for (let i = 0; i < 60; i++) {
      const { key } = model.pairs[random.below(model.pairs.length)]!;
      tree.put(key, number(i));
      model.put(key, number(i));
      // The check of the trees asserts the invariant.
      store.checkInvariants();
      if (i % 3 === 0) store.commitSync();
      if (i % 4 === 0) store.checkpointSync();
      store.checkInvariants();
    }
    store.commitSync();
    expectRecovered(device, tree.id, model);
  });

  it('2: also while a checkpoint is in flight', async () => {
    const { device, store, tree, model } = tallTree(3);
    for (let round = 0; round < 10; round++) {
      const { key } = model.pairs[(round * 37) % model.pairs.length]!;
      tree.put(key, number(round));
      model.put(key, number(round));
      const checkpoint = store.checkpoint();
      await Promise.resolve();
      const other = model.pairs[(round * 37 + 1) % model.pairs.length]!.key;
      tree.put(other, number(round + 1000));
      model.put(other, number(round + 1000));
      store.checkInvariants();
      const commit = store.commit();
      await checkpoint;
      await commit;
      auditStore(store);
    }
    expectRecovered(device, tree.id, model);
  });

  it('3: a block that is freed and taken again in one delta', () => {
    const { device, store } = formatInMemory({ blockSize: 512, bounds: { zeroAheadBytes: 0 } }, 300 * 512);
    const tree = store.createTree();
    const model = new ModelTree();
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 40; i++) {
        tree.put(number(i), new Uint8Array(60).fill(round));
        model.put(number(i), new Uint8Array(60).fill(round));
      }
      tree.deleteRange(number(5), number(35));
      model.deleteRange(number(5), number(35));
      for (let i = 10; i < 20; i++) {
        tree.put(number(i), new Uint8Array(round * 20).fill(i));
        model.put(number(i), new Uint8Array(round * 20).fill(i));
      }
      store.commitSync();
      auditStore(store);
      expectRecovered(device, tree.id, model);
    }
  });

  it('6: what a range delete frees leaves no dirty buffer behind', () => {
    const { device, store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    const model = new ModelTree();
    for (let i = 0; i < 400; i++) tree.put(number(i), new Uint8Array(30));
    expect(tree.deleteRange(null, null)).toBe(400);
    // What is left dirty are the roots of tree and catalogue and the line of the tree.
    expect(store.log.cache.stats.dirtyFrameCount).toBeLessThanOrEqual(3);
    store.commitSync();
    expectRecovered(device, tree.id, model);
  });

  it('7: a tree that is dropped right across a checkpoint', () => {
    const { device, store, tree } = tallTree(3);
    tree.put(text('last'), text('change'));
    store.commitSync();
    store.dropTree(tree.id);
    store.checkpointSync();
    auditStore(store);
    const reopened = openCopy(device);
    expect(reopened.treeIds()).toEqual([]);
    auditStore(reopened);
  });

  it('7: keys that are removed one by one across checkpoints', () => {
    const { device, store, tree, model } = tallTree(3);
    for (const [i, { key }] of [...model.pairs].entries()) {
      tree.delete(key);
      model.delete(key);
      if (i % 40 === 0) store.checkpointSync();
      if (i % 60 === 0) {
        store.commitSync();
        expectRecovered(device, tree.id, model);
      }
    }
    store.commitSync();
    expectRecovered(device, tree.id, model);
  });

  it('8: creating and removing in a loop leaks nothing', () => {
    const { store } = formatInMemory({ blockSize: 512 });
    const used: number[] = [];
    const tree = store.createTree();
    for (let round = 0; round < 12; round++) {
      tree.put(text('only'), text('entry'));
      if (round % 2 === 0) store.commitSync();
      tree.delete(text('only'));
      const other = store.createTree();
      other.put(text('only'), new Uint8Array(2000));
      if (round % 3 === 0) store.commitSync();
      store.dropTree(other.id);
      store.checkpointSync();
      store.checkpointSync();
      auditStore(store);
      used.push(store.stats().usedBlocks);
    }
    expect(new Set(used.slice(2)).size).toBe(1);
  });

  it('9: every key is found after a range delete that leaves cousins to be merged', () => {
    for (const [from, to] of [
      [0.1, 0.9],
      [0, 0.6],
      [0.4, 1],
      [0.33, 0.34],
    ] as const) {
      const { device, store, tree, model } = tallTree(4);
      const count = model.pairs.length;
      const first = model.pairs[Math.floor(from * count)]!.key;
      const end = to === 1 ? null : model.pairs[Math.floor(to * count)]!.key;
      expect(tree.deleteRange(first, end)).toBe(model.deleteRange(first, end));
      expectEqual(tree, model);
      auditStore(store);
      store.commitSync();
      expectRecovered(device, tree.id, model);
    }
  });

  it('10: a cursor goes on after an insertion at every position of a full tree of two levels', () => {
    const build = (): Tree => {
      const { store } = formatInMemory({ blockSize: 512 });
      const tree = store.createTree();
      for (let i = 0; tree.height < 2; i++) tree.put(number(i * 2), new Uint8Array(100));
      return tree;
    };
    const count = [...build().keys()].length;
    for (let position = 0; position <= count; position += 3) {
      const tree = build();
      const cursor = tree.cursor();
      cursor.seek(number(position * 2));
      tree.put(number(position * 2 + 1), new Uint8Array(100));
      const seen: Uint8Array[] = [];
      while (cursor.next()) seen.push(cursor.key());
      const expected = [...tree.keys({ gt: number(position * 2) })];
      expect(seen).toEqual(position < count ? expected : []);
    }
  });

  it('11: the first change after opening redirects a path of which every level is clean', () => {
    const { device, tree, model } = tallTree(4);
    const reopened = openCopy(device);
    const before = reopened.stats();
    const { key } = model.pairs[model.pairs.length >>> 1]!;
    reopened.tree(tree.id).put(key, text('changed'));
    model.put(key, text('changed'));
    const after = reopened.stats();
    expect(after.redirectedLeaves - before.redirectedLeaves).toBe(1);
    // The path of the tree, and the leaf and root of the catalogue above it.
    expect(after.redirectedIndexNodes - before.redirectedIndexNodes).toBe(tree.height + 2);
    reopened.commitSync();
    auditStore(reopened);
    expectRecovered(reopened.log.device as MemoryDevice, tree.id, model);
  });

  it('18: a value that was handed out is not changed by a redirect of its leaf', () => {
    const { store, tree, model } = tallTree(2);
    const { key, value } = model.pairs[3]!;
    const handedOut = tree.get(key)!;
    tree.put(key, text('something else'));
    store.commitSync();
    tree.put(key, text('and again'));
    expect(handedOut).toEqual(value);
  });

  it('19: a value whose blocks come back in pieces', () => {
    const { device, store } = formatInMemory({ blockSize: 512, bounds: { zeroAheadBytes: 0 } }, 1200 * 512);
    const tree = store.createTree();
    const model = new ModelTree();
    // Fill with values of one block each, then remove every second one: nothing but holes of one block is left.
    for (let i = 0; ; i++) {
      try {
        tree.put(number(i), new Uint8Array(400).fill(i));
        model.put(number(i), new Uint8Array(400).fill(i));
      } catch {
        break;
      }
    }
    for (const { key } of model.pairs.filter((_, i) => i % 2 === 1)) {
      tree.delete(key);
      model.delete(key);
    }
    store.checkpointSync();
    store.checkpointSync();
    const large = Uint8Array.from({ length: 80_000 }, (_, i) => (i * 7) ^ (i >>> 8));
    tree.put(text('large'), large);
    model.put(text('large'), large);
    expectEqual(tree, model);
    auditStore(store);
    store.commitSync();
    expectRecovered(device, tree.id, model);
    tree.put(text('large'), text('small'));
    model.put(text('large'), text('small'));
    auditStore(store);
    store.commitSync();
    expectRecovered(device, tree.id, model);
  });

  it('29: damage in a neighbour does not keep anybody from removing a key', () => {
    const { device, store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    for (let i = 0; i < 60; i++) tree.put(number(i), new Uint8Array(40));
    store.closeSync();
    const leaves: number[] = [];
    openCopy(device).check({
      block: (start, _count, kind) => void (kind === 'leaf' && leaves.push(start)),
      problem() {},
    });
    const image = device.snapshot();
    image[leaves[1]! * 512 + 100]! ^= 1;
    const damaged = TreeStore.open(MemoryDevice.fromImage(image, { maxSizeBytes: device.maxSizeBytes }));
    const view = damaged.tree(tree.id);
    let removed = 0;
    for (let i = 59; i >= 0; i--) {
      try {
        if (view.delete(number(i))) removed++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'ECORRUPT', block: leaves[1] });
      }
    }
    // All but what is in the damaged leaf, and the first leaf's last key: its range cannot be given up without its neighbour.
    expect(removed).toBeGreaterThan(40);
    damaged.commitSync();
  });

  it('27: a touched leaf is of the open delta, and is sealed although nothing in it has changed', () => {
    const { device, store, tree, model } = tallTree(2);
    const { key } = model.pairs[10]!;
    expect(tree.touch(key)).toBe(true);
    expect(tree.touch(key)).toBe(false);
    store.checkInvariants();
    const before = store.stats().redirectedLeaves;
    tree.put(key, text('changed'));
    model.put(key, text('changed'));
    expect(store.stats().redirectedLeaves).toBe(before);
    expect(tree.touch(model.pairs[model.pairs.length - 1]!.key)).toBe(true);
    store.commitSync();
    auditStore(store);
    expectRecovered(device, tree.id, model);
    const empty = store.createTree();
    expect(empty.touch(key)).toBe(false);
  });

  it('24: sparse keys split as well as dense ones', () => {
    const { device, store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    const model = new ModelTree();
    for (let i = 0; i < 300; i++) {
      const key = new Uint8Array(1 + ((i * 31) % 128)).fill(i % 7 === 0 ? 0 : 255);
      key[key.length - 1] = i & 255;
      if (i % 2 === 0) key[0] = i & 255;
      tree.put(key, number(i));
      model.put(key, number(i));
      store.checkInvariants();
    }
    expectEqual(tree, model);
    store.commitSync();
    expectRecovered(device, tree.id, model);
  });

  it('27: a delta boundary between any two steps', () => {
    const random = new Random(27);
    const { device, store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    const model = new ModelTree();
    for (let i = 0; i < 250; i++) {
      const key = number(random.below(90));
      if (random.chance(0.6)) {
        tree.put(key, new Uint8Array(random.below(100)).fill(i));
        model.put(key, new Uint8Array(tree.get(key)!.length).fill(i));
      } else {
        tree.delete(key);
        model.delete(key);
      }
      store.commitSync();
      if (i % 25 === 0) expectRecovered(device, tree.id, model);
    }
    expectRecovered(device, tree.id, model);
  });

  it('28: blocks of a tree that is loaded in order rise with its keys', () => {
    const { store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    tree.bulkLoad(Array.from({ length: 2000 }, (_, i) => [number(i), number(i)] as const));
    store.commitSync();
    const leaves: number[] = [];
    store.check({
      block: (start, _count, kind) => void (kind === 'leaf' && leaves.push(start)),
      problem(error) {
        throw error;
      },
    });
    const falls = leaves.filter((block, i) => i > 0 && block < leaves[i - 1]!).length;
    expect(leaves.length).toBeGreaterThan(60);
    expect(falls).toBe(0);
  });
});

/**
 * Deltas in which leaves come, go and come back: runs of keys that are put, deleted as ranges and put again, in trees of small blocks, reopened
 * after every commit. What a delta tells about leaves that are gone is the hardest part of it.
 */
import { Random, testSeed } from '@outwrite/testkit';
import { it } from 'vitest';
import type { Tree } from '../src/index.ts';
import { auditStore, expectEqual, formatInMemory, ModelTree, openCopy } from './store-audit.ts';

const ROUNDS = 25;
const DELTAS = 12;

function makeKey(number: number, length: number): Uint8Array {
  const key = new Uint8Array(length);
  key[length - 1] = number & 255;
  key[length - 2] = number >>> 8;
  return key;
}

/** One change of many keys, made to both. */
function change(tree: Tree, model: ModelTree, random: Random, span: number, keyLength: number): void {
  const first = random.below(span);
  const count = random.below(random.pick([3, 40, 200]));
  const value = new Uint8Array(random.below(random.pick([4, 60, 130]))).fill(count);
  const put = (number: number): void => {
    tree.put(makeKey(number, keyLength), value);
    model.put(makeKey(number, keyLength), value);
  };
  const deleteRange = (from: Uint8Array | null, to: Uint8Array | null): void => {
    tree.deleteRange(from, to);
    model.deleteRange(from, to);
  };
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      for (let i = 0; i < count; i++) put(first + i);
      break;
    case 4:
      for (let i = count; i > 0; i--) put(first + i * 3);
      break;
    case 5:
    case 6:
    case 7:
      deleteRange(makeKey(first, keyLength), makeKey(first + count * 2, keyLength));
      break;
    case 8:
      for (let i = 0; i < count; i++) {
        const key = makeKey(first + random.below(count * 2), keyLength);
        tree.delete(key);
        model.delete(key);
      }
      break;
    default:
      if (random.chance(0.3)) tree.touch(makeKey(first, keyLength));
      else if (random.chance(0.5)) deleteRange(null, makeKey(first, keyLength));
      else deleteRange(makeKey(first, keyLength), null);
  }
}

it('what a delta leaves is what an opening finds', () => {
  const random = new Random(testSeed('tree deltas'));
  for (let round = 0; round < ROUNDS; round++) {
    const keyLength = random.pick([3, 13, 60, 100]);
    const span = random.pick([300, 2000]);
    const { device, store } = formatInMemory({
      blockSize: 512,
      cacheBytes: 512 * random.pick([16, 64, 400]),
      bounds: { logBlocks: random.pick([3, 1000]), dirtyBlocks: random.pick([20, 200]) },
    });
    const tree = store.createTree();
    const model = new ModelTree();
    for (let delta = 0; delta < DELTAS; delta++) {
      for (let left = random.pick([1, 5, 20]); left > 0; left--) change(tree, model, random, span, keyLength);
      expectEqual(tree, model);
      auditStore(store);
      if (random.chance(0.2)) store.checkpointSync();
      else store.commitSync();
      const reopened = openCopy(device);
      expectEqual(reopened.tree(tree.id), model);
      auditStore(reopened);
    }
  }
});

/** What a commit costs: one changed key is one leaf and one log block, written with one flush. And what a redirect that fails costs: nothing. */
import { MemoryDevice, MeteringDevice } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { TreeStore } from '../src/index.ts';
import { auditStore, expectEqual, formatInMemory, ModelTree, text } from './store-audit.ts';

function key(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(4, number);
  return bytes;
}

describe('a commit of one changed key', () => {
  it('in a tree of a million keys writes two blocks and flushes once', () => {
    const device = new MeteringDevice(new MemoryDevice({ maxSizeBytes: 2 ** 32 }));
    const store = TreeStore.format(device, { cacheBytes: 256 * 1024 * 1024, bounds: { zeroAheadBytes: 0 } });
    const tree = store.createTree();
    const value = new Uint8Array(16);
    tree.bulkLoad(
      (function* () {
        for (let i = 0; i < 1_000_000; i++) yield [key(i), value] as const;
      })(),
    );
    store.checkpointSync();
    expect(tree.height).toBeGreaterThanOrEqual(2);
    for (let i = 0; i < 5; i++) {
      tree.put(key(i * 199_999), text(`changed ${i}`));
      const before = device.counters();
      store.commitSync();
      const counters = device.counters();
      expect(counters.syncWrites.bytes - before.syncWrites.bytes).toBe(2 * 4096);
      expect(counters.syncFlushes - before.syncFlushes).toBe(1);
      expect(counters.asyncWrites.bytes + counters.asyncFlushes).toBe(0);
    }
    store.closeSync();
  });
});

describe('a redirect', () => {
  it.each(['allocateBlock', 'takeProvisional'] as const)(
    'that is refused by %s leaves tree, cursor and free map as they were',
    (refusing) => {
      const { store } = formatInMemory({ blockSize: 512 });
      const tree = store.createTree();
      const model = new ModelTree();
      for (let i = 0; i < 2000; i++) {
        tree.put(key(i), text(`${i}`));
        model.put(key(i), text(`${i}`));
      }
      store.checkpointSync();
      const cursor = tree.cursor();
      cursor.seek(key(1000));
      const before = store.stats();
      const { log } = store;
      for (let allowed = 0; allowed < 3; allowed++) {
        let calls = 0;
        const original = log[refusing];
        log[refusing] = function (this: typeof log): number {
          if (calls++ === allowed) throw new Error('refused');
          return original.call(this);
        };
        let isRefused = false;
        try {
          // Of the same length, so that nothing but the redirect takes numbers.
          tree.put(key(1000), text('9999'));
        } catch (error) {
          expect(error).toMatchObject({ message: 'refused' });
          isRefused = true;
        } finally {
          log[refusing] = original;
        }
        if (!isRefused) {
          // Everything that was asked for was allowed.
          model.put(key(1000), text('9999'));
          expect(allowed).toBeGreaterThan(0);
          break;
        }
        const after = store.stats();
        expect(after.usedBlocks).toBe(before.usedBlocks);
        expect(after.freeBlocks).toBe(before.freeBlocks);
        expect(after.provisionalNodes).toBe(before.provisionalNodes);
        expect(after.redirectedLeaves).toBe(before.redirectedLeaves);
        expect(cursor.value()).toEqual(text('1000'));
        expectEqual(tree, model);
        auditStore(store);
      }
      store.commitSync();
      expectEqual(tree, model);
      auditStore(store);
    },
  );
});

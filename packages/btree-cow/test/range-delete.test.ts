/** Deleting a range within leaves of the open delta: where it ends, and what a commit on the way does to it. */
import { describe, expect, it } from 'vitest';
import type { Tree } from '../src/index.ts';
import { auditStore, formatInMemory, text } from './store-audit.ts';

const DIRTY_BLOCKS = 64;
const key = (n: number): Uint8Array => text(String(n).padStart(5, '0'));

describe.each([512, 4096, 16384])('keys as long as can be, with blocks of %i bytes', (blockSize) => {
  const longKey = (n: number): Uint8Array => new Uint8Array(blockSize / 4).fill(7).fill(n, blockSize / 4 - 1);
  const count = 8;

  it.each([
    ['one by one', (tree: Tree, n: number) => tree.delete(longKey(n))],
    ['as ranges', (tree: Tree, n: number) => tree.deleteRange(longKey(n), longKey(n + 1)) === 1],
  ] as const)('leave no leaf without entries behind when they are deleted %s', (_how, remove) => {
    const { store } = formatInMemory({ blockSize, cacheBytes: 4 << 20 });
    const tree = store.createTree();
    for (let i = 1; i <= count; i++) tree.put(longKey(i), new Uint8Array(blockSize / 5));
    for (let i = count; i >= 1; i--) {
      expect(remove(tree, i)).toBe(true);
      expect([...tree.keys()]).toEqual(Array.from({ length: i - 1 }, (_, n) => longKey(n + 1)));
      auditStore(store);
    }
  });
});

describe('a range that is deleted', () => {
  it('is that of the call, even if the caller uses the bounds for other keys when a commit is made on the way', () => {
    const { store } = formatInMemory({ blockSize: 4096, cacheBytes: 4 << 20, bounds: { dirtyBlocks: DIRTY_BLOCKS } });
    const tree = store.createTree();
    for (let i = 0; i < 100; i++) tree.put(key(i), new Uint8Array(10));
    store.commitSync();
    const from = key(20);
    const to = key(30);
    let held = 0;
    store.log.registerStager({
      stage() {
        store.log.unhold(held);
        held = 0;
        from.set(key(0));
        to.set(key(99));
      },
    });
    tree.touch(from);
    const { commits } = store.stats();
    held = DIRTY_BLOCKS + 1;
    store.log.hold(held);
    expect(tree.deleteRange(from, to)).toBe(10);
    expect(store.stats().commits).toBe(commits + 1);
    expect([...tree.keys()]).toHaveLength(90);
    expect(tree.has(key(19))).toBe(true);
    expect(tree.has(key(20))).toBe(false);
    expect(tree.has(key(29))).toBe(false);
    expect(tree.has(key(30))).toBe(true);
    auditStore(store);
  });

  it.each([0, 1, 2, 3])('goes on in the next leaf only if it ends beyond its beginning (%i entries on)', (more) => {
    const { store } = formatInMemory({ blockSize: 512, cacheBytes: 1 << 20 });
    const tree = store.createTree();
    const count = 60;
    for (let i = 0; i < count; i++) tree.put(key(i), new Uint8Array(20).fill(i));
    store.commitSync();
    for (let start = 0; start + more < count; start += 7) {
      for (let i = 0; i < count; i++) tree.touch(key(i));
      expect(tree.deleteRange(key(start), key(start + more))).toBe(more);
      const left = Array.from({ length: count }, (_, i) => i).filter((i) => i < start || i >= start + more);
      expect([...tree.keys()]).toEqual(left.map(key));
      for (let i = start; i < start + more; i++) tree.put(key(i), new Uint8Array(20).fill(i));
      store.commitSync();
    }
    auditStore(store);
  });
});

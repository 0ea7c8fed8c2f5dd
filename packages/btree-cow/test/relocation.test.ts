/**
 * Opening after an unclean end: what was born in the last delta moves, with overflow values and with what the values of a layer above point to.
 * The layer here keeps one block of data for each entry; a value is the number of that block and its checksum.
 */
import { SpaceAudit } from '@outwrite/alloc-log';
import { getU32, getU48, MemoryDevice, setU32, setU48, xxh32 } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { type RelocateValue, type Tree, TreeStore } from '../src/index.ts';
import { formatInMemory, text } from './store-audit.ts';

const BLOCK = 512;
const POINTER_BYTES = 14;

function putBlock(store: TreeStore, tree: Tree, key: Uint8Array, fill: number): void {
  const { log } = store;
  while (!log.ensure(4, 8, false));
  const { start } = log.allocateExtent(1);
  const bytes = new Uint8Array(BLOCK).fill(fill);
  log.device.grow((start + 1) * BLOCK);
  log.device.writeSync(start * BLOCK, [bytes]);
  log.writtenDirectly(start, [xxh32(bytes)], 'data');
  const before = tree.get(key);
  if (before !== undefined) log.free(getU32(before, 0), 1, getU48(before, 8));
  const value = new Uint8Array(POINTER_BYTES);
  setU32(value, 0, start);
  setU32(value, 4, xxh32(bytes));
  setU48(value, 8, log.openDelta);
  tree.put(key, value);
}

const relocateValue: RelocateValue = (_treeId, key, value, relocator) => {
  if (key[0] !== 0x62 || getU48(value, 8) !== relocator.delta) return null;
  const moved = value.slice();
  const old = { block: getU32(value, 0), checksum: getU32(value, 4), birth: getU48(value, 8) };
  setU32(moved, 0, relocator.copyBlock(old, 'data block'));
  return moved;
};

function reachable(store: TreeStore): Set<number> {
  const blocks = new Set<number>();
  const audit = new SpaceAudit(store.log);
  const findings: unknown[] = [];
  const reach = (start: number, count: number): void => {
    findings.push(...audit.reach(start, count, 'test'));
    for (let i = 0; i < count; i++) blocks.add(start + i);
  };
  store.check({
    block: reach,
    problem(error) {
      throw error;
    },
    entry(_treeId, key, value) {
      if (key[0] === 0x62) reach(getU32(value, 0), 1);
    },
  });
  findings.push(...audit.finish());
  expect(findings).toEqual([]);
  return blocks;
}

describe('relocation', () => {
  it('leaves alone the index nodes that the last opening wrote and the last delta did not change', () => {
    // Symptom: a writable opening failed with "index nodes above what was replayed are in memory". Mechanism: relocation puts the open
    // delta as birth into the pointers to the index nodes that it redirects; the opening checkpoint writes them; that delta then commits
    // with changes elsewhere, and the next unclean end meets those nodes with the birth of the last delta, but not in memory.
    const { device, store } = formatInMemory({
      blockSize: BLOCK,
      bounds: { flushFirstBytes: BLOCK * 400, zeroAheadBytes: 0 },
    });
    const tree = store.createTree();
    const key = (i: number): Uint8Array => text(String(i).padStart(6, '0').repeat(12));
    for (let i = 0; i < 400; i++) tree.put(key(i), text(`first ${i}`));
    store.checkpointSync();
    for (let i = 0; i < 400; i += 40) tree.put(key(i), text(`second ${i}`));
    store.commitSync();
    const afterFirstCrash = MemoryDevice.fromImage(device.snapshot(), { maxSizeBytes: device.maxSizeBytes });
    const second = TreeStore.open(afterFirstCrash, {});
    expect(second.log.recovery?.relocatedBlocks).toBeGreaterThan(0);
    second.tree(tree.id).put(key(0), text('third 0'));
    second.commitSync();
    const afterSecondCrash = MemoryDevice.fromImage(afterFirstCrash.snapshot(), { maxSizeBytes: device.maxSizeBytes });
    const third = TreeStore.open(afterSecondCrash, {});
    expect(third.log.recovery?.relocatedBlocks).toBeGreaterThan(0);
    reachable(third);
    const view = third.tree(tree.id);
    for (let i = 0; i < 400; i++) {
      const expected = i === 0 ? 'third 0' : i % 40 === 0 ? `second ${i}` : `first ${i}`;
      expect(view.get(key(i))).toEqual(text(expected));
    }
    third.closeSync();
  });

  it('moves everything that the last delta wrote, and nothing else', () => {
    const { device, store } = formatInMemory({
      blockSize: BLOCK,
      bounds: { flushFirstBytes: BLOCK * 400, zeroAheadBytes: 0 },
    });
    const tree = store.createTree();
    for (let i = 0; i < 300; i++) putBlock(store, tree, text(`b${1000 + i}`), i);
    tree.put(text('overflow old'), new Uint8Array(5000).fill(1));
    store.checkpointSync();
    const old = reachable(store);
    for (let i = 0; i < 300; i += 60) putBlock(store, tree, text(`b${1000 + i}`), i + 100);
    tree.put(text('overflow new'), new Uint8Array(9000).fill(2));
    tree.put(text('a plain one'), text('value'));
    store.commitSync();
    const written = [...reachable(store)].filter((block) => !old.has(block));
    const image = device.snapshot();

    const opened = TreeStore.open(MemoryDevice.fromImage(image, { maxSizeBytes: device.maxSizeBytes }), {
      relocateValue,
    });
    const view = opened.tree(tree.id);
    const now = reachable(opened);
    for (const block of written) expect(now.has(block), `block ${block} was written by the last delta`).toBe(false);
    const stays = [...old].filter((block) => now.has(block)).length;
    expect(stays).toBeGreaterThan(250);
    for (let i = 0; i < 300; i++) {
      const value = view.get(text(`b${1000 + i}`))!;
      const bytes = new Uint8Array(BLOCK);
      opened.log.device.readSync(getU32(value, 0) * BLOCK, [bytes]);
      expect(xxh32(bytes)).toBe(getU32(value, 4));
      expect(bytes[0]).toBe((i % 60 === 0 ? i + 100 : i) & 255);
    }
    expect(view.get(text('overflow new'))).toEqual(new Uint8Array(9000).fill(2));
    expect(view.get(text('overflow old'))).toEqual(new Uint8Array(5000).fill(1));
    expect(view.get(text('a plain one'))).toEqual(text('value'));
    expect(opened.log.recovery!.relocatedBlocks).toBeGreaterThan(5 + 18);
    // A clean end leaves nothing to move.
    opened.closeSync();
    const again = TreeStore.open(MemoryDevice.fromImage((opened.log.device as MemoryDevice).snapshot()), {
      relocateValue,
    });
    expect(again.log.recovery!.relocatedBlocks).toBe(0);
    expect(reachable(again).size).toBe(now.size);
  });

  it('leaves nodes behind that may leave the cache before the next commit', () => {
    const { device, store } = formatInMemory({ blockSize: BLOCK });
    const tree = store.createTree();
    for (let i = 0; i < 4000; i++) tree.put(text(`key ${10000 + i}`), text('a value of some length'));
    store.checkpointSync();
    for (let i = 0; i < 4000; i += 500) tree.put(text(`key ${10000 + i}`), text('changed'));
    store.commitSync();
    const image = MemoryDevice.fromImage(device.snapshot(), { maxSizeBytes: device.maxSizeBytes });
    const opened = TreeStore.open(image, { cacheBytes: BLOCK * 12 });
    expect(opened.log.recovery!.relocatedBlocks).toBeGreaterThan(5);
    const view = opened.tree(tree.id);
    expect([...view.keys()].length).toBe(4000);
    view.put(text('key 12222'), text('changed too'));
    opened.createTree();
    opened.commitSync();
    reachable(opened);
    view.put(text('key 13333'), text('changed too'));
    opened.checkpointSync();
    reachable(opened);
  });
});

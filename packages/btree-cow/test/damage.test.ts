/** Damage: no image of a node can lead the code astray, and damage that is met is told, with everything else still readable. */
import { AllocLog } from '@outwrite/alloc-log';
import { CorruptionError, MemoryDevice } from '@outwrite/blockdev';
import { Slab } from '@outwrite/buffer-cache';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { TreeStore } from '../src/index.ts';
import { copySeparator, IndexEntry, insertIntoIndex } from '../src/index-page.ts';
import { LeafBuilder } from '../src/leaf-build.ts';
import { LeafEntry } from '../src/leaf-entry.ts';
import { copyLeafKey, FITS, insertIntoLeaf, leafFit } from '../src/leaf-page.ts';
import { checkNode } from '../src/node-check.ts';
import { entryCount, writeHeader, zeroUnused } from '../src/node-header.ts';
import { decodeDescriptor, encodeDescriptor } from '../src/overflow-format.ts';
import { childPosition, findInLeaf, searchLeaf } from '../src/page-search.ts';
import {
  decodeAt,
  decodeGone,
  encodeCreated,
  encodeDying,
  encodeLeafAt,
  encodeLeafGone,
  encodeLeavesGone,
} from '../src/promise-format.ts';
import { StoreClient } from '../src/store-client.ts';
import { formatInMemory, text } from './store-audit.ts';

const seed = testSeed('damage');
const BLOCK = 512;
const BASE = 16;

function soundLeaf(random: Random): Slab {
  const slab = new Slab(BASE + BLOCK + 16);
  writeHeader(slab, BASE, BLOCK, 0, 0, 0);
  const entry = new LeafEntry(BLOCK);
  const builder = new LeafBuilder(BLOCK);
  for (let i = 0; i < 12; i++) {
    entry.loadKey(text(`shared/${random.below(1000)}`));
    entry.loadValue(new Uint8Array(random.below(20)));
    entry.isOverflow = random.chance(0.1);
    const found = searchLeaf(slab, BASE, BLOCK, entry.key, entry.keyLength);
    if (found >= 0) continue;
    const fit = leafFit(slab, BASE, BLOCK, -1 - found, false, entry);
    if (fit === FITS) insertIntoLeaf(slab, BASE, -1 - found, entry);
    else {
      builder.load(slab, BASE, -1 - found, false, entry);
      builder.build(slab, BASE, 0, builder.count);
    }
  }
  zeroUnused(slab, BASE, BLOCK);
  return slab;
}

function soundIndex(random: Random): Slab {
  const slab = new Slab(BASE + BLOCK + 16);
  writeHeader(slab, BASE, BLOCK, 2, 0, 0);
  const entry = new IndexEntry(BLOCK);
  for (let i = 0; i < 10; i++) {
    const separator = text(`${String.fromCharCode(97 + i)}${'x'.repeat(random.below(12))}`);
    entry.setSeparator(separator, separator.length);
    entry.setPointer(random.below(1000), random.u32(), random.below(50));
    insertIntoIndex(slab, BASE, i, entry);
  }
  zeroUnused(slab, BASE, BLOCK);
  return slab;
}

describe('a node with damaged bytes', () => {
  it.each(['leaf', 'index'] as const)('is refused, or is a sound node still (%s)', (kind) => {
    const random = new Random(seed);
    let refusedCount = 0;
    const level = kind === 'leaf' ? 0 : 2;
    const expected = { block: 5, level, birth: 50, isRoot: false, blockCount: 1000 };
    for (let round = 0; round < 4000; round++) {
      const slab = kind === 'leaf' ? soundLeaf(random) : soundIndex(random);
      checkNode(slab, BASE, BLOCK, expected);
      for (let i = random.below(3); i >= 0; i--) {
        const at = BASE + (random.chance(0.6) ? random.below(140) : random.below(BLOCK));
        slab.u8[at] = random.chance(0.3) ? random.pick([0, 255, 1, 128]) : random.below(256);
      }
      try {
        checkNode(slab, BASE, BLOCK, expected);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptionError);
        expect(error).toMatchObject({ block: 5 });
        refusedCount++;
        continue;
      }
      const key = new Uint8Array(BLOCK);
      for (let i = kind === 'leaf' ? 0 : 1; i < entryCount(slab, BASE); i++) {
        if (kind === 'leaf') {
          const length = copyLeafKey(slab, BASE, BLOCK, i, key);
          expect(findInLeaf(slab, BASE, BLOCK, key, length)).toBe(i);
        } else {
          const length = copySeparator(slab, BASE, BLOCK, i, key);
          expect(childPosition(slab, BASE, BLOCK, key, length)).toBe(i);
        }
      }
    }
    expect(refusedCount).toBeGreaterThan(1500);
  });

  it('of random bytes is refused', () => {
    const random = new Random(seed);
    for (let round = 0; round < 2000; round++) {
      const slab = new Slab(BASE + BLOCK + 16);
      for (let i = 0; i < BLOCK; i++) slab.u8[BASE + i] = random.chance(0.5) ? 0 : random.below(256);
      slab.u8[BASE] = 0x4c;
      slab.u8[BASE + 1] = 0;
      slab.u8[BASE + 3] = 0;
      const count = slab.u8[BASE + 2]!;
      if (count === 0) continue;
      expect(() =>
        checkNode(slab, BASE, BLOCK, { block: 5, level: 0, birth: 50, isRoot: false, blockCount: 1000 }),
      ).toThrow(CorruptionError);
    }
  });
});

describe('decoders', () => {
  it('of promises and descriptors take back what was encoded, and refuse everything else', () => {
    const separator = text('separator');
    expect(decodeGone(encodeCreated(7), 128)).toEqual({ type: 'created', treeId: 7 });
    expect(decodeGone(encodeDying(2 ** 40), 128)).toEqual({ type: 'dying', treeId: 2 ** 40 });
    expect(decodeGone(encodeLeafGone(1, separator), 128)).toEqual({ type: 'leaf', treeId: 1, separator });
    expect(decodeGone(encodeLeavesGone(300, text(''), separator), 128)).toEqual({
      type: 'leaves',
      treeId: 300,
      separator: text(''),
      end: separator,
    });
    expect(decodeAt(encodeLeafAt(9, separator, 3), 128)).toEqual({ treeId: 9, separator: text('sep') });
    for (const bad of [
      [],
      [1],
      [9, 1],
      [0, 1],
      [1, 0],
      [1, 1, 1],
      [5, 1],
      [4, 1],
      [4, 1, 2, 3],
      [4, 1, 1, 5, 5],
      [4, 1, 1, 5, 4],
      [3, 0x81, 0x00, 1],
    ]) {
      expect(() => decodeGone(Uint8Array.from(bad), 128), String(bad)).toThrow(CorruptionError);
    }
    expect(() => decodeGone(encodeLeafGone(1, new Uint8Array(129)), 128)).toThrow(CorruptionError);
    expect(() => decodeAt(encodeLeafGone(1, separator), 128)).toThrow(CorruptionError);
    expect(() => decodeAt(encodeLeafAt(1, new Uint8Array(129), 129), 128)).toThrow(CorruptionError);

    const descriptor = {
      level: 1,
      lengthBytes: 70_000,
      birth: 2 ** 47,
      extents: [{ start: 5, count: 9, checksum: 0xdeadbeef }],
    };
    const bytes = new Uint8Array(64);
    const length = encodeDescriptor(bytes, descriptor);
    expect(decodeDescriptor(bytes, 0, length, 100)).toEqual(descriptor);
    expect(() => decodeDescriptor(bytes, 0, length - 1, 100)).toThrow(CorruptionError);
    expect(() => decodeDescriptor(bytes, 0, 11, 100)).toThrow(CorruptionError);
    expect(() => decodeDescriptor(bytes, 0, length, 13)).toThrow(CorruptionError);
    bytes[0] = 200;
    expect(() => decodeDescriptor(bytes, 0, length, 100)).toThrow(CorruptionError);
    bytes.fill(255, 0, 5);
    expect(() => decodeDescriptor(bytes, 0, length, 100)).toThrow(CorruptionError);
  });
});

describe('a store with a damaged block', () => {
  it('says which, reads everything else, and checks to the end', () => {
    const { device, store } = formatInMemory({ blockSize: BLOCK });
    const tree = store.createTree();
    for (let i = 0; i < 600; i++)
      tree.put(text(`key ${String(i).padStart(4, '0')}`), new Uint8Array(i % 50 === 0 ? 2000 : 20).fill(i));
    store.checkpointSync();
    const blocks: { block: number; kind: string }[] = [];
    store.check({
      block: (block, _count, kind, treeId) => void (treeId === tree.id && blocks.push({ block, kind })),
      problem(error) {
        throw error;
      },
    });
    const root = blocks[0]!.block;
    for (const { block, kind } of blocks.filter((_, i) => i % 7 === 3)) {
      const image = device.snapshot();
      image[block * BLOCK + 37]! ^= 0x10;
      const damaged = TreeStore.open(MemoryDevice.fromImage(image, { maxSizeBytes: device.maxSizeBytes }), {
        readOnly: true,
      });
      const view = damaged.tree(tree.id);
      let readable = 0;
      let unreadable = 0;
      for (let i = 0; i < 600; i++) {
        try {
          expect(view.get(text(`key ${String(i).padStart(4, '0')}`))![0]).toBe(i & 255);
          readable++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'ECORRUPT' });
          expect(String(error)).toContain(
            kind === 'leaf' ? 'leaf' : kind === 'index' ? 'index node' : 'overflow extent',
          );
          unreadable++;
        }
      }
      expect(unreadable).toBeGreaterThan(0);
      if (block !== root) expect(readable).toBeGreaterThan(0);
      let problemCount = 0;
      damaged.check({
        block() {},
        problem(error) {
          expect(error).toMatchObject({ code: 'ECORRUPT' });
          problemCount++;
        },
      });
      expect(problemCount).toBe(1);
    }
  });

  it('to which pointers of two levels lead is refused by the second', () => {
    const { device, store } = formatInMemory({ blockSize: BLOCK });
    const tree = store.createTree();
    for (let i = 0; i < 900; i++) tree.put(text(`key ${String(i).padStart(4, '0')}`), new Uint8Array(20));
    store.closeSync();
    const client = new StoreClient(null);
    AllocLog.open(MemoryDevice.fromImage(device.snapshot()), { readOnly: true }, client);
    const { core } = client.catalogue;
    const state = client.catalogue.stateOf(tree.id)!;
    const { rootBlock, rootChecksum, rootBirth, level } = state;
    core.node(rootBlock, rootChecksum, rootBirth, level, true);
    // A pointer that goes round in a circle reaches a node at the wrong level, cached or not.
    for (const wrongLevel of [0, level - 1, level + 1]) {
      expect(() => core.node(rootBlock, rootChecksum, rootBirth, wrongLevel, false)).toThrow(CorruptionError);
    }
    core.cache.discard(core.cache.find(rootBlock));
    expect(() => core.node(rootBlock, rootChecksum, rootBirth, level + 1, false)).toThrow(CorruptionError);
    expect(() => core.node(rootBlock, rootChecksum, rootBirth - 1, level, false)).toThrow(CorruptionError);
  });
});

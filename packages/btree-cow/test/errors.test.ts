/** Wrong use, limits, a full volume: each refused with its own error, and nothing changed. */
import { MemoryDevice } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { MAX_VALUE_BYTES, maxKeyBytes, OrderedStore, TreeStore } from '../src/index.ts';
import { auditStore, expectEqual, formatInMemory, ModelTree, openCopy, text } from './store-audit.ts';

describe('keys and values', () => {
  const { store } = formatInMemory({ blockSize: 512 });
  const tree = store.createTree();

  it('are Uint8Arrays', () => {
    expect(() => tree.get('key' as never)).toThrow(TypeError);
    expect(() => tree.put('key' as never, text('v'))).toThrow(TypeError);
    expect(() => tree.put(text('key'), 'v' as never)).toThrow(TypeError);
    expect(() => tree.put(text('key'), [1, 2] as never)).toThrow(TypeError);
    expect(() => tree.delete(undefined as never)).toThrow(TypeError);
    expect(() => tree.cursor().seek(null as never)).toThrow(TypeError);
  });

  it('have a length that can be', () => {
    const nothing = new Uint8Array(0);
    expect(() => tree.get(nothing)).toThrow(RangeError);
    expect(() => tree.put(nothing, text('v'))).toThrow(RangeError);
    const longest = new Uint8Array(maxKeyBytes(512)).fill(1);
    tree.put(longest, nothing);
    expect(tree.get(longest)).toEqual(nothing);
    const tooLong = new Uint8Array(maxKeyBytes(512) + 1);
    expect(() => tree.put(tooLong, nothing)).toThrow(
      expect.objectContaining({ code: 'ETOOLARGE', limit: 128, actual: 129 }),
    );
    expect(() => tree.has(tooLong)).toThrow(expect.objectContaining({ code: 'ETOOLARGE' }));
    const value = Object.create(Uint8Array.prototype, { length: { value: MAX_VALUE_BYTES + 1 } }) as Uint8Array;
    expect(() => tree.put(text('k'), value)).toThrow(
      expect.objectContaining({ code: 'ETOOLARGE', limit: MAX_VALUE_BYTES }),
    );
    expect([...tree.entries()].length).toBe(1);
  });

  it('are asked for, and copied, in ways that make sense', () => {
    for (const limit of [1.5, -1, Number.NaN]) expect(() => tree.keys({ limit })).toThrow(RangeError);
    expect([...tree.keys({ limit: 0 })]).toEqual([]);
    const target = new Uint8Array(8);
    for (const place of [-1, 1.5, Number.NaN]) expect(() => tree.getInto(text('k'), target, place)).toThrow(RangeError);
    expect(() => store.tree('1' as never)).toThrow(TypeError);
    for (const id of [0, -1, 1.5, 2 ** 40, 2 ** 50, Number.NaN]) {
      expect(() => store.tree(id)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
      expect(store.hasTree(id)).toBe(false);
    }
  });

  it('are copied in and out', () => {
    const key = text('copied');
    const value = text('value');
    tree.put(key, value);
    value.fill(0);
    key.fill(0);
    const found = tree.get(text('copied'))!;
    expect(found).toEqual(text('value'));
    found.fill(1);
    expect(tree.get(text('copied'))).toEqual(text('value'));
    expect(tree.get(new Uint8Array(Buffer.from('copied')))).toEqual(text('value'));
    expect(tree.get(Buffer.from('copied'))).toEqual(text('value'));
    const target = new Uint8Array(10);
    expect(tree.getInto(text('copied'), target, 2)).toBe(5);
    expect(target).toEqual(Uint8Array.from([0, 0, ...text('value'), 0, 0, 0]));
    expect(tree.getInto(text('copied'), target, 6)).toBe(5);
    expect(target[6]).toBe(101);
    expect(tree.getInto(text('none'), target)).toBe(-1);
  });
});

describe('trees', () => {
  it('that are not there, or not there any more', () => {
    const { device, store } = formatInMemory({ blockSize: 512 });
    expect(() => store.tree(1)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    const tree = store.createTree();
    for (let i = 0; i < 500; i++) tree.put(text(`key ${i}`), text('value'));
    const cursor = tree.cursor();
    cursor.first();
    const iterator = tree.entries();
    iterator.next();
    store.commitSync();
    store.dropTree(tree.id);
    for (const use of [
      () => tree.get(text('key 1')),
      () => tree.put(text('key 1'), text('v')),
      () => tree.delete(text('key 1')),
      () => tree.deleteRange(null, null),
      () => tree.cursor(),
      () => tree.bulkLoad([[text('z'), text('z')]]),
      () => cursor.next(),
      () => cursor.value(),
      () => iterator.next(),
      () => store.tree(tree.id),
      () => store.dropTree(tree.id),
    ]) {
      expect(use).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    }
    const second = store.createTree();
    expect(second.id).toBeGreaterThan(tree.id);
    store.commitSync();
    auditStore(store);
    const reopened = openCopy(device);
    expect(reopened.treeIds()).toEqual([second.id]);
    expect(reopened.createTree().id).toBeGreaterThan(second.id);
    auditStore(reopened);
  });

  it('ids are not reused after a checkpoint either', () => {
    const { device, store } = formatInMemory({ blockSize: 512 });
    const ids = [1, 2, 3].map(() => store.createTree().id);
    store.dropTree(ids[2]!);
    store.checkpointSync();
    expect(openCopy(device).createTree().id).toBe(ids[2]! + 1);
  });
});

describe('a store', () => {
  it('that is closed says so', async () => {
    const { store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    tree.put(text('k'), text('v'));
    const cursor = tree.cursor();
    cursor.first();
    await store.close();
    for (const use of [
      () => tree.get(text('k')),
      () => tree.has(text('k')),
      () => tree.put(text('k'), text('v')),
      () => tree.delete(text('k')),
      () => tree.cursor(),
      () => cursor.next(),
      () => cursor.value(),
      () => [...tree.entries()],
      () => store.createTree(),
      () => store.tree(1),
      () => store.treeIds(),
      () => store.commitSync(),
      () => tree.bulkLoad([[text('z'), text('z')]]),
    ]) {
      expect(use).toThrow(expect.objectContaining({ code: 'ECLOSED' }));
    }
    await store.close();
  });

  it('that is read-only can be read', () => {
    const { device, store } = formatInMemory({ blockSize: 512 });
    const tree = store.createTree();
    for (let i = 0; i < 100; i++) tree.put(text(`key ${i}`), text('value'));
    store.commitSync();
    tree.delete(text('key 5'));
    store.commitSync();
    const readOnly = openCopy(device, { readOnly: true });
    const view = readOnly.tree(tree.id);
    expect([...view.keys()].length).toBe(99);
    for (const use of [
      () => view.put(text('k'), text('v')),
      () => view.delete(text('key 1')),
      () => view.deleteRange(null, null),
      () => readOnly.createTree(),
      () => readOnly.dropTree(tree.id),
      () => view.bulkLoad([[text('z'), text('z')]]),
    ]) {
      expect(use).toThrow(expect.objectContaining({ code: 'EROFS' }));
    }
    expect([...view.keys()].length).toBe(99);
  });

  it('that is full refuses, keeps everything, and takes removals', () => {
    const { device, store } = formatInMemory({ blockSize: 512, bounds: { zeroAheadBytes: 0 } }, 400 * 512);
    const tree = store.createTree();
    const model = new ModelTree();
    let refused = 0;
    for (let i = 0; i < 6000 && refused < 30; i++) {
      const key = text(`key ${(i * 7919) % 6000}`);
      const value = new Uint8Array(i % 9 === 0 ? 700 : 50).fill(i);
      try {
        tree.put(key, value);
        model.put(key, value);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
        refused++;
      }
    }
    expect(refused).toBe(30);
    expectEqual(tree, model);
    auditStore(store);
    store.commitSync();
    expectEqual(openCopy(device).tree(tree.id), model);
    // Removing always works, and makes room.
    expect(tree.deleteRange(null, null)).toBe(model.pairs.length);
    model.pairs = [];
    auditStore(store);
    tree.put(text('again'), new Uint8Array(3000));
    model.put(text('again'), new Uint8Array(3000));
    store.commitSync();
    auditStore(store);
    expectEqual(openCopy(device).tree(tree.id), model);
  });

  it('on a device that fails latches, and reopens as it was committed', () => {
    const device = new SimulatedDevice({ maxSizeBytes: 4 * 1024 * 1024 });
    const store = TreeStore.format(device, { blockSize: 512, cacheBytes: 512 * 64, bounds: { zeroAheadBytes: 0 } });
    const tree = store.createTree();
    tree.put(text('k'), text('v'));
    store.commitSync();
    device.failAt({ operation: 'write', nth: 1, effect: 'error' });
    expect(() => tree.put(text('large'), new Uint8Array(5000))).toThrow(expect.objectContaining({ code: 'ELATCHED' }));
    expect(() => tree.put(text('other'), text('v'))).toThrow(expect.objectContaining({ code: 'ELATCHED' }));
    expect(tree.get(text('k'))).toEqual(text('v'));
    expect(tree.has(text('large'))).toBe(false);
    const reopened = TreeStore.open(device.kill(), { cacheBytes: 512 * 64 });
    expect([...reopened.tree(tree.id).keys()]).toEqual([text('k')]);
    auditStore(reopened);
  });

  it('on a device that fails is closed all the same, and says that changes are lost', async () => {
    for (const sync of [false, true]) {
      const device = new SimulatedDevice({ maxSizeBytes: 4 * 1024 * 1024 });
      const store = OrderedStore.format(device, { cacheBytes: 1 << 16, bounds: { zeroAheadBytes: 0 } });
      store.put(text('k'), text('v'));
      store.commitSync();
      store.put(text('lost'), text('v'));
      device.failAt({ operation: 'flush', nth: 1, effect: 'error' });
      if (sync) expect(() => store.closeSync()).toThrow(expect.objectContaining({ code: 'ELATCHED' }));
      else await expect(store.close()).rejects.toMatchObject({ code: 'ELATCHED' });
      expect(() => store.get(text('k'))).toThrow(expect.objectContaining({ code: 'ECLOSED' }));
      await store.close();
      store.closeSync();
      const reopened = OrderedStore.open(device.kill());
      expect(reopened.has(text('k'))).toBe(true);
    }
  });

  it('leaves a foreign device alone', () => {
    expect(() => TreeStore.open(new MemoryDevice({ sizeBytes: 1024 * 1024 }))).toThrow(
      expect.objectContaining({ code: 'ENOTVOLUME' }),
    );
    expect(() => TreeStore.format(new MemoryDevice(), { blockSize: 1000 })).toThrow(RangeError);
  });
});

describe('an ordered store', () => {
  it('does what a map does, and its batches are there whole or not at all', () => {
    const device = new MemoryDevice({ maxSizeBytes: 16 * 1024 * 1024 });
    const store = OrderedStore.format(device, { cacheBytes: 1024 * 1024 });
    store.put(text('b'), text('2'));
    store.batch([
      { type: 'put', key: text('a'), value: text('1') },
      { type: 'delete', key: text('b') },
      { type: 'put', key: text('c'), value: text('3') },
    ]);
    expect([...store.keys()]).toEqual([text('a'), text('c')]);
    const version = store.stats().openDelta;
    expect(() =>
      store.batch([
        { type: 'put', key: text('d'), value: text('4') },
        { type: 'put', key: new Uint8Array(0), value: text('5') },
      ]),
    ).toThrow(RangeError);
    expect(store.has(text('d'))).toBe(false);
    expect(store.stats().openDelta).toBe(version);
    store.commitSync();
    const reopened = OrderedStore.open(MemoryDevice.fromImage(device.snapshot(), { maxSizeBytes: 16 * 1024 * 1024 }));
    expect([...reopened.entries()]).toEqual([
      [text('a'), text('1')],
      [text('c'), text('3')],
    ]);
    expect(reopened.deleteRange(null, text('c'))).toBe(1);
    expect(reopened.bulkLoad([[text('x'), text('y')]])).toBe(1);
    expect([...reopened.values({ reverse: true })]).toEqual([text('y'), text('3')]);
    const cursor = reopened.cursor();
    expect(cursor.seek(text('c'))).toBe(true);
    expect(reopened.get(text('x'))).toEqual(text('y'));
    expect(reopened.delete(text('x'))).toBe(true);
    reopened.closeSync();
  });

  it('makes no batch of what is none', () => {
    const ordered = OrderedStore.format(new MemoryDevice({ maxSizeBytes: 1 << 20 }));
    ordered.put(text('a'), text('1'));
    const operations = [
      { type: 'delete', key: text('a') },
      { type: 'del', key: text('a') },
    ];
    expect(() => ordered.batch(operations as never)).toThrow(
      new TypeError("a batch has operations of type 'put' and 'delete', not 'del'"),
    );
    expect(ordered.has(text('a'))).toBe(true);
  });

  it('does not open a store of something else', () => {
    const { device, store } = formatInMemory({ blockSize: 512 });
    store.closeSync();
    expect(() => OrderedStore.open(MemoryDevice.fromImage(device.snapshot()))).toThrow(
      expect.objectContaining({ code: 'ECORRUPT' }),
    );
  });
});

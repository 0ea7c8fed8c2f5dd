/**
 * Batches on a device that fails to read: found with caches so small that a batch has to read while it is made. It threw when the entries
 * before were in the store already, and a later commit made half of the batch durable; large values that it had written were lost space.
 */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { type BatchOperation, OrderedStore } from '../src/index.ts';
import { auditStore, text } from './store-audit.ts';

const options = { cacheBytes: 8 * 512, bounds: { zeroAheadBytes: 0 } };
const KEY_COUNT = 120;

const keyOf = (i: number): Uint8Array => text(`key ${String(i).padStart(4, '0')}`);

interface Made {
  readonly device: SimulatedDevice;
  readonly store: OrderedStore;
}

/** Some in blocks of their own, some so long that a leaf with one of them is not small. */
const lengthOf = (i: number): number => (i % 10 === 5 ? 3000 : i < 20 ? 110 : 60);

/** A store of which next to nothing is cached. */
function makeStore(): Made {
  const device = new SimulatedDevice({ trace: false });
  const store = OrderedStore.format(device, { blockSize: 512, ...options });
  for (let i = 0; i < KEY_COUNT; i++) store.put(keyOf(i), new Uint8Array(lengthOf(i)).fill(i));
  store.commitSync();
  const again = device.kill({ trace: false });
  return { device: again, store: OrderedStore.open(again, options) };
}

const contentOf = (store: OrderedStore): string[] =>
  [...store.entries()].map(([key, value]) => `${String.fromCharCode(...key)}=${value.length}:${value[0]}`);

const put = (i: number, lengthBytes: number): BatchOperation => ({
  type: 'put',
  key: keyOf(i),
  value: new Uint8Array(lengthBytes).fill(255),
});
const remove = (i: number): BatchOperation => ({ type: 'delete', key: keyOf(i) });

const batches: Record<string, BatchOperation[]> = {
  'puts, small and large': [put(3, 20), put(45, 4000), put(117, 30), put(200, 2000), put(70, 50), put(3, 700)],
  'puts in place of large values': [put(95, 20), put(15, 5000), put(55, 0), put(200, 5)],
  deletes: [remove(100), remove(4), remove(60), remove(61), remove(500), remove(25)],
  'deletes of the first leaves': Array.from({ length: 25 }, (_, i) => remove((i * 7) % 25)),
  // One of these is the first leaf, of which nothing stays.
  ...Object.fromEntries(
    [2, 3, 4, 5, 6, 7, 8].map((count) => [
      `deletes of the first ${count}`,
      Array.from({ length: count }, (_, i) => remove(i)),
    ]),
  ),
  'deletes of all but one': Array.from({ length: KEY_COUNT - 1 }, (_, i) => remove(i)),
  'deletes of what the batch puts': [put(300, 2000), put(80, 1000), remove(300), remove(80), remove(81), put(81, 7)],
};

describe.each(Object.entries(batches))('a batch of %s', (_, operations) => {
  it('changes nothing when a read fails, whichever', () => {
    let isOver = false;
    for (let nth = 1; !isOver; nth++) {
      const { device, store } = makeStore();
      const before = contentOf(store);
      device.failAt({ operation: 'read', nth, effect: 'error' });
      let error: unknown;
      try {
        store.batch(operations);
      } catch (thrown) {
        error = thrown;
      }
      if (error === undefined) {
        isOver = device.struckFaults.length === 0;
        continue;
      }
      expect(error).toMatchObject({ code: 'EIO' });
      expect(contentOf(store)).toEqual(before);
      store.commitSync();
      auditStore(store.trees);
      store.batch(operations);
      const after = contentOf(store);
      store.commitSync();
      auditStore(store.trees);
      const again = OrderedStore.open(device.kill({ trace: false }), options);
      expect(contentOf(again)).toEqual(after);
    }
  });
});

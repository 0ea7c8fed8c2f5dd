/**
 * Found by the crash lab: a batch with a large value, on a device that could not grow, threw when the entries before that value were in the
 * store already, and a later commit made half of the batch durable.
 */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { expect, it } from 'vitest';
import { type BatchOperation, OrderedStore } from '../src/index.ts';
import { text } from './store-audit.ts';

const options = { bounds: { zeroAheadBytes: 0 } };

it.each([1, 2, 3])('a batch changes nothing when the device cannot grow (growth %i)', (nth) => {
  const device = new SimulatedDevice();
  const store = OrderedStore.format(device, { blockSize: 512, ...options });
  store.put(text('before'), text('1'));
  // Beyond what the format has laid out, so that large values are new space.
  for (let i = 0; i < 40; i++) store.put(text(`filler ${i}`), new Uint8Array(5000).fill(i));
  store.commitSync();
  const large = (byte: number): Uint8Array => new Uint8Array(300_000).fill(byte);
  const operations: BatchOperation[] = [
    { type: 'put', key: text('small'), value: text('2') },
    { type: 'delete', key: text('before') },
    { type: 'put', key: text('large'), value: large(1) },
    { type: 'put', key: text('larger'), value: large(2) },
    { type: 'put', key: text('large'), value: large(3) },
  ];
  device.failAt({ operation: 'grow', nth, effect: 'error' });
  const { usedBlocks } = store.stats();
  expect(() => store.batch(operations)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  expect(store.get(text('before'))).toEqual(text('1'));
  for (const key of ['small', 'large', 'larger']) expect(store.has(text(key))).toBe(false);
  expect(store.stats().usedBlocks).toBe(usedBlocks);
  store.commitSync();
  store.batch(operations);
  store.commitSync();
  const again = OrderedStore.open(device.kill(), options);
  expect(again.has(text('before'))).toBe(false);
  expect(again.get(text('small'))).toEqual(text('2'));
  expect(again.get(text('large'))).toEqual(large(3));
  expect(again.get(text('larger'))).toEqual(large(2));
  const problems: Error[] = [];
  again.trees.check({ block() {}, problem: (error) => void problems.push(error) });
  expect(problems).toEqual([]);
});

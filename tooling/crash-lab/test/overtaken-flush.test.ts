/**
 * Found by the lab: a synchronous commit overtakes one whose flush is in flight. That flush fails, and tells only who asked for it. What was
 * written straight to the device for the next delta, after that was opened and before the flush began, was lost with it although the
 * synchronous commit had acknowledged it. Such writes are now issued again.
 */
import { AllocLog } from '@outwrite/alloc-log';
import { RegisterClient } from '@outwrite/alloc-log/testing';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { expect, it } from 'vitest';

it('a flush that fails after it was overtaken takes nothing with it that was acknowledged', async () => {
  const releases: (() => void)[] = [];
  const device = new SimulatedDevice({
    hold: () => new Promise<void>((resolve) => void releases.push(resolve)),
  });
  const client = new RegisterClient();
  const bounds = { syncWriteBytes: 0, zeroAheadBytes: 0 };
  const log = AllocLog.format(device, { blockSize: 512, cacheBytes: 1 << 16, bounds }, client);

  client.set(1, 'in the delta in flight');
  log.commit().catch(() => undefined);
  await turn();
  expect(releases.length, 'the write of the delta is held').toBeGreaterThan(0);
  client.set(2, 'written round the cache', { dataBlocks: 1 });
  device.failAt({ operation: 'flush', nth: 1, effect: 'error' });
  for (const release of releases.splice(0)) release();
  await turn();
  expect(releases.length, 'the flush is held').toBe(1);
  log.commitSync();

  const found = new RegisterClient();
  AllocLog.open(new SimulatedDevice({ medium: device.medium.durableImage() }), { cacheBytes: 1 << 16 }, found);
  found.opened();
  expect(found.get(1)).toBe('in the delta in flight');
  expect(found.get(2)).toBe('written round the cache');
});

async function turn(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/**
 * Closing: what was committed is there, what could not be is told, and the device is let go of in any case.
 */
import { LatchedError } from '@outwrite/blockdev';
import { SimulatedDevice, type SimulatedDeviceOptions } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { AllocLog } from '../src/index.ts';
import { RegisterClient } from '../src/testing.ts';

const quiet = { blockSize: 512, cacheBytes: 1 << 19, bounds: { zeroAheadBytes: 0 } };

/** A volume with a committed register 0 and a register 1 that is not committed. */
function changed(options: SimulatedDeviceOptions = {}) {
  const device = new SimulatedDevice(options);
  const registers = new RegisterClient();
  const log = AllocLog.format(device, quiet, registers);
  registers.set(0, 'kept');
  log.commitSync();
  registers.set(1, 'new');
  return { device, log, registers };
}

function contentOf(device: SimulatedDevice): string[] {
  const registers = new RegisterClient();
  AllocLog.open(device, { cacheBytes: 1 << 19 }, registers);
  registers.opened();
  expect(registers.audit()).toEqual([]);
  return [...registers.content().values()];
}

/** A closed device refuses everything. */
function expectReleased(device: SimulatedDevice): void {
  expect(() => device.readSync(0, [new Uint8Array(512)])).toThrow(expect.objectContaining({ code: 'ECLOSED' }));
}

describe('closing a latched volume', () => {
  function latched() {
    const parts = changed();
    parts.device.failAt({ operation: 'write', nth: 1, effect: 'error' });
    expect(() => parts.log.commitSync()).toThrow(LatchedError);
    return { ...parts, cause: parts.log.latched!.cause };
  }

  it('writes nothing, lets go of the device, and tells all who asked that changes are lost', async () => {
    const { device, log, cause } = latched();
    const writes = device.operationCounts.write;
    const both = await Promise.allSettled([log.close(), log.close()]);
    for (const outcome of both) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ELATCHED', cause } });
      expect((outcome as PromiseRejectedResult).reason.message).toContain('not committed are lost');
    }
    expect(device.operationCounts.write).toBe(writes);
    expectReleased(device);
    await log.close();
    log.closeSync();
    expect(contentOf(device.kill())).toEqual(['kept']);
  });

  it('synchronously does the same', async () => {
    const { device, log, cause } = latched();
    expect(() => log.closeSync()).toThrow(expect.objectContaining({ code: 'ELATCHED', cause }));
    expect(log.closed).toBe(true);
    expectReleased(device);
    log.closeSync();
    await log.close();
  });

  it('tells of the first failure when the device fails to close too', async () => {
    const { device, log, cause } = latched();
    device.close = () => Promise.reject(new Error('cannot be closed'));
    await expect(log.close()).rejects.toMatchObject({ code: 'ELATCHED', cause });
  });

  it('waits for the writes that are still under way', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { device, log } = changed({ hold: (request) => (request.operation === 'flush' ? held : undefined) });
    const committed = expect(log.commit()).rejects.toThrow(LatchedError);
    await new Promise((resolve) => setTimeout(resolve, 1));
    log.latch(new Error('found elsewhere'));
    await committed;
    expect(() => log.closeSync()).toThrow(expect.objectContaining({ code: 'EIO' }));
    expect(log.closed).toBe(false);
    let ended = false;
    const closed = expect(log.close().finally(() => (ended = true))).rejects.toMatchObject({ code: 'ELATCHED' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(ended).toBe(false);
    release();
    await closed;
    expectReleased(device);
  });
});

describe('closing on a device that fails then', () => {
  it.each(['write', 'flush'] as const)(
    'tells of each %s that fails, and of no failure when all is durable',
    async (operation) => {
      let failures = 0;
      for (const sync of [false, true]) {
        for (let nth = 1; ; nth++) {
          const { device, log } = changed();
          const before = device.operationCounts[operation];
          device.failAt({ operation, nth, effect: 'error' });
          let error: unknown = null;
          try {
            if (sync) log.closeSync();
            else await log.close();
          } catch (thrown) {
            error = thrown;
          }
          expectReleased(device);
          await log.close();
          if (device.operationCounts[operation] - before < nth) {
            expect(error).toBe(null);
            break;
          }
          failures++;
          expect(error).toMatchObject({ code: 'ELATCHED', cause: { code: 'EIO' } });
          expect(contentOf(device.kill())[0]).toBe('kept');
        }
      }
      expect(failures).toBeGreaterThanOrEqual(4);
    },
  );
});

it('closing with nothing wrong keeps everything and tells nothing, however often', async () => {
  const { device, log } = changed();
  await Promise.all([log.close(), log.close()]);
  await log.close();
  log.closeSync();
  expect(contentOf(device.kill())).toEqual(['kept', 'new']);
});

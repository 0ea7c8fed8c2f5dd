/**
 * Devices and changes that finish later than they return: an async function fits the type of one that returns nothing, so only the
 * running program can tell. What is acknowledged before it is done would be lost.
 */
import { ForwardingDevice, MemoryDevice } from '@outwrite/blockdev';
import { expect, it } from 'vitest';
import { AllocLog } from '../src/index.ts';
import { RegisterClient } from '../src/testing.ts';

const options = { cacheBytes: 1 << 19 };

class LateReads extends ForwardingDevice {
  override async readSync(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    await Promise.resolve();
    super.readSync(position, buffers);
  }
}

class LateWrites extends ForwardingDevice {
  override async writeSync(): Promise<void> {
    throw new Error('nobody hears this');
  }
}

class LateFlushes extends ForwardingDevice {
  override async flushSync(): Promise<void> {
    throw new Error('nobody hears this');
  }
}

class LateGrowth extends ForwardingDevice {
  override async grow(sizeBytes: number): Promise<void> {
    await Promise.resolve();
    super.grow(sizeBytes);
  }
}

it.each([
  ['writeSync', LateWrites],
  ['flushSync', LateFlushes],
  ['grow', LateGrowth],
])('a device whose %s returns a promise is not formatted', (method, Device) => {
  const device = new Device(new MemoryDevice());
  const format = (): unknown => AllocLog.format(device, options, new RegisterClient());
  expect(format).toThrow(TypeError);
  expect(format).toThrow(`the device's ${method} returned a promise`);
});

it.each([
  ['readSync', LateReads],
  ['writeSync', LateWrites],
  ['flushSync', LateFlushes],
])('a device whose %s returns a promise is not opened', (method, Device) => {
  const inner = new MemoryDevice();
  AllocLog.format(inner, options, new RegisterClient());
  const open = (): unknown => AllocLog.open(new Device(inner), options, new RegisterClient());
  expect(open).toThrow(TypeError);
  expect(open).toThrow(`the device's ${method} returned a promise`);
});

it('a transaction whose change returns a promise is refused, and the log goes on', async () => {
  const registers = new RegisterClient();
  const log = AllocLog.format(new MemoryDevice(), options, registers);
  const change = async (): Promise<void> => {
    registers.set(1, 'before');
    await Promise.resolve();
    throw new Error('nobody hears this');
  };
  expect(() => log.transact(change)).toThrow('the change of a transaction returned a promise');
  registers.set(2, 'after');
  await log.close();
  expect([registers.get(1), registers.get(2)]).toEqual(['before', 'after']);
});

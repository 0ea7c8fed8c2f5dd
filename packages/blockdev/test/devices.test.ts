/** The conformance suite on every device of the package, and what the memory and metering devices do beyond it. */
import { describe, expect, it } from 'vitest';
import { MemoryDevice, MeteringDevice, SharedFlush } from '../src/index.ts';
import { blockDeviceConformance, SimulatedDevice } from '../src/testing.ts';

blockDeviceConformance('MemoryDevice', () => ({ open: (options) => new MemoryDevice(options) }), { describe, it });

blockDeviceConformance(
  'MemoryDevice of an image',
  () => {
    let device: MemoryDevice | undefined;
    return {
      open: (options) => {
        device = MemoryDevice.fromImage(new Uint8Array(options.sizeBytes), { maxSizeBytes: options.maxSizeBytes });
        return device;
      },
      reopen: ({ readOnly }) => MemoryDevice.fromImage(device!.snapshot(), { readOnly }),
    };
  },
  { describe, it },
);

blockDeviceConformance(
  'MeteringDevice',
  () => ({ open: (options) => new MeteringDevice(new MemoryDevice(options), { classify: () => 'x', unitBytes: 512 }) }),
  { describe, it },
);

for (const held of [false, true]) {
  blockDeviceConformance(
    held ? 'SimulatedDevice with slow requests' : 'SimulatedDevice',
    () => {
      let device: SimulatedDevice | undefined;
      const hold = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
      return {
        open: (options) => {
          device = new SimulatedDevice(held ? { ...options, hold } : options);
          return device;
        },
        reopen: ({ readOnly }) => new SimulatedDevice({ medium: device!.medium, readOnly }),
      };
    },
    { describe, it },
  );
}

describe('the conformance suite', () => {
  /** Runs the suite on `makeDevice` and returns the titles of the tests that failed. */
  async function failures(
    makeDevice: (options: { sizeBytes: number; maxSizeBytes: number }) => MemoryDevice,
  ): Promise<string[]> {
    const tests: { title: string; body: () => Promise<void> }[] = [];
    blockDeviceConformance('canary', () => ({ open: makeDevice }), {
      describe: (_, body) => body(),
      it: (title, body) => tests.push({ title, body }),
    });
    const failed: string[] = [];
    for (const { title, body } of tests) await body().catch(() => failed.push(title));
    return failed;
  }

  it('passes a good device and catches bad ones (canary)', async () => {
    expect(await failures((options) => new MemoryDevice(options))).toEqual([]);
    class LosesTheSecondBuffer extends MemoryDevice {
      override writeSync(position: number, buffers: readonly Uint8Array[]): void {
        super.writeSync(position, buffers.length > 1 ? buffers.slice(0, 1) : buffers);
      }
    }
    expect((await failures((options) => new LosesTheSecondBuffer(options))).length).toBeGreaterThan(2);
    class ChecksNothing extends MemoryDevice {
      override async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
        await super.write(position, buffers).catch(() => undefined);
      }
    }
    expect((await failures((options) => new ChecksNothing(options))).length).toBe(2);
  });
});

describe('MemoryDevice', () => {
  it('takes memory for what was written only, and gives it back', () => {
    const device = new MemoryDevice({ sizeBytes: 2 ** 40 });
    expect(device.allocatedBytes).toBe(0);
    device.writeSync(2 ** 39, [new Uint8Array(512).fill(1)]);
    expect(device.allocatedBytes).toBe(65536);
    device.trim(2 ** 39, 65536);
    expect(device.allocatedBytes).toBe(0);
  });

  it('takes a copy of an image and gives copies', () => {
    const image = new Uint8Array(70 * 1024).fill(3);
    const device = MemoryDevice.fromImage(image);
    image.fill(0);
    const snapshot = device.snapshot();
    expect(snapshot.every((byte) => byte === 3)).toBe(true);
    device.writeSync(0, [new Uint8Array(512)]);
    expect(snapshot[0]).toBe(3);
  });

  it('refuses sizes that are none', () => {
    expect(() => new MemoryDevice({ sizeBytes: 100 })).toThrow(RangeError);
    expect(() => new MemoryDevice({ sizeBytes: 1024, maxSizeBytes: 512 })).toThrow(RangeError);
  });
});

describe('MeteringDevice', () => {
  it('counts calls, buffers and bytes, sync and async apart, and by kind', async () => {
    const kinds = (position: number, bytes: Uint8Array): string =>
      position === 0 ? 'superblock' : bytes[0] === 1 ? 'one' : 'other';
    const device = new MeteringDevice(new MemoryDevice({ sizeBytes: 8192 }), { classify: kinds, unitBytes: 512 });
    device.writeSync(0, [new Uint8Array(1024), new Uint8Array(512).fill(1)]);
    const before = device.counters();
    await device.write(512, [new Uint8Array(1024).fill(1)]);
    device.readSync(0, [new Uint8Array(512), new Uint8Array(512)]);
    await device.flush();
    device.flushSync();
    device.flushSync();
    device.grow(16384);
    device.trim!(0, 512);
    expect(device.since(before)).toEqual({
      reads: { calls: 1, buffers: 2, bytes: 1024 },
      asyncWrites: { calls: 1, buffers: 1, bytes: 1024 },
      syncWrites: { calls: 0, buffers: 0, bytes: 0 },
      asyncFlushes: 1,
      syncFlushes: 2,
      grows: 1,
      trims: 1,
      written: { one: { units: 2, bytes: 1024 } },
      read: {},
    });
    expect(before.written).toEqual({
      superblock: { units: 1, bytes: 512 },
      other: { units: 1, bytes: 512 },
      one: { units: 1, bytes: 512 },
    });
    device.reset();
    expect(device.counters().syncWrites.bytes).toBe(0);
    expect(device.counters().written).toEqual({});
  });

  it('has trim only if the inner device has it, and can classify reads', () => {
    const simulated = new MeteringDevice(new SimulatedDevice({ sizeBytes: 512 }), {
      classify: () => 'k',
      classifyReads: true,
    });
    expect(simulated.trim).toBeUndefined();
    simulated.readSync(0, [new Uint8Array(512)]);
    expect(simulated.counters().read).toEqual({ k: { units: 1, bytes: 512 } });
  });
});

describe('SharedFlush', () => {
  /** A flush that ends when told, and a log of beginnings. */
  function harness() {
    const pending: { resolve: () => void; reject: (error: Error) => void }[] = [];
    const shared = new SharedFlush(() => new Promise<void>((resolve, reject) => pending.push({ resolve, reject })));
    return { pending, shared };
  }

  it('has one flush in flight; who comes meanwhile shares the next', async () => {
    const { pending, shared } = harness();
    const done: string[] = [];
    const request = (name: string): Promise<unknown> => shared.request().then(() => done.push(name));
    const first = request('a');
    const others = [request('b'), request('c')];
    expect(pending.length).toBe(1);
    pending[0]!.resolve();
    await first;
    await Promise.resolve();
    expect(done).toEqual(['a']);
    expect(pending.length).toBe(2);
    others.push(request('d'));
    pending[1]!.resolve();
    await Promise.all(others.slice(0, 2));
    await Promise.resolve();
    expect(pending.length).toBe(3);
    expect(done).toEqual(['a', 'b', 'c']);
    pending[2]!.resolve();
    await Promise.all(others);
    expect(shared.inFlight).toBe(false);
  });

  it('fails those who wait together with the one in flight, and starts afresh', async () => {
    const { pending, shared } = harness();
    const first = shared.request();
    const second = shared.request();
    const failures = Promise.allSettled([first, second]);
    pending[0]!.reject(new Error('EIO'));
    expect((await failures).map((result) => result.status)).toEqual(['rejected', 'rejected']);
    expect(pending.length).toBe(1);
    expect(shared.inFlight).toBe(false);
    const third = shared.request();
    pending[1]!.resolve();
    await third;
  });
});

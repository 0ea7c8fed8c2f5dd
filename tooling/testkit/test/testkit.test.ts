/** The test kit on a toy engine that is right, and on mutants of it that must be caught. */
import { xxh32 } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CrashViolation,
  everyCrashPoint,
  everyFault,
  Random,
  SEED_VARIABLE,
  testSeed,
  unevenHold,
} from '../src/index.ts';

describe('OUTWRITE_SEED', () => {
  it('is what fast-check draws from', () => {
    const given = process.env[SEED_VARIABLE];
    expect(fc.readConfigureGlobal()?.seed).toBe(given === undefined ? undefined : Number(given) | 0);
    const draw = (): number[] => {
      const drawn: number[] = [];
      fc.assert(fc.property(fc.nat(), (value) => void drawn.push(value)));
      return drawn;
    };
    if (given === undefined) expect(draw()).not.toEqual(draw());
    else expect(draw()).toEqual(draw());
  });
});

describe('Random', () => {
  it('repeats itself for equal seeds and differs for others', () => {
    const draw = (seed: number): number[] =>
      Array.from(
        { length: 5 },
        (
          (random) => () =>
            random.u32()
        )(new Random(seed)),
      );
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    // A fixed point: the sequence is the same on every platform and in every release.
    expect(draw(42)).toMatchInlineSnapshot(`
      [
        1959603763,
        2423114712,
        2466933512,
        4144396390,
        3569536208,
      ]
    `);
  });

  it('spreads evenly and stays in range', () => {
    const random = new Random(testSeed('Random'));
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[random.below(10)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
    expect(['a', 'b']).toContain(random.pick(['a', 'b']));
    fc.assert(
      fc.property(fc.nat(), fc.integer(), fc.nat({ max: 1000 }), (seed, first, width) => {
        const drawn = new Random(seed).between(first, first + width);
        expect(drawn).toBeGreaterThanOrEqual(first);
        expect(drawn).toBeLessThanOrEqual(first + width);
        const items = Array.from({ length: width % 20 }, (_, i) => i);
        expect(new Random(seed).shuffled(items).sort((a, b) => a - b)).toEqual(items);
      }),
    );
    expect(() => random.pick([])).toThrow(RangeError);
    expect(new Set(random.bytes(1000)).size).toBeGreaterThan(200);
  });

  it('derives generators that do not depend on what was drawn', () => {
    const random = new Random(5);
    const before = random.derive(1, 2).u32();
    random.u32();
    expect(random.derive(1, 2).u32()).toBe(before);
    expect(random.derive(2, 1).u32()).not.toBe(before);
  });
});

const SLOT_BYTES = 4096;

/** What a toy may do wrong. */
interface ToyFaults {
  skipsFlush?: boolean;
  ignoresChecksum?: boolean;
  overwritesCurrentSlot?: boolean;
  swallowsErrors?: boolean;
}

/** A counter with two checksummed slots, written in turn: the smallest thing that survives a crash. */
class ToyCounter {
  value = 0;
  readonly #device: SimulatedDevice;
  readonly #faults: ToyFaults;

  constructor(device: SimulatedDevice, faults: ToyFaults = {}) {
    this.#device = device;
    this.#faults = faults;
    device.grow(2 * SLOT_BYTES);
    for (const slot of [0, 1]) {
      const bytes = new Uint8Array(SLOT_BYTES);
      device.readSync(slot * SLOT_BYTES, [bytes]);
      const words = new Uint32Array(bytes.buffer);
      if (words[1] === xxh32(bytes, 8) || faults.ignoresChecksum === true) this.value = Math.max(this.value, words[0]!);
    }
    // What was read may be in the cache only: make it durable before it is built upon.
    device.flushSync();
  }

  increment(): void {
    const bytes = new Uint8Array(SLOT_BYTES).fill(this.value + 1);
    const words = new Uint32Array(bytes.buffer);
    words[0] = this.value + 1;
    words[1] = xxh32(bytes, 8);
    const slot = this.#faults.overwritesCurrentSlot === true ? 0 : (this.value + 1) % 2;
    try {
      this.#device.writeSync(slot * SLOT_BYTES, [bytes]);
      if (this.#faults.skipsFlush !== true) this.#device.flushSync();
    } catch (error) {
      if (this.#faults.swallowsErrors !== true) throw error;
    }
    this.value++;
    this.#device.note(this.value);
  }
}

function explore(faults: ToyFaults, options: { rounds?: number; only?: string; maxStates?: number } = {}) {
  return everyCrashPoint(
    (device) => {
      const counter = new ToyCounter(device, faults);
      for (let i = 0; i < 5; i++) counter.increment();
    },
    ({ device, notes }) => {
      const counter = new ToyCounter(device, faults);
      const acknowledged = Math.max(0, ...(notes as number[]));
      expect(counter.value).toBeGreaterThanOrEqual(acknowledged);
      expect(counter.value).toBeLessThanOrEqual(acknowledged + 1);
      // Opening has flushed: what it found must stay.
      device.note(counter.value);
      counter.increment();
      counter.increment();
    },
    { seed: 1, ...options },
  );
}

describe('everyCrashPoint', () => {
  it('finds nothing in a toy that is right, in crashes of crashes too', async () => {
    const report = await explore({}, { rounds: 3 });
    expect(report.pointCount).toBe(13);
    expect(report.stateCount).toBeGreaterThan(100);
    expect(Object.keys(report.stateCountByKind)).toEqual(
      expect.arrayContaining(['all kept', 'all lost', 'process kill']),
    );
    const sum = Object.values(report.stateCountByKind).reduce((total, count) => total + count);
    expect(sum).toBe(report.stateCount);
  });

  it('catches every mutant (canary) and names the state so that it can be repeated', async () => {
    const mutants: ToyFaults[] = [{ skipsFlush: true }, { ignoresChecksum: true }, { overwritesCurrentSlot: true }];
    for (const mutant of mutants) {
      const violation = await explore(mutant, { rounds: 2 }).catch((error: unknown) => error);
      expect(violation, JSON.stringify(mutant)).toBeInstanceOf(CrashViolation);
      const { stateName, message } = violation as CrashViolation;
      expect(message).toContain(`seed: 1, only: '${stateName}'`);
      const repeated = await explore(mutant, { rounds: 2, only: stateName }).catch((error: unknown) => error);
      expect(repeated).toBeInstanceOf(CrashViolation);
      expect((repeated as CrashViolation).message).toBe(message);
    }
  });

  it('explores kills and cuts in the middle of asynchronous writes, repeatably', async () => {
    const explored: string[][] = [];
    for (let run = 0; run < 2; run++) {
      const contents: string[] = [];
      await everyCrashPoint(
        async (device) => {
          const writes = [0, 1, 2].map((i) => device.write(i * 512, [new Uint8Array(512).fill(i + 1)]));
          await Promise.all(writes);
          await device.flush();
          device.note('durable');
        },
        ({ device, kind, notes }) => {
          const image = device.medium.visibleImage().toBytes();
          const found = [image[0], image[512], image[1024]].join('');
          if (notes.length > 0) expect(found).toBe('123');
          contents.push(`${kind} ${found}`);
        },
        { seed: 9, pieceBytes: 512, device: { sizeBytes: 1536, hold: unevenHold(new Random(8)) } },
      );
      explored.push(contents);
    }
    expect(explored[0]).toEqual(explored[1]);
    const kills = new Set(explored[0]!.filter((line) => line.startsWith('process kill')));
    expect(kills.size).toBeGreaterThan(2);
  });

  it('samples the points of a long workload', async () => {
    const all = await explore({});
    const some = await explore({}, { maxStates: 20 });
    expect(some.stateCount).toBeLessThan(all.stateCount);
    expect(some.stateCount).toBeGreaterThan(0);
  });
});

describe('everyFault', () => {
  const sweep = (faults: ToyFaults) =>
    everyFault(
      (device) => {
        const counter = new ToyCounter(device, faults);
        for (let i = 0; i < 3; i++) counter.increment();
      },
      ({ error, device, notes }) => {
        expect(error).toMatchObject({ code: expect.stringMatching(/^E/) });
        const next = new ToyCounter(new SimulatedDevice({ medium: device.medium.durableImage() }));
        expect(next.value).toBeGreaterThanOrEqual(notes.length);
      },
    );

  it('fails each call of a workload once', async () => {
    const report = await sweep({});
    expect(report.runCountByOperation).toEqual({ read: 2, write: 3, flush: 4, grow: 1 });
    expect(report.runCount).toBe(10);
  });

  it('catches who swallows errors (canary)', async () => {
    await expect(sweep({ swallowsErrors: true })).rejects.toThrow('after a fault of write 1 of 3');
  });
});

describe('unevenHold', () => {
  it('completes requests in another order than they were made in, the same for each seed', async () => {
    const run = async (): Promise<number[]> => {
      const device = new SimulatedDevice({ sizeBytes: 16 * 512, hold: unevenHold(new Random(3)) });
      const order: number[] = [];
      const writes = Array.from({ length: 16 }, (_, i) =>
        device.write(i * 512, [new Uint8Array(512)]).then(() => {
          order.push(i);
        }),
      );
      await Promise.all(writes);
      await device.close();
      return order;
    };
    const order = await run();
    expect(order).not.toEqual(order.slice().sort((a, b) => a - b));
    expect(await run()).toEqual(order);
  });
});

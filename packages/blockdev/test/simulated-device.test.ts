/** The simulated device: what reads see, what power cuts and kills can leave, and every fault on demand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionError, CorruptionError, DeviceError, NoSpaceError } from '../src/index.ts';
import { crashPoints, imagesBetweenWrites, Medium, SimulatedDevice, SparseImage } from '../src/testing.ts';

const SECTOR = 512;

function sectors(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * SECTOR);
  for (const [i, value] of values.entries()) bytes.fill(value, i * SECTOR, (i + 1) * SECTOR);
  return bytes;
}

/** The first byte of each sector. */
function sample(image: SparseImage): number[] {
  const bytes = image.toBytes();
  return Array.from({ length: bytes.length / SECTOR }, (_, i) => bytes[i * SECTOR]!);
}

function visible(device: SimulatedDevice): number[] {
  return sample(device.medium.visibleImage());
}

/** A hold for asynchronous requests that the test lets go one by one, in any order. */
function gate() {
  const waiting: (() => void)[] = [];
  return {
    waiting,
    hold: (): Promise<void> => new Promise<void>((resolve) => waiting.push(resolve)),
    /** Lets a request go and waits until what follows from that has happened. */
    release: async (index: number): Promise<void> => {
      waiting.splice(index, 1)[0]!();
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
  };
}

describe('SparseImage', () => {
  it('forks are independent and equal an array, step by step', () => {
    const change = fc.record({
      image: fc.nat({ max: 3 }),
      action: fc.constantFrom('write', 'fork', 'fill', 'resize', 'flip'),
      position: fc.nat({ max: 60 }),
      length: fc.nat({ max: 40 }),
      value: fc.nat({ max: 255 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const images = [new SparseImage(64 * SECTOR)];
        const models = [new Uint8Array(64 * SECTOR)];
        for (const { image: choice, action, position, length, value } of changes) {
          const index = choice % images.length;
          const image = images[index]!;
          let model = models[index]!;
          const start = Math.min(position * SECTOR, model.length);
          const end = Math.min(start + length * SECTOR, model.length);
          if (action === 'write') {
            const bytes = new Uint8Array(end - start).fill(value);
            image.write(start, bytes);
            model.set(bytes, start);
          } else if (action === 'fill') {
            image.fill(start, end - start, value);
            model.fill(value, start, end);
          } else if (action === 'flip') {
            if (start >= model.length) continue;
            image.flipBit(start, value % 8);
            model[start]! ^= 1 << (value % 8);
          } else if (action === 'resize') {
            const resized = new Uint8Array((32 + position) * SECTOR);
            resized.set(model.subarray(0, resized.length));
            image.resize(resized.length);
            model = resized;
            models[index] = model;
          } else {
            images.push(image.fork());
            models.push(model.slice());
          }
          for (const [i, other] of images.entries()) {
            expect(Buffer.compare(other.toBytes(), models[i]!)).toBe(0);
            expect(other.equals(image)).toBe(Buffer.compare(models[i]!, model) === 0);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('a power cut', () => {
  it('keeps what a flush covered, and any part of the rest', () => {
    const device = new SimulatedDevice({ sizeBytes: 4 * SECTOR });
    device.writeSync(0, [sectors(1)]);
    device.flushSync();
    device.writeSync(0, [sectors(2, 2)]);
    device.writeSync(3 * SECTOR, [sectors(3)]);
    expect(visible(device)).toEqual([2, 2, 0, 3]);
    const points = [...crashPoints(device.trace)];
    const last = points.at(-1)!;
    expect(sample(last.dropAll())).toEqual([1, 0, 0, 0]);
    expect(sample(last.keepAll())).toEqual([2, 2, 0, 3]);
    const subsets = [...last.pieceSubsets({ pieceBytes: SECTOR, maxPieces: 3 })].map(({ image }) =>
      sample(image).join(''),
    );
    expect(subsets.sort()).toEqual(['1000', '1003', '1200', '1203', '2000', '2003', '2200', '2203']);
    expect([...last.pieceSubsets({ pieceBytes: SECTOR, maxPieces: 2 })]).toEqual([]);
    expect(sample(last.image({ fate: (_, sectorIndex) => (sectorIndex === 1 ? 'garbage' : 'drop') }))).toEqual([
      1, 0xa5, 0, 0,
    ]);
  });

  it('may leave the older of two writes to one place, unless the newer one was flushed', () => {
    const device = new SimulatedDevice({ sizeBytes: SECTOR });
    device.writeSync(0, [sectors(1)]);
    device.writeSync(0, [sectors(2)]);
    let point = [...crashPoints(device.trace)].at(-1)!;
    const [first, second] = point.pending;
    expect(sample(point.image({ fate: () => 'keep', order: [second!, first!] }))).toEqual([1]);
    device.flushSync();
    point = [...crashPoints(device.trace)].at(-1)!;
    expect(point.pending).toEqual([]);
    expect(sample(point.dropAll())).toEqual([2]);
  });

  it('may undo a growth, down to what kept writes need', () => {
    const device = new SimulatedDevice({ sizeBytes: SECTOR });
    device.grow(4 * SECTOR);
    device.writeSync(SECTOR, [sectors(1)]);
    const last = [...crashPoints(device.trace)].at(-1)!;
    expect(last.dropAll().sizeBytes).toBe(SECTOR);
    expect(last.image({ fate: () => 'keep' }).sizeBytes).toBe(2 * SECTOR);
    expect(last.keepAll().sizeBytes).toBe(4 * SECTOR);
    device.flushSync();
    expect([...crashPoints(device.trace)].at(-1)!.dropAll().sizeBytes).toBe(4 * SECTOR);
  });

  it('cannot take what was durable, keeps nothing that was not written, and has every kind', () => {
    const kinds: Set<string> = new Set();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 7 }), fc.integer({ min: 1, max: 3 }), fc.boolean()), { maxLength: 20 }),
        fc.noShrink(fc.integer()),
        (steps, seed) => {
          const device = new SimulatedDevice({ sizeBytes: 10 * SECTOR });
          const durable = new Array<number>(10).fill(0);
          const possible = durable.map((value) => new Set([value]));
          let current = durable.slice();
          for (const [i, [position, count, flush]] of steps.entries()) {
            device.writeSync(position * SECTOR, [sectors(...new Array<number>(count).fill(i + 1))]);
            current = current.map((value, at) => (at >= position && at < position + count ? i + 1 : value));
            for (const [at, value] of current.entries()) possible[at]!.add(value);
            if (!flush) continue;
            device.flushSync();
            for (const [at, value] of current.entries()) possible[at] = new Set([value]);
          }
          const last = [...crashPoints(device.trace)].at(-1)!;
          let state = seed >>> 0;
          const random = (): number => {
            state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
            return state / 2 ** 32;
          };
          for (let i = 0; i < 10; i++) {
            const { kind, image } = last.sample(random);
            kinds.add(kind);
            for (const [at, value] of sample(image).entries()) {
              if (kind !== 'garbage') expect(possible[at]!.has(value), `${kind} sector ${at}`).toBe(true);
            }
          }
        },
      ),
    );
    expect([...kinds].sort()).toEqual(['all lost', 'cut short', 'garbage', 'reordered', 'subset', 'torn']);
  });

  it('is offered before every change, with all notes made until then', () => {
    const device = new SimulatedDevice({ sizeBytes: 2 * SECTOR });
    device.writeSync(0, [sectors(1)]);
    device.flushSync();
    device.note('first is safe');
    device.writeSync(0, [sectors(2)]);
    device.flushSync();
    device.note('second is safe');
    const seen = [...crashPoints(device.trace)].map((point) => point.notes.length);
    expect(seen.length).toBe(5);
    const images: string[] = [];
    for (const { point, kind, image } of imagesBetweenWrites(device.trace)) {
      images.push(`${sample(image)[0]} ${kind} after ${point.notes.length}`);
    }
    expect(images).toEqual([
      '0 all kept after 0',
      '1 all kept after 0',
      '0 all lost after 0',
      '1 all kept after 1',
      '2 all kept after 1',
      '1 all lost after 1',
      '2 all kept after 2',
    ]);
  });
});

describe('asynchronous requests', () => {
  it('land when they are let go, in any order, and a flush covers what had returned when it began', async () => {
    const { waiting, hold, release } = gate();
    const device = new SimulatedDevice({ sizeBytes: 4 * SECTOR, hold });
    const writes = [0, 1, 2].map((i) => device.write(i * SECTOR, [sectors(i + 1)]));
    expect(visible(device)).toEqual([0, 0, 0, 0]);
    await release(1);
    await writes[1];
    expect(visible(device)).toEqual([0, 2, 0, 0]);
    const flush = device.flush();
    await release(0);
    expect(visible(device)).toEqual([1, 2, 0, 0]);
    await release(1);
    await flush;
    expect(sample(device.medium.durableImage())).toEqual([0, 2, 0, 0]);
    await release(0);
    await Promise.all(writes);
    expect(waiting.length).toBe(0);
    const last = [...crashPoints(device.trace)].at(-1)!;
    expect(sample(last.dropAll())).toEqual([0, 2, 0, 0]);
    expect(sample(last.keepAll())).toEqual([1, 2, 3, 0]);
  });

  it('may be on the medium before they have landed', async () => {
    const { hold } = gate();
    const device = new SimulatedDevice({ sizeBytes: SECTOR, hold });
    void device.write(0, [sectors(1)]);
    const last = [...crashPoints(device.trace)].at(-1)!;
    expect(sample(last.keepAll())).toEqual([1]);
    expect(sample(last.dropAll())).toEqual([0]);
  });

  it('reject when a buffer changes while it is written', async () => {
    const { hold, release } = gate();
    const device = new SimulatedDevice({ sizeBytes: SECTOR, hold });
    const buffer = sectors(1);
    const write = device.write(0, [buffer]);
    buffer[100] = 2;
    const rejected = expect(write).rejects.toThrow(AssertionError);
    await release(0);
    await rejected;
  });
});

describe('a process kill', () => {
  it('leaves what has landed visible and not durable', () => {
    const device = new SimulatedDevice({ sizeBytes: 2 * SECTOR });
    device.writeSync(0, [sectors(1)]);
    const point = [...crashPoints(device.trace)].at(-1)!;
    const next = new SimulatedDevice({ medium: point.processKill() });
    expect(visible(next)).toEqual([1, 0]);
    expect(sample(next.medium.durableImage())).toEqual([0, 0]);
    // The next life's flush makes it durable; without one, a power cut may still lose it.
    const lost = [...crashPoints(next.trace)].at(-1)!.dropAll();
    expect(sample(lost)).toEqual([0, 0]);
    next.flushSync();
    expect(sample(next.medium.durableImage())).toEqual([1, 0]);
    expect(visible(device)).toEqual([1, 0]);
    expect(sample(device.medium.durableImage())).toEqual([0, 0]);
  });

  it('lets writes in flight land or not', () => {
    const { hold } = gate();
    const device = new SimulatedDevice({ sizeBytes: 2 * SECTOR, hold });
    void device.write(0, [sectors(1)]);
    void device.write(SECTOR, [sectors(2)]);
    const point = [...crashPoints(device.trace)].at(-1)!;
    expect(sample(point.processKill().visibleImage())).toEqual([0, 0]);
    const one = point.processKill((write) => write.position === SECTOR);
    expect(sample(one.visibleImage())).toEqual([0, 2]);
    expect(one.pending.map((write) => write.state)).toEqual(['returned']);
  });

  it('can be followed by late writes of the dead process, which the next life sees', async () => {
    const { hold, release } = gate();
    const device = new SimulatedDevice({ sizeBytes: SECTOR, hold });
    const late = device.write(0, [sectors(1)]);
    const next = device.kill();
    expect(() => device.writeSync(0, [sectors(9)])).toThrow(DeviceError);
    expect(() => device.readSync(0, [sectors(9)])).toThrow('killed');
    next.writeSync(0, [sectors(2)]);
    next.flushSync();
    expect(visible(next)).toEqual([2]);
    await release(0);
    await late;
    expect(visible(next)).toEqual([1]);
    // The late landing is in the next life's trace: its last crash point knows both outcomes.
    const last = [...crashPoints(next.trace)].at(-1)!;
    expect(sample(last.dropAll())).toEqual([2]);
    expect(sample(last.keepAll())).toEqual([1]);
    await device.close();
  });
});

describe('faults on demand', () => {
  it('fail the n-th call from now on, once, with a DeviceError', async () => {
    const device = new SimulatedDevice({ sizeBytes: 4 * SECTOR });
    const sector = [sectors(7)];
    device.writeSync(0, sector);
    device.failAt({ operation: 'write', nth: 2, effect: 'error' });
    device.failAt({ operation: 'read', nth: 1, effect: 'error' });
    device.failAt({ operation: 'grow', nth: 1, effect: 'error' });
    device.writeSync(SECTOR, sector);
    await expect(device.write(2 * SECTOR, sector)).rejects.toMatchObject({
      code: 'EIO',
      operation: 'write',
      position: 2 * SECTOR,
    });
    device.writeSync(3 * SECTOR, sector);
    expect(visible(device)).toEqual([7, 7, 0, 7]);
    expect(() => device.readSync(0, [sectors(0)])).toThrow(expect.objectContaining({ code: 'EIO', operation: 'read' }));
    device.readSync(0, [sectors(0)]);
    expect(() => device.grow(5 * SECTOR)).toThrow(NoSpaceError);
    device.grow(5 * SECTOR);
    expect(device.operationCounts).toEqual({ read: 2, write: 4, flush: 0, grow: 2 });
    expect(() => device.failAt({ operation: 'read', nth: 0, effect: 'error' })).toThrow(RangeError);
  });

  it('a failed write may be on the medium in part, but no flush covers it', () => {
    for (const isVisible of [false, true]) {
      const device = new SimulatedDevice({ sizeBytes: 2 * SECTOR });
      device.failAt({ operation: 'write', nth: 1, effect: 'error', visible: isVisible });
      expect(() => device.writeSync(0, [sectors(1, 1)])).toThrow(DeviceError);
      expect(visible(device)).toEqual(isVisible ? [1, 1] : [0, 0]);
      device.flushSync();
      const last = [...crashPoints(device.trace)].at(-1)!;
      expect(sample(last.dropAll())).toEqual([0, 0]);
      expect(sample(last.image({ fate: (_, sectorIndex) => (sectorIndex === 0 ? 'keep' : 'drop') }))).toEqual([1, 0]);
      // What is written to the same place later and flushed is final.
      device.writeSync(0, [sectors(2)]);
      device.flushSync();
      expect(sample([...crashPoints(device.trace)].at(-1)!.keepAll())).toEqual([2, 1]);
    }
  });

  it('a failed flush leaves its writes visible and never durable, though the next one succeeds', () => {
    const device = new SimulatedDevice({ sizeBytes: 2 * SECTOR });
    device.writeSync(0, [sectors(1)]);
    device.failAt({ operation: 'flush', nth: 1, effect: 'error' });
    expect(() => device.flushSync()).toThrow(expect.objectContaining({ code: 'EIO', operation: 'flush' }));
    device.writeSync(SECTOR, [sectors(2)]);
    device.flushSync();
    expect(visible(device)).toEqual([1, 2]);
    const last = [...crashPoints(device.trace)].at(-1)!;
    expect(sample(last.dropAll())).toEqual([0, 2]);
    expect(sample(last.keepAll())).toEqual([1, 2]);
  });

  it('the error of a flush goes to one of two that overlap; the other succeeds and does not mend it', async () => {
    const { hold, release } = gate();
    const device = new SimulatedDevice({ sizeBytes: SECTOR, hold });
    device.writeSync(0, [sectors(1)]);
    device.failAt({ operation: 'flush', nth: 2, effect: 'error' });
    const asynchronous = device.flush();
    expect(() => device.flushSync()).toThrow(DeviceError);
    await release(0);
    await asynchronous;
    expect(sample(device.medium.durableImage())).toEqual([0]);
  });

  it('lost and misdirected writes succeed, and flipped bits are in what is read', () => {
    const device = new SimulatedDevice({ sizeBytes: 4 * SECTOR });
    device.failAt({ operation: 'write', nth: 1, effect: 'lost' });
    device.failAt({ operation: 'write', nth: 2, effect: 'misdirected', offsetBytes: 2 * SECTOR });
    device.failAt({ operation: 'write', nth: 3, effect: 'misdirected', offsetBytes: 2 * SECTOR });
    device.writeSync(0, [sectors(1)]);
    device.writeSync(SECTOR, [sectors(2)]);
    device.writeSync(2 * SECTOR, [sectors(3)]);
    device.flushSync();
    expect(visible(device)).toEqual([3, 0, 0, 2]);
    expect(sample(device.medium.durableImage())).toEqual([3, 0, 0, 2]);
    // Astray too far in either direction, it stays on the device.
    for (const offsetBytes of [9 * SECTOR, -9 * SECTOR]) {
      device.failAt({ operation: 'write', nth: 1, effect: 'misdirected', offsetBytes });
      device.writeSync(SECTOR, [sectors(0)]);
      expect(device.sizeBytes).toBe(4 * SECTOR);
    }
    device.writeSync(0, [sectors(3)]);
    const found = new Uint8Array(2 * SECTOR);
    device.failAt({ operation: 'read', nth: 1, effect: 'flip', bit: SECTOR * 8 + 1 });
    device.readSync(0, [found.subarray(0, SECTOR), found.subarray(SECTOR)]);
    expect(found[SECTOR]).toBe(2);
    device.readSync(0, [found]);
    expect(found[SECTOR]).toBe(0);
    device.flipBit(0, 3);
    device.readSync(0, [found]);
    expect(found[0]).toBe(3 ^ 8);
  });
});

describe('traces and media', () => {
  it('a replay ends in the state of the medium, whatever happened', async () => {
    const random = fc.sample(fc.nat({ max: 1000 }), { seed: 7, numRuns: 400 });
    const { waiting, hold, release } = gate();
    const device = new SimulatedDevice({ sizeBytes: 16 * SECTOR, hold });
    const requests: Promise<unknown>[] = [];
    device.failAt({ operation: 'flush', nth: 3, effect: 'error' });
    device.failAt({ operation: 'write', nth: 9, effect: 'error' });
    device.failAt({ operation: 'write', nth: 15, effect: 'lost' });
    for (const [i, choice] of random.entries()) {
      const position = (choice % 14) * SECTOR;
      try {
        if (i % 5 === 0) requests.push(device.flush().catch(() => undefined));
        else if (i % 5 === 1) device.writeSync(position, [sectors(i & 255, 255)]);
        else if (i % 5 === 2) requests.push(device.write(position, [sectors(i & 255)]).catch(() => undefined));
        else if (i % 5 === 3 && waiting.length > 0) await release(choice % waiting.length);
        else if (i % 25 === 4) device.flushSync();
      } catch (error) {
        expect(error).toBeInstanceOf(DeviceError);
      }
    }
    const replay = device.trace.replay();
    while (replay.next !== undefined) replay.step();
    expect(replay.medium.visibleImage().equals(device.medium.visibleImage())).toBe(true);
    expect(replay.medium.durableImage().equals(device.medium.durableImage())).toBe(true);
    expect(replay.medium.pending).toEqual(device.medium.pending);
    while (waiting.length > 0) await release(0);
    await Promise.all(requests);
    await device.close();
  });

  it('a medium refuses impossible orders', () => {
    const medium = new Medium(new SparseImage(SECTOR));
    const write = medium.issue(0, sectors(1));
    expect(() => medium.return(write)).toThrow(AssertionError);
    medium.land(write);
    expect(() => medium.land(write)).toThrow(AssertionError);
    expect(() => medium.lose(write)).toThrow(AssertionError);
    medium.return(write);
    expect(() => medium.fail(write)).toThrow(AssertionError);
    expect(() => medium.land(99)).toThrow(AssertionError);
    expect(() => new SimulatedDevice({ trace: false }).trace).toThrow(TypeError);
  });

  it('the toy that skips its flush is caught, the one that does not is not (canary)', () => {
    // One record of two sectors, "committed" when both carry the same value.
    const read = (image: SparseImage): number => {
      const [first, second] = sample(image);
      if (first !== second) throw new CorruptionError('record', 'torn', { expected: first, actual: second });
      return first!;
    };
    const run = (flushes: boolean): number => {
      const device = new SimulatedDevice({ sizeBytes: 4 * SECTOR });
      for (let value = 1; value <= 3; value++) {
        // The slot that is not current, so that a torn write harms nothing; then a note.
        device.writeSync((value % 2) * 2 * SECTOR, [sectors(value, value)]);
        if (flushes) device.flushSync();
        device.note(value);
      }
      let violations = 0;
      for (const point of crashPoints(device.trace)) {
        for (const { image } of point.pieceSubsets({ pieceBytes: SECTOR, maxPieces: 8 })) {
          const bytes = image.toBytes();
          const slots = [0, 2].map((start) => {
            try {
              return read(SparseImage.from(bytes.slice(start * SECTOR, (start + 2) * SECTOR)));
            } catch {
              return 0;
            }
          });
          const acknowledged = (point.notes.at(-1) as number | undefined) ?? 0;
          if (Math.max(...slots) < acknowledged) violations++;
        }
      }
      return violations;
    };
    expect(run(true)).toBe(0);
    expect(run(false)).toBeGreaterThan(0);
  });
});

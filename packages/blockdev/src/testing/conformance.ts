/**
 * The contract of `BlockDevice` as a test suite, for every implementation here and for anyone's own.
 *
 * It is bound to no test runner: it takes `describe` and `it` functions and brings its own checks. What it cannot see
 * from inside one process (durability after a power cut) it does not claim to test.
 */
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import { ClosedError, DeviceError, NoSpaceError, ReadOnlyError } from '../errors.ts';

/** The two functions of a test runner that the suite needs; vitest, jest, mocha and `node:test` all have them. */
export interface ConformanceRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/** One device under test; a fresh target is made for each test. */
export interface ConformanceTarget {
  /** A writable device of zeros with at least `sizeBytes`; if it can grow, then up to `maxSizeBytes`. */
  open(options: { sizeBytes: number; maxSizeBytes: number }): BlockDevice | Promise<BlockDevice>;
  /** Opens again what the closed device left. Absent if content does not outlive the device. */
  reopen?(options: { readOnly: boolean }): BlockDevice | Promise<BlockDevice>;
  /** Called after each test, passed or failed. */
  dispose?(): void | Promise<void>;
}

const SIZE_BYTES = 256 * 1024;
const MAX_SIZE_BYTES = 1024 * 1024;

/** Defines the suite under `name`. `makeTarget` is called once for each test. */
export function blockDeviceConformance(
  name: string,
  makeTarget: () => ConformanceTarget,
  runner: ConformanceRunner,
): void {
  const test = (
    title: string,
    body: (device: BlockDevice, target: ConformanceTarget) => Promise<void> | void,
  ): void => {
    runner.it(title, async () => {
      const target = makeTarget();
      try {
        const device = await target.open({ sizeBytes: SIZE_BYTES, maxSizeBytes: MAX_SIZE_BYTES });
        try {
          await body(device, target);
        } finally {
          await device.close();
        }
      } finally {
        await target.dispose?.();
      }
    });
  };

  runner.describe(`${name} conforms to BlockDevice`, () => {
    test('has the size that was asked for, and reads as zeros', (device) => {
      check(
        device.sizeBytes >= SIZE_BYTES && device.sizeBytes % SECTOR_BYTES === 0,
        'the size is large enough and whole sectors',
      );
      check(device.maxSizeBytes >= device.sizeBytes, 'the limit is not below the size');
      check(!device.readOnly, 'the device is writable');
      const content = pattern(SIZE_BYTES, 99);
      device.readSync(0, [content]);
      checkEqual(content, new Uint8Array(SIZE_BYTES), 'fresh space is zero');
    });

    test('reads back what was written, synchronously and asynchronously, in any cut', async (device) => {
      const content = pattern(16 * SECTOR_BYTES, 1);
      device.writeSync(SECTOR_BYTES, [
        content.subarray(0, SECTOR_BYTES),
        content.subarray(SECTOR_BYTES, 8 * SECTOR_BYTES),
      ]);
      await device.write(9 * SECTOR_BYTES, [content.subarray(8 * SECTOR_BYTES)]);
      const whole = new Uint8Array(content.length);
      device.readSync(SECTOR_BYTES, [whole]);
      checkEqual(whole, content, 'one buffer');
      // Targets that lie inside a larger buffer, at an odd offset.
      const arena = new Uint8Array(content.length + 3);
      device.readSync(SECTOR_BYTES, [arena.subarray(3, 3 + 5 * SECTOR_BYTES), arena.subarray(3 + 5 * SECTOR_BYTES)]);
      checkEqual(arena.subarray(3), content, 'two buffers');
      checkEqual(arena.subarray(0, 3), new Uint8Array(3), 'nothing outside of the buffers');
      const around = pattern(SECTOR_BYTES, 2);
      device.readSync(0, [around]);
      checkEqual(around, new Uint8Array(SECTOR_BYTES), 'the sector before is untouched');
      device.readSync(17 * SECTOR_BYTES, [around]);
      checkEqual(around, new Uint8Array(SECTOR_BYTES), 'the sector after is untouched');
    });

    test('takes more buffers than one call of an operating system does', async (device) => {
      const count = SIZE_BYTES / SECTOR_BYTES;
      const sectors = (content: Uint8Array): Uint8Array[] =>
        Array.from({ length: count }, (_, i) => content.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES));
      const many = (content: Uint8Array): Uint8Array[] => {
        // Empty buffers are allowed between the others.
        return sectors(content).flatMap((sector) => [sector, new Uint8Array(0), new Uint8Array(0)]);
      };
      for (const seed of [3, 4]) {
        const content = pattern(SIZE_BYTES, seed);
        if (seed === 3) device.writeSync(0, many(content));
        else await device.write(0, many(content));
        const found = new Uint8Array(SIZE_BYTES);
        device.readSync(0, many(found));
        checkEqual(found, content, `round ${seed}`);
      }
    });

    test('accepts empty transfers and does nothing', async (device) => {
      device.readSync(0, []);
      device.writeSync(device.sizeBytes, []);
      await device.write(SECTOR_BYTES, [new Uint8Array(0)]);
    });

    test('refuses wrong arguments with a RangeError or TypeError and changes nothing', async (device) => {
      const sector = pattern(SECTOR_BYTES, 5);
      const wrong: [string, number, readonly Uint8Array[], new () => Error][] = [
        ['an unaligned position', 1, [sector], RangeError],
        ['a negative position', -SECTOR_BYTES, [sector], RangeError],
        ['a fractional position', 0.5, [sector], RangeError],
        ['no position', Number.NaN, [sector], RangeError],
        ['an unaligned length', 0, [sector.subarray(1)], RangeError],
        ['an unaligned length among others', 0, [sector, sector.subarray(0, 100), sector], RangeError],
        ['a range beyond the end', device.sizeBytes, [sector], RangeError],
        ['a range across the end', device.sizeBytes - SECTOR_BYTES, [sector, sector], RangeError],
        ['a buffer instead of a list', 0, sector as unknown as Uint8Array[], TypeError],
        ['a list of something else', 0, ['x'.repeat(SECTOR_BYTES)] as unknown as Uint8Array[], TypeError],
      ];
      for (const [what, position, buffers, kind] of wrong) {
        checkThrows(() => device.readSync(position, buffers), kind, `readSync: ${what}`);
        checkThrows(() => device.writeSync(position, buffers), kind, `writeSync: ${what}`);
        await checkRejects(() => device.write(position, buffers), kind, `write: ${what}`);
      }
      const content = new Uint8Array(SIZE_BYTES);
      device.readSync(0, [content]);
      checkEqual(content, new Uint8Array(SIZE_BYTES), 'nothing was written');
    });

    test('flushes, also many at once and synchronously meanwhile', async (device) => {
      device.writeSync(0, [pattern(SECTOR_BYTES, 6)]);
      const flushes = Array.from({ length: 10 }, () => device.flush());
      device.writeSync(SECTOR_BYTES, [pattern(SECTOR_BYTES, 7)]);
      device.flushSync();
      flushes.push(device.flush());
      await Promise.all(flushes);
      await device.flush();
    });

    test('lets writes to different places overlap in time', async (device) => {
      const pieces = Array.from({ length: 16 }, (_, i) => pattern(4 * SECTOR_BYTES, 20 + i));
      await Promise.all(pieces.map((piece, i) => device.write(i * piece.length, [piece])));
      const found = new Uint8Array(4 * SECTOR_BYTES);
      for (const [i, piece] of pieces.entries()) {
        device.readSync(i * piece.length, [found]);
        checkEqual(found, piece, `piece ${i}`);
      }
    });

    test('grows to at least what was asked, keeps its content, and stops at its limit', (device) => {
      const before = device.sizeBytes;
      const content = pattern(SECTOR_BYTES, 8);
      device.writeSync(before - SECTOR_BYTES, [content]);
      device.grow(0);
      device.grow(before);
      check(device.sizeBytes === before, 'a device that is large enough stays as it is');
      checkThrows(() => device.grow(before + 1), RangeError, 'a size that is not whole sectors');
      checkThrows(() => device.grow(device.maxSizeBytes + SECTOR_BYTES), NoSpaceError, 'more than the limit');
      check(device.sizeBytes === before, 'a failed growth changes nothing');
      if (device.maxSizeBytes === before) return;
      device.grow(before + SECTOR_BYTES);
      check(
        device.sizeBytes >= before + SECTOR_BYTES && device.sizeBytes <= device.maxSizeBytes,
        'the new size is in bounds',
      );
      const found = pattern(2 * SECTOR_BYTES, 9);
      device.readSync(before - SECTOR_BYTES, [found]);
      checkEqual(found.subarray(0, SECTOR_BYTES), content, 'old content stays');
      checkEqual(found.subarray(SECTOR_BYTES), new Uint8Array(SECTOR_BYTES), 'new space is zero');
      device.grow(device.maxSizeBytes);
      check(device.sizeBytes === device.maxSizeBytes, 'the limit itself can be reached');
      device.writeSync(device.sizeBytes - SECTOR_BYTES, [content]);
    });

    test('trims without touching the neighbours, if it trims at all', (device) => {
      if (device.trim === undefined) return;
      const content = pattern(SIZE_BYTES, 10);
      device.writeSync(0, [content]);
      const start = 3 * SECTOR_BYTES;
      const end = SIZE_BYTES - 5 * SECTOR_BYTES;
      device.trim(start, end - start);
      const found = new Uint8Array(SIZE_BYTES);
      device.readSync(0, [found]);
      checkEqual(found.subarray(0, start), content.subarray(0, start), 'what stands before');
      checkEqual(found.subarray(end), content.subarray(end), 'what stands behind');
      for (let at = start; at < end; at += SECTOR_BYTES) {
        const sector = found.subarray(at, at + SECTOR_BYTES);
        const isZero = sector.every((byte) => byte === 0);
        check(
          isZero || sector.every((byte, i) => byte === content[at + i]),
          'a trimmed sector reads as zeros or as before',
        );
      }
      checkThrows(() => device.trim!(1, SECTOR_BYTES), RangeError, 'an unaligned trim');
      checkThrows(() => device.trim!(0, device.sizeBytes + SECTOR_BYTES), RangeError, 'a trim beyond the end');
    });

    test('behaves like an array of bytes under random operations', async (device) => {
      const model = new Uint8Array(SIZE_BYTES);
      const random = sequence(11);
      for (let step = 0; step < 200; step++) {
        const sectorCount = 1 + (random() % 12);
        const position = (random() % (SIZE_BYTES / SECTOR_BYTES - sectorCount)) * SECTOR_BYTES;
        const cut = (random() % (sectorCount + 1)) * SECTOR_BYTES;
        const content = pattern(sectorCount * SECTOR_BYTES, random());
        const buffers = [content.subarray(0, cut), content.subarray(cut)];
        const action = random() % 4;
        if (action === 0) device.writeSync(position, buffers);
        else if (action === 1) await device.write(position, buffers);
        else if (action === 2) {
          device.readSync(position, buffers);
          checkEqual(content, model.subarray(position, position + content.length), `step ${step}`);
          continue;
        } else {
          device.flushSync();
          continue;
        }
        model.set(content, position);
      }
    });

    test('closes once, refuses everything afterwards, and waits for writes in flight', async (device, target) => {
      const content = pattern(64 * SECTOR_BYTES, 12);
      const writes = [device.write(0, [content]), device.write(content.length, [content])];
      const flushed = device.flush();
      const closed = device.close();
      const buffer = new Uint8Array(SECTOR_BYTES);
      checkThrows(() => device.readSync(0, [buffer]), ClosedError, 'readSync while it closes');
      await Promise.all([...writes, flushed, closed, device.close()]);
      device.closeSync();
      await device.close();
      checkThrows(() => device.readSync(0, [buffer]), ClosedError, 'readSync');
      checkThrows(() => device.writeSync(0, [buffer]), ClosedError, 'writeSync');
      checkThrows(() => device.flushSync(), ClosedError, 'flushSync');
      checkThrows(() => device.grow(SECTOR_BYTES), ClosedError, 'grow');
      await checkRejects(() => device.write(0, [buffer]), ClosedError, 'write');
      await checkRejects(() => device.flush(), ClosedError, 'flush');
      if (target.reopen === undefined) return;
      const next = await target.reopen({ readOnly: false });
      const found = new Uint8Array(2 * content.length);
      next.readSync(0, [found]);
      await next.close();
      checkEqual(found.subarray(0, content.length), content, 'the first write');
      checkEqual(found.subarray(content.length), content, 'the second write');
    });

    test('closeSync refuses while something is in flight, and stays usable', async (device) => {
      const write = device.write(0, [pattern(64 * SECTOR_BYTES, 13)]);
      let refusal: unknown;
      try {
        device.closeSync();
      } catch (error) {
        refusal = error;
      }
      await write;
      // A device whose writes end within the call has nothing in flight, and is closed now.
      if (refusal === undefined) return;
      check(refusal instanceof DeviceError, 'the refusal is a DeviceError');
      device.readSync(0, [new Uint8Array(SECTOR_BYTES)]);
      device.closeSync();
      checkThrows(() => device.flushSync(), ClosedError, 'flushSync');
    });

    test('opens read-only, reads, and refuses changes', async (device, target) => {
      if (target.reopen === undefined) return;
      const content = pattern(SECTOR_BYTES, 14);
      device.writeSync(SECTOR_BYTES, [content]);
      await device.close();
      const reader = await target.reopen({ readOnly: true });
      check(reader.readOnly, 'the device says so');
      const found = new Uint8Array(SECTOR_BYTES);
      reader.readSync(SECTOR_BYTES, [found]);
      checkEqual(found, content, 'content is there');
      checkThrows(() => reader.writeSync(0, [found]), ReadOnlyError, 'writeSync');
      await checkRejects(() => reader.write(0, [found]), ReadOnlyError, 'write');
      checkThrows(() => reader.grow(reader.sizeBytes + SECTOR_BYTES), ReadOnlyError, 'grow');
      await reader.flush();
      reader.flushSync();
      await reader.close();
    });
  });
}

/** A violation of the contract; every test runner takes a thrown error for a failure. */
class ConformanceError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConformanceError';
  }
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ConformanceError(`does not hold: ${what}`);
}

function checkEqual(found: Uint8Array, expected: Uint8Array, what: string): void {
  check(found.length === expected.length, `${what}: the length is ${expected.length}`);
  for (let i = 0; i < found.length; i++) {
    if (found[i] !== expected[i]) {
      throw new ConformanceError(`${what}: byte ${i} is ${found[i]} instead of ${expected[i]}`);
    }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: any error class, whatever its constructor takes
type ErrorClass = new (...args: any[]) => Error;

function checkThrows(action: () => unknown, kind: ErrorClass, what: string): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  checkError(thrown, kind, what);
}

async function checkRejects(action: () => Promise<unknown>, kind: ErrorClass, what: string): Promise<void> {
  let promise: Promise<unknown>;
  try {
    promise = action();
  } catch (error) {
    throw new ConformanceError(`${what}: threw instead of rejecting: ${String(error)}`);
  }
  let thrown: unknown;
  try {
    await promise;
  } catch (error) {
    thrown = error;
  }
  checkError(thrown, kind, what);
}

function checkError(thrown: unknown, kind: ErrorClass, what: string): void {
  if (thrown instanceof kind) return;
  throw new ConformanceError(
    `${what}: expected a ${kind.name}, got ${thrown === undefined ? 'no error' : String(thrown)}`,
  );
}

/**
 * Numbers from 0 to 2^31 - 1 that depend on the seed alone (a linear congruential generator; quality does not matter
 * here).
 */
function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 1;
  };
}

function pattern(lengthBytes: number, seed: number): Uint8Array {
  const next = sequence(seed);
  return Uint8Array.from({ length: lengthBytes }, () => next() >>> 8);
}

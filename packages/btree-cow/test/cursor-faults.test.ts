/**
 * Cursors on a device of which a read fails. A call that throws has changed nothing: the cursor stands where it stood, and the same call made
 * again does what it would have done.
 */
import { DeviceError } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cursor, type Tree, TreeStore } from '../src/index.ts';
import { text } from './store-audit.ts';

const COUNT = 3000;
const LAST = COUNT - 1;

function keyOf(number: number): Uint8Array {
  return text(`k${String(number).padStart(6, '0')}`);
}

function numberOf(key: Uint8Array): number {
  return Number(new TextDecoder().decode(key.subarray(1, 7)));
}

/** Some values are larger than a leaf, so that reading them takes reads of its own. */
function contentOf(number: number): Uint8Array {
  const value = new Uint8Array(isLarge(number) ? 700 : 7);
  value.set(keyOf(number));
  return value;
}

function isLarge(number: number): boolean {
  return number % 7 === 3;
}

/** A tree of several levels in a cache of so few blocks that hardly a path stays in it, with means to make reads fail. */
class ColdTree {
  readonly device = new SimulatedDevice({ trace: false });
  readonly store: TreeStore;
  readonly tree: Tree;
  #changes = 0;

  constructor() {
    this.store = TreeStore.format(this.device, { blockSize: 512, cacheBytes: 512 * 16 });
    this.tree = this.store.createTree();
    for (let i = 0; i < COUNT; i++) this.tree.put(keyOf(i), contentOf(i));
    this.store.checkpointSync();
  }

  /** Evicts all that is cached, as using the tree elsewhere may do. */
  cool(): void {
    const { cache } = this.store.log;
    expect(cache.stats).toMatchObject({ dirtyFrameCount: 0, pinnedFrameCount: 0, writingFrameCount: 0 });
    cache.discardRange(0, this.device.sizeBytes / 512);
  }

  /** Changes the tree and leaves its keys: whatever a cursor knows of its path is worth nothing then. Goes on when a read fails. */
  change(): void {
    const key = text(`k${String(this.#changes++ % COUNT).padStart(6, '0')}+`);
    insisting(() => this.tree.put(key, new Uint8Array(0)));
    insisting(() => this.tree.delete(key));
    insisting(() => this.store.checkpointSync());
  }

  /** Runs `act` with its n-th read failing, and tells whether it came to that. */
  withFault(nth: number, act: () => void): boolean {
    const { device } = this;
    const before = device.struckFaults.length;
    device.failAt({ operation: 'read', nth, effect: 'error' });
    act();
    const wasStruck = device.struckFaults.length > before;
    // What has not been struck would be later.
    while (device.struckFaults.length === before) {
      expect(() => {
        for (let i = 0; i < nth; i++) device.readSync(0, [new Uint8Array(512)]);
      }).toThrow(DeviceError);
    }
    return wasStruck;
  }

  /** Entries on both sides of a few borders between leaves: the first of the tree, some before a large value, and some between different parents. */
  borders(): number[] {
    const cursor = this.tree.cursor();
    let reads = this.device.operationCounts.read;
    const found: number[] = [];
    const far: number[] = [];
    for (let isThere = cursor.last(); isThere; isThere = cursor.previous()) {
      const now = this.device.operationCounts.read;
      if (now - reads > 1) far.push(numberOf(cursor.key()));
      else if (now > reads) found.push(numberOf(cursor.key()));
      reads = now;
    }
    expect(far.length).toBeGreaterThan(3);
    return [
      ...found.slice(-2),
      ...found.filter((number) => isLarge(number + 1)).slice(0, 2),
      ...far.slice(1, 4),
    ].flatMap((number) => [number, number + 1]);
  }
}

/** What can be seen of a cursor. */
function stateOf(cursor: Cursor): unknown {
  if (!cursor.valid) {
    expect(() => cursor.key()).toThrow(RangeError);
    return 'nowhere';
  }
  const number = numberOf(cursor.key());
  expect(cursor.value()).toEqual(contentOf(number));
  expect(cursor.valueLength).toBe(contentOf(number).length);
  expect(cursor.valueView()).toEqual(contentOf(number));
  return number;
}

function failing(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    expect(error).toBeInstanceOf(DeviceError);
    return error;
  }
}

/** Makes a call until it succeeds. */
function insisting<T>(act: () => T): T {
  for (;;) {
    const result = failing(act);
    if (!(result instanceof DeviceError)) return result as T;
  }
}

const someKey = keyOf(1501);
const gap = text('k000700+');
const calls: Record<string, (cursor: Cursor) => unknown> = {
  next: (cursor) => cursor.next(),
  previous: (cursor) => cursor.previous(),
  first: (cursor) => cursor.first(),
  last: (cursor) => cursor.last(),
  seek: (cursor) => cursor.seek(someKey),
  'seek what is not there': (cursor) => cursor.seek(gap),
  'seek beyond all': (cursor) => cursor.seek(text('l')),
  seekBefore: (cursor) => cursor.seekBefore(someKey),
  'seekBefore all': (cursor) => cursor.seekBefore(text('a')),
  valid: (cursor) => cursor.valid,
  value: (cursor) => (cursor.valid ? cursor.value() : 'none'),
  locateValue: (cursor) => (cursor.valid ? cursor.valueView().slice() : 'none'),
  valueLength: (cursor) => (cursor.valid ? cursor.valueLength : 'none'),
};

const starts: Record<string, (cursor: Cursor) => unknown> = {
  'before all': () => undefined,
  'at the first': (cursor) => cursor.first(),
  'at the last': (cursor) => cursor.last(),
  'after all': (cursor) => cursor.last() && cursor.next(),
};

describe('a cursor of which a read fails', () => {
  const cold = new ColdTree();
  const { tree } = cold;
  for (const number of cold.borders()) starts[`at ${number}`] = (cursor) => cursor.seek(keyOf(number));
  starts['at a large value'] = (cursor) => cursor.seek(keyOf(7 * 200 + 3));

  it('finds the next entry when the step to the next leaf is made again', () => {
    const cursor = tree.cursor();
    cursor.first();
    const seen = [0];
    let failures = 0;
    cold.cool();
    cold.withFault(1, () => {
      for (let step = 0; step < 100; step++) {
        const result = failing(() => cursor.next());
        if (result === true) seen.push(numberOf(cursor.key()));
        else failures++;
      }
    });
    expect(failures).toBe(1);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('still has its entry when the fresh look-up after a change has failed', () => {
    const cursor = tree.cursor();
    cursor.seek(keyOf(100));
    cold.change();
    cold.cool();
    cold.withFault(1, () => expect(() => cursor.valid).toThrow(DeviceError));
    expect(cursor.valid).toBe(true);
    expect(cursor.value()).toEqual(contentOf(100));
  });

  it.each(Object.keys(calls))(
    '%s: stands where it stood, and the call can be made again',
    (name) => {
      const call = calls[name]!;
      let failures = 0;
      for (const [from, start] of Object.entries(starts)) {
        const reference = tree.cursor();
        start(reference);
        const before = stateOf(reference);
        const result = call(reference);
        const after = stateOf(reference);
        for (const isChanged of [false, true]) {
          for (const isLookedAt of [false, true]) {
            for (let nth = 1, wasStruck = true; wasStruck; nth++) {
              expect(nth).toBeLessThan(30);
              const cursor = tree.cursor();
              start(cursor);
              if (isChanged) cold.change();
              cold.cool();
              let outcome: unknown;
              wasStruck = cold.withFault(nth, () => {
                outcome = failing(() => call(cursor));
              });
              const label = `${name} ${from}, read ${nth}`;
              if (outcome instanceof DeviceError) {
                failures++;
                if (isLookedAt) expect(stateOf(cursor), label).toBe(before);
                outcome = call(cursor);
              }
              expect(outcome, label).toEqual(result);
              expect(stateOf(cursor), label).toBe(after);
            }
          }
        }
      }
      expect(failures).toBeGreaterThan(20);
    },
    60_000,
  );

  it.each([1, 2, 3])('%i entries on, visitForward stands at the last that it has shown', (length) => {
    for (const [from, start] of Object.entries(starts)) {
      for (const isChanged of [false, true]) {
        for (let nth = 1, wasStruck = true; wasStruck; nth++) {
          const cursor = tree.cursor();
          start(cursor);
          let expected = stateOf(cursor);
          if (isChanged) cold.change();
          cold.cool();
          let left = length;
          wasStruck = cold.withFault(nth, () => {
            failing(() =>
              cursor.visitForward((key, keyLength, bytes, begin, valueLength) => {
                expected = numberOf(key.slice(0, keyLength));
                expect(bytes.slice(begin, begin + valueLength)).toEqual(contentOf(expected as number));
                return --left > 0;
              }),
            );
          });
          if (left === length && from === 'after all') expected = 'nowhere';
          expect(stateOf(cursor), `${from}, read ${nth}`).toBe(
            left > 0 && from === 'at the last' && !wasStruck ? 'nowhere' : expected,
          );
        }
      }
    }
  });

  it.each([false, true])('an iterator (in reverse: %s) gives entries without a gap and is over then', (reverse) => {
    for (const [from, start] of [
      ['the end', undefined],
      ['within', 1230],
    ] as const) {
      const range = { reverse, ...(start === undefined ? {} : reverse ? { lt: keyOf(start) } : { gt: keyOf(start) }) };
      const begin = reverse ? (start ?? COUNT) - 1 : (start ?? -1) + 1;
      for (let nth = 1; nth < 12; nth++) {
        cold.cool();
        const seen: number[] = [];
        const iterator = tree.entries({ ...range, limit: 120 });
        cold.withFault(nth, () => {
          failing(() => {
            for (const [key, value] of iterator) {
              seen.push(numberOf(key));
              expect(value).toEqual(contentOf(numberOf(key)));
            }
          });
        });
        expect(seen, `${from}, read ${nth}`).toEqual(seen.map((_, i) => (reverse ? begin - i : begin + i)));
        expect(iterator.next()).toEqual({ done: true, value: undefined });
      }
    }
  });
});

describe('a walk over a tree with reads that fail here and there', () => {
  const cold = new ColdTree();
  const { tree, device } = cold;
  const faults = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 });
  const changes = fc.array(fc.nat(LAST), { maxLength: 5 });

  /** Arms reads to fail, runs the walk, and uses up what is left. */
  const sprinkled = (gaps: number[], walk: () => void): void => {
    const before = device.struckFaults.length;
    let nth = 0;
    for (const distance of gaps) {
      nth += distance;
      device.failAt({ operation: 'read', nth, effect: 'error' });
    }
    walk();
    while (device.struckFaults.length < before + gaps.length) failing(() => device.readSync(0, [new Uint8Array(512)]));
  };

  it.each(['next', 'previous'] as const)(
    '%s comes to every entry once',
    (direction) => {
      fc.assert(
        fc.property(faults, changes, (gaps, changed) => {
          sprinkled(gaps, () => {
            const cursor = tree.cursor();
            const seen: number[] = [];
            let isThere = insisting(() => (direction === 'next' ? cursor.first() : cursor.last()));
            while (isThere) {
              const number = numberOf(cursor.key());
              seen.push(number);
              expect(insisting(() => cursor.value())).toEqual(contentOf(number));
              if (changed.includes(number)) cold.change();
              isThere = insisting(() => cursor[direction]());
            }
            const all = Array.from({ length: COUNT }, (_, i) => i);
            expect(seen).toEqual(direction === 'next' ? all : all.reverse());
          });
        }),
        { numRuns: 4 },
      );
    },
    60_000,
  );

  it('visitForward, after a step on from the last that was shown, comes to every entry once', () => {
    fc.assert(
      fc.property(faults, changes, (gaps, changed) => {
        sprinkled(gaps, () => {
          const cursor = tree.cursor();
          const seen: number[] = [];
          const visit = (key: Uint8Array, keyLength: number, bytes: Uint8Array, start: number, length: number) => {
            const number = numberOf(key.slice(0, keyLength));
            seen.push(number);
            expect(bytes.slice(start, start + length)).toEqual(contentOf(number));
            if (changed.includes(number)) cold.change();
            return undefined;
          };
          for (let isThere = true; isThere; ) {
            const shownBefore = seen.length;
            if (!(failing(() => cursor.visitForward(visit)) instanceof DeviceError)) break;
            if (seen.length > shownBefore) {
              expect(numberOf(cursor.key())).toBe(seen.at(-1));
              isThere = insisting(() => cursor.next());
            }
          }
          expect(seen).toEqual(Array.from({ length: COUNT }, (_, i) => i));
        });
      }),
      { numRuns: 4 },
    );
  }, 60_000);
});

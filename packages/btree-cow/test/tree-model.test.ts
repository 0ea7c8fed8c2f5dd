/** A tree against a sorted array: every operation, commits, checkpoints and reopenings, compared after every step, for three block sizes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tree, TreeStore } from '../src/index.ts';
import { maxKeyBytes } from '../src/node-format.ts';
import { auditStore, expectEqual, formatInMemory, ModelTree, openCopy } from './store-audit.ts';

type Step =
  | { type: 'put'; key: Uint8Array; valueLength: number; fill: number }
  | { type: 'delete'; draw: number }
  | { type: 'deleteKey'; key: Uint8Array }
  | { type: 'deleteRange'; a: number; b: number }
  | { type: 'run'; start: number; count: number; stride: number; valueLength: number }
  | { type: 'commit' }
  | { type: 'checkpoint' }
  | { type: 'reopen' };

function keyArbitrary(blockSize: number): fc.Arbitrary<Uint8Array> {
  const few = fc.constantFrom(0, 0, 1, 0x61, 0x62, 0xff);
  return fc.oneof(
    { weight: 4, arbitrary: fc.array(few, { minLength: 1, maxLength: 8 }).map((bytes) => Uint8Array.from(bytes)) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(3, 20, 60), fc.array(few, { minLength: 0, maxLength: 8 }))
        .map(([length, bytes]) => Uint8Array.from([...new Array<number>(length).fill(0x70), ...bytes])),
    },
    { weight: 2, arbitrary: fc.uint8Array({ minLength: 1, maxLength: maxKeyBytes(blockSize) }) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 0, max: 255 }).map((byte) => new Uint8Array(maxKeyBytes(blockSize)).fill(byte)),
    },
  );
}

function stepArbitrary(blockSize: number): fc.Arbitrary<Step> {
  const valueLength = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 20 }) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: blockSize >>> 2 }) },
    { weight: 1, arbitrary: fc.integer({ min: blockSize >>> 2, max: blockSize * 5 }) },
  );
  return fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        type: fc.constant('put' as const),
        key: keyArbitrary(blockSize),
        valueLength,
        fill: fc.integer({ min: 0, max: 255 }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ type: fc.constant('delete' as const), draw: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('deleteKey' as const), key: keyArbitrary(blockSize) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('deleteRange' as const), a: fc.nat(), b: fc.nat() }) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('run' as const),
        start: fc.integer({ min: 0, max: 5000 }),
        count: fc.integer({ min: 1, max: 60 }),
        stride: fc.constantFrom(1, -1, 7),
        valueLength: fc.integer({ min: 0, max: 40 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ type: 'commit' as const }) },
    { weight: 1, arbitrary: fc.constant({ type: 'checkpoint' as const }) },
    { weight: 1, arbitrary: fc.constant({ type: 'reopen' as const }) },
  );
}

function numberedKey(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(4, Math.max(0, number));
  return bytes;
}

function apply(tree: Tree, model: ModelTree, step: Step): void {
  const { pairs } = model;
  switch (step.type) {
    case 'put': {
      const value = new Uint8Array(step.valueLength).fill(step.fill);
      tree.put(step.key, value);
      model.put(step.key, value);
      break;
    }
    case 'delete':
      if (pairs.length > 0) {
        const { key } = pairs[step.draw % pairs.length]!;
        expect(tree.delete(key)).toBe(true);
        model.delete(key);
      }
      break;
    case 'deleteKey':
      expect(tree.delete(step.key)).toBe(model.delete(step.key));
      break;
    case 'deleteRange': {
      const from = step.a % 3 === 0 ? null : (pairs[step.a % (pairs.length + 1)]?.key ?? null);
      const to = step.b % 3 === 0 ? null : (pairs[step.b % (pairs.length + 1)]?.key ?? null);
      expect(tree.deleteRange(from, to)).toBe(model.deleteRange(from, to));
      break;
    }
    case 'run':
      for (let i = 0; i < step.count; i++) {
        const key = numberedKey(step.start + i * step.stride);
        const value = new Uint8Array(step.valueLength).fill(i);
        tree.put(key, value);
        model.put(key, value);
      }
      break;
    default:
      break;
  }
}

describe.each([
  [512, 60, 70],
  [4096, 40, 60],
  [16384, 20, 50],
])('a tree with blocks of %i bytes', (blockSize, numRuns, maxLength) => {
  it('equals a sorted array after every step', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary(blockSize), { maxLength, size: 'max' }), (steps) => {
        let { device, store } = formatInMemory({ blockSize });
        let tree = store.createTree();
        const { id } = tree;
        const model = new ModelTree();
        let committed: ModelTree | null = null;
        for (const step of steps) {
          apply(tree, model, step);
          if (step.type === 'commit' || step.type === 'checkpoint') {
            if (step.type === 'commit') store.commitSync();
            else store.checkpointSync();
            committed = model.clone();
            auditStore(store);
            expectEqual(tree, model);
          }
          if ((step.type === 'reopen' || step.type === 'commit' || step.type === 'checkpoint') && committed !== null) {
            // Whatever was not committed is not there; twice the same, and read-only as well.
            const readOnly = openCopy(device, { readOnly: true });
            expectEqual(readOnly.tree(id), committed);
            readOnly.closeSync();
            const reopened: TreeStore = openCopy(device);
            expectEqual(reopened.tree(id), committed);
            auditStore(reopened);
            if (step.type === 'reopen') {
              store = reopened;
              device = reopened.log.device as typeof device;
              tree = store.tree(id);
              model.pairs = committed.pairs.slice();
            } else {
              reopened.closeSync();
            }
          }
          expectEqual(tree, model);
          store.checkInvariants();
        }
        store.closeSync();
      }),
      { numRuns, endOnFailure: true },
    );
  });
});

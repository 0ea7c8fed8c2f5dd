/** Random use of the whole cache under eviction pressure, compared with the naive model after every step. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BLOCK_COUNT, CacheModel, PAGE_COUNT, SPACE_COUNT } from './cache-model.ts';

const block = fc.nat(BLOCK_COUNT - 1);
const page = fc.nat(PAGE_COUNT - 1);
const space = fc.nat(SPACE_COUNT - 1);
const place = fc.nat(1000);
const acts = ['pin', 'unpin', 'change', 'clean', 'beginWrite', 'endWrite', 'discard'] as const;

type Step = (model: CacheModel) => void;

/** Steps that print what they do, so that a counterexample can be read. */
function step<T extends unknown[]>(
  name: string,
  values: fc.Arbitrary<T>,
  run: (model: CacheModel, ...values: T) => void,
) {
  return values.map((chosen): Step => {
    const act: Step = (model) => run(model, ...chosen);
    return Object.assign(act, { [fc.toStringMethod]: () => `${name}(${chosen.join(', ')})` });
  });
}

const steps = fc.oneof(
  { weight: 6, arbitrary: step('read', fc.tuple(block), (model, at) => model.read(at)) },
  { weight: 1, arbitrary: step('readDamaged', fc.tuple(block), (model, at) => model.readDamaged(at)) },
  {
    weight: 2,
    arbitrary: step('readRun', fc.tuple(block, fc.nat(10)), (model, at, count) => model.readRun(at, count)),
  },
  { weight: 4, arbitrary: step('create', fc.tuple(block), (model, at) => model.create(at)) },
  { weight: 2, arbitrary: step('move', fc.tuple(block, block), (model, from, to) => model.move(from, to)) },
  {
    weight: 6,
    arbitrary: step('redirect', fc.tuple(block, block, fc.boolean()), (model, from, to, own) =>
      model.redirect(from, to, own),
    ),
  },
  { weight: 3, arbitrary: step('pageCreate', fc.tuple(space, page), (model, s, p) => model.pageCreate(s, p)) },
  { weight: 5, arbitrary: step('pageWrite', fc.tuple(space, page), (model, s, p) => model.pageWrite(s, p)) },
  {
    weight: 2,
    arbitrary: step('pageFill', fc.tuple(space, page, block, fc.nat(8)), (model, s, p, at, count) =>
      model.pageFill(s, p, at, count),
    ),
  },
  {
    weight: 1,
    arbitrary: step('pageDiscardFrom', fc.tuple(space, page), (model, s, p) => model.pageDiscardFrom(s, p)),
  },
  {
    weight: 24,
    arbitrary: step('onSome', fc.tuple(place, fc.constantFrom(...acts)), (model, at, act) => model.onSome(at, act)),
  },
  { weight: 4, arbitrary: step('settleLeftover', fc.tuple(place), (model, at) => model.settleLeftover(at)) },
  { weight: 1, arbitrary: step('nextDelta', fc.tuple(), (model) => model.nextDelta()) },
  { weight: 1, arbitrary: step('trim', fc.tuple(), (model) => model.trim()) },
);

describe.each([
  { blockSize: 512, budgetBlockCount: 16, numRuns: 150 },
  { blockSize: 512, budgetBlockCount: 41, numRuns: 100 },
  { blockSize: 4096, budgetBlockCount: 12, numRuns: 60 },
  { blockSize: 16384, budgetBlockCount: 16, numRuns: 30 },
])('a cache of $budgetBlockCount blocks of $blockSize bytes', ({ blockSize, budgetBlockCount, numRuns }) => {
  test('agrees with the model after every step', () => {
    let stepCount = 0;
    fc.assert(
      fc.property(fc.array(steps, { minLength: 20, maxLength: 200, size: 'max' }), (run) => {
        const model = new CacheModel({ blockSize, budgetBlockCount });
        for (const act of run) {
          act(model);
          model.check();
          stepCount++;
        }
      }),
      { numRuns },
    );
    expect(stepCount).toBeGreaterThan(numRuns * 20);
  });
});

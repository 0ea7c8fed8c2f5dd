import { describe, expect, it } from 'vitest';
import { compareResults } from '../src/comparison.ts';
import { figure, results } from './synthetic-results.ts';

const caseName = 'kv8/read-random';

describe('a comparison', () => {
  const base = results([90, 100, 110].map((value, i) => figure(caseName, 'lmdb', i + 1, value)));
  const verdictOf = (values: readonly number[]): string =>
    compareResults(base, results(values.map((value, i) => figure(caseName, 'lmdb', i + 1, value)))).changes[0]!.verdict;

  it('counts what lies outside the range of the other rounds', () => {
    expect(verdictOf([120, 130, 140])).toBe('faster');
    expect(verdictOf([60, 70, 80])).toBe('slower');
  });

  it('takes overlapping ranges, and small changes, for noise', () => {
    expect(verdictOf([105, 130, 140])).toBe('noise');
    const still = results([figure(caseName, 'lmdb', 1, 100)]);
    expect(compareResults(still, results([figure(caseName, 'lmdb', 1, 103)])).changes[0]!.verdict).toBe('noise');
  });

  it('for times, less is faster', () => {
    const before = results([figure('recovery/100', 'lmdb', 1, 40, { unit: 'ms' })]);
    const after = results([figure('recovery/100', 'lmdb', 1, 20, { unit: 'ms' })]);
    expect(compareResults(before, after).changes[0]).toMatchObject({ verdict: 'faster', speedup: 2 });
  });

  it('divides each run by its own raw limit', () => {
    const before = results([figure(caseName, 'raw', 1, 1000), figure(caseName, 'lmdb', 1, 100)]);
    const after = results([figure(caseName, 'raw', 1, 2000), figure(caseName, 'lmdb', 1, 200)]);
    const change = compareResults(before, after).changes.find(({ engineId }) => engineId === 'lmdb')!;
    expect([change.speedup, change.speedupToLimit]).toEqual([2, 1]);
  });

  it('names what only one file has, and refuses other sizes', () => {
    const other = results([figure('tree/in', 'memfs', 1, 1)]);
    expect(compareResults(base, other)).toEqual({
      changes: [],
      onlyInBase: [`${caseName} lmdb`],
      onlyInNext: ['tree/in memfs'],
    });
    expect(() => compareResults(base, { ...base, scale: 'full' })).toThrow('sizes');
  });
});

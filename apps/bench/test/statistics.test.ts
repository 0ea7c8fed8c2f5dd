import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { summarizeCase } from '../src/case-summary.ts';
import { LatencySamples, percentile } from '../src/measure/latency-samples.ts';
import { ResultHash } from '../src/measure/result-hash.ts';
import { formatBytes, formatMicros, formatNumber, formatSeconds } from '../src/number-format.ts';
import { median, pairedRatios, seriesOf } from '../src/statistics.ts';
import { figure, results } from './synthetic-results.ts';

describe('statistics', () => {
  it('median and spread of odd and even counts', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(seriesOf([90, 100, 120])).toEqual({ count: 3, median: 100, minimum: 90, maximum: 120, spread: 0.15 });
    expect(() => median([])).toThrow(RangeError);
  });

  it('percentiles by nearest rank, equal to a count over the sorted values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { minLength: 1 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, fraction) => {
          const sorted = [...values].sort((a, b) => a - b);
          const found = percentile(sorted, fraction);
          const notAbove = sorted.filter((value) => value <= found).length;
          const below = sorted.filter((value) => value < found).length;
          expect(notAbove).toBeGreaterThanOrEqual(fraction * sorted.length - 1e-9);
          expect(below).toBeLessThan(Math.max(1, fraction * sorted.length));
        },
      ),
    );
  });

  it('latencies grow beyond the expected count and are given in microseconds', () => {
    const samples = new LatencySamples(1);
    expect(samples.summary()).toBeNull();
    for (let i = 0; i < 100; i++) samples.add(performance.now() - 5);
    const summary = samples.summary()!;
    expect(summary.sampleCount).toBe(100);
    expect(summary.p50).toBeGreaterThanOrEqual(5_000);
    expect(summary.p50).toBeLessThan(1_000_000);
    expect(summary.max).toBeGreaterThanOrEqual(summary.p999);
  });

  it('pairs rounds and leaves out those that only one side has', () => {
    const subject = [
      { round: 1, value: 10 },
      { round: 2, value: 40 },
    ];
    expect(pairedRatios(subject, [{ round: 2, value: 20 }])).toEqual([2]);
  });

  it('hashes tell order, content and count apart', () => {
    const hashOf = (...parts: string[]): string => {
      const hash = new ResultHash();
      for (const part of parts) hash.add(Buffer.from(part));
      return hash.digest();
    };
    const all = [hashOf(), hashOf('a'), hashOf('b'), hashOf('a', 'b'), hashOf('b', 'a'), hashOf('ab')];
    expect(new Set(all).size).toBe(all.length);
    expect(hashOf('a', 'b')).toBe(hashOf('a', 'b'));
  });
});

describe('the summary of a case', () => {
  const figures = [1, 2, 3].flatMap((round) => [
    figure('append-100', 'raw', round, 1000 * round),
    figure('append-100', 'lmdb', round, 100 * round),
    figure('append-100', 'sqlite', round, 50 * round, { changedBytes: 1000, deviceWriteBytes: 5000, flushCount: 200 }),
  ]);

  it('takes ratios within rounds, to the best durable peer and to the limit', () => {
    const { engines } = summarizeCase(results(figures), 'append-100');
    expect(engines.map(({ engine }) => engine.id)).toEqual(['lmdb', 'sqlite', 'raw']);
    expect(engines.map(({ toBestPeer }) => toBestPeer)).toEqual([1, 0.5, 10]);
    expect(engines.map(({ toLimit }) => toLimit)).toEqual([0.1, 0.05, 1]);
    expect(engines[1]).toMatchObject({ deviceAmplification: 5, flushesPerOperation: 2, memoryBytes: 30_000_000 });
  });

  it('a volatile engine is never the best peer', () => {
    const more = [figure('small-files/stat', 'memfs', 1, 900), figure('small-files/stat', 'lmdb', 1, 300)];
    const { engines } = summarizeCase(results(more), 'small-files/stat');
    expect(engines.map(({ engine, toBestPeer }) => [engine.id, toBestPeer])).toEqual([
      ['memfs', 3],
      ['lmdb', 1],
    ]);
  });

  it('for times, less is faster', () => {
    const more = [
      figure('recovery/100', 'lmdb', 1, 40, { unit: 'ms' }),
      figure('recovery/100', 'sqlite', 1, 10, { unit: 'ms' }),
    ];
    const { engines } = summarizeCase(results(more), 'recovery/100');
    expect(engines.map(({ engine, toBestPeer }) => [engine.id, toBestPeer])).toEqual([
      ['sqlite', 1],
      ['lmdb', 0.25],
    ]);
  });
});

describe('numbers as people read them', () => {
  it('keeps three digits', () => {
    expect([0.123, 1.5, 12.34, 1234.5, Number.NaN].map(formatNumber)).toEqual(['0.12', '1.50', '12.3', '1,235', '-']);
    expect([512, 2048, 3.5 * 2 ** 30, null].map(formatBytes)).toEqual(['512 B', '2.00 KiB', '3.50 GiB', '-']);
    expect([1.5, 1500, 2_000_000].map(formatMicros)).toEqual(['1.50 µs', '1.50 ms', '2.00 s']);
    expect([5, 125].map(formatSeconds)).toEqual(['5 s', '2 min 5 s']);
  });
});

/**
 * Latencies of single operations, kept one by one so that the percentiles are exact.
 *
 * Every `stride`th operation is timed: reading the clock costs about 30 ns, which is nothing beside a commit and too much beside a
 * look-up. Lifecycle: `begin` and `end` around an operation, `summary` once.
 */
export interface LatencySummary {
  readonly sampleCount: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** The value below which `fraction` of the sorted `values` lie (nearest rank). */
export function percentile(values: Float64Array | readonly number[], fraction: number): number {
  if (values.length === 0) throw new RangeError('percentile of no values');
  const rank = Math.ceil(fraction * values.length);
  return values[Math.min(values.length - 1, Math.max(0, rank - 1))]!;
}

export class LatencySamples {
  #samples: Float64Array;
  #sampleCount = 0;

  constructor(expectedCount: number) {
    this.#samples = new Float64Array(Math.max(16, expectedCount));
  }

  /** Adds the time since `startMillis`, a reading of `performance.now()`. */
  add(startMillis: number): void {
    const micros = (performance.now() - startMillis) * 1000;
    if (this.#sampleCount === this.#samples.length) {
      const larger = new Float64Array(this.#samples.length * 2);
      larger.set(this.#samples);
      this.#samples = larger;
    }
    this.#samples[this.#sampleCount++] = micros;
  }

  summary(): LatencySummary | null {
    if (this.#sampleCount === 0) return null;
    const sorted = this.#samples.subarray(0, this.#sampleCount).sort();
    return {
      sampleCount: this.#sampleCount,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999),
      max: sorted[this.#sampleCount - 1]!,
    };
  }
}

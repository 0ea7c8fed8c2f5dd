/**
 * Timing for the benchmarks of this package: the median of several rounds, of what repeats in tight loops.
 *
 * Figures are for comparison within one run; machines are shared and noisy.
 */

/** One line of a benchmark's result. */
export interface Measurement {
  readonly name: string;
  /** Nanoseconds of one operation, median of the rounds. */
  readonly nanoseconds: number;
  /** Bytes that one operation handles; 0 where that says nothing. */
  readonly bytes: number;
}

export interface Effort {
  /** Milliseconds of one round. */
  readonly roundMs: number;
  readonly rounds: number;
}

export const FULL_EFFORT: Effort = { roundMs: 300, rounds: 5 };

/** Enough to run every line of a benchmark once; the figures mean nothing. */
export const SMALL_EFFORT: Effort = { roundMs: 1, rounds: 1 };

/** Measures a synchronous operation. What it returns is summed up, so that nothing is optimised away. */
export function measure(name: string, bytes: number, effort: Effort, operation: () => number): Measurement {
  let sum = 0;
  const rounds: number[] = [];
  // The first round warms up and is dropped.
  for (let round = 0; round <= effort.rounds; round++) {
    const start = performance.now();
    let count = 0;
    let batch = 1;
    let elapsed = 0;
    while (elapsed < effort.roundMs) {
      for (let i = 0; i < batch; i++) sum += operation();
      count += batch;
      batch *= 2;
      elapsed = performance.now() - start;
    }
    if (round > 0) rounds.push((elapsed / count) * 1e6);
  }
  if (Number.isNaN(sum)) throw new Error(`${name} computed nothing`);
  return { name, bytes, nanoseconds: median(rounds) };
}

/** As `measure`, for an operation that returns a promise; each is awaited before the next. */
export async function measureAsync(
  name: string,
  bytes: number,
  effort: Effort,
  operation: () => Promise<unknown>,
): Promise<Measurement> {
  const rounds: number[] = [];
  for (let round = 0; round <= effort.rounds; round++) {
    const start = performance.now();
    let count = 0;
    let elapsed = 0;
    while (elapsed < effort.roundMs) {
      await operation();
      count++;
      elapsed = performance.now() - start;
    }
    if (round > 0) rounds.push((elapsed / count) * 1e6);
  }
  return { name, bytes, nanoseconds: median(rounds) };
}

/** One aligned line for people. */
export function shown(measurement: Measurement): string {
  const { name, nanoseconds, bytes } = measurement;
  const time = nanoseconds < 1e4 ? `${nanoseconds.toFixed(1)} ns` : `${(nanoseconds / 1e3).toFixed(1)} µs`;
  const rate = bytes === 0 ? '' : `${(bytes / nanoseconds).toFixed(2)} GB/s`;
  return `${name.padEnd(56)}${time.padStart(14)}${rate.padStart(14)}`;
}

function median(values: number[]): number {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

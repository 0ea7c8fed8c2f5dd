/**
 * Medians, spread and ratios: all that is said about a series of rounds.
 *
 * The spread is half the distance between the largest and the smallest round, relative to the median. With the three to seven rounds of a
 * run that is plainer and more cautious than a deviation that assumes a distribution.
 */
export interface Series {
  readonly count: number;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Half the range, relative to the median: 0.05 reads "within 5 %". */
  readonly spread: number;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function seriesOf(values: readonly number[]): Series {
  const middle = median(values);
  const minimum = Math.min(...values);
  const maximum = Math.max(...values);
  return {
    count: values.length,
    median: middle,
    minimum,
    maximum,
    spread: middle === 0 ? 0 : (maximum - minimum) / 2 / Math.abs(middle),
  };
}

/** One value of a round. */
export interface RoundValue {
  readonly round: number;
  readonly value: number;
}

/** The ratio of `subject` to `base` in each round that both have. */
export function pairedRatios(subject: readonly RoundValue[], base: readonly RoundValue[]): number[] {
  const ratios: number[] = [];
  for (const { round, value } of subject) {
    const other = base.find((candidate) => candidate.round === round);
    if (other !== undefined && other.value !== 0) ratios.push(value / other.value);
  }
  return ratios;
}

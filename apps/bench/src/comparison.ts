/**
 * What changed between two results files beyond noise.
 *
 * A change counts when the ranges of the rounds do not overlap and the medians differ by more than `SMALLEST_CHANGE`. Two runs see
 * different states of the machine; `toLimit` tells more where a raw limit was measured: there each run is divided by its own limit first.
 */
import { speedRatio } from './case-summary.ts';
import { caseNames, type Figure, figuresByEngine, largerIsBetter, type Results } from './results.ts';
import { type Series, seriesOf } from './statistics.ts';

const SMALLEST_CHANGE = 0.05;

export interface Change {
  readonly caseName: string;
  readonly engineId: string;
  readonly unit: Figure['unit'];
  readonly base: Series;
  readonly next: Series;
  /** How many times as fast as before. */
  readonly speedup: number;
  /** The same after dividing each run by its own raw limit; null where there is none. */
  readonly speedupToLimit: number | null;
  readonly verdict: 'faster' | 'slower' | 'noise';
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Cases and engines that only one of the files has. */
  readonly onlyInBase: readonly string[];
  readonly onlyInNext: readonly string[];
}

function changeOf(base: readonly Figure[], next: readonly Figure[], limits: readonly [Figure[], Figure[]]): Change {
  const { caseName, engineId, unit } = next[0]!;
  const baseSeries = seriesOf(base.map((figure) => figure.value));
  const nextSeries = seriesOf(next.map((figure) => figure.value));
  const isRate = largerIsBetter(unit);
  const speedup = isRate ? nextSeries.median / baseSeries.median : baseSeries.median / nextSeries.median;
  const baseToLimit = speedRatio(base, limits[0]);
  const nextToLimit = speedRatio(next, limits[1]);
  const isApart = nextSeries.minimum > baseSeries.maximum || nextSeries.maximum < baseSeries.minimum;
  const isLarge = speedup > 1 + SMALLEST_CHANGE || speedup < 1 / (1 + SMALLEST_CHANGE);
  return {
    caseName,
    engineId,
    unit,
    base: baseSeries,
    next: nextSeries,
    speedup,
    speedupToLimit: baseToLimit === null || nextToLimit === null ? null : nextToLimit / baseToLimit,
    verdict: isApart && isLarge ? (speedup > 1 ? 'faster' : 'slower') : 'noise',
  };
}

/** Throws when the files were measured at different sizes: their figures say nothing about each other. */
export function compareResults(base: Results, next: Results): Comparison {
  if (base.scale !== next.scale) throw new Error(`one file has ${base.scale} sizes, the other ${next.scale} sizes`);
  const changes: Change[] = [];
  const onlyInBase: string[] = [];
  const onlyInNext: string[] = [];
  for (const caseName of new Set([...caseNames(base), ...caseNames(next)])) {
    const before = figuresByEngine(base, caseName);
    const after = figuresByEngine(next, caseName);
    const limits = [before.get('raw') ?? [], after.get('raw') ?? []] as const;
    for (const engineId of new Set([...before.keys(), ...after.keys()])) {
      const old = before.get(engineId);
      const fresh = after.get(engineId);
      if (old === undefined) onlyInNext.push(`${caseName} ${engineId}`);
      else if (fresh === undefined) onlyInBase.push(`${caseName} ${engineId}`);
      else changes.push(changeOf(old, fresh, limits));
    }
  }
  return { changes, onlyInBase, onlyInNext };
}

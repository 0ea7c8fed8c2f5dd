/**
 * A case summed up: each engine's median and spread, its ratios to the best peer and to the raw limit, its costs.
 *
 * A ratio is the median of the ratios within the rounds, and always says how many times as fast: above 1 is better, whether the unit is
 * one of rate or of time. The best peer is the peer with the best median among those that are durable.
 */
import type { EngineReport, Figure, Results, Unit } from './results.ts';
import { figuresByEngine, largerIsBetter } from './results.ts';
import { median, pairedRatios, type Series, seriesOf } from './statistics.ts';

export interface EngineSummary {
  readonly engine: EngineReport;
  readonly figures: readonly Figure[];
  readonly series: Series;
  readonly toBestPeer: number | null;
  readonly toLimit: number | null;
  /** Medians over the rounds, microseconds; null where single operations were not timed. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly p999: number } | null;
  /** Bytes written to the device for each byte changed; null where nothing was changed or counted. */
  readonly deviceAmplification: number | null;
  readonly flushesPerOperation: number | null;
  readonly fileBytes: number | null;
  /** Peak memory beyond what the process needed before the engine was opened: the largest of all rounds. */
  readonly memoryBytes: number;
}

export interface CaseSummary {
  readonly caseName: string;
  readonly unit: Unit;
  /** The fastest first; the limit last. */
  readonly engines: readonly EngineSummary[];
}

/** How many times as fast as `base` the `subject` was: the median over the rounds, null without a round in common. */
export function speedRatio(subject: readonly Figure[], base: readonly Figure[]): number | null {
  if (subject.length === 0 || base.length === 0) return null;
  const ratios = largerIsBetter(subject[0]!.unit) ? pairedRatios(subject, base) : pairedRatios(base, subject);
  return ratios.length === 0 ? null : median(ratios);
}

function medianOf(figures: readonly Figure[], pick: (figure: Figure) => number | null): number | null {
  const values = figures.map(pick).filter((value) => value !== null);
  return values.length === 0 ? null : median(values);
}

function quotient(dividend: number | null, divisor: number): number | null {
  return dividend === null || divisor === 0 ? null : dividend / divisor;
}

function isFaster(unit: Unit, a: number, b: number): boolean {
  return largerIsBetter(unit) ? a > b : a < b;
}

/** Of several engines' figures, those of the engine with the best median. */
export function bestOf(candidates: readonly (readonly Figure[])[]): readonly Figure[] {
  let best: readonly Figure[] = [];
  for (const figures of candidates) {
    if (figures.length === 0) continue;
    const value = median(figures.map((figure) => figure.value));
    const bestValue = best.length === 0 ? null : median(best.map((figure) => figure.value));
    if (bestValue === null || isFaster(figures[0]!.unit, value, bestValue)) best = figures;
  }
  return best;
}

export function summarizeCase(results: Results, caseName: string): CaseSummary {
  const byEngine = figuresByEngine(results, caseName);
  const engines = results.engines.filter((engine) => byEngine.has(engine.id));
  const unit = [...byEngine.values()][0]![0]!.unit;
  const figuresOf = (wanted: (engine: EngineReport) => boolean): Figure[][] =>
    engines.filter(wanted).map((engine) => byEngine.get(engine.id)!);
  const bestPeer = bestOf(figuresOf((engine) => engine.role === 'peer' && !engine.volatile));
  const limit = bestOf(figuresOf((engine) => engine.role === 'limit'));
  const summaries = engines.map((engine): EngineSummary => {
    const figures = byEngine.get(engine.id)!;
    const hasLatency = figures.every((figure) => figure.latency !== null);
    return {
      engine,
      figures,
      series: seriesOf(figures.map((figure) => figure.value)),
      toBestPeer: speedRatio(figures, bestPeer),
      toLimit: speedRatio(figures, limit),
      latency: hasLatency
        ? {
            p50: median(figures.map((figure) => figure.latency!.p50)),
            p99: median(figures.map((figure) => figure.latency!.p99)),
            p999: median(figures.map((figure) => figure.latency!.p999)),
          }
        : null,
      deviceAmplification: medianOf(figures, (f) => quotient(f.deviceWriteBytes, f.changedBytes)),
      flushesPerOperation: medianOf(figures, (f) =>
        f.changedBytes === 0 ? null : quotient(f.flushCount, f.operationCount),
      ),
      fileBytes: medianOf(figures, (f) => f.fileBytes),
      memoryBytes: Math.max(...figures.map((f) => f.peakMemoryBytes - f.baseMemoryBytes)),
    };
  });
  summaries.sort((a, b) => {
    const limits = Number(a.engine.role === 'limit') - Number(b.engine.role === 'limit');
    if (limits !== 0) return limits;
    return isFaster(unit, a.series.median, b.series.median) ? -1 : 1;
  });
  return { caseName, unit, engines: summaries };
}

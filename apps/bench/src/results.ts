/**
 * What one run measured, as kept in memory and as the JSON file that `run --json` writes and `report` and `compare` read.
 *
 * A *figure* is one case of one workload by one engine in one round. Rounds are kept apart, never averaged on the way in: ratios are
 * taken within a round, because the machine drifts between rounds.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { EngineRole } from './engine.ts';
import type { MachineDescription } from './machine.ts';
import type { LatencySummary } from './measure/latency-samples.ts';
import { isScaleName, type ScaleName } from './scale.ts';

/** Changes when the file's shape does; a reader refuses others. */
export const RESULTS_VERSION = 1;

export type Unit = 'ops/s' | 'MiB/s' | 'ms';

/** Whether a larger value of the unit is the better one. */
export function largerIsBetter(unit: Unit): boolean {
  return unit !== 'ms';
}

export interface Figure {
  /** `workload/case`, or the workload's name alone where it has one case. */
  readonly caseName: string;
  readonly engineId: string;
  readonly round: number;
  readonly unit: Unit;
  readonly value: number;
  readonly operationCount: number;
  readonly seconds: number;
  readonly latency: LatencySummary | null;
  /** Bytes that the caller changed, the base of write amplification; 0 for reads. */
  readonly changedBytes: number;
  readonly processWriteBytes: number | null;
  readonly deviceWriteBytes: number | null;
  readonly flushCount: number | null;
  /** Bytes that the engine's files occupy afterwards; null where that was not asked. */
  readonly fileBytes: number | null;
  /** Peak resident memory of the process, and what of it was there before the engine was opened. */
  readonly peakMemoryBytes: number;
  readonly baseMemoryBytes: number;
  /** Equal for all engines that did the same; null where there is nothing to compare (the raw limit). */
  readonly resultHash: string | null;
  readonly facts: Readonly<Record<string, number>>;
}

export interface EngineReport {
  readonly id: string;
  readonly title: string;
  readonly role: EngineRole;
  readonly volatile: boolean;
  /** Null when it could not be loaded; `problem` says why. */
  readonly version: string | null;
  readonly problem: string | null;
}

/** A measurement that failed, or whose results differ between engines. */
export interface Failure {
  readonly caseName: string;
  readonly engineId: string;
  readonly round: number;
  readonly message: string;
}

export interface Results {
  readonly resultsVersion: number;
  readonly startedAt: string;
  readonly seconds: number;
  readonly scale: ScaleName;
  readonly rounds: number;
  readonly machine: MachineDescription;
  readonly engines: readonly EngineReport[];
  readonly figures: readonly Figure[];
  readonly failures: readonly Failure[];
}

export function writeResults(path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
}

/** Reads a results file; throws an Error that says what is wrong with it. */
export function readResults(path: string): Results {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Error(`${path}: cannot be read as JSON (${(cause as Error).message})`, { cause });
  }
  const results = parsed as Partial<Results> | null;
  if (typeof results !== 'object' || results === null || results.resultsVersion !== RESULTS_VERSION) {
    throw new Error(`${path}: not a results file of version ${RESULTS_VERSION}`);
  }
  const isComplete =
    Array.isArray(results.figures) &&
    Array.isArray(results.engines) &&
    Array.isArray(results.failures) &&
    typeof results.scale === 'string' &&
    isScaleName(results.scale) &&
    results.figures.every(
      (figure) =>
        typeof figure.caseName === 'string' && typeof figure.engineId === 'string' && Number.isFinite(figure.value),
    );
  if (!isComplete) throw new Error(`${path}: a results file with parts missing`);
  return results as Results;
}

/** The figures of one case by engine, each in the order of the rounds. */
export function figuresByEngine(results: Results, caseName: string): Map<string, Figure[]> {
  const byEngine = new Map<string, Figure[]>();
  for (const figure of results.figures) {
    if (figure.caseName !== caseName) continue;
    const ofEngine = byEngine.get(figure.engineId);
    if (ofEngine === undefined) byEngine.set(figure.engineId, [figure]);
    else ofEngine.push(figure);
  }
  return byEngine;
}

/** The names of all cases that have figures, in the order in which they were measured. */
export function caseNames(results: Results): string[] {
  return [...new Set(results.figures.map((figure) => figure.caseName))];
}

/**
 * Takes the figures of one workload in one process: time, latencies, bytes written, flushes, size, memory, result.
 *
 * Lifecycle: made before the engine is opened (that is what the memory of a run is counted from); `start` a case, do the work,
 * `finish` it; `figures` when all is done. The time of a case runs from `start` to `finish` and leaves out what the counters cost.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure, Unit } from '../results.ts';
import { type Case, fullCaseName, type Workload } from '../workload.ts';
import { deviceOf, ioDifference, readIoCounters } from './io-counters.ts';
import { LatencySamples } from './latency-samples.ts';

const MIB = 1024 * 1024;

/** What only the workload knows about a case that it has finished. */
export interface Outcome {
  readonly operationCount: number;
  /** Bytes moved, for cases in MiB/s. */
  readonly movedBytes?: number;
  readonly changedBytes?: number;
  readonly resultHash: string | null;
  readonly facts?: Readonly<Record<string, number>>;
}

export interface CaseTimer {
  readonly latencies: LatencySamples;
  /** Stops the clock; the outcome may be worked out afterwards. */
  stop(): void;
  finish(outcome: Outcome): void;
}

/** Disk space that a folder's files occupy, holes left out. */
export function occupiedBytes(folder: string): number {
  let total = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) total += statSync(join(entry.parentPath, entry.name)).blocks * 512;
  }
  return total;
}

/** The largest resident memory that this process has had so far. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

type UnfinishedFigure = Omit<Figure, 'fileBytes' | 'peakMemoryBytes'>;

export class Measurements {
  readonly #workload: Workload;
  readonly #engineId: string;
  readonly #round: number;
  readonly #folder: string;
  readonly #device: string | null;
  readonly #baseMemoryBytes: number;
  readonly #finished: UnfinishedFigure[] = [];

  constructor(workload: Workload, run: { engineId: string; round: number; folder: string }) {
    this.#workload = workload;
    this.#engineId = run.engineId;
    this.#round = run.round;
    this.#folder = run.folder;
    this.#device = deviceOf(run.folder);
    this.#baseMemoryBytes = peakMemoryBytes();
  }

  start(caseName: string, expectedSampleCount: number): CaseTimer {
    const workloadCase = this.#caseNamed(caseName);
    const latencies = new LatencySamples(expectedSampleCount);
    const before = readIoCounters(this.#device);
    const startMillis = performance.now();
    let seconds = -1;
    let written = before;
    const stop = (): void => {
      if (seconds >= 0) return;
      seconds = (performance.now() - startMillis) / 1000;
      written = ioDifference(readIoCounters(this.#device), before);
    };
    const finish = (outcome: Outcome): void => {
      stop();
      this.#finished.push({
        caseName: fullCaseName(this.#workload, workloadCase),
        engineId: this.#engineId,
        round: this.#round,
        unit: workloadCase.unit,
        value: valueInUnit(workloadCase.unit, seconds, outcome),
        operationCount: outcome.operationCount,
        seconds,
        latency: latencies.summary(),
        changedBytes: outcome.changedBytes ?? 0,
        ...written,
        baseMemoryBytes: this.#baseMemoryBytes,
        resultHash: outcome.resultHash,
        facts: outcome.facts ?? {},
      });
    };
    return { latencies, stop, finish };
  }

  #caseNamed(name: string): Case {
    const found = this.#workload.cases.find((candidate) => candidate.name === name);
    if (found === undefined) throw new RangeError(`the workload ${this.#workload.name} has no case "${name}"`);
    return found;
  }

  /** All figures; size and peak memory are those at the end of the process's work and the same for all its cases. */
  figures(): Figure[] {
    const fileBytes = occupiedBytes(this.#folder);
    const peak = peakMemoryBytes();
    return this.#finished.map((figure) => ({ ...figure, fileBytes, peakMemoryBytes: peak }));
  }
}

function valueInUnit(unit: Unit, seconds: number, outcome: Outcome): number {
  switch (unit) {
    case 'ops/s':
      return outcome.operationCount / seconds;
    case 'MiB/s':
      return (outcome.movedBytes ?? 0) / MIB / seconds;
    case 'ms':
      return (seconds * 1000) / outcome.operationCount;
  }
}

/**
 * Results made up for tests: values by case, engine and round, everything else plausible.
 */
import { ENGINES } from '../src/engines/registry.ts';
import { type Figure, RESULTS_VERSION, type Results, type Unit } from '../src/results.ts';

export function figure(
  caseName: string,
  engineId: string,
  round: number,
  value: number,
  more: Partial<Figure> = {},
): Figure {
  return {
    caseName,
    engineId,
    round,
    unit: 'ops/s' as Unit,
    value,
    operationCount: 100,
    seconds: 100 / value,
    latency: { sampleCount: 100, p50: 10, p99: 20, p999: 30, max: 40 },
    changedBytes: 0,
    processWriteBytes: null,
    deviceWriteBytes: null,
    flushCount: null,
    fileBytes: 4096,
    peakMemoryBytes: 80_000_000,
    baseMemoryBytes: 50_000_000,
    resultHash: null,
    facts: {},
    ...more,
  };
}

export function results(figures: readonly Figure[], more: Partial<Results> = {}): Results {
  return {
    resultsVersion: RESULTS_VERSION,
    startedAt: '2026-01-01T00:00:00.000Z',
    seconds: 12,
    scale: 'tiny',
    rounds: Math.max(1, ...figures.map((f) => f.round)),
    machine: {
      processor: 'a processor',
      processorCount: 2,
      memoryBytes: 2 ** 34,
      system: 'linux 6',
      node: 'v20.19.0',
      fileSystem: 'ext4',
      loadAtStart: 0.5,
    },
    engines: [
      ...ENGINES.map(({ id, title, role, volatile }) => ({
        id,
        title,
        role,
        volatile,
        version: '1.0.0',
        problem: null,
      })),
    ],
    figures,
    failures: [],
    ...more,
  };
}

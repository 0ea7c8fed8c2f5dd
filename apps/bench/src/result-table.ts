/**
 * The tables that `bench run` prints: one for each case, the fastest engine first.
 */
import Table from 'cli-table3';
import type { CaseSummary, EngineSummary } from './case-summary.ts';
import { summarizeCase } from './case-summary.ts';
import {
  formatBytes,
  formatMicros,
  formatNumber,
  formatRatio,
  formatSeconds,
  formatSpread,
  formatValue,
} from './number-format.ts';
import { caseNames, type Results } from './results.ts';
import { WORKLOADS } from './workloads/registry.ts';

/** Borders are lines only under the head: the tables are read in logs, too. */
const PLAIN_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

export function plainTable(head: readonly string[], rows: readonly (readonly string[])[], rightFrom: number): string {
  const table = new Table({
    head: [...head],
    chars: PLAIN_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, column) => (column >= rightFrom ? 'right' : 'left')),
  });
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .join('\n');
}

export function caseTitle(caseName: string): string {
  const workload = WORKLOADS.find((w) => caseName === w.name || caseName.startsWith(`${w.name}/`));
  if (workload === undefined || workload.name === caseName) return workload?.title ?? caseName;
  return `${workload.title}: ${caseName.slice(workload.name.length + 1)}`;
}

const HEAD = [
  'engine',
  'median',
  'spread',
  'best peer',
  'raw limit',
  'p50',
  'p99',
  'p99.9',
  'written/changed',
  'flushes/op',
  'size',
  'memory',
];

function row(summary: EngineSummary, unit: CaseSummary['unit']): string[] {
  const { engine, series, latency } = summary;
  return [
    engine.volatile ? `${engine.id} (volatile)` : engine.id,
    formatValue(series.median, unit),
    series.count === 1 ? '-' : formatSpread(series.spread),
    formatRatio(summary.toBestPeer),
    formatRatio(summary.toLimit),
    latency === null ? '-' : formatMicros(latency.p50),
    latency === null ? '-' : formatMicros(latency.p99),
    latency === null ? '-' : formatMicros(latency.p999),
    summary.deviceAmplification === null ? '-' : formatNumber(summary.deviceAmplification),
    summary.flushesPerOperation === null ? '-' : formatNumber(summary.flushesPerOperation),
    formatBytes(summary.fileBytes),
    formatBytes(summary.memoryBytes),
  ];
}

export function caseTable(summary: CaseSummary): string {
  const rows = summary.engines.map((engine) => row(engine, summary.unit));
  return `${summary.caseName}: ${caseTitle(summary.caseName)}\n${plainTable(HEAD, rows, 1)}`;
}

/** All tables of a run, its machine above them and its failures below. */
export function resultTables(results: Results, wanted: (caseName: string) => boolean): string {
  const { machine } = results;
  const lines = [
    `${machine.processor}, ${machine.processorCount} processors, ${formatBytes(machine.memoryBytes)}, ${machine.system}, Node ${machine.node}, ${machine.fileSystem}; load ${machine.loadAtStart.toFixed(1)} at the start`,
    `${results.scale} sizes, ${results.rounds} ${results.rounds === 1 ? 'round' : 'rounds'}, ${formatSeconds(results.seconds)}`,
  ];
  for (const engine of results.engines) {
    if (engine.problem !== null) lines.push(`${engine.id} is left out: ${engine.problem}`);
  }
  for (const caseName of caseNames(results)) {
    if (wanted(caseName)) lines.push('', caseTable(summarizeCase(results, caseName)));
  }
  if (results.failures.length > 0) {
    lines.push('', 'Failures');
    for (const failure of results.failures) {
      lines.push(`  ${failure.caseName}, ${failure.engineId}, round ${failure.round}: ${failure.message}`);
    }
  }
  return lines.join('\n');
}

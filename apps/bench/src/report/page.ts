/**
 * The report: one HTML page that needs nothing else, with a chart and a table for each case.
 *
 * The data of the charts and the charting library (Chart.js) are in the page; without scripts the tables still say everything. What is put
 * into the page is escaped where it stands.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type CaseSummary, summarizeCase } from '../case-summary.ts';
import { type GoalResult, goalSummary } from '../goals/goal-check.ts';
import {
  formatBytes,
  formatMicros,
  formatNumber,
  formatRatio,
  formatSeconds,
  formatSpread,
  formatValue,
} from '../number-format.ts';
import { caseTitle } from '../result-table.ts';
import { caseNames, type Results } from '../results.ts';
import { CHART_SCRIPT } from './chart-script.ts';
import { PAGE_STYLE } from './page-style.ts';

/** What the page's script draws of one case. */
interface ChartData {
  readonly caseName: string;
  readonly unit: string;
  readonly bars: readonly {
    readonly label: string;
    readonly role: string;
    readonly median: number;
    readonly minimum: number;
    readonly maximum: number;
  }[];
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** JSON that can stand inside a script element. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

function chartLibrary(): string {
  const path = createRequire(import.meta.url).resolve('chart.js');
  const source = readFileSync(path.replace(/chart\.(cjs|js)$/, 'chart.umd.min.js'), 'utf8');
  return source.replace(/<\/script/gi, '<\\/script').replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

function anchor(caseName: string): string {
  return caseName.replace(/[^a-z0-9]+/gi, '-');
}

function chartData(summary: CaseSummary): ChartData {
  return {
    caseName: summary.caseName,
    unit: summary.unit,
    bars: summary.engines.map(({ engine, series }) => ({
      label: engine.volatile ? `${engine.title} (volatile)` : engine.title,
      role: engine.role,
      median: series.median,
      minimum: series.minimum,
      maximum: series.maximum,
    })),
  };
}

function cell(text: string, className = 'number'): string {
  return `<td class="${className}">${escapeHtml(text)}</td>`;
}

function optional(value: number | null, format: (value: number) => string): string {
  return value === null ? '–' : format(value);
}

const COLUMNS: readonly (readonly [title: string, explanation: string])[] = [
  ['Engine', ''],
  ['Median', 'of the rounds'],
  ['Spread', 'half the range of the rounds'],
  ['Best peer', 'times as fast as the best durable peer'],
  ['Raw limit', 'times as fast as the raw limit'],
  ['p50', 'latency that half of the operations keep to'],
  ['p99', ''],
  ['p99.9', ''],
  ['Written', 'bytes written to the device for each byte changed, journal included'],
  ['Flushes', 'of the device for each operation'],
  ['Size', 'of the files afterwards'],
  ['Memory', 'peak, beyond that of the process before the engine was opened'],
];

function caseSection(summary: CaseSummary): string {
  const rows = summary.engines.map((s) => {
    const { latency, series } = s;
    const name = s.engine.volatile ? `${s.engine.title} (volatile)` : s.engine.title;
    return `<tr class="${s.engine.role}">${[
      cell(name, 'name'),
      cell(formatValue(series.median, summary.unit)),
      cell(series.count === 1 ? '–' : formatSpread(series.spread)),
      cell(optional(s.toBestPeer, formatRatio)),
      cell(optional(s.toLimit, formatRatio)),
      cell(latency === null ? '–' : formatMicros(latency.p50)),
      cell(latency === null ? '–' : formatMicros(latency.p99)),
      cell(latency === null ? '–' : formatMicros(latency.p999)),
      cell(optional(s.deviceAmplification, formatNumber)),
      cell(optional(s.flushesPerOperation, formatNumber)),
      cell(formatBytes(s.fileBytes)),
      cell(formatBytes(s.memoryBytes)),
    ].join('')}</tr>`;
  });
  const head = COLUMNS.map(([title, explanation]) => `<th title="${escapeHtml(explanation)}">${title}</th>`).join('');
  const id = anchor(summary.caseName);
  return `<section id="${id}">
<h3>${escapeHtml(caseTitle(summary.caseName))} <code>${escapeHtml(summary.caseName)}</code></h3>
<div class="chart" style="height:${28 * summary.engines.length + 56}px"><canvas data-case="${escapeHtml(summary.caseName)}" role="img" aria-label="Chart of the table below"></canvas></div>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>
</section>`;
}

function goalSection(goals: readonly GoalResult[]): string {
  const rows = goals.map(({ goal, caseName, subject, measured, isMet }) => {
    const state = isMet === null ? ['unknown', 'not measured'] : isMet ? ['met', 'met'] : ['missed', 'not met'];
    return `<tr><td class="${state[0]}">${state[1]}</td>${cell(goal.row, 'name')}${cell(`${subject}, ${caseName}`, 'name')}${cell(goal.demand, 'name')}${cell(measured)}</tr>`;
  });
  return `<section id="goals"><h2>Goals</h2>
<p>${goalSummary(goals)}. The goals are set for full sizes.</p>
<div class="scroll"><table><thead><tr><th></th><th>Goal</th><th>Of</th><th>Demand</th><th>Measured</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></div></section>`;
}

function machineSection(results: Results): string {
  const { machine } = results;
  const facts: readonly (readonly [string, string])[] = [
    ['Processor', `${machine.processor}, ${machine.processorCount} of them`],
    ['Memory', formatBytes(machine.memoryBytes)],
    ['System', machine.system],
    ['Node', machine.node],
    ['File system', machine.fileSystem],
    ['Load at the start', machine.loadAtStart.toFixed(2)],
    ['Measured', `${results.startedAt}, for ${formatSeconds(results.seconds)}`],
    ['Sizes', `${results.scale}, ${results.rounds} ${results.rounds === 1 ? 'round' : 'rounds'}`],
  ];
  const engines = results.engines.map(({ title, version, problem }) =>
    problem === null ? `${title} ${version ?? ''}`.trim() : `${title}: left out (${problem})`,
  );
  const list = [...facts, ['Engines', engines.join('; ')] as const]
    .map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`)
    .join('\n');
  return `<section id="machine"><h2>Machine</h2><dl>${list}</dl></section>`;
}

function failureSection(results: Results): string {
  if (results.failures.length === 0) return '';
  const items = results.failures.map(
    ({ caseName, engineId, round, message }) =>
      `<li>${escapeHtml(`${caseName}, ${engineId}, round ${round}: ${message}`)}</li>`,
  );
  return `<section id="failures"><h2>Failures</h2><ul>${items.join('')}</ul></section>`;
}

/** The first part of a case's name groups the cases; aged ones are groups of their own. */
function groupOf(caseName: string): string {
  const parts = caseName.split('/');
  if (parts[0] === 'aged') return `aged/${parts[1]}`;
  return parts[0]!.startsWith('append-') ? 'append' : parts[0]!;
}

/** The page as text. */
export function reportPage(results: Results, goals: readonly GoalResult[]): string {
  const names = caseNames(results);
  const summaries = names.map((name) => summarizeCase(results, name));
  const groups = [...new Set(names.map(groupOf))];
  const sections = groups.map((group) => {
    const members = summaries.filter((summary) => groupOf(summary.caseName) === group);
    return `<h2 id="group-${anchor(group)}">${escapeHtml(group)}</h2>${members.map(caseSection).join('\n')}`;
  });
  const links = groups.map((group) => `<a href="#group-${anchor(group)}">${escapeHtml(group)}</a>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Outwrite benchmarks</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header><h1>Outwrite benchmarks</h1>
<nav><a href="#machine">machine</a> <a href="#goals">goals</a> ${links.join(' ')}</nav></header>
<main>
${machineSection(results)}
${failureSection(results)}
${goalSection(goals)}
${sections.join('\n')}
</main>
<script type="application/json" id="chart-data">${scriptJson(summaries.map(chartData))}</script>
<script>${chartLibrary()}</script>
<script>${CHART_SCRIPT}</script>
</body>
</html>
`;
}

/**
 * The command `crash`: explores crash states of all layers and says how many violate what is promised.
 *
 * `--states N` how many, about; `--seed S` the first seed; `--only PATTERN` scenarios whose name contains it; `--state NAME` one state of the
 * first run alone, as a violation names it. The last line is `V violations in N states`.
 */
import { parseArgs } from 'node:util';
import { crashRun } from './crash-run.ts';
import { CRASH_KINDS, exploreScenario } from './explore.ts';
import { FAULT_KINDS } from './fault-count.ts';
import { scenarios } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    states: { type: 'string', default: '50000' },
    seed: { type: 'string' },
    only: { type: 'string', default: '' },
    state: { type: 'string' },
  },
});

const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
const names = scenarios.map(({ name }) => name).filter((name) => name.includes(values.only));
if (names.length === 0) {
  console.error(`no scenario contains '${values.only}'; there are: ${scenarios.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

if (values.state !== undefined) {
  const scenario = scenarios.find(({ name }) => name === names[0])!;
  const { violation, stateCount } = await exploreScenario(scenario, seed, values.state);
  if (violation !== null) console.log(violation);
  console.log(`${violation === null ? 0 : 1} violations in ${stateCount} states`);
  process.exit(violation === null ? 0 : 1);
}

const started = Date.now();
let lastLine = started;
let shownCount = 0;
console.log(`crash: seed ${seed}, ${names.length} scenarios`);
const totals = await crashRun({
  stateCount: Number(values.states),
  seed,
  scenarios: names,
  progress: ({ stateCount, violations }) => {
    for (const violation of violations.slice(shownCount)) console.log(`\nVIOLATION ${violation}`);
    shownCount = violations.length;
    if (Date.now() - lastLine < 60_000) return;
    lastLine = Date.now();
    const minutes = Math.round((lastLine - started) / 60_000);
    console.log(`${minutes} min: ${stateCount} states, ${violations.length} violations`);
  },
});

const shown = (kinds: readonly string[], counts: Record<string, number>): string =>
  kinds.map((kind) => `${kind} ${counts[kind] ?? 0}`).join(', ');
console.log(
  `by kind: ${shown(CRASH_KINDS, totals.stateCountByKind)}; faults: ${shown(FAULT_KINDS, totals.faultCountByKind)}`,
);
console.log(`${totals.runCount} workloads in ${((Date.now() - started) / 1000).toFixed(0)} s`);
console.log(`${totals.violations.length} violations in ${totals.stateCount} states`);
process.exit(totals.violations.length === 0 ? 0 : 1);

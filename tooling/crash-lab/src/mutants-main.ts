/**
 * The mutant hunt as a command: says which scenario catches each mutant and after how many crash states.
 *
 * `--only PATTERN` takes those whose name contains the pattern, `--seed S` begins the search elsewhere, `--rounds N` gives up later,
 * `--record` writes what caught each to `known-catches.json` (where the tests look first) and the table in `docs/testing.md`.
 */
import { parseArgs } from 'node:util';
import { type Catch, hunt } from './hunt.ts';
import { recordCatches } from './mutants/catch-record.ts';
import { mutants } from './mutants/mutant-list.ts';
import type { Mutant } from './mutation.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '30' },
    verbose: { type: 'boolean', default: false },
    'no-control': { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
});

// The engine without a fault must get away, or the hunt proves nothing.
const control: Mutant = {
  name: 'control',
  breaks: 'nothing',
  file: 'packages/alloc-log/src/index.ts',
  edits: [],
  scenarios: [],
};
const usedScenarios = [...new Set(mutants.flatMap((mutant) => mutant.scenarios))];
const controlCatch = await hunt(
  { ...control, scenarios: values['no-control'] ? [] : usedScenarios },
  { seed: Number(values.seed), rounds: 1 },
);
if (controlCatch.scenario !== null) {
  console.log(`the engine itself violates something: ${controlCatch.violation}`);
  process.exit(2);
}

const wanted = mutants.filter(({ name }) => name.includes(values.only));
const waiting = wanted.slice();
let missedCount = 0;

async function huntNext(): Promise<void> {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    report(await hunt(mutant, { seed: Number(values.seed), rounds: Number(values.rounds) }));
  }
}

const catches: Catch[] = [];

function report(caught: Catch): void {
  catches.push(caught);
  const { mutant, scenario, seed, stateCount, violation } = caught;
  if (scenario === null) {
    missedCount++;
    console.log(`NOT CAUGHT ${mutant.name} in ${stateCount} states`);
    return;
  }
  const lines = violation.split('\n');
  const reason = lines.find((line) => /Error/.test(line)) ?? lines[0]!;
  console.log(`caught ${mutant.name}: ${scenario} seed ${seed}, ${stateCount} states: ${reason.trim().slice(0, 160)}`);
  if (values.verbose) console.log(violation);
}

await Promise.all([huntNext(), huntNext()]);
if (values.record) await recordCatches(catches);
console.log(`${missedCount} of ${wanted.length} mutants not caught`);
process.exitCode = missedCount === 0 ? 0 : 1;

/**
 * `bench run [PATTERN]`: measure, print the tables, and write the JSON file if one is wanted.
 */
import type { Command } from 'commander';
import { resultTables } from '../result-table.ts';
import { writeResults } from '../results.ts';
import { run } from '../run.ts';
import { fullCaseName, matchingWorkloads, patternMatcher } from '../workload.ts';
import { WORKLOADS } from '../workloads/registry.ts';
import { addRunOptions, type CommonRunOptions, endProgress, toRunOptions } from './run-options.ts';

export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('run workloads on all engines, alternating, and print what was measured')
    .argument('[pattern]', 'a part of a name, or a pattern with *; everything by default');
  addRunOptions(command).addHelpText(
    'after',
    '\nExamples:\n  bench run --quick\n  bench run "kv8/*" --rounds 7 --json kv8.json\n  bench run append-100 --engine outwrite,raw',
  );
  command.action(async (pattern: string | undefined, options: CommonRunOptions) => {
    const runOptions = toRunOptions(options);
    const chosen = pattern === undefined ? WORKLOADS : matchingWorkloads(WORKLOADS, pattern);
    const workloads =
      pattern === undefined && runOptions.scale === 'quick' ? chosen.filter((workload) => workload.quick) : chosen;
    if (workloads.length === 0) {
      command.error(`error: no workload matches "${pattern}"; see "bench list"`, { exitCode: 2 });
    }
    const results = await run({ ...runOptions, workloads });
    endProgress();
    const nameMatches = patternMatcher(pattern ?? '*');
    const hasCase = workloads.some((w) => w.cases.some((c) => nameMatches(fullCaseName(w, c))));
    console.log(resultTables(results, hasCase ? nameMatches : () => true));
    if (options.json !== undefined) writeResults(options.json, results);
    if (results.failures.length > 0) process.exitCode = 1;
  });
}

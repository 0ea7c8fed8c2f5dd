/**
 * `bench run [PATTERN]`: measure, print the tables, and write the JSON file if one is wanted.
 */
import type { Command } from 'commander';
import { resultTables } from '../result-table.ts';
import { writeResults } from '../results.ts';
import { run } from '../run.ts';
import { select } from '../workload.ts';
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
    const selection = select(WORKLOADS, pattern ?? '*');
    const isQuick = pattern === undefined && runOptions.scale === 'quick';
    const workloads = selection.workloads.filter((workload) => !isQuick || workload.quick);
    if (workloads.length === 0) {
      command.error(`error: no workload matches "${pattern}"; see "bench list"`, { exitCode: 2 });
    }
    const results = await run({ ...runOptions, workloads });
    endProgress();
    console.log(resultTables(results, selection.wants));
    if (options.json !== undefined) writeResults(options.json, results);
    if (results.failures.length > 0) process.exitCode = 1;
  });
}

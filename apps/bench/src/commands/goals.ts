/**
 * `bench goals`: run what the goals need, or take a results file, and say of each goal what was measured and whether it is met.
 */
import type { Command } from 'commander';
import { checkGoals, type GoalResult, goalSummary, workloadsFor } from '../goals/goal-check.ts';
import { GOALS } from '../goals/goal-table.ts';
import { plainTable } from '../result-table.ts';
import { readResults, writeResults } from '../results.ts';
import { run } from '../run.ts';
import { WORKLOADS } from '../workloads/registry.ts';
import { addRunOptions, type CommonRunOptions, endProgress, toRunOptions } from './run-options.ts';

export function verdict(isMet: boolean | null): string {
  return isMet === null ? 'not measured' : isMet ? 'met' : 'NOT MET';
}

export function goalTable(checked: readonly GoalResult[]): string {
  const rows = checked.map(({ goal, caseName, subject, measured, isMet }) => [
    verdict(isMet),
    goal.row,
    goal.kind === 'flat' || goal.kind === 'memory' ? subject : `${subject}, ${caseName}`,
    goal.demand,
    measured,
  ]);
  return plainTable(['', 'goal', 'of', 'demand', 'measured'], rows, 5);
}

export function addGoalsCommand(program: Command): void {
  const command = program
    .command('goals')
    .description('hold the table of goals against measurements; exit code 1 if a goal is not met')
    .option('--from <file>', 'use a results file of "bench run --json" and measure nothing');
  addRunOptions(command).addHelpText(
    'after',
    '\nRatios are medians of the ratios within the rounds. The goals are set for full sizes; quick ones give a first look.',
  );
  command.action(async (options: CommonRunOptions & { from?: string }) => {
    const results =
      options.from === undefined
        ? await run({ ...toRunOptions(options), workloads: workloadsFor(GOALS, WORKLOADS) })
        : readResults(options.from);
    endProgress();
    if (options.json !== undefined) writeResults(options.json, results);
    const checked = await checkGoals(GOALS, results);
    console.log(goalTable(checked));
    console.log(`\n${goalSummary(checked)} (${results.scale} sizes, ${results.rounds} rounds).`);
    for (const { caseName, engineId, message } of results.failures) {
      console.log(`failure: ${caseName}, ${engineId}: ${message}`);
    }
    if (checked.some(({ isMet }) => isMet !== true) || results.failures.length > 0) process.exitCode = 1;
  });
}

/**
 * `bench report [FILE]`: one HTML page from a results file, or from a run made for it.
 */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { checkGoals } from '../goals/goal-check.ts';
import { GOALS } from '../goals/goal-table.ts';
import { formatBytes } from '../number-format.ts';
import { reportPage } from '../report/page.ts';
import { readResults, writeResults } from '../results.ts';
import { run } from '../run.ts';
import { WORKLOADS } from '../workloads/registry.ts';
import { addRunOptions, type CommonRunOptions, endProgress, toRunOptions } from './run-options.ts';

const DEFAULT_PATH = 'outwrite-bench.html';

export function addReportCommand(program: Command): void {
  const command = program
    .command('report')
    .description('write one self-contained HTML page with charts, from a results file or from a new run')
    .argument('[file]', 'a results file of "bench run --json"; without it everything is run first')
    .option('-o, --output <path>', 'where the page goes', DEFAULT_PATH);
  addRunOptions(command);
  command.action(async (file: string | undefined, options: CommonRunOptions & { output: string }) => {
    const runOptions = toRunOptions(options);
    const workloads = runOptions.scale === 'quick' ? WORKLOADS.filter((workload) => workload.quick) : WORKLOADS;
    const results = file === undefined ? await run({ ...runOptions, workloads }) : readResults(file);
    endProgress();
    if (options.json !== undefined) writeResults(options.json, results);
    const page = reportPage(results, await checkGoals(GOALS, results));
    writeFileSync(options.output, page);
    console.log(`${options.output}: ${formatBytes(Buffer.byteLength(page))}`);
  });
}

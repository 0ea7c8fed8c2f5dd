/**
 * `bench list`: the workloads with their cases, and the engines with what keeps them from running.
 */
import type { Command } from 'commander';
import { ENGINES } from '../engines/registry.ts';
import { plainTable } from '../result-table.ts';
import { probeEngines } from '../run.ts';
import { takesPart } from '../workload.ts';
import { WORKLOADS } from '../workloads/registry.ts';

export function addListCommand(program: Command): void {
  program
    .command('list')
    .description('list workloads and engines')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const engines = await probeEngines();
      const workloads = WORKLOADS.map((workload) => ({
        name: workload.name,
        title: workload.title,
        cases: workload.cases.map((workloadCase) => workloadCase.name).filter((name) => name !== ''),
        quick: workload.quick,
        engines: ENGINES.filter((engine) => takesPart(engine, workload)).map((engine) => engine.id),
      }));
      if (options.json) {
        console.log(JSON.stringify({ workloads, engines }, null, 2));
        return;
      }
      const workloadRows = workloads.map(({ name, title, cases, quick }) => [
        name,
        quick ? 'yes' : '',
        cases.length === 0 ? title : `${title} (${cases.join(', ')})`,
      ]);
      const engineRows = engines.map(({ id, version, problem, title }) => [id, version ?? '-', problem ?? title]);
      console.log(plainTable(['workload', 'quick', 'what it does'], workloadRows, 3));
      console.log('');
      console.log(plainTable(['engine', 'version', ''], engineRows, 3));
    });
}

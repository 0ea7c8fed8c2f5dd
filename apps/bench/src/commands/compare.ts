/**
 * `bench compare BASE NEW`: what got faster or slower between two runs, beyond noise.
 */
import type { Command } from 'commander';
import { type Change, compareResults } from '../comparison.ts';
import { formatRatio, formatSpread, formatValue } from '../number-format.ts';
import { plainTable } from '../result-table.ts';
import { readResults } from '../results.ts';

function row(change: Change): string[] {
  return [
    change.verdict,
    change.caseName,
    change.engineId,
    formatValue(change.base.median, change.unit),
    formatSpread(change.base.spread),
    formatValue(change.next.median, change.unit),
    formatSpread(change.next.spread),
    formatRatio(change.speedup),
    formatRatio(change.speedupToLimit),
  ];
}

export function addCompareCommand(program: Command): void {
  program
    .command('compare')
    .description('compare two results files; a change counts when the ranges of the rounds do not overlap')
    .argument('<base>', 'results file of the earlier run')
    .argument('<new>', 'results file of the later run')
    .option('--all', 'list what is within noise, too')
    .option('--fail-on-slower', 'exit code 1 if an engine of ours got slower')
    .action((basePath: string, newPath: string, options: { all?: boolean; failOnSlower?: boolean }) => {
      const base = readResults(basePath);
      const next = readResults(newPath);
      const { changes, onlyInBase, onlyInNext } = compareResults(base, next);
      const shown = changes.filter((change) => options.all || change.verdict !== 'noise');
      const head = ['', 'case', 'engine', 'base', 'spread', 'new', 'spread', 'speed', 'to raw'];
      if (shown.length > 0) console.log(plainTable(head, shown.map(row), 3));
      const noiseCount = changes.filter((change) => change.verdict === 'noise').length;
      console.log(`${changes.length - noiseCount} changed beyond noise, ${noiseCount} within it.`);
      if (onlyInBase.length > 0) console.log(`Only in ${basePath}: ${onlyInBase.join('; ')}`);
      if (onlyInNext.length > 0) console.log(`Only in ${newPath}: ${onlyInNext.join('; ')}`);
      const subjects = new Set(next.engines.filter((engine) => engine.role === 'subject').map((engine) => engine.id));
      const isSlower = changes.some((change) => change.verdict === 'slower' && subjects.has(change.engineId));
      if (options.failOnSlower && isSlower) process.exitCode = 1;
    });
}

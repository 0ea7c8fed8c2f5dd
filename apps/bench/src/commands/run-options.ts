/**
 * Options that all commands share which run workloads, and the progress that they show.
 */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { ENGINES } from '../engines/registry.ts';
import type { RunOptions } from '../run.ts';
import { isScaleName, type ScaleName, scaleOf } from '../scale.ts';

/** What a quick run may take; on a slow machine it then has fewer rounds. */
const QUICK_LIMIT_SECONDS = 115;

export interface CommonRunOptions {
  readonly quick?: boolean;
  readonly scale?: ScaleName;
  readonly rounds?: number;
  readonly json?: string;
  readonly engine?: readonly string[];
  readonly folder?: string;
  readonly cpuProf?: string;
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return rounds;
}

function parseScale(text: string): ScaleName {
  if (!isScaleName(text)) throw new InvalidArgumentError('It must be full, quick or tiny.');
  return text;
}

function parseEngines(text: string): string[] {
  const ids = text.split(',').map((id) => id.trim());
  for (const id of ids) {
    if (!ENGINES.some((engine) => engine.id === id)) {
      throw new InvalidArgumentError(`There is no engine "${id}"; see "bench list".`);
    }
  }
  return ids;
}

export function addRunOptions(command: Command): Command {
  return command
    .option('--quick', 'small sizes and as many rounds, up to three, as two minutes allow')
    .option('--scale <name>', 'full, quick or tiny sizes', parseScale)
    .option('--rounds <n>', 'rounds in which the engines take turns', parseRounds)
    .option('--json <file>', 'write everything that was measured to a file')
    .option('--engine <ids>', 'only these engines, separated by commas', parseEngines)
    .option('--cpu-prof <folder>', 'write a CPU profile of every measuring process')
    .option('--folder <path>', 'a folder on the disk to be measured (default: that of temporary files)');
}

/** What the options mean for a run. */
export function toRunOptions(options: CommonRunOptions): Omit<RunOptions, 'workloads'> {
  const scale = options.scale ?? (options.quick ? 'quick' : 'full');
  return {
    scale,
    rounds: options.rounds ?? scaleOf(scale).rounds,
    ...(scale === 'quick' && options.rounds === undefined ? { limitSeconds: QUICK_LIMIT_SECONDS } : {}),
    ...(options.engine === undefined ? {} : { engineIds: options.engine }),
    ...(options.folder === undefined ? {} : { folder: options.folder }),
    ...(options.cpuProf === undefined ? {} : { child: { execArgv: profilingArguments(options.cpuProf) } }),
    progress: showProgress,
  };
}

function profilingArguments(folder: string): string[] {
  return [...process.execArgv, '--cpu-prof', `--cpu-prof-dir=${resolve(folder)}`];
}

type Step = Parameters<NonNullable<RunOptions['progress']>>[0];
let lastPrinted = '';

/** One line that is written over on a terminal; one line for each workload and round in a log. */
function showProgress({ round, workload, engineId, done, total }: Step): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001b[K${done + 1} of ${total}, round ${round}: ${workload}, ${engineId}`);
    return;
  }
  const line = `round ${round}: ${workload} (${done + 1} of ${total})`;
  if (`${round} ${workload}` === lastPrinted) return;
  lastPrinted = `${round} ${workload}`;
  process.stderr.write(`${line}\n`);
}

/** Takes the line of progress away again. */
export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

/**
 * The demonstration: a directory tree that nobody here made goes in, survives a killed process, and comes out byte for byte.
 *
 * `npm run demo` runs it on the workspace's own node_modules. `--seed` repeats the random choices of a run, `--source` takes another
 * tree, `--kills` kills more than one process, `--keep` leaves the files where they are. Exit code 1 on any difference.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { runDemo } from './demo/demo-run.ts';
import { EXIT } from './exit-codes.ts';
import { exitCodeOf, failureLines, InterruptedError } from './failures.ts';
import { Output } from './output.ts';
import { parseCount } from './quantities.ts';

interface Options {
  readonly seed?: string;
  readonly source?: string;
  readonly kills: string;
  readonly keep?: true;
}

/** The node_modules of the workspace that this file belongs to. */
function workspaceModules(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return join(folder, 'node_modules');
    if (folder === dirname(folder))
      throw new Error('no workspace was found above the demo; name a directory with --source');
  }
}

const SEED_LIMIT = 1_000_000;

const program = new Command('demo')
  .description('Import a tree, kill the import, recover, finish, export, and compare everything.')
  .option('--seed <number>', 'repeat the random choices of another run')
  .option('--source <directory>', "the tree to work on (default: the workspace's node_modules)")
  .option('--kills <count>', 'how many importing processes are killed, one after the other', '3')
  .option('--keep', 'keep the volumes and the exported tree')
  .exitOverride();

const controller = new AbortController();
for (const signalName of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signalName, () => controller.abort(new InterruptedError(signalName)));
}

const stdout = new Output(process.stdout, { gathers: false });
const stderr = new Output(process.stderr, { gathers: false });
try {
  const options = program.parse().opts<Options>();
  const isEqual = await runDemo({
    stdout,
    stderr,
    signal: controller.signal,
    sourcePath: resolve(options.source ?? workspaceModules()),
    seed: options.seed === undefined ? Math.floor(Math.random() * SEED_LIMIT) : parseCount(options.seed),
    killCount: parseCount(options.kills),
    keepsFiles: options.keep === true,
    nodeFlags: process.execArgv,
  });
  process.exitCode = isEqual ? EXIT.ok : EXIT.failed;
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    for (const line of failureLines(error)) stderr.line(line.replace(/^outwrite/, 'demo'));
    process.exitCode = exitCodeOf(error);
  }
}

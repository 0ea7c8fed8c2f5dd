/**
 * A child process that imports, and the means to kill it at a given moment.
 *
 * The child is the real command, started as a user would start it. It is killed with SIGKILL: no handler runs, nothing is flushed, nothing
 * is closed. What it had acknowledged stands in its journal.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ImportCommand {
  readonly volumeFile: string;
  readonly sourcePath: string;
  readonly journalFile: string;
  readonly commitEvery: string;
  readonly commitSteps: number;
  /** Flags of Node under which the command runs; a process started with them starts others with `process.execArgv`. */
  readonly nodeFlags: readonly string[];
}

export type ChildEnd = { readonly kind: 'killed' } | { readonly kind: 'ended'; readonly exitCode: number | null };

const POLL_MILLISECONDS = 5;

/** Sources are run from `.ts` files, which takes flags, a build from `.js` files. */
const extension: string = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

function start(command: ImportCommand): ChildProcess {
  const main = fileURLToPath(new URL(`../main.${extension}`, import.meta.url));
  const parameters = ['import', '--create', '--quiet', '--commit-every', command.commitEvery];
  parameters.push('--commit-steps', String(command.commitSteps), '--journal', command.journalFile);
  parameters.push(command.volumeFile, command.sourcePath);
  return spawn(process.execPath, [...command.nodeFlags, main, ...parameters], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Starts the import and kills it `milliseconds` after its journal has begun; it may end by itself before. */
export async function importAndKill(command: ImportCommand, milliseconds: number): Promise<ChildEnd> {
  const journalStart = existsSync(command.journalFile) ? statSync(command.journalFile).size : 0;
  const child = start(command);
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signalName) => {
      resolve(signalName === 'SIGKILL' ? { kind: 'killed' } : { kind: 'ended', exitCode });
    });
  });
  while (child.exitCode === null && child.signalCode === null) {
    if (existsSync(command.journalFile) && statSync(command.journalFile).size > journalStart) break;
    await setTimeout(POLL_MILLISECONDS);
  }
  const cancel = new AbortController();
  const kill = setTimeout(milliseconds, undefined, { signal: cancel.signal }).then(
    () => child.kill('SIGKILL'),
    () => false,
  );
  const end = await ended;
  cancel.abort();
  await kill;
  return end;
}

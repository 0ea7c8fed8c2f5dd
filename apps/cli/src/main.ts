#!/usr/bin/env node
/**
 * The `outwrite` command: hands the process's arguments, streams and signals to `runCommandLine`.
 *
 * The first SIGINT or SIGTERM asks the command to stop: it ends its step, closes the volume and exits with 130 or 143. The second one
 * ends the process at once; the volume is crash-safe, so it then holds its last commit.
 */
import process from 'node:process';
import { runCommandLine } from './command-line.ts';
import { EXIT } from './exit-codes.ts';
import { InterruptedError } from './failures.ts';

const controller = new AbortController();

const stopNames = ['SIGINT', 'SIGTERM'] as const;

function stop(signalName: (typeof stopNames)[number]): void {
  if (controller.signal.aborted) process.exit(signalName === 'SIGINT' ? EXIT.interrupted : EXIT.terminated);
  controller.abort(new InterruptedError(signalName));
}

for (const signalName of stopNames) process.on(signalName, stop);

process.exitCode = await runCommandLine(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
  endAtOnce: () => {
    for (const signalName of stopNames) process.off(signalName, stop);
  },
});

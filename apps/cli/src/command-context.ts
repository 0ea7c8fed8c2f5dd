/**
 * What every command is given: where it reads and writes, and how it is told to stop.
 *
 * A command never touches `process`: the entry function hands it these, so that tests run commands in their own process and see what
 * a user sees.
 */
import { Command } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';

export interface CommandContext {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Aborted with an `InterruptedError` when the user wants the command to stop. */
  readonly signal: AbortSignal;
  /** From now on a signal ends the process at once: for long work that changes nothing and cannot be interrupted otherwise. */
  readonly endAtOnce: () => void;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}

/** Options that commander has parsed. */
export interface JsonOption {
  readonly json?: true;
}

/** A subcommand with the settings and the example section that all share. */
export function newCommand(name: string, summary: string, examples: readonly string[]): Command {
  return new Command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .showHelpAfterError(false)
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
}

/** Makes a commander action of a function that returns its exit code, or nothing for success. */
export function action<Arguments extends unknown[]>(
  context: CommandContext,
  body: (...parameters: Arguments) => Promise<ExitCode | undefined> | Promise<void>,
): (...parameters: Arguments) => Promise<void> {
  return async (...parameters) => {
    context.exitCode = (await body(...parameters)) ?? EXIT.ok;
  };
}

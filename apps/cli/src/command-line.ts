/**
 * The entry function: parses the arguments, runs the command, and turns what happened into messages and an exit code.
 *
 * Nothing is thrown from here and `process.exit` is never called, so output is complete when the process ends. With `--json` an error
 * is one JSON object on standard error, and standard output holds documents only.
 */
import type { Readable, Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import type { CommandContext } from './command-context.ts';
import { catCommand } from './commands/cat.ts';
import { checkCommand } from './commands/check.ts';
import { createCommand } from './commands/create.ts';
import { dfCommand } from './commands/df.ts';
import { duCommand } from './commands/du.ts';
import { exportCommand } from './commands/export.ts';
import { getCommand } from './commands/get.ts';
import { importCommand } from './commands/import.ts';
import { infoCommand } from './commands/info.ts';
import { lnCommand } from './commands/ln.ts';
import { logCommand } from './commands/log.ts';
import { lsCommand } from './commands/ls.ts';
import { mkdirCommand } from './commands/mkdir.ts';
import { mvCommand } from './commands/mv.ts';
import { putCommand } from './commands/put.ts';
import { rmCommand } from './commands/rm.ts';
import { scrubCommand } from './commands/scrub.ts';
import { statCommand } from './commands/stat.ts';
import { treeCommand } from './commands/tree.ts';
import { EXIT, EXIT_CODE_HELP, type ExitCode } from './exit-codes.ts';
import { reportFailure } from './failure-report.ts';
import { exitCodeOf, USAGE_HINT } from './failures.ts';
import { Output } from './output.ts';
import { VERSION } from './version.ts';

export interface CommandLineStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly signal?: AbortSignal;
  /** See `CommandContext.endAtOnce`. */
  readonly endAtOnce?: () => void;
}

const COMMANDS: readonly (readonly [string, readonly ((context: CommandContext) => Command)[]])[] = [
  ['Volumes:', [createCommand, infoCommand, dfCommand, logCommand, checkCommand, scrubCommand]],
  ['Directory trees:', [importCommand, exportCommand, duCommand, treeCommand]],
  [
    'Files:',
    [lsCommand, statCommand, catCommand, putCommand, getCommand, mkdirCommand, rmCommand, mvCommand, lnCommand],
  ],
];

const PROGRAM_HELP = `
VOLUME is a file on your disk (or a block device); PATH is a path inside it, with or
without a leading slash. Sizes are read as 4096, 64M, 1.5GiB (64MB is 64,000,000).

${EXIT_CODE_HELP}

First steps:
  $ outwrite create photos.ow
  $ outwrite import photos.ow ~/Pictures
  $ outwrite ls -l photos.ow
  $ outwrite export photos.ow restored
  $ outwrite check photos.ow`;

function buildProgram(context: CommandContext): Command {
  const program = new Command('outwrite')
    .description('A crash-safe file volume in one file: put directory trees in, look inside, get them out.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .showSuggestionAfterError(true)
    .addHelpText('after', PROGRAM_HELP);
  for (const [heading, factories] of COMMANDS) {
    program.commandsGroup(heading);
    for (const factory of factories) program.addCommand(factory(context).helpOption('-h, --help', 'show this help'));
  }
  program.commandsGroup('Help:').helpCommand('help [command]', 'show the help of a command');
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => context.stdout.line(text.trimEnd()),
      writeErr: (text) => context.stderr.line(text.trimEnd()),
      outputError: (text, write) => write(`${text.trimEnd().replace(/^error: /, 'outwrite: ')}\n${USAGE_HINT}`),
      getOutHelpWidth: () => context.stdout.columnCount,
      getErrHelpWidth: () => context.stderr.columnCount,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  }
  return program;
}

/** Runs one command line; returns the exit code. */
export async function runCommandLine(parameters: readonly string[], streams: CommandLineStreams): Promise<ExitCode> {
  const context: CommandContext = {
    stdin: streams.stdin,
    stdout: new Output(streams.stdout, { gathers: true }),
    stderr: new Output(streams.stderr, { gathers: false }),
    signal: streams.signal ?? new AbortController().signal,
    endAtOnce: streams.endAtOnce ?? (() => undefined),
    exitCode: EXIT.ok,
  };
  const asJson = parameters.includes('--json');
  let exitCode: ExitCode;
  let failure: unknown;
  try {
    exitCode = await runProgram(parameters, context);
  } catch (error) {
    failure = error;
    exitCode = exitCodeOf(error);
    reportFailure(context.stderr, error, asJson);
  }
  // What was printed before a failure belongs to the user. If it does not arrive, the command has failed.
  await context.stdout.finish().catch((error: unknown) => {
    if (error === failure) return;
    if (failure === undefined) exitCode = exitCodeOf(error);
    reportFailure(context.stderr, error, asJson);
  });
  await context.stderr.finish().catch(() => undefined);
  return exitCode;
}

async function runProgram(parameters: readonly string[], context: CommandContext): Promise<ExitCode> {
  const program = buildProgram(context);
  if (parameters.length === 0) {
    program.outputHelp();
    return EXIT.usage;
  }
  try {
    await program.parseAsync([...parameters], { from: 'user' });
  } catch (error) {
    // Commander has shown what there is to say: the help, the version, or what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
  return context.exitCode;
}

/**
 * What goes wrong, as the command line tells it: the exit code and the sentence for each error.
 *
 * Errors of the library and of Node carry a `code`; the message of the library already names the thing and says what to do, so it is
 * printed as it is. A stack trace is shown only for what is a fault of the program (no code at all), because that is what a bug
 * report needs.
 */
import { EXIT, type ExitCode } from './exit-codes.ts';

/** The command line makes no sense; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command could not do what was asked, for a reason that has no error of its own. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failed, options: { cause?: unknown } = {}) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The process was asked to stop by a signal. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
  readonly signalName: 'SIGINT' | 'SIGTERM';

  constructor(signalName: 'SIGINT' | 'SIGTERM') {
    super('stopped');
    this.signalName = signalName;
  }
}

/** The reader of standard output has closed it. */
export class BrokenPipeError extends Error {
  override readonly name = 'BrokenPipeError';
}

/** The `code` of an error of Outwrite or of Node; undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const EXIT_OF_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ['ENOTVOLUME', EXIT.notUsable],
  ['ETRUNCATED', EXIT.notUsable],
  ['EUNSUPPORTED', EXIT.notUsable],
  ['ECORRUPT', EXIT.notUsable],
  ['ELOCKED', EXIT.locked],
  ['ENOSPC', EXIT.full],
  ['EDQUOT', EXIT.full],
  ['EPIPE', EXIT.brokenPipe],
]);

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof BrokenPipeError) return EXIT.brokenPipe;
  if (error instanceof InterruptedError) return error.signalName === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
  return exitOfCode(error) ?? EXIT.failed;
}

/** What failed below, as a full disk under the volume does, stands in the cause. */
function exitOfCode(error: unknown): ExitCode | undefined {
  const exitCode = EXIT_OF_CODE.get(codeOf(error) ?? '');
  return exitCode === undefined && error instanceof Error && error.cause !== undefined
    ? exitOfCode(error.cause)
    : exitCode;
}

/** What follows a message about a command line that makes no sense. */
export const USAGE_HINT = 'Try: outwrite help [command]';

/** The lines for standard error about an error that ended a command; none where silence is the custom. */
export function failureLines(error: unknown): string[] {
  if (error instanceof BrokenPipeError) return [];
  if (error instanceof InterruptedError) return ['outwrite: stopped; what was done so far is kept'];
  if (error instanceof UsageError) return [`outwrite: ${error.message}`, USAGE_HINT];
  if (error instanceof CommandError || codeOf(error) !== undefined) return [`outwrite: ${messageOf(error)}`];
  return [`outwrite: unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
}

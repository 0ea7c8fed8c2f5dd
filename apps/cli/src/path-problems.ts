/**
 * Listings that go on after an entry that cannot be looked at: it is reported, and decides the exit code in the end.
 *
 * The first problem counts: damage gives another code than a name that is not there. What carries no code is a fault of the program and
 * ends the command.
 */
import { EXIT, type ExitCode } from './exit-codes.ts';
import { codeOf, exitCodeOf, messageOf } from './failures.ts';
import type { Output } from './output.ts';
import { printableName } from './printable.ts';

export class PathProblems {
  readonly #stderr: Output;
  exitCode: ExitCode = EXIT.ok;

  constructor(stderr: Output) {
    this.#stderr = stderr;
  }

  /** What `look` returns; undefined, and a message, if it throws. */
  guard<T>(path: string, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#stderr.line(`outwrite: ${printableName(path)}: ${messageOf(error)}`);
      if (this.exitCode === EXIT.ok) this.exitCode = exitCodeOf(error);
      return undefined;
    }
  }
}

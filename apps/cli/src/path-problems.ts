/**
 * Listings that go on after an entry that cannot be looked at: it is reported, and decides the exit code in the end.
 *
 * The worst problem counts: damage gives another code than a name that is not there. What carries no code is a fault of the program and
 * ends the command.
 */
import { EXIT, type ExitCode, worseExit } from './exit-codes.ts';
import { reportPathFailure } from './failure-report.ts';
import { codeOf, exitCodeOf } from './failures.ts';
import type { Output } from './output.ts';

export class PathProblems {
  readonly #stderr: Output;
  readonly #asJson: boolean;
  exitCode: ExitCode = EXIT.ok;

  constructor(stderr: Output, options: { readonly json?: true }) {
    this.#stderr = stderr;
    this.#asJson = options.json === true;
  }

  /** What `look` returns; undefined, and a message, if it throws. */
  guard<T>(path: string, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      this.#note(path, error);
      return undefined;
    }
  }

  /** As `guard`, for what takes a while. */
  async guardAsync<T>(path: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      this.#note(path, error);
      return undefined;
    }
  }

  #note(path: string, error: unknown): void {
    if (codeOf(error) === undefined) throw error;
    reportPathFailure(this.#stderr, path, error, this.#asJson);
    this.exitCode = worseExit(this.exitCode, exitCodeOf(error));
  }
}

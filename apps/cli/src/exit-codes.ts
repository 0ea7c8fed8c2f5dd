/**
 * The exit codes of `outwrite`: a promise to scripts, listed in the README and in the help.
 *
 * Every failure has one of these; which error leads to which is decided in `failures.ts` and nowhere else. Do not renumber.
 */
export const EXIT = {
  /** Everything asked for was done; for `check` and `scrub`: the volume is clean. */
  ok: 0,
  /** The operation failed or was done in part only; for `check` and `scrub`: there are findings. */
  failed: 1,
  /** The command line makes no sense: unknown command or option, missing or malformed argument. */
  usage: 2,
  /** The file is no volume, is cut short or damaged, or needs a newer release. */
  notUsable: 3,
  /** Another process has the volume open. */
  locked: 4,
  /** No space is left, in the volume or where the output goes. */
  full: 5,
  /** Stopped by Ctrl-C (128 + SIGINT); the volume was closed properly. */
  interrupted: 130,
  /** Whoever read the output went away (128 + SIGPIPE), as in `outwrite ls VOLUME | head`. */
  brokenPipe: 141,
  /** Stopped by SIGTERM (128 + SIGTERM); the volume was closed properly. */
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** From good to bad: what else one command may meet on its way tells less than a volume that is damaged. */
const BY_GRAVITY: readonly ExitCode[] = [EXIT.ok, EXIT.failed, EXIT.locked, EXIT.full, EXIT.notUsable];

/** The worse of two codes, for a command that goes on after a failure. */
export function worseExit(a: ExitCode, b: ExitCode): ExitCode {
  return BY_GRAVITY.indexOf(b) > BY_GRAVITY.indexOf(a) ? b : a;
}

/** The codes as the help shows them. */
export const EXIT_CODE_HELP = `Exit codes:
  0    done; for check and scrub: the volume is clean
  1    failed, or done in part only; for check and scrub: there are findings
  2    the command line makes no sense
  3    no volume, or damaged, cut short, or made by a newer release
  4    another process has the volume open
  5    no space left
  130  stopped by Ctrl-C (143: by SIGTERM, 141: the reader of the output went away)`;

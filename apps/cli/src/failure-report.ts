/**
 * Errors on standard error: as lines for people, or with `--json` as one object each.
 */
import { BrokenPipeError, codeOf, failureLines, messageOf } from './failures.ts';
import type { Output } from './output.ts';
import { printableName } from './printable.ts';

/** Reports an error that ended a command. */
export function reportFailure(stderr: Output, error: unknown, asJson: boolean): void {
  if (error instanceof BrokenPipeError) return;
  if (asJson) stderr.jsonLine({ error: { code: codeOf(error) ?? null, message: messageOf(error) } });
  else for (const line of failureLines(error)) stderr.line(line);
}

/** Reports an error that concerns `path` alone, after which the command goes on. */
export function reportPathFailure(stderr: Output, path: string, error: unknown, asJson: boolean): void {
  const message = messageOf(error);
  if (asJson) stderr.jsonLine({ error: { code: codeOf(error) ?? null, path, message } });
  else stderr.line(`outwrite: ${message.startsWith(path) ? '' : `${printableName(path)}: `}${message}`);
}

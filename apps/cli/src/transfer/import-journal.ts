/**
 * The journal of an import: an independent record of what the volume has acknowledged.
 *
 * One JSON object a line. `start` names source and target; `committing` is written before a commit is asked for, with the number of
 * steps of the walk (see `tree-walk.ts`) that are complete; `durable` is written, and flushed to the disk, after the volume said that this
 * commit is durable; `end` closes a complete import. Whoever finds the journal after a crash knows: the volume must hold the steps of
 * the last `durable` line, or more. A last line that was cut off by the crash is ignored.
 */
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';

export type JournalLine =
  | { readonly event: 'start'; readonly source: string; readonly target: string; readonly processId: number }
  | { readonly event: 'committing'; readonly stepCount: number; readonly partialPath: string | null }
  | { readonly event: 'durable'; readonly stepCount: number; readonly delta: number }
  | { readonly event: 'end'; readonly stepCount: number };

export class ImportJournal {
  readonly #descriptor: number;

  /** Opens the journal at `path` and appends to it. */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'a');
  }

  write(line: JournalLine): void {
    writeSync(this.#descriptor, `${JSON.stringify(line)}\n`);
    if (line.event === 'durable' || line.event === 'end') fdatasyncSync(this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** The complete lines of a journal. */
export function readJournal(path: string): JournalLine[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  // What follows the last newline is nothing, or a line that was never finished.
  lines.pop();
  return lines.map((line) => JSON.parse(line) as JournalLine);
}

/** The steps that the journal promises to be durable; 0 when nothing was acknowledged. */
export function acknowledgedStepCount(lines: readonly JournalLine[]): number {
  let stepCount = 0;
  for (const line of lines) if (line.event === 'durable') stepCount = line.stepCount;
  return stepCount;
}

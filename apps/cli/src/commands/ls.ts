/** `outwrite ls`: what is in a directory. */

import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { type DescribedEntry, describeEntry, type EntryReport } from '../entry-report.ts';
import type { ExitCode } from '../exit-codes.ts';
import { PathProblems } from '../path-problems.ts';
import { formatMinute, formatMode, printableName } from '../printable.ts';
import { formatSize } from '../quantities.ts';
import { columnLines, paddedLines } from '../tables.ts';
import { pathIn, volumePath } from '../volume-path.ts';
import type { CliVolume } from '../volume-session.ts';
import { LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly long?: true;
  readonly bytes?: true;
}

/** Names are described and printed in portions, so that a directory of millions needs little memory. */
const PORTION_COUNT = 2000;

export function lsCommand(context: CommandContext): Command {
  return newCommand('ls', 'list the content of directories', [
    'outwrite ls photos.ow',
    'outwrite ls -l photos.ow 2026/summer',
    'outwrite ls --json photos.ow 2026 | jq -r ".[].name"',
  ])
    .argument('<volume>', 'the volume')
    .argument('[path...]', 'directories or files in it (default: /)')
    .option('-l, --long', 'with type, mode, links, owner, size and time')
    .option('-b, --bytes', 'print sizes in bytes')
    .option(...LOCK_OPTION)
    .option('--json', 'print one JSON array of all entries')
    .action(
      action(context, async (file: string, paths: string[], options: Options) => {
        const wanted = paths.length === 0 ? ['/'] : paths;
        return await withVolumeToRead(file, options, (volume) =>
          new Listing(context, volume, options).run(wanted.map(volumePath)),
        );
      }),
    );
}

class Listing {
  readonly #context: CommandContext;
  readonly #volume: CliVolume;
  readonly #options: Options;
  readonly #problems: PathProblems;
  #jsonCount = 0;

  constructor(context: CommandContext, volume: CliVolume, options: Options) {
    this.#context = context;
    this.#volume = volume;
    this.#options = options;
    this.#problems = new PathProblems(context.stderr, options);
  }

  async run(paths: readonly string[]): Promise<ExitCode> {
    const { stdout } = this.#context;
    const directories: string[] = [];
    const others: string[] = [];
    for (const path of paths) {
      this.#problems.guard(path, () => {
        // A link that leads nowhere is listed itself.
        const stats = this.#volume.fs.statSync(path, { throwIfNoEntry: false }) ?? this.#volume.fs.lstatSync(path);
        (stats.isDirectory() ? directories : others).push(path);
      });
    }
    if (this.#options.json) stdout.line('[');
    await this.#print(others, (path) => path);
    for (const [index, path] of directories.entries()) {
      if (paths.length > 1 && !this.#options.json) {
        if (index > 0 || others.length > 0) stdout.line();
        stdout.line(`${printableName(path)}:`);
      }
      const names = this.#problems.guard(path, () => this.#volume.fs.readdirSync(path).sort()) ?? [];
      await this.#print(names, (name) => pathIn(path, name));
    }
    if (this.#options.json) stdout.line(']');
    return this.#problems.exitCode;
  }

  async #print(names: readonly string[], pathOf: (name: string) => string): Promise<void> {
    const { stdout, signal } = this.#context;
    if (!this.#options.long && !this.#options.json) {
      const shown = names.map(printableName);
      for (const line of stdout.isTerminal ? columnLines(shown, stdout.columnCount) : shown) stdout.line(line);
      return;
    }
    for (let start = 0; start < names.length; start += PORTION_COUNT) {
      const portion: DescribedEntry[] = [];
      const shownNames: string[] = [];
      for (const name of names.slice(start, start + PORTION_COUNT)) {
        const described = this.#problems.guard(pathOf(name), () => describeEntry(this.#volume, pathOf(name)));
        if (described === undefined) continue;
        portion.push(described);
        shownNames.push(printableName(name));
      }
      if (this.#options.json) this.#printJson(portion);
      else for (const line of this.#longLines(portion, shownNames)) stdout.line(line);
      await stdout.keepPace();
      signal.throwIfAborted();
    }
  }

  #printJson(portion: readonly DescribedEntry[]): void {
    for (const { report } of portion) {
      this.#context.stdout.line(`${this.#jsonCount === 0 ? ' ' : ','}${JSON.stringify(report)}`);
      this.#jsonCount++;
    }
  }

  #longLines(portion: readonly DescribedEntry[], shownNames: readonly string[]): string[] {
    const rows = portion.map(({ report, fullMode, mtimeMs }, index) => [
      formatMode(fullMode),
      String(report.links),
      String(report.uid),
      String(report.gid),
      this.#sizeText(report),
      formatMinute(new Date(mtimeMs)),
      report.target === undefined ? shownNames[index] : `${shownNames[index]} -> ${printableName(report.target)}`,
    ]);
    return paddedLines(rows, ['left', 'right', 'right', 'right', 'right', 'left', 'left']);
  }

  #sizeText({ type, sizeBytes }: EntryReport): string {
    if (type === 'directory') return '-';
    return this.#options.bytes ? String(sizeBytes) : formatSize(sizeBytes);
  }
}

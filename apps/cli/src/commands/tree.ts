/** `outwrite tree`: a directory and all that is below it, as a drawing. */

import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { describeEntry, type EntryReport } from '../entry-report.ts';
import type { ExitCode } from '../exit-codes.ts';
import { PathProblems } from '../path-problems.ts';
import { printableName } from '../printable.ts';
import { formatCounted, formatSize, parseCount } from '../quantities.ts';
import { pathIn, volumePath } from '../volume-path.ts';
import type { CliVolume } from '../volume-session.ts';
import { LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly depth?: string;
  readonly sizes?: true;
}

interface Branch {
  readonly path: string;
  /** What stands left of the names of this directory's entries. */
  readonly indent: string;
  readonly depth: number;
  readonly names: readonly string[];
  nextIndex: number;
}

export function treeCommand(context: CommandContext): Command {
  return newCommand('tree', 'draw a directory tree', [
    'outwrite tree photos.ow',
    'outwrite tree photos.ow 2026 --depth 2 --sizes',
    'outwrite tree photos.ow --json > tree.jsonl',
  ])
    .argument('<volume>', 'the volume')
    .argument('[path]', 'the directory to begin with', '/')
    .option('-d, --depth <count>', 'show this many levels only (0: the directory itself, with no entries)')
    .option('-s, --sizes', 'show the sizes of files')
    .option(...LOCK_OPTION)
    .option('--json', 'print a JSON object for each entry, one a line')
    .action(
      action(context, async (file: string, path: string, options: Options) => {
        const depthLimit = options.depth === undefined ? Number.POSITIVE_INFINITY : parseCount(options.depth);
        return await withVolumeToRead(file, options, (volume) =>
          new Drawing(context, volume, options, depthLimit).run(volumePath(path)),
        );
      }),
    );
}

class Drawing {
  readonly #context: CommandContext;
  readonly #volume: CliVolume;
  readonly #options: Options;
  readonly #depthLimit: number;
  readonly #problems: PathProblems;
  readonly #counts = { file: 0, directory: 0, symlink: 0 };

  constructor(context: CommandContext, volume: CliVolume, options: Options, depthLimit: number) {
    this.#context = context;
    this.#volume = volume;
    this.#options = options;
    this.#depthLimit = depthLimit;
    this.#problems = new PathProblems(context.stderr, options);
  }

  async run(rootPath: string): Promise<ExitCode> {
    const { stdout, signal } = this.#context;
    const root = this.#branch(rootPath, '', 1);
    if (!this.#options.json) stdout.line(printableName(rootPath));
    const open: Branch[] = this.#depthLimit === 0 ? [] : [root];
    while (open.length > 0) {
      const branch = open[open.length - 1];
      if (branch.nextIndex === branch.names.length) {
        open.pop();
        continue;
      }
      const name = branch.names[branch.nextIndex++];
      const path = pathIn(branch.path, name);
      const isLast = branch.nextIndex === branch.names.length;
      const entry = this.#problems.guard(path, () => describeEntry(this.#volume, path));
      this.#printEntry(name, entry?.report, `${branch.indent}${isLast ? '└── ' : '├── '}`);
      if (entry?.report.type === 'directory' && branch.depth < this.#depthLimit) {
        const indent = `${branch.indent}${isLast ? '    ' : '│   '}`;
        const below = this.#problems.guard(path, () => this.#branch(path, indent, branch.depth + 1));
        if (below !== undefined) open.push(below);
      }
      await stdout.keepPace();
      signal.throwIfAborted();
    }
    if (this.#options.json) return this.#problems.exitCode;
    const { directory, file, symlink } = this.#counts;
    stdout.line();
    stdout.line(
      `${formatCounted(directory, 'directory', 'directories')}, ${formatCounted(file, 'file')}, ${formatCounted(symlink, 'link')}`,
    );
    return this.#problems.exitCode;
  }

  #branch(path: string, indent: string, depth: number): Branch {
    return { path, indent, depth, names: this.#volume.fs.readdirSync(path).sort(), nextIndex: 0 };
  }

  #printEntry(name: string, report: EntryReport | undefined, lead: string): void {
    if (report !== undefined) this.#counts[report.type]++;
    if (this.#options.json) {
      if (report !== undefined) this.#context.stdout.jsonLine(report);
      return;
    }
    let text = lead;
    if (this.#options.sizes && report?.type === 'file') text += `[${formatSize(report.sizeBytes).padStart(8)}] `;
    text += printableName(name);
    if (report?.target !== undefined) text += ` -> ${printableName(report.target)}`;
    this.#context.stdout.line(text);
  }
}

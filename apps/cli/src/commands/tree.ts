/** `outwrite tree`: a directory and all that is below it, as a drawing. */

import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { describeEntry } from '../entry-report.ts';
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
    .option('-d, --depth <count>', 'show this many levels only')
    .option('-s, --sizes', 'show the sizes of files')
    .option(...LOCK_OPTION)
    .option('--json', 'print a JSON object for each entry, one a line')
    .action(
      action(context, async (file: string, path: string, options: Options) => {
        const depthLimit = options.depth === undefined ? Number.POSITIVE_INFINITY : parseCount(options.depth);
        await withVolumeToRead(file, options, (volume) =>
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
  readonly #counts = { file: 0, directory: 0, symlink: 0 };

  constructor(context: CommandContext, volume: CliVolume, options: Options, depthLimit: number) {
    this.#context = context;
    this.#volume = volume;
    this.#options = options;
    this.#depthLimit = depthLimit;
  }

  async run(rootPath: string): Promise<void> {
    const { stdout, signal } = this.#context;
    if (!this.#options.json) stdout.line(printableName(rootPath));
    const open: Branch[] = [this.#branch(rootPath, '', 1)];
    while (open.length > 0) {
      const branch = open[open.length - 1];
      if (branch.nextIndex === branch.names.length) {
        open.pop();
        continue;
      }
      const name = branch.names[branch.nextIndex++];
      const path = pathIn(branch.path, name);
      const isLast = branch.nextIndex === branch.names.length;
      const isDirectory = this.#printEntry(path, branch, isLast);
      if (isDirectory && branch.depth < this.#depthLimit) {
        open.push(this.#branch(path, `${branch.indent}${isLast ? '    ' : '│   '}`, branch.depth + 1));
      }
      await stdout.settle();
      signal.throwIfAborted();
    }
    if (this.#options.json) return;
    const { directory, file, symlink } = this.#counts;
    stdout.line();
    stdout.line(
      `${formatCounted(directory, 'directory', 'directories')}, ${formatCounted(file, 'file')}, ${formatCounted(symlink, 'link')}`,
    );
  }

  #branch(path: string, indent: string, depth: number): Branch {
    return { path, indent, depth, names: this.#volume.fs.readdirSync(path).sort(), nextIndex: 0 };
  }

  #printEntry(path: string, branch: Branch, isLast: boolean): boolean {
    const { report } = describeEntry(this.#volume, path);
    this.#counts[report.type]++;
    if (this.#options.json) {
      this.#context.stdout.jsonLine(report);
    } else {
      let text = `${branch.indent}${isLast ? '└── ' : '├── '}`;
      if (this.#options.sizes && report.type === 'file') text += `[${formatSize(report.sizeBytes).padStart(8)}] `;
      text += printableName(report.name);
      if (report.target !== undefined) text += ` -> ${printableName(report.target)}`;
      this.#context.stdout.line(text);
    }
    return report.type === 'directory';
  }
}

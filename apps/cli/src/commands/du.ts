/** `outwrite du`: how much space directories take. */
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { printableName } from '../printable.ts';
import { formatSize, parseCount } from '../quantities.ts';
import { walkTree } from '../transfer/tree-walk.ts';
import { volumeTree } from '../transfer/volume-tree.ts';
import { volumePath } from '../volume-path.ts';
import { LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly depth?: string;
  readonly summarize?: true;
  readonly bytes?: true;
}

interface Usage {
  readonly path: string;
  sizeBytes: number;
  entryCount: number;
}

export function duCommand(context: CommandContext): Command {
  return newCommand('du', 'show how much content directories hold', [
    'outwrite du photos.ow',
    'outwrite du photos.ow 2026 --depth 1',
    'outwrite du -s --json photos.ow | jq ".[0].sizeBytes"',
  ])
    .argument('<volume>', 'the volume')
    .argument('[path...]', 'directories in it (default: /)')
    .option('-d, --depth <count>', 'show directories down to this level only')
    .option('-s, --summarize', 'show only the directories that were named')
    .option('-b, --bytes', 'print sizes in bytes')
    .option(...LOCK_OPTION)
    .option('--json', 'print one JSON array')
    .addHelpText('after', '\nSizes are those of the content; a file with several links counts once.')
    .action(
      action(context, async (file: string, paths: string[], options: Options) => {
        const depthLimit = options.summarize ? 0 : options.depth === undefined ? undefined : parseCount(options.depth);
        const wanted = (paths.length === 0 ? ['/'] : paths).map(volumePath);
        await withVolumeToRead(file, options, async (volume) => {
          const reported: Usage[] = [];
          for (const path of wanted) {
            for (const usage of usages(volumeTree(volume, path), depthLimit ?? Number.POSITIVE_INFINITY)) {
              await context.stdout.keepPace();
              context.signal.throwIfAborted();
              if (options.json) {
                reported.push(usage);
                continue;
              }
              const size = options.bytes ? String(usage.sizeBytes) : formatSize(usage.sizeBytes);
              context.stdout.line(`${size.padStart(12)}  ${printableName(usage.path)}`);
            }
          }
          if (options.json) context.stdout.json(reported);
        });
      }),
    );
}

/** The usage of every directory down to `depthLimit`, each after those below it. */
function* usages(tree: ReturnType<typeof volumeTree>, depthLimit: number): Generator<Usage, void, void> {
  const open: Usage[] = [];
  for (const step of walkTree(tree)) {
    if (step.kind === 'problem') throw step.error;
    if (step.kind === 'enter') {
      open.push({ path: tree.fullPath(step.path), sizeBytes: 0, entryCount: 1 });
      continue;
    }
    if (step.kind !== 'leave') {
      const usage = open[open.length - 1];
      usage.entryCount++;
      if (step.kind === 'file') usage.sizeBytes += step.entry.sizeBytes;
      continue;
    }
    const usage = open.pop()!;
    const parent = open[open.length - 1];
    if (parent !== undefined) {
      parent.sizeBytes += usage.sizeBytes;
      parent.entryCount += usage.entryCount;
    }
    if (open.length <= depthLimit) yield usage;
  }
}

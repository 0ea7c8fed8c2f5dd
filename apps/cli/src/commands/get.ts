/** `outwrite get`: one file out of a volume. */
import { lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { UsageError } from '../failures.ts';
import { printableName } from '../printable.ts';
import { formatSize } from '../quantities.ts';
import { HostPlacement } from '../transfer/host-placement.ts';
import { volumeTree } from '../transfer/volume-tree.ts';
import { lastName, volumePath } from '../volume-path.ts';
import { LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';
import { printContent } from './cat.ts';

interface Options extends JsonOption, SessionOptions {
  readonly overwrite?: true;
}

export function getCommand(context: CommandContext): Command {
  return newCommand('get', 'copy one file out of the volume, with its mode and times', [
    'outwrite get photos.ow 2026/sunset.jpg',
    'outwrite get photos.ow 2026/sunset.jpg ~/Desktop/ --overwrite',
    'outwrite get notes.ow todo.txt - | less',
  ])
    .argument('<volume>', 'the volume')
    .argument('<path>', 'the file in it; links are followed')
    .argument('[target]', 'where it goes on your disk; into it, if that is a directory; - for standard output', '.')
    .option('-f, --overwrite', 'replace a file that is there already')
    .option(...LOCK_OPTION)
    .option('--json', 'print what was written as JSON')
    .action(
      action(context, async (file: string, path: string, target: string, options: Options) => {
        await withVolumeToRead(file, options, async (volume) => {
          const source = volume.fs.realpathSync(volumePath(path));
          if (volume.fs.statSync(source).isDirectory()) {
            throw new UsageError(`${path} is a directory; directories are brought out with export`);
          }
          const opened = volumeTree(volume, '/').open(source.slice(1));
          try {
            if (target === '-') {
              await printContent(context, opened);
              return;
            }
            const hostPath = placeOnHost(target, lastName(volumePath(path)));
            const placement = new HostPlacement({
              overwrite: options.overwrite === true,
              volumeFile: file,
              restoreOwner: false,
              flushFiles: false,
              onPiece: async () => context.signal.throwIfAborted(),
            });
            await placement.placeFile(opened, hostPath);
            const { size } = lstatSync(hostPath);
            if (options.json) context.stdout.json({ path: source, target: hostPath, sizeBytes: size });
            else context.stdout.line(`${printableName(hostPath)}: ${formatSize(size)}`);
          } finally {
            opened.close();
          }
        });
      }),
    );
}

function placeOnHost(target: string, name: string): string {
  const isDirectory = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  return isDirectory ? join(target, name) : target;
}

/** `outwrite rm`: files, links and, if asked, whole directories away. */
import type { Command } from 'commander';
import { action, type CommandContext, newCommand } from '../command-context.ts';
import { CommandError, UsageError } from '../failures.ts';
import { volumePath } from '../volume-path.ts';
import { withVolumeToChange } from '../volume-session.ts';

interface Options {
  readonly recursive?: true;
  readonly force?: true;
}

export function rmCommand(context: CommandContext): Command {
  return newCommand('rm', 'remove files, links and directories', [
    'outwrite rm photos.ow 2026/blurred.jpg',
    'outwrite rm -r photos.ow 2019 2020',
  ])
    .argument('<volume>', 'the volume')
    .argument('<path...>', 'what to remove; a link is removed itself, not what it points to')
    .option('-r, --recursive', 'remove directories and all that is in them')
    .option('-f, --force', 'be content when there is nothing to remove')
    .action(
      action(context, async (file: string, paths: string[], options: Options) => {
        await withVolumeToChange(file, {}, (volume) => {
          for (const path of paths.map(volumePath)) {
            if (path === '/') throw new UsageError('the root directory cannot be removed; name what is in it');
            const present = volume.fs.lstatSync(path, { throwIfNoEntry: false });
            if (present?.isDirectory() && !options.recursive) {
              throw new CommandError(`${path} is a directory; -r removes it with all that is in it`);
            }
            volume.fs.rmSync(path, { recursive: options.recursive === true, force: options.force === true });
          }
        });
      }),
    );
}

/** `outwrite mkdir`: new directories. */
import type { Command } from 'commander';
import { action, type CommandContext, newCommand } from '../command-context.ts';
import { parseMode } from '../quantities.ts';
import { volumePath } from '../volume-path.ts';
import { withVolumeToChange } from '../volume-session.ts';

interface Options {
  readonly parents?: true;
  readonly mode?: string;
}

export function mkdirCommand(context: CommandContext): Command {
  return newCommand('mkdir', 'make directories', [
    'outwrite mkdir photos.ow 2027',
    'outwrite mkdir -p photos.ow 2027/spring/garden',
  ])
    .argument('<volume>', 'the volume')
    .argument('<path...>', 'directories to make')
    .option('-p, --parents', 'make the directories above, too; be content with those that exist')
    .option('-m, --mode <mode>', 'permission bits in octal (default: 777 less the umask)')
    .action(
      action(context, async (file: string, paths: string[], options: Options) => {
        const mode = options.mode === undefined ? undefined : parseMode(options.mode);
        await withVolumeToChange(file, {}, (volume) => {
          for (const path of paths.map(volumePath)) {
            const isParents = options.parents === true;
            const firstMade = volume.fs.mkdirSync(path, { recursive: isParents });
            // The umask does not apply to what was asked for by number; what was there already is left alone.
            if (mode !== undefined && (firstMade !== undefined || !isParents)) volume.fs.chmodSync(path, mode);
          }
        });
      }),
    );
}

/** `outwrite mv`: other names and places for files and directories. */
import type { Command } from 'commander';
import { action, type CommandContext, newCommand } from '../command-context.ts';
import { CommandError } from '../failures.ts';
import { lastName, placeFor, volumePath } from '../volume-path.ts';
import { withVolumeToChange } from '../volume-session.ts';

interface Options {
  readonly keep?: true;
}

export function mvCommand(context: CommandContext): Command {
  return newCommand('mv', 'rename or move files and directories', [
    'outwrite mv photos.ow 2026/IMG_1.jpg 2026/sunset.jpg',
    'outwrite mv photos.ow a.jpg b.jpg 2026/',
  ])
    .argument('<volume>', 'the volume')
    .argument('<source>', 'what to move')
    .argument('<more...>', 'more to move, and last the new path, or the directory to move into')
    .option('-n, --keep', 'refuse to replace a file that is there already')
    .addHelpText(
      'after',
      '\nA file in the way is replaced, in one step: after a crash there is the old file or the new one.',
    )
    .action(
      action(context, async (file: string, first: string, more: string[], options: Options) => {
        const target = more[more.length - 1];
        const sources = [first, ...more.slice(0, -1)];
        await withVolumeToChange(file, {}, (volume) => {
          if (sources.length > 1 && !volume.fs.statSync(volumePath(target)).isDirectory()) {
            throw new CommandError(`${target} is not a directory, so only one thing can be moved there`);
          }
          for (const source of sources.map(volumePath)) {
            const place = placeFor(volume, target, lastName(source));
            if (options.keep && volume.fs.lstatSync(place, { throwIfNoEntry: false }) !== undefined) {
              throw new CommandError(`${place} exists already`);
            }
            volume.fs.renameSync(source, place);
          }
        });
      }),
    );
}

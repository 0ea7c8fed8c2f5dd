/** `outwrite ln`: further names for files, and symbolic links. */
import { posix } from 'node:path';
import type { Command } from 'commander';
import { action, type CommandContext, newCommand } from '../command-context.ts';
import { placeFor, volumePath } from '../volume-path.ts';
import { withVolumeToChange } from '../volume-session.ts';

interface Options {
  readonly symbolic?: true;
  readonly overwrite?: true;
}

export function lnCommand(context: CommandContext): Command {
  return newCommand('ln', 'make links', [
    'outwrite ln photos.ow 2026/sunset.jpg best.jpg',
    'outwrite ln -s photos.ow 2026/summer latest',
  ])
    .argument('<volume>', 'the volume')
    .argument('<target>', 'the file to link to; with -s any text, relative to the directory of the link')
    .argument('<link>', 'the new name; a directory: the same name in it')
    .option('-s, --symbolic', 'make a symbolic link')
    .option('-f, --overwrite', 'replace a file or link that is there already')
    .action(
      action(context, async (file: string, target: string, link: string, options: Options) => {
        await withVolumeToChange(file, {}, (volume) => {
          const place = placeFor(volume, link, posix.basename(target));
          volume.transact(() => {
            if (options.overwrite && volume.fs.lstatSync(place, { throwIfNoEntry: false }) !== undefined) {
              volume.fs.unlinkSync(place);
            }
            if (options.symbolic) volume.fs.symlinkSync(target, place);
            else volume.fs.linkSync(volumePath(target), place);
          });
        });
      }),
    );
}

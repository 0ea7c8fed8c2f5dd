/** `outwrite create`: a new, empty volume. */
import { rmSync, statSync } from 'node:fs';
import { isBlockSize } from '@outwrite/alloc-log';
import { type CreateVolumeOptions, createVolume } from '@outwrite/volume/node';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { CommandError, UsageError } from '../failures.ts';
import { formatSize, parseSize } from '../quantities.ts';
import type { CliVolume } from '../volume-session.ts';

interface Options extends JsonOption {
  readonly blockSize?: string;
  readonly maxSize?: string;
  readonly overwrite?: true;
}

const BLOCK_SIZE_RULE = 'a power of two from 512 to 16K';

export function createCommand(context: CommandContext): Command {
  return newCommand('create', 'make a new, empty volume', [
    'outwrite create photos.ow',
    'outwrite create photos.ow --max-size 20G',
    'outwrite create tiny.ow --block-size 512',
  ])
    .argument('<volume>', 'the file to make, or a block device')
    .option('--block-size <size>', `bytes in a block, ${BLOCK_SIZE_RULE} (default: 4096)`)
    .option('--max-size <size>', 'the volume grows on demand, but never beyond this')
    .option('-f, --overwrite', 'replace the file, or what is on the block device')
    .option('--json', 'print what was made as JSON')
    .action(
      action(context, async (file: string, options: Options) => {
        const wantedBlockSize = options.blockSize === undefined ? undefined : parseSize(options.blockSize);
        if (wantedBlockSize !== undefined && !isBlockSize(wantedBlockSize)) {
          throw new UsageError(`a block cannot have ${wantedBlockSize} bytes; ${BLOCK_SIZE_RULE}`);
        }
        const volume = make(file, {
          ...(wantedBlockSize === undefined ? {} : { blockSize: wantedBlockSize }),
          ...(options.maxSize === undefined ? {} : { maxBytes: parseSize(options.maxSize) }),
          overwrite: options.overwrite === true,
        });
        const { blockSize } = volume;
        await volume.close();
        if (options.json) context.stdout.json({ volume: file, blockSizeBytes: blockSize });
        else context.stdout.line(`made ${file}: an empty volume with blocks of ${formatSize(blockSize)}`);
      }),
    );
}

function make(file: string, options: CreateVolumeOptions): CliVolume {
  const present = statSync(file, { throwIfNoEntry: false });
  if (present !== undefined && !options.overwrite) {
    throw new CommandError(`${file} exists already; --overwrite replaces what it holds`);
  }
  try {
    return createVolume(file, options);
  } catch (error) {
    if (present === undefined) rmSync(file, { force: true });
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

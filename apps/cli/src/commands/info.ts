/** `outwrite info`: what a volume is, and in what state. */
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { hexBytes } from '../log-text.ts';
import { formatCount, formatCounted, formatSize } from '../quantities.ts';
import { recoveryText } from '../recovery-text.ts';
import { factLines } from '../tables.ts';
import { type CliVolume, LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

export function infoCommand(context: CommandContext): Command {
  return newCommand('info', 'show what a volume is and in what state', [
    'outwrite info photos.ow',
    'outwrite info --json photos.ow | jq -r .volumeId',
  ])
    .argument('<volume>', 'the volume')
    .option(...LOCK_OPTION)
    .option('--json', 'print it as JSON')
    .action(
      action(context, async (file: string, options: JsonOption & SessionOptions) => {
        await withVolumeToRead(file, options, (volume) => {
          if (options.json) context.stdout.json(infoReport(file, volume));
          else for (const line of infoLines(file, volume)) context.stdout.line(line);
        });
      }),
    );
}

function infoReport(file: string, volume: CliVolume): unknown {
  const { recovery } = volume;
  const { space, inodeCount, durableDelta, logBlocks } = volume.stats();
  return {
    volume: file,
    volumeId: hexBytes(volume.volumeId),
    blockSizeBytes: volume.blockSize,
    inodeCount,
    limitBytes: space.limitBlocks * volume.blockSize,
    usedBytes: space.usedBlocks * volume.blockSize,
    sizeBytes: space.sizeBlocks * volume.blockSize,
    lastDelta: durableDelta,
    logBlocks,
    recovery: recovery === null ? null : { ...recovery, damage: recovery.damage?.message ?? null },
  };
}

function infoLines(file: string, volume: CliVolume): string[] {
  const { space, inodeCount, durableDelta, logBlocks } = volume.stats();
  const inBytes = (blockCount: number): string => formatSize(blockCount * volume.blockSize);
  return factLines([
    ['volume', file],
    ['id', hexBytes(volume.volumeId)],
    ['blocks of', formatSize(volume.blockSize)],
    [
      'holds',
      `${formatCounted(inodeCount, 'file, directory or link', 'files, directories and links')} in ${inBytes(space.usedBlocks)}`,
    ],
    ['reaches to', `${inBytes(space.sizeBlocks)} of at most ${inBytes(space.limitBlocks)}`],
    ['last commit', `delta ${formatCount(durableDelta)}`],
    ['log', `${formatCounted(logBlocks, 'block')} since the last checkpoint`],
    ['found', recoveryText(volume.recovery)],
  ]);
}

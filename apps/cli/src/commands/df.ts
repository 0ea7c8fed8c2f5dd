/** `outwrite df`: how much space is used and free. */
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { PathProblems } from '../path-problems.ts';
import { formatCount, formatPercent, formatSize } from '../quantities.ts';
import { tableLines } from '../tables.ts';
import { LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly bytes?: true;
}

interface Space {
  readonly volume: string;
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
  readonly heldBytes: number;
  readonly inodeCount: number;
}

export function dfCommand(context: CommandContext): Command {
  return newCommand('df', 'show how much space is used and free', ['outwrite df photos.ow', 'outwrite df *.ow --json'])
    .argument('<volume...>', 'volumes')
    .option('-b, --bytes', 'print sizes in bytes')
    .option(...LOCK_OPTION)
    .option('--json', 'print one JSON array')
    .addHelpText(
      'after',
      `
limit: the volume never grows beyond this (create --max-size). held: kept back for the log,
for checkpoints and for deletes on a full volume, or freed and not yet reusable.

A volume that cannot be looked at is reported, and the others are shown; the exit code is
that of the worst.`,
    )
    .action(
      action(context, async (files: string[], options: Options) => {
        const problems = new PathProblems(context.stderr, options);
        const spaces: Space[] = [];
        for (const file of files) {
          const space = await problems.guardAsync(file, () => spaceOf(file, options));
          if (space !== undefined) spaces.push(space);
        }
        if (options.json) context.stdout.json(spaces);
        else for (const line of spaceLines(spaces, options)) context.stdout.line(line);
        return problems.exitCode;
      }),
    );
}

function spaceLines(spaces: readonly Space[], options: Options): string[] {
  if (spaces.length === 0) return [];
  const shown = (sizeBytes: number): string => (options.bytes ? String(sizeBytes) : formatSize(sizeBytes));
  const rows = spaces.map((space) => [
    space.volume,
    shown(space.limitBytes),
    shown(space.usedBytes),
    shown(space.freeBytes),
    shown(space.heldBytes),
    formatPercent(space.usedBytes, space.limitBytes),
    formatCount(space.inodeCount),
  ]);
  const headings = ['volume', 'limit', 'used', 'free', 'held', 'use', 'inodes'];
  return tableLines([headings, ...rows], ['left', 'right', 'right', 'right', 'right', 'right', 'right']);
}

async function spaceOf(file: string, options: SessionOptions): Promise<Space> {
  return await withVolumeToRead(file, options, (volume) => {
    const { space, inodeCount } = volume.stats();
    const { blockSize } = volume;
    return {
      volume: file,
      limitBytes: space.limitBlocks * blockSize,
      usedBytes: space.usedBlocks * blockSize,
      freeBytes: space.freeBlocks * blockSize,
      heldBytes: (space.waitingBlocks + space.reservedBlocks) * blockSize,
      inodeCount,
    };
  });
}

/** `outwrite check`: everything verified, everything wrong listed. */

import type { FileDevice } from '@outwrite/blockdev/node';
import type { Volume } from '@outwrite/volume';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { UsageError } from '../failures.ts';
import { findingText } from '../finding-text.ts';
import { ObservedDevice } from '../observed-device.ts';
import { Progress } from '../progress.ts';
import { formatCounted, formatDuration } from '../quantities.ts';
import { recoveryText } from '../recovery-text.ts';
import { repairFile } from '../repair.ts';
import {
  addCacheOption,
  assertUndisturbed,
  closeAfter,
  openDeviceToRead,
  type SessionOptions,
  verifyFile,
} from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly metadataOnly?: true;
  readonly quiet?: true;
  readonly repair?: true;
  readonly dryRun?: true;
  readonly acceptRootLoss?: true;
}

export function checkCommand(context: CommandContext): Command {
  const command = newCommand('check', 'verify every structure and checksum, and list what is wrong', [
    'outwrite check photos.ow',
    'outwrite check --metadata-only photos.ow',
    'outwrite check --repair --dry-run photos.ow',
    'outwrite check --json photos.ow | jq -c "select(.severity)"',
  ])
    .argument('<volume>', 'the volume; it is not changed without --repair')
    .option('--metadata-only', 'do not read the content of files')
    .option('--repair', 'mend what can be mended, then check; keep a copy of the volume before')
    .option('--dry-run', 'with --repair: only say what would be changed')
    .option('--accept-root-loss', 'with --repair: go on even if the root of the tree is lost, and all files with it')
    .option('-q, --quiet', 'print findings only')
    .option('--json', 'print a JSON object for each finding, one a line, and a summary last')
    .addHelpText(
      'after',
      `
Walks the trees, inodes, names, link counts and extents, verifies all checksums, and holds
the free map against what is reachable: every block is used exactly once, or free. Exit code
0: clean; 1: there are findings; 3: the volume cannot be opened at all.

Where no lock file can be made beside the volume it is read without one, and the check fails
if the volume was changed meanwhile.

--repair makes the free map anew from what is reachable, brings inodes without a name into
/lost+found, removes entries that make no sense and names that lead nowhere, corrects link
counts and sizes, and cuts blocks that cannot be read out of files (they read as zeros
afterwards). Where a node of the tree cannot be read and the older superblock does not lead
past it, the entries in it are lost, and listed as ranges. Where the log is damaged in its
middle it is cut there: deltas behind the cut are lost, and so is what they had written over.
A file that is cut short loses what was behind its end.
All of it is one commit: a crash leaves the volume as it was, or repaired. Look at --dry-run
first, and keep a copy. It stops, and changes nothing, where the list of trees or the root of
the tree cannot be read.
Exit code 0: nothing is wrong any more; with --dry-run: nothing was wrong.`,
    );
  return addCacheOption(command).action(
    action(context, async (file: string, options: Options) => {
      if (options.dryRun && !options.repair) throw new UsageError('--dry-run goes with --repair only');
      if (options.acceptRootLoss && !options.repair) throw new UsageError('--accept-root-loss goes with --repair only');
      if (options.repair && options.metadataOnly) throw new UsageError('--repair reads the content of files, too');
      if (options.repair) return await repairFile(context, file, options);
      return await verifyFile(file, (device) => check(context, device, options));
    }),
  );
}

async function check(context: CommandContext, file: FileDevice, options: Options): Promise<ExitCode> {
  const startTime = performance.now();
  const device = new ObservedDevice(file);
  return await closeAfter(openDeviceToRead(device, options), async (volume) => {
    const isSpoken = !options.quiet && !options.json;
    if (isSpoken) context.stdout.line(`opened: ${recoveryText(volume.recovery)}`);
    await context.stdout.settle();
    const counts = await listFindings(context, volume, device, options);
    assertUndisturbed(file);
    const milliseconds = Math.round(performance.now() - startTime);
    const { errorCount } = counts;
    if (options.json) {
      context.stdout.jsonLine({ summary: { clean: errorCount === 0, ...counts, milliseconds } });
    } else if (errorCount > 0) {
      context.stdout.line(`${formatCounted(errorCount, 'error')} found in ${formatDuration(milliseconds)}`);
    } else if (isSpoken) {
      context.stdout.line(`clean; checked in ${formatDuration(milliseconds)}`);
    }
    return errorCount === 0 ? EXIT.ok : EXIT.failed;
  });
}

async function listFindings(
  context: CommandContext,
  volume: Volume,
  device: ObservedDevice,
  options: Options,
): Promise<{ errorCount: number; warningCount: number }> {
  const { stdout, stderr } = context;
  // The walk is one synchronous piece, which could not be stopped; it changes nothing, so a signal may end the process at once.
  context.endAtOnce();
  // Without the content of files nobody knows beforehand how much there is to read.
  const total = { sizeBytes: volume.stats().space.usedBlocks * volume.blockSize, itemCount: 0 };
  const progress = options.quiet || options.metadataOnly ? undefined : new Progress(stderr, 'check', total);
  device.onRead = (readBytes) => progress?.update({ sizeBytes: Math.min(readBytes, total.sizeBytes), itemCount: 0 });
  const counts = { errorCount: 0, warningCount: 0 };
  try {
    for (const finding of volume.check({ data: !options.metadataOnly })) {
      if (finding.severity === 'error') counts.errorCount++;
      else counts.warningCount++;
      progress?.makeWay();
      if (options.json) stdout.jsonLine(finding);
      else stdout.line(findingText(finding));
      await stdout.settle();
    }
  } finally {
    progress?.finish();
  }
  return counts;
}

/** `outwrite scrub`: every checksum verified against the device, slowly if asked for, and the files that are hit. */
import type { FileDevice } from '@outwrite/blockdev/node';
import type { DamagedInode, Finding } from '@outwrite/volume';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { UsageError } from '../failures.ts';
import { findingText } from '../finding-text.ts';
import { printableName } from '../printable.ts';
import { Progress } from '../progress.ts';
import { formatCounted, formatDuration, formatSize, parseSize } from '../quantities.ts';
import {
  addCacheOption,
  assertUndisturbed,
  closeAfter,
  openDeviceToRead,
  type SessionOptions,
  verifyFile,
} from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly rate?: string;
  readonly quiet?: true;
}

export function scrubCommand(context: CommandContext): Command {
  const command = newCommand('scrub', 'verify all checksums at a bounded rate, and name the files that are hit', [
    'outwrite scrub photos.ow',
    'outwrite scrub --rate 20M photos.ow',
    'outwrite scrub --json photos.ow | jq ".summary.damaged"',
  ])
    .argument('<volume>', 'the volume; it is not changed')
    .option('--rate <size>', 'read at most so much in a second, on average (default: no bound)')
    .option('-q, --quiet', 'print findings only')
    .option('--json', 'print a JSON object for each finding, one a line, and a summary last')
    .addHelpText(
      'after',
      `
Reads everything that is live, metadata first (in one go), then the content of files, and
compares it with its checksum. Exit code 0: all is as it was written; 1: there are findings;
3: the volume cannot be opened at all. Ctrl-C ends it early, with what was found until then.
Where no lock file can be made beside the volume it is read without one, and the scrub fails
if the volume was changed meanwhile.`,
    );
  return addCacheOption(command).action(
    action(context, async (file: string, options: Options) => {
      const bytesPerSecond = options.rate === undefined ? undefined : parseSize(options.rate);
      if (bytesPerSecond === 0) throw new UsageError('--rate 0 would never end; leave it out for no bound');
      return await verifyFile(file, (device) => scrub(context, device, options, bytesPerSecond));
    }),
  );
}

async function scrub(
  context: CommandContext,
  device: FileDevice,
  options: Options,
  bytesPerSecond: number | undefined,
): Promise<ExitCode> {
  const startTime = performance.now();
  return await closeAfter(openDeviceToRead(device, options), async (volume) => {
    const { stdout, stderr, signal } = context;
    const total = { sizeBytes: volume.stats().space.usedBlocks * volume.blockSize, itemCount: 0 };
    const progress = options.quiet ? undefined : new Progress(stderr, 'scrub', total);
    const show = (finding: Finding): void => {
      progress?.makeWay();
      if (options.json) stdout.jsonLine(finding);
      else stdout.line(findingText(finding));
    };
    const report = await volume
      .scrub({
        bytesPerSecond,
        signal,
        onFinding: show,
        onProgress: ({ verifiedBytes }) => progress?.update({ sizeBytes: verifiedBytes, itemCount: 0 }),
      })
      .finally(() => progress?.finish());
    assertUndisturbed(device);
    const milliseconds = Math.round(performance.now() - startTime);
    const isClean = report.errorCount === 0;
    if (options.json) {
      stdout.jsonLine({ summary: { clean: isClean && report.complete, ...report, milliseconds } });
    } else {
      for (const damaged of report.damaged) stdout.line(damagedText(damaged));
      const read = `${formatSize(report.verifiedBytes)} read in ${formatDuration(milliseconds)}`;
      if (!isClean) stdout.line(`${formatCounted(report.errorCount, 'error')} found, ${read}`);
      else if (!options.quiet && report.complete) stdout.line(`clean; ${read}`);
    }
    await stdout.settle();
    if (!report.complete) throw signal.reason;
    return isClean ? EXIT.ok : EXIT.failed;
  });
}

function damagedText({ inode, path }: DamagedInode): string {
  return path === undefined ? `hit: inode ${inode}, which no readable name leads to` : `hit: ${printableName(path)}`;
}

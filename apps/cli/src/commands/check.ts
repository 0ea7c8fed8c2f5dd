/** `outwrite check`: everything verified, everything wrong listed. */

import type { Finding } from '@outwrite/volume';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { EXIT } from '../exit-codes.ts';
import { printableName } from '../printable.ts';
import { formatCounted, formatDuration } from '../quantities.ts';
import { recoveryText } from '../recovery-text.ts';
import { addCacheOption, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly metadataOnly?: true;
  readonly quiet?: true;
}

/** Between this many findings, output and signals get their turn. */
const SETTLE_COUNT = 64;

export function checkCommand(context: CommandContext): Command {
  const command = newCommand('check', 'verify every structure and checksum, and list what is wrong', [
    'outwrite check photos.ow',
    'outwrite check --metadata-only photos.ow',
    'outwrite check --json photos.ow | jq -c "select(.severity)"',
  ])
    .argument('<volume>', 'the volume; it is not changed')
    .option('--metadata-only', 'do not read the content of files')
    .option('-q, --quiet', 'print findings only')
    .option('--json', 'print a JSON object for each finding, one a line, and a summary last')
    .addHelpText(
      'after',
      `
Walks the trees, inodes, names, link counts and extents, verifies all checksums, and holds
the free map against what is reachable: every block is used exactly once, or free. Exit code
0: clean; 1: there are findings; 3: the volume cannot be opened at all.`,
    );
  return addCacheOption(command).action(
    action(context, async (file: string, options: Options) => {
      const { stdout, signal } = context;
      const startTime = performance.now();
      return await withVolumeToRead(file, options, async (volume) => {
        if (!options.quiet && !options.json) stdout.line(`opened: ${recoveryText(volume.recovery)}`);
        let errorCount = 0;
        let warningCount = 0;
        for (const finding of volume.check({ data: !options.metadataOnly })) {
          if (finding.severity === 'error') errorCount++;
          else warningCount++;
          if (options.json) stdout.jsonLine(finding);
          else stdout.line(findingText(finding));
          if ((errorCount + warningCount) % SETTLE_COUNT === 0) await stdout.settle();
          signal.throwIfAborted();
        }
        const milliseconds = Math.round(performance.now() - startTime);
        if (options.json) {
          stdout.jsonLine({ summary: { clean: errorCount === 0, errorCount, warningCount, milliseconds } });
        } else if (errorCount > 0) {
          stdout.line(`${formatCounted(errorCount, 'error')} found in ${formatDuration(milliseconds)}`);
        } else if (!options.quiet) {
          stdout.line(`clean; checked in ${formatDuration(milliseconds)}`);
        }
        return errorCount === 0 ? EXIT.ok : EXIT.failed;
      });
    }),
  );
}

/** `error wrong-link-count, inode: ... (/a/b, inode 12, block 99)`. */
function findingText({ severity, code, structure, message, path, inode, block }: Finding): string {
  const where: string[] = [];
  if (path !== undefined) where.push(printableName(path));
  if (inode !== undefined) where.push(`inode ${inode}`);
  if (block !== undefined) where.push(`block ${block}`);
  return `${severity} ${code}, ${structure}: ${message}${where.length === 0 ? '' : ` (${where.join(', ')})`}`;
}

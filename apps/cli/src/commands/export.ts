/** `outwrite export`: a directory tree out of a volume. */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandError, codeOf, messageOf, UsageError } from '../failures.ts';
import { printableName } from '../printable.ts';
import { Progress } from '../progress.ts';
import { formatCounted, formatDuration, formatRate } from '../quantities.ts';
import { totalsReport, totalsText } from '../totals-text.ts';
import { type ExportResult, exportTree } from '../transfer/export-tree.ts';
import { totalsOf } from '../transfer/tree-walk.ts';
import { volumeTree } from '../transfer/volume-tree.ts';
import { volumePath } from '../volume-path.ts';
import { addCacheOption, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly from: string;
  readonly overwrite?: true;
  readonly owner?: true;
  readonly flush?: true;
  readonly quiet?: true;
}

export function exportCommand(context: CommandContext): Command {
  const command = newCommand('export', 'bring a directory tree out of the volume', [
    'outwrite export photos.ow restored',
    'outwrite export photos.ow summer --from 2026/summer',
    'sudo outwrite export photos.ow / --from etc --owner --overwrite',
  ])
    .argument('<volume>', 'the volume')
    .argument('<target>', 'a directory on your disk; made if it does not exist, and otherwise empty')
    .option('--from <path>', 'the directory of the volume to bring out', '/')
    .option('-f, --overwrite', 'fill a directory that is not empty and replace files in it')
    .option('--owner', 'restore owner and group, too (takes privileges)')
    .option('--flush', 'flush each file to the disk before it gets its name')
    .option('-q, --quiet', 'show no progress')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Content, modes, modification times, symbolic links and hard links are restored; each file
appears under its name when it is complete. Times are exact to the microsecond, the finest
that Node can set. What is damaged, or what the disk refuses, is reported and left out;
the exit code is then 1.`,
    );
  return addCacheOption(command).action(
    action(context, async (file: string, target: string, options: Options) => {
      if (!options.overwrite && !isFree(target)) {
        throw new CommandError(`${target} is not empty; --overwrite fills it all the same`);
      }
      const from = volumePath(options.from);
      const result = await withVolumeToRead(file, options, async (volume) => {
        if (!volume.fs.statSync(from).isDirectory())
          throw new UsageError(`${from} is not a directory; files are brought out with get`);
        const source = volumeTree(volume, from);
        const progress = options.quiet ? undefined : new Progress(context.stderr, 'export', totalsOf(source));
        try {
          return await exportTree({
            source,
            target: resolve(target),
            volumeFile: file,
            overwrite: options.overwrite === true,
            restoreOwner: options.owner === true,
            flushFiles: options.flush === true,
            signal: context.signal,
            onProgress: (done) => progress?.update(done),
            onProblem: (path, error) => {
              const text = `outwrite: ${printableName(source.fullPath(path))}: ${messageOf(error)}`;
              if (progress === undefined) context.stderr.line(text);
              else progress.note(text);
            },
          });
        } finally {
          progress?.finish();
        }
      });
      if (options.json) context.stdout.json(jsonResult(result));
      else for (const line of resultLines(result)) context.stdout.line(line);
      return result.problemCount === 0 ? EXIT.ok : EXIT.failed;
    }),
  );
}

/** Whether there is nothing yet at `target`, or an empty directory. */
function isFree(target: string): boolean {
  try {
    return readdirSync(target).length === 0;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    throw error;
  }
}

function jsonResult({ totals, problemCount, milliseconds }: ExportResult): unknown {
  return { ...totalsReport(totals), problemCount, milliseconds: Math.round(milliseconds) };
}

function resultLines({ totals, problemCount, milliseconds }: ExportResult): string[] {
  const rate = formatRate(totals.sizeBytes, milliseconds);
  const lines = [`${totalsText(totals)} in ${formatDuration(milliseconds)} (${rate})`];
  if (problemCount > 0)
    lines.push(`${formatCounted(problemCount, 'entry', 'entries')} could not be brought out (see above)`);
  return lines;
}

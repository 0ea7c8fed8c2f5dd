/** `outwrite import`: a directory tree of your disk into a volume. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createVolume, openVolume } from '@outwrite/volume/node';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandError, messageOf, UsageError } from '../failures.ts';
import { printableName } from '../printable.ts';
import { Progress } from '../progress.ts';
import { formatCounted, formatDuration, formatRate, formatSize, parseCount, parseSize } from '../quantities.ts';
import { totalsReport, totalsText } from '../totals-text.ts';
import { hostTree } from '../transfer/host-tree.ts';
import { ImportJournal } from '../transfer/import-journal.ts';
import { type ImportResult, importTree } from '../transfer/import-tree.ts';
import { totalsOf } from '../transfer/tree-walk.ts';
import { volumePath } from '../volume-path.ts';
import { addCacheOption, cacheOf, closeAfter, type SessionOptions } from '../volume-session.ts';

interface Options extends JsonOption, SessionOptions {
  readonly create?: true;
  readonly commitEvery: string;
  readonly commitSteps: string;
  readonly journal?: string;
  readonly quiet?: true;
}

export function importCommand(context: CommandContext): Command {
  const command = newCommand('import', 'bring a directory tree into the volume', [
    'outwrite import photos.ow ~/Pictures',
    'outwrite import photos.ow ~/Pictures/2026 /2026 --commit-every 256M',
    'outwrite import --create new.ow ~/Pictures',
  ])
    .argument('<volume>', 'the volume')
    .argument('<source>', 'a directory on your disk; what is in it is brought in')
    .argument('[path]', 'the directory of the volume that becomes its copy', '/')
    .option('--create', 'make the volume if it does not exist')
    .option('--commit-every <size>', 'commit after this much content ...', '64M')
    .option('--commit-steps <count>', '... or after this many files, directories and links', '10000')
    .option('--journal <file>', 'append a JSON line for each durable commit to this file')
    .option('-q, --quiet', 'show no progress')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Content, modes, owners, modification times in nanoseconds, symbolic links and hard links
are kept. Files that are there already with the same size, mode and time are skipped, so
an import that was stopped is finished by running it again. What cannot be read is
reported and left out; the exit code is then 1.`,
    );
  return addCacheOption(command).action(
    action(context, async (file: string, sourcePath: string, target: string, options: Options) => {
      const commitBytes = atLeastOne(parseSize(options.commitEvery), '--commit-every');
      const commitStepCount = atLeastOne(parseCount(options.commitSteps), '--commit-steps');
      if (!statSync(sourcePath).isDirectory())
        throw new UsageError(`${sourcePath} is not a directory; files are brought in with put`);
      const source = hostTree(resolve(sourcePath));
      const session = {
        ...cacheOf(options),
        // Commits are asked for where the state makes sense, not by the clock or by size.
        autoCommitMilliseconds: 0,
        autoCommitBytes: 0,
      };
      const isNew = options.create === true && !existsSync(file);
      const volume = await (isNew ? createVolume(file, session) : openVolume(file, session));
      const result = await closeAfter(volume, async () => {
        const journal = options.journal === undefined ? undefined : new ImportJournal(options.journal);
        const progress = options.quiet ? undefined : new Progress(context.stderr, 'import', totalsOf(source));
        try {
          return await importTree({
            volume,
            source,
            target: volumePath(target),
            commitBytes,
            commitStepCount,
            journal,
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
          journal?.close();
        }
      });
      if (options.json) context.stdout.json(jsonResult(result));
      else for (const line of resultLines(result)) context.stdout.line(line);
      return result.problemCount === 0 ? EXIT.ok : EXIT.failed;
    }),
  );
}

function atLeastOne(value: number, option: string): number {
  if (value < 1) throw new CommandError(`${option} must be at least 1`, EXIT.usage);
  return value;
}

function jsonResult({ totals, milliseconds, ...counts }: ImportResult): unknown {
  return { ...totalsReport(totals), ...counts, milliseconds: Math.round(milliseconds) };
}

function resultLines(result: ImportResult): string[] {
  const { totals, skippedCount, copiedBytes, problemCount, commitCount, milliseconds } = result;
  const rate = formatRate(copiedBytes, milliseconds);
  const lines = [
    totalsText(totals),
    `copied ${formatSize(copiedBytes)} in ${formatDuration(milliseconds)} (${rate}), ${formatCounted(commitCount, 'commit')}`,
  ];
  if (skippedCount > 0) lines.push(`${formatCounted(skippedCount, 'entry', 'entries')} there already`);
  if (problemCount > 0)
    lines.push(`${formatCounted(problemCount, 'entry', 'entries')} could not be brought in (see above)`);
  return lines;
}

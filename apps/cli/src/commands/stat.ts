/** `outwrite stat`: everything that is known of a file, directory or link. */
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { type DescribedEntry, describeEntry, type EntryReport } from '../entry-report.ts';
import { formatMode, printableName } from '../printable.ts';
import { formatCounted, formatSize } from '../quantities.ts';
import { factLines } from '../tables.ts';
import { volumePath } from '../volume-path.ts';
import { LOCK_OPTION, type SessionOptions, withVolumeToRead } from '../volume-session.ts';

export function statCommand(context: CommandContext): Command {
  return newCommand('stat', 'show everything about files, directories or links', [
    'outwrite stat photos.ow 2026/sunset.jpg',
    'outwrite stat --json photos.ow / | jq -r ".[0].modified"',
  ])
    .argument('<volume>', 'the volume')
    .argument('<path...>', 'paths in it; a link is shown itself, not what it points to')
    .option(...LOCK_OPTION)
    .option('--json', 'print one JSON array')
    .action(
      action(context, async (file: string, paths: string[], options: JsonOption & SessionOptions) => {
        await withVolumeToRead(file, options, (volume) => {
          const entries = paths.map((path) => describeEntry(volume, volumePath(path)));
          if (options.json) {
            context.stdout.json(entries.map(({ report }) => report));
            return;
          }
          for (const [index, entry] of entries.entries()) {
            if (index > 0) context.stdout.line();
            for (const line of entryLines(entry)) context.stdout.line(line);
          }
        });
      }),
    );
}

function entryLines({ report, fullMode }: DescribedEntry): string[] {
  const facts: [string, string][] = [
    ['path', printableName(report.path)],
    ['type', report.type],
  ];
  if (report.target !== undefined) facts.push(['target', printableName(report.target)]);
  facts.push(
    ['size', sizeText(report)],
    ['allocated', report.allocatedBytes === 0 ? 'none (kept inside the tree)' : formatSize(report.allocatedBytes)],
    ['mode', `${report.mode} ${formatMode(fullMode)}`],
    ['owner', `${report.uid}:${report.gid}`],
    ['links', String(report.links)],
    ['inode', String(report.inode)],
    ['modified', report.modified],
    ['accessed', report.accessed],
    ['changed', report.changed],
    ['created', report.created],
  );
  return factLines(facts);
}

function sizeText({ nameCount, sizeBytes }: EntryReport): string {
  if (nameCount !== undefined) return formatCounted(nameCount, 'name');
  return `${formatSize(sizeBytes)} (${formatCounted(sizeBytes, 'byte')})`;
}

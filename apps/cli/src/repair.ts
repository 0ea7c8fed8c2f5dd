/** `outwrite check --repair`: what is changed, what is in the way, and what is left. */
import { type FileDevice, openFileDevice } from '@outwrite/blockdev/node';
import { type RepairReport, Volume } from '@outwrite/volume';
import type { CommandContext } from './command-context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { findingText } from './finding-text.ts';
import { printableName } from './printable.ts';
import { formatCounted } from './quantities.ts';
import { cacheOf, verifyFile } from './volume-session.ts';

export interface RepairChoices {
  readonly dryRun?: true;
  readonly acceptRootLoss?: true;
  readonly json?: true;
  readonly quiet?: true;
  readonly cache?: string;
}

/** Repairs the volume in `file`, or says what that would change. Returns 0 when nothing is wrong any more, or with `dryRun` nothing was. */
export async function repairFile(context: CommandContext, file: string, choices: RepairChoices): Promise<ExitCode> {
  const isDry = choices.dryRun === true;
  const repair = (device: FileDevice): RepairReport => {
    try {
      return Volume.repair(device, {
        dryRun: isDry,
        acceptRootLoss: choices.acceptRootLoss === true,
        ...cacheOf(choices),
      });
    } finally {
      device.closeSync();
    }
  };
  const report = isDry ? await verifyFile(file, repair) : repair(openFileDevice(file));
  const { stdout, stderr } = context;
  const { changes, obstacle, remaining } = report;
  const errorCount = remaining.filter(({ severity }) => severity === 'error').length;
  const isClean = obstacle === null && (isDry ? changes.length === 0 : errorCount === 0);
  if (choices.json) {
    for (const change of changes) stdout.jsonLine({ change });
    for (const finding of remaining) stdout.jsonLine(finding);
    stdout.jsonLine({ summary: { clean: isClean, dryRun: isDry, changeCount: changes.length, errorCount, obstacle } });
    await stdout.settle();
    return isClean ? EXIT.ok : EXIT.failed;
  }
  for (const { code, message, path } of changes) {
    stdout.line(
      `${isDry ? 'would change' : 'changed'} ${code}: ${message}${path === undefined ? '' : ` (${printableName(path)})`}`,
    );
  }
  for (const finding of remaining) stdout.line(`left: ${findingText(finding)}`);
  if (obstacle !== null) stderr.line(`outwrite: nothing was changed; ${obstacle}`);
  else if (!choices.quiet) {
    const count = formatCounted(changes.length, 'change');
    stdout.line(
      isDry
        ? `${count} to make; nothing was changed`
        : `${count} made; ${isClean ? 'clean' : `${formatCounted(errorCount, 'error')} left`}`,
    );
  }
  await stdout.settle();
  return isClean ? EXIT.ok : EXIT.failed;
}

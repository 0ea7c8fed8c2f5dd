/** `outwrite log`: the records since the last checkpoint, decoded. */
import { type LogChain, type LoggedDelta, readLogChain, readSlots, type Superblock } from '@outwrite/alloc-log';
import { openFileDevice } from '@outwrite/blockdev/node';
import type { Command } from 'commander';
import { action, type CommandContext, type JsonOption, newCommand } from '../command-context.ts';
import { EXIT } from '../exit-codes.ts';
import { extentText, hexBytes, promiseReport, promiseText } from '../log-text.ts';
import { formatCounted } from '../quantities.ts';
import { LOCK_OPTION } from '../volume-session.ts';

interface Options extends JsonOption {
  readonly summary?: true;
  readonly lock: boolean;
}

export function logCommand(context: CommandContext): Command {
  return newCommand('log', 'show the log records since the last checkpoint, decoded', [
    'outwrite log photos.ow',
    'outwrite log --summary photos.ow',
    'outwrite log --json photos.ow | jq .delta',
  ])
    .argument('<volume>', 'the volume')
    .option('-s, --summary', 'one line for each delta, without its records')
    .option(...LOCK_OPTION)
    .option('--json', 'print a JSON object for the checkpoint, for each delta, and for the end, one a line')
    .addHelpText(
      'after',
      `
The log holds what was committed after the last checkpoint. Closing a volume makes a
checkpoint, so the log of a volume that was closed properly is empty.`,
    )
    .action(
      action(context, async (file: string, options: Options) => {
        const device = openFileDevice(file, { readOnly: true, lock: options.lock });
        let superblock: Superblock;
        let chain: LogChain;
        try {
          superblock = readSlots(device).chosen;
          chain = readLogChain(device, superblock);
        } finally {
          await device.close();
        }
        if (options.json) printJson(context, superblock, chain, options);
        else printText(context, superblock, chain, options);
        return chain.damage === null ? EXIT.ok : EXIT.failed;
      }),
    );
}

function printJson(context: CommandContext, superblock: Superblock, chain: LogChain, options: Options): void {
  const { stdout } = context;
  stdout.jsonLine({
    checkpoint: {
      generation: superblock.generation,
      delta: superblock.delta,
      life: hexBytes(superblock.lifeId),
      nextLogBlock: superblock.nextLogBlock,
    },
  });
  for (const delta of chain.deltas) stdout.jsonLine(options.summary ? deltaSummary(delta) : deltaReport(delta));
  stdout.jsonLine({
    end: {
      deltas: chain.deltas.length,
      unfinishedDelta: chain.unfinished?.delta ?? null,
      damage: chain.damage?.message ?? null,
    },
  });
}

function deltaSummary({ delta, blocks, flushedFirst, records }: LoggedDelta) {
  return {
    delta,
    logBlocks: blocks,
    flushedFirst,
    leafCount: records.at.length,
    goneCount: records.gone.length,
    allocatedBlocks: blockCount(records.allocations),
    freedBlocks: blockCount(records.frees),
  };
}

function deltaReport(logged: LoggedDelta): unknown {
  const { records } = logged;
  return {
    ...deltaSummary(logged),
    gone: records.gone.map((payload) => promiseReport('gone', payload)),
    leaves: records.at.map(({ payload, pointer }) => ({ ...promiseReport('at', payload), ...pointer })),
    allocations: records.allocations,
    frees: records.frees,
    writes: records.writes.map(({ start, checksums, kind }) => ({ start, count: checksums.length, kind })),
  };
}

function printText(context: CommandContext, superblock: Superblock, chain: LogChain, options: Options): void {
  const { stdout } = context;
  stdout.line(
    `checkpoint at delta ${superblock.delta} (generation ${superblock.generation}, life ${hexBytes(superblock.lifeId)}), ` +
      `the log goes on in block ${superblock.nextLogBlock}`,
  );
  for (const logged of chain.deltas) {
    const { delta, blocks, flushedFirst, records } = logged;
    const parts = [
      formatCounted(records.at.length, 'leaf', 'leaves'),
      ...(records.gone.length > 0 ? [`${records.gone.length} gone`] : []),
      `${formatCounted(blockCount(records.allocations), 'block')} allocated`,
      `${formatCounted(blockCount(records.frees), 'block')} freed`,
      `log in ${blocks.join(', ')}${flushedFirst ? ' (flushed first)' : ''}`,
    ];
    stdout.line(`delta ${delta}: ${parts.join('; ')}`);
    if (options.summary) continue;
    for (const payload of records.gone) stdout.line(`  gone   ${promiseText('gone', payload)}`);
    for (const { payload, pointer } of records.at) {
      const age = pointer.birth === delta ? '' : `, born in delta ${pointer.birth}`;
      stdout.line(
        `  leaf   ${promiseText('at', payload)} is at block ${pointer.block}, checksum ${checksumText(pointer.checksum)}${age}`,
      );
    }
    for (const extent of records.allocations) stdout.line(`  take   ${extentText(extent)}`);
    for (const extent of records.frees) stdout.line(`  free   ${extentText(extent)}`);
    for (const { start, checksums, kind } of records.writes) {
      stdout.line(`  wrote  ${kind} ${extentText({ start, count: checksums.length })}`);
    }
  }
  if (chain.unfinished !== null)
    stdout.line(`delta ${chain.unfinished.delta} was begun and not finished; it does not count`);
  if (chain.damage !== null) stdout.line(`the log breaks off: ${chain.damage.message}`);
  stdout.line(`${formatCounted(chain.deltas.length, 'delta')} since the checkpoint`);
}

function blockCount(extents: readonly { count: number }[]): number {
  return extents.reduce((sum, { count }) => sum + count, 0);
}

function checksumText(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}

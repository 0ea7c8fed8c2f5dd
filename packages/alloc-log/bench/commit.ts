/**
 * What a commit costs above the physical limit: one block changed, committed, again and again, against one preallocated file that gets
 * the same number of bytes and one flush. Both styles, synchronous and asynchronous; rounds alternate.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openFileDevice } from '@outwrite/blockdev/node';
import { AllocLog } from '../src/index.ts';
import { RegisterClient } from '../src/testing.ts';

const BLOCK_BYTES = 4096;
const CONTENT = 'x'.repeat(100);
const flush = promisify(fdatasync);

export interface CommitFigures {
  style: 'sync' | 'async';
  /** Commits a second, medians of the rounds. */
  log: number;
  raw: number;
}

export async function benchCommit(
  effort: { rounds: number; commits: number },
  folder = tmpdir(),
): Promise<CommitFigures[]> {
  const rawPath = join(folder, `outwrite-bench-raw-${process.pid}`);
  const logPath = join(folder, `outwrite-bench-log-${process.pid}`);
  const raw = openSync(rawPath, 'w+');
  const blocks = new Uint8Array(2 * BLOCK_BYTES).fill(1);
  for (let i = 0; i < effort.commits; i++) writeSync(raw, blocks, 0, blocks.length, i * blocks.length);
  fdatasyncSync(raw);
  const registers = new RegisterClient();
  const log = AllocLog.format(openFileDevice(logPath, { create: true }), { blockSize: BLOCK_BYTES }, registers);
  try {
    const figures: CommitFigures[] = [];
    for (const style of ['sync', 'async'] as const) {
      const rates: { log: number[]; raw: number[] } = { log: [], raw: [] };
      for (let round = 0; round < effort.rounds; round++) {
        let start = performance.now();
        for (let i = 0; i < effort.commits; i++) {
          writeSync(raw, blocks, 0, blocks.length, i * blocks.length);
          if (style === 'sync') fdatasyncSync(raw);
          else await flush(raw);
        }
        rates.raw.push((effort.commits / (performance.now() - start)) * 1000);
        start = performance.now();
        for (let i = 0; i < effort.commits; i++) {
          registers.set(i % 100, CONTENT);
          if (style === 'sync') log.commitSync();
          else await log.commit();
        }
        rates.log.push((effort.commits / (performance.now() - start)) * 1000);
      }
      figures.push({ style, log: median(rates.log), raw: median(rates.raw) });
    }
    return figures;
  } finally {
    closeSync(raw);
    await log.close();
    for (const path of [rawPath, logPath]) rmSync(path, { force: true });
  }
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

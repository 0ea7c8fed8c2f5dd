/** Reads, writes and flushes of the file device (on the disk of the temporary folder) and of the memory device. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type BlockDevice, MemoryDevice } from '../src/index.ts';
import { openFileDevice } from '../src/node.ts';
import { type Effort, type Measurement, measure, measureAsync } from './measure.ts';

const SIZE_BYTES = 16 * 1024 * 1024;
const BLOCK_BYTES = 4096;
const RUN_BLOCKS = 64;

export async function benchDevices(effort: Effort): Promise<Measurement[]> {
  const directory = fs.mkdtempSync(path.join(process.env.OUTWRITE_BENCH_DIR ?? os.tmpdir(), 'outwrite-bench-'));
  try {
    const file = openFileDevice(path.join(directory, 'device'), { create: 'exclusive' });
    const results = await benchDevice('file', file, effort);
    return [...results, ...(await benchDevice('memory', new MemoryDevice({ maxSizeBytes: SIZE_BYTES }), effort))];
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

async function benchDevice(name: string, device: BlockDevice, effort: Effort): Promise<Measurement[]> {
  device.grow(SIZE_BYTES);
  const run = Array.from({ length: RUN_BLOCKS }, (_, i) => new Uint8Array(BLOCK_BYTES).fill(i));
  for (let at = 0; at < SIZE_BYTES; at += RUN_BLOCKS * BLOCK_BYTES) device.writeSync(at, run);
  device.flushSync();
  const blockCount = SIZE_BYTES / BLOCK_BYTES - RUN_BLOCKS;
  let block = 0;
  // A stride that visits all blocks in an order that is none.
  const position = (): number => {
    block = (block + 1237) % blockCount;
    return block * BLOCK_BYTES;
  };
  const one = run.slice(0, 1);
  const runBytes = RUN_BLOCKS * BLOCK_BYTES;
  const results = [
    measure(`${name}: readSync, 1 block`, BLOCK_BYTES, effort, () => {
      device.readSync(position(), one);
      return one[0]![0]!;
    }),
    measure(`${name}: readSync, ${RUN_BLOCKS} blocks in ${RUN_BLOCKS} buffers`, runBytes, effort, () => {
      device.readSync(position(), run);
      return run[0]![0]!;
    }),
    measure(`${name}: writeSync, 1 block`, BLOCK_BYTES, effort, () => {
      device.writeSync(position(), one);
      return 0;
    }),
    measure(`${name}: writeSync, ${RUN_BLOCKS} blocks in ${RUN_BLOCKS} buffers`, runBytes, effort, () => {
      device.writeSync(position(), run);
      return 0;
    }),
    await measureAsync(`${name}: write, 1 block`, BLOCK_BYTES, effort, () => device.write(position(), one)),
    measure(`${name}: writeSync, 1 block, and flushSync`, 0, effort, () => {
      device.writeSync(position(), one);
      device.flushSync();
      return 0;
    }),
    await measureAsync(`${name}: writeSync, 1 block, and flush`, 0, effort, () => {
      device.writeSync(position(), one);
      return device.flush();
    }),
    await measureAsync(`${name}: 10 callers of writeSync and flush`, 0, effort, () =>
      Promise.all(
        Array.from({ length: 10 }, () => {
          device.writeSync(position(), one);
          return device.flush();
        }),
      ),
    ),
  ];
  await device.close();
  return results;
}

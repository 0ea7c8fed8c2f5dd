/**
 * One file of 1 GiB: written in pieces of 1 MiB and committed, read cold and warm, then 4 KiB at a time in random order, and
 * overwritten so with one commit at the end. Peak memory of these runs is what the memory goal looks at.
 */

import type { LargeFileOptions, LargeFileSession } from '../engine.ts';
import { type CacheDropping, dropFileCache } from '../file-cache.ts';
import type { CaseTimer, Measurements } from '../measure/measurements.ts';
import { ResultHash } from '../measure/result-hash.ts';
import type { Scale } from '../scale.ts';
import type { Workload, WorkloadContext } from '../workload.ts';
import { agedCapacityBytes, agedFilesBase } from './aged-files.ts';
import { RandomIndexes, scramble } from './key-data.ts';

const PIECE_BYTES = 1024 * 1024;
const BLOCK_BYTES = 4096;
const READ_SEED = 31;
const OVERWRITE_SEED = 32;
/** On an aged volume the file is this much smaller, or the base would take longer to copy than the run. */
const AGED_DIVISOR = 8;

/** A piece of which every block begins with its number and its version. */
class Piece {
  readonly bytes = Buffer.alloc(PIECE_BYTES);

  constructor() {
    for (let at = 0; at < PIECE_BYTES; at += 4) this.bytes.writeUInt32LE(scramble(at), at);
  }

  stamp(firstBlock: number, version: number): Buffer {
    for (let at = 0; at < PIECE_BYTES; at += BLOCK_BYTES) {
      this.bytes.writeUInt32LE(firstBlock + at / BLOCK_BYTES, at);
      this.bytes.writeUInt32LE(version, at + 4);
    }
    return this.bytes;
  }
}

/** Reads the whole file in pieces; the hash is over the stamps of all blocks. */
function readAll(session: LargeFileSession, fileBytes: number, target: Buffer, timer?: CaseTimer): string {
  const hash = new ResultHash();
  for (let position = 0; position < fileBytes; position += PIECE_BYTES) {
    const startMillis = performance.now();
    session.read(position, target);
    timer?.latencies.add(startMillis);
    for (let at = 0; at < PIECE_BYTES; at += BLOCK_BYTES) {
      hash.addNumber(target.readUInt32LE(at));
      hash.addNumber(target.readUInt32LE(at + 4));
    }
  }
  timer?.stop();
  return hash.digest();
}

async function measure(context: WorkloadContext, measurements: Measurements, isAged: boolean): Promise<void> {
  const { scale, description, folder } = context;
  const fileBytes = fileBytesOf(scale, isAged);
  const blockCount = fileBytes / BLOCK_BYTES;
  const options: LargeFileOptions = {
    create: true,
    fileBytes,
    cacheBytes: scale.fileCacheBytes,
    ...(isAged ? { capacityBytes: agedCapacityBytes(wantedBytes(scale)) } : {}),
  };
  const hasResult = description.role !== 'limit';
  let session = await context.engine.openLargeFile!(folder, options);
  const piece = new Piece();
  const target = Buffer.alloc(PIECE_BYTES + 16).subarray(16);

  let timer = measurements.start('write', fileBytes / PIECE_BYTES);
  for (let position = 0; position < fileBytes; position += PIECE_BYTES) {
    const bytes = piece.stamp(position / BLOCK_BYTES, 0);
    const startMillis = performance.now();
    session.write(position, bytes);
    timer.latencies.add(startMillis);
  }
  session.commit();
  timer.stop();
  timer.finish({
    operationCount: fileBytes / PIECE_BYTES,
    movedBytes: fileBytes,
    changedBytes: fileBytes,
    resultHash: hasResult ? `${fileBytes}` : null,
  });

  if (!description.volatile) {
    // A virtual disk is slow where it is read for the first time, whoever reads: once from the disk without the clock.
    dropFileCache(folder);
    readAll(session, fileBytes, target);
    await session.close();
    const dropped: CacheDropping = dropFileCache(folder);
    session = await context.engine.openLargeFile!(folder, { ...options, create: false });
    timer = measurements.start('read-cold', fileBytes / PIECE_BYTES);
    const hash = readAll(session, fileBytes, target, timer);
    timer.finish({
      operationCount: fileBytes / PIECE_BYTES,
      movedBytes: fileBytes,
      resultHash: hasResult ? hash : null,
      facts: { cacheWasDropped: dropped === 'dropped' ? 1 : 0 },
    });
  }

  readAll(session, fileBytes, target);
  timer = measurements.start('read-warm', fileBytes / PIECE_BYTES);
  const warmHash = readAll(session, fileBytes, target, timer);
  timer.finish({
    operationCount: fileBytes / PIECE_BYTES,
    movedBytes: fileBytes,
    resultHash: hasResult ? warmHash : null,
  });

  const block = Buffer.alloc(BLOCK_BYTES + 16).subarray(16);
  let indexes = new RandomIndexes(blockCount, READ_SEED);
  let sum = 0;
  timer = measurements.start('read-random', scale.largeRandomCount);
  for (let i = 0; i < scale.largeRandomCount; i++) {
    const position = indexes.next() * BLOCK_BYTES;
    const startMillis = performance.now();
    session.read(position, block);
    timer.latencies.add(startMillis);
    sum = (Math.imul(sum, 31) + block.readInt32LE(0)) | 0;
  }
  timer.stop();
  timer.finish({ operationCount: scale.largeRandomCount, resultHash: hasResult ? `${sum}` : null });

  indexes = new RandomIndexes(blockCount, OVERWRITE_SEED);
  timer = measurements.start('overwrite-random', scale.largeRandomCount);
  for (let i = 0; i < scale.largeRandomCount; i++) {
    const index = indexes.next();
    block.writeUInt32LE(index, 0);
    block.writeUInt32LE(i + 1, 4);
    const startMillis = performance.now();
    session.write(index * BLOCK_BYTES, block);
    timer.latencies.add(startMillis);
  }
  session.commit();
  timer.stop();
  timer.finish({
    operationCount: scale.largeRandomCount,
    changedBytes: scale.largeRandomCount * BLOCK_BYTES,
    resultHash: hasResult && context.checkResults ? readAll(session, fileBytes, target) : null,
  });
  await session.close();
}

function fileBytesOf(scale: Scale, isAged: boolean): number {
  return isAged ? Math.max(PIECE_BYTES, scale.largeFileBytes / AGED_DIVISOR) : scale.largeFileBytes;
}

/** The file, and all of its overwritten blocks a second time before the commit. */
function wantedBytes(scale: Scale): number {
  return fileBytesOf(scale, true) + scale.largeRandomCount * BLOCK_BYTES;
}

function largeFileWorkload(isAged: boolean): Workload {
  return {
    name: isAged ? 'aged/large-file' : 'large-file',
    title: isAged ? 'One large file on a volume aged to 80 % full' : 'One large file',
    surface: 'large-file',
    cases: [
      { name: 'write', unit: 'MiB/s' },
      { name: 'read-cold', unit: 'MiB/s' },
      { name: 'read-warm', unit: 'MiB/s' },
      { name: 'read-random', unit: 'ops/s' },
      { name: 'overwrite-random', unit: 'ops/s' },
    ],
    quick: !isAged,
    warmsUp: true,
    ...(isAged ? { base: agedFilesBase('large-file-aged', wantedBytes), runs: (engine) => !engine.volatile } : {}),
    measure: (context, measurements) => measure(context, measurements, isAged),
  };
}

export const LARGE_FILE_WORKLOADS: readonly Workload[] = [largeFileWorkload(false), largeFileWorkload(true)];

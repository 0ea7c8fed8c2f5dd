/**
 * Many small files: create, stat, read, list, rename and unlink 20,000 files of 1 KiB in 20 directories.
 *
 * Engines with transactions commit every 1,000 changes; `node:fs` has its file system written out once at the end of a phase, which is
 * less than the others promise and counts for it. Volatile engines promise nothing.
 */
import type { FilesOptions, FilesSession } from '../engine.ts';
import type { CaseTimer, Measurements } from '../measure/measurements.ts';
import { ResultHash } from '../measure/result-hash.ts';
import type { Scale } from '../scale.ts';
import type { Workload, WorkloadContext } from '../workload.ts';
import { agedFilesBase, agedFilesOptions } from './aged-files.ts';
import { Permutation, scramble } from './key-data.ts';

const FILE_BYTES = 1024;
const BATCH = 1_000;
const ORDER_SEED = 21;
/** Every such look-up or read is timed. */
const READ_STRIDE = 8;

class FilePlan {
  readonly fileCount: number;
  readonly directoryCount: number;
  readonly #content = Buffer.alloc(FILE_BYTES);

  constructor(fileCount: number, directoryCount: number) {
    this.fileCount = fileCount;
    this.directoryCount = directoryCount;
  }

  directory(index: number): string {
    return `/dir-${String(index).padStart(3, '0')}`;
  }

  path(index: number): string {
    return `${this.directory(index % this.directoryCount)}/file-${String(index).padStart(6, '0')}.dat`;
  }

  renamedPath(index: number): string {
    return `${this.directory((index + 1) % this.directoryCount)}/moved-${String(index).padStart(6, '0')}.dat`;
  }

  content(index: number): Buffer {
    for (let at = 0; at < FILE_BYTES; at += 64) this.#content.writeUInt32LE(scramble(index + at * 77_777), at);
    return this.#content;
  }
}

/** Calls `change` for each file in batches; each batch is a commit, each call a sample. */
function changeEach(session: FilesSession, count: number, timer: CaseTimer, change: (index: number) => void): void {
  for (let first = 0; first < count; first += BATCH) {
    session.batch(Math.min(BATCH, count - first), (i) => {
      const startMillis = performance.now();
      change(first + i);
      timer.latencies.add(startMillis);
    });
  }
  session.settle();
  timer.stop();
}

function readEach(count: number, order: Permutation, timer: CaseTimer, read: (index: number) => void): void {
  for (let i = 0; i < count; i++) {
    const index = order.at(i);
    if (i % READ_STRIDE === 0) {
      const startMillis = performance.now();
      read(index);
      timer.latencies.add(startMillis);
    } else {
      read(index);
    }
  }
  timer.stop();
}

function listAll(session: FilesSession, plan: FilePlan): ResultHash {
  const hash = new ResultHash();
  for (let directory = 0; directory < plan.directoryCount; directory++) {
    for (const name of session.list(plan.directory(directory)).sort()) hash.add(Buffer.from(name));
  }
  return hash;
}

async function measure(context: WorkloadContext, measurements: Measurements, isAged: boolean): Promise<void> {
  const { scale } = context;
  const plan = new FilePlan(scale.smallFileCount, scale.smallDirectoryCount);
  const count = plan.fileCount;
  const session = await context.engine.openFiles!(context.folder, filesOptions(context, isAged));
  const order = new Permutation(count, ORDER_SEED);
  session.batch(plan.directoryCount, (i) => session.makeDirectory(plan.directory(i)));
  const paths = Array.from({ length: count }, (_, i) => plan.path(i));
  const renamed = Array.from({ length: count }, (_, i) => plan.renamedPath(i));

  let timer = measurements.start('create', count);
  changeEach(session, count, timer, (i) => session.create(paths[i]!, plan.content(i)));
  timer.finish({
    operationCount: count,
    changedBytes: count * FILE_BYTES,
    resultHash: listAll(session, plan).digest(),
  });

  let sizeSum = 0;
  timer = measurements.start('stat', count / READ_STRIDE);
  readEach(count, order, timer, (i) => (sizeSum += session.statSize(paths[i]!)));
  timer.finish({ operationCount: count, resultHash: `${sizeSum}` });

  let byteSum = 0;
  timer = measurements.start('read', count / READ_STRIDE);
  readEach(count, order, timer, (i) => {
    const content = session.read(paths[i]!);
    byteSum = (Math.imul(byteSum, 31) + content[0]! + (content[65]! << 8) + content.length) | 0;
  });
  timer.finish({ operationCount: count, resultHash: `${byteSum}` });

  let nameCount = 0;
  timer = measurements.start('list', plan.directoryCount);
  for (let directory = 0; directory < plan.directoryCount; directory++) {
    const startMillis = performance.now();
    nameCount += session.list(plan.directory(directory)).length;
    timer.latencies.add(startMillis);
  }
  timer.stop();
  timer.finish({ operationCount: nameCount, resultHash: `${nameCount}` });

  timer = measurements.start('rename', count);
  changeEach(session, count, timer, (i) => session.rename(paths[i]!, renamed[i]!));
  timer.finish({ operationCount: count, changedBytes: count * 32, resultHash: listAll(session, plan).digest() });

  timer = measurements.start('unlink', count);
  changeEach(session, count, timer, (i) => session.unlink(renamed[order.at(i)]!));
  timer.finish({ operationCount: count, changedBytes: count * 32, resultHash: listAll(session, plan).digest() });
  await session.close();
}

function filesOptions({ scale }: WorkloadContext, isAged: boolean): FilesOptions {
  return isAged ? agedFilesOptions(scale.fileCacheBytes, wantedBytes(scale)) : { cacheBytes: scale.fileCacheBytes };
}

/** What the files need on a volume: two blocks each are ample, and a batch that renames all of a directory. */
function wantedBytes(scale: Scale): number {
  return scale.smallFileCount * FILE_BYTES * 2;
}

const CASES = ['create', 'stat', 'read', 'list', 'rename', 'unlink'].map((name) => ({ name, unit: 'ops/s' }) as const);

function smallFilesWorkload(isAged: boolean): Workload {
  return {
    name: isAged ? 'aged/small-files' : 'small-files',
    title: isAged ? 'Small files of 1 KiB on a volume aged to 80 % full' : 'Small files of 1 KiB',
    surface: 'files',
    cases: CASES,
    quick: !isAged,
    warmsUp: true,
    ...(isAged ? { base: agedFilesBase('small-files-aged', wantedBytes), runs: (engine) => !engine.volatile } : {}),
    measure: (context, measurements) => measure(context, measurements, isAged),
  };
}

export const SMALL_FILES_WORKLOADS: readonly Workload[] = [smallFilesWorkload(false), smallFilesWorkload(true)];

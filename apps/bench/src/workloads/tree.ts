/**
 * A tree of files like an installed `node_modules`, into the engine and out of it again.
 *
 * The tree is made from a seed: nested folders with about ten files each, sizes log-normal around 1.1 KiB. Measured on an installed
 * workspace: 8,245 files, quartile 0.4 KiB, median 1.1 KiB, 90th percentile 12 KiB; the few files of many megabytes are cut to one here. `in` creates everything in one pass with a commit every 1,000 files, `out` walks by listing
 * and reads every byte.
 */
import type { FilesSession } from '../engine.ts';
import type { Measurements } from '../measure/measurements.ts';
import { ResultHash } from '../measure/result-hash.ts';
import type { Scale } from '../scale.ts';
import type { Workload, WorkloadContext } from '../workload.ts';
import { agedFilesBase, agedFilesOptions } from './aged-files.ts';
import { RandomIndexes, scramble } from './key-data.ts';

const BATCH = 1_000;
const SEED = 41;
const MEDIAN_FILE_BYTES = 1_100;
const SIZE_SIGMA = 1.8;
const LARGEST_FILE_BYTES = 1024 * 1024;
const FILES_IN_FOLDER = 10;
const FOLDERS_IN_FOLDER = 8;
/** Mean of the sizes above: e^(sigma^2 / 2) times the median, rounded up. */
const MEAN_FILE_BYTES = 6 * 1024;

interface TreeFile {
  readonly path: string;
  readonly sizeBytes: number;
}

interface Tree {
  readonly folders: readonly string[];
  readonly files: readonly TreeFile[];
  readonly byteCount: number;
}

function makeTree(fileCount: number): Tree {
  const random = new RandomIndexes(1 << 24, SEED);
  const uniform = (): number => (random.next() + 0.5) / (1 << 24);
  // Box and Muller: a normal deviate from two uniform ones.
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const folderCount = Math.max(1, Math.ceil(fileCount / FILES_IN_FOLDER));
  const folders: string[] = ['/tree'];
  for (let i = 1; i < folderCount; i++) {
    folders.push(`${folders[Math.floor((i - 1) / FOLDERS_IN_FOLDER)]!}/pkg-${i}`);
  }
  const files: TreeFile[] = [];
  let byteCount = 0;
  for (let i = 0; i < fileCount; i++) {
    const sizeBytes = Math.min(LARGEST_FILE_BYTES, Math.round(MEDIAN_FILE_BYTES * Math.exp(SIZE_SIGMA * normal())));
    files.push({ path: `${folders[Math.floor(i / FILES_IN_FOLDER)]!}/file-${i}.js`, sizeBytes });
    byteCount += sizeBytes;
  }
  return { folders, files, byteCount };
}

function inBatches(session: FilesSession, count: number, change: (index: number) => void): void {
  for (let first = 0; first < count; first += BATCH) {
    session.batch(Math.min(BATCH, count - first), (i) => change(first + i));
  }
}

async function measure(context: WorkloadContext, measurements: Measurements, isAged: boolean): Promise<void> {
  const { scale } = context;
  const tree = makeTree(scale.treeFileCount);
  const options = isAged
    ? agedFilesOptions(scale.fileCacheBytes, wantedBytes(scale))
    : { cacheBytes: scale.fileCacheBytes };
  const session = await context.engine.openFiles!(context.folder, options);
  const content = Buffer.alloc(LARGEST_FILE_BYTES);
  for (let at = 0; at < LARGEST_FILE_BYTES; at += 4) content.writeUInt32LE(scramble(at), at);

  let timer = measurements.start('in', tree.files.length);
  inBatches(session, tree.folders.length, (i) => session.makeDirectory(tree.folders[i]!));
  inBatches(session, tree.files.length, (i) => {
    const file = tree.files[i]!;
    content.writeUInt32LE(i, 0);
    const startMillis = performance.now();
    session.create(file.path, content.subarray(0, file.sizeBytes));
    timer.latencies.add(startMillis);
  });
  session.settle();
  timer.stop();
  const created = `${tree.files.length}:${tree.byteCount}`;
  timer.finish({ operationCount: tree.files.length, changedBytes: tree.byteCount, resultHash: created });

  const lengths = new ResultHash();
  timer = measurements.start('out', tree.files.length);
  readTree(session, tree, (bytes, startMillis) => {
    timer.latencies.add(startMillis);
    lengths.addNumber(bytes.length);
  });
  timer.stop();
  const contents = new ResultHash();
  if (context.checkResults) readTree(session, tree, (bytes) => contents.add(bytes));
  timer.finish({ operationCount: tree.files.length, resultHash: `${lengths.digest()} ${contents.digest()}` });
  await session.close();
}

/** Reads every file found by listing, in the order of names. */
function readTree(session: FilesSession, tree: Tree, visit: (bytes: Uint8Array, startMillis: number) => void): void {
  for (const folder of tree.folders) {
    for (const name of session.list(folder).sort()) {
      if (!name.endsWith('.js')) continue;
      const startMillis = performance.now();
      const bytes = session.read(`${folder}/${name}`);
      visit(bytes, startMillis);
    }
  }
}

function wantedBytes(scale: Scale): number {
  return scale.treeFileCount * MEAN_FILE_BYTES;
}

function treeWorkload(isAged: boolean): Workload {
  return {
    name: isAged ? 'aged/tree' : 'tree',
    title: isAged ? 'A tree like node_modules on a volume aged to 80 % full' : 'A tree like node_modules, in and out',
    surface: 'files',
    cases: [
      { name: 'in', unit: 'ops/s' },
      { name: 'out', unit: 'ops/s' },
    ],
    quick: !isAged,
    warmsUp: true,
    ...(isAged ? { base: agedFilesBase('tree-aged', wantedBytes), runs: (engine) => !engine.volatile } : {}),
    measure: (context, measurements) => measure(context, measurements, isAged),
  };
}

export const TREE_WORKLOADS: readonly Workload[] = [treeWorkload(false), treeWorkload(true)];

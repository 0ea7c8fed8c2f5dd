/**
 * Overwriting in the middle of files: what a volume that never overwrites has to redirect.
 *
 * Random ranges of random files are read, written again with the same bytes, and their files get their old times back, so the tree is
 * afterwards what it was before, in other places on the disk.
 */

import type { TreeSource } from '../transfer/tree-source.ts';
import { walkTree } from '../transfer/tree-walk.ts';
import type { CliVolume } from '../volume-session.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface RewriteResult {
  readonly rangeCount: number;
  readonly fileCount: number;
  readonly sizeBytes: number;
  readonly commitCount: number;
  readonly milliseconds: number;
}

const SMALLEST_FILE_BYTES = 32 * 1024;
const LARGEST_RANGE_BYTES = 64 * 1024;
const RANGES_A_COMMIT = 50;

/** Rewrites `rangeCount` ranges below the root that `tree` stands for. */
export async function rewriteInPlace(
  volume: CliVolume,
  tree: TreeSource,
  random: SeededRandom,
  rangeCount: number,
): Promise<RewriteResult> {
  const startTime = performance.now();
  const candidates: { path: string; sizeBytes: number }[] = [];
  for (const step of walkTree(tree)) {
    if (step.kind === 'file' && step.entry.sizeBytes >= SMALLEST_FILE_BYTES) {
      candidates.push({ path: step.path, sizeBytes: step.entry.sizeBytes });
    }
  }
  const touched = new Set<string>();
  let sizeBytes = 0;
  let commitCount = 0;
  const doneCount = candidates.length === 0 ? 0 : rangeCount;
  for (let index = 1; index <= doneCount; index++) {
    const candidate = candidates[random.between(0, candidates.length - 1)];
    const rangeBytes = random.between(1, Math.min(LARGEST_RANGE_BYTES, candidate.sizeBytes));
    rewriteRange(
      volume,
      tree.fullPath(candidate.path),
      random.between(0, candidate.sizeBytes - rangeBytes),
      rangeBytes,
    );
    touched.add(candidate.path);
    sizeBytes += rangeBytes;
    if (index % RANGES_A_COMMIT !== 0 && index !== doneCount) continue;
    await volume.commit();
    commitCount++;
  }
  const milliseconds = performance.now() - startTime;
  return { rangeCount: doneCount, fileCount: touched.size, sizeBytes, commitCount, milliseconds };
}

function rewriteRange(volume: CliVolume, path: string, position: number, rangeBytes: number): void {
  const before = volume.fs.statSync(path, { bigint: true });
  const descriptor = volume.fs.openSync(path, 'r+');
  try {
    const bytes = new Uint8Array(rangeBytes);
    volume.fs.readSync(descriptor, bytes, 0, rangeBytes, position);
    volume.fs.writeSync(descriptor, bytes, 0, rangeBytes, position);
    volume.fs.futimesSync(descriptor, before.atimeNs, before.mtimeNs);
  } finally {
    volume.fs.closeSync(descriptor);
  }
}

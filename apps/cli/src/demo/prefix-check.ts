/**
 * Does a volume hold exactly the state that an import had reached at some moment?
 *
 * The import takes the steps of `tree-walk.ts` in order, so the state after a number of steps is known from the source alone: every
 * entry of those steps is there, whole, with its bytes, mode, time and links; at most the entry of the next step is there in part (a
 * large file that a commit fell into), and then its bytes are those of the source as far as they go; nothing else is there. This finds
 * the number of steps and reports whatever contradicts them.
 */

import { type Difference, TreeComparison } from '../transfer/tree-comparison.ts';
import type { Entry, TreeSource } from '../transfer/tree-source.ts';
import { type Step, walkTree } from '../transfer/tree-walk.ts';

export interface PrefixState {
  /** Steps whose entries are complete. */
  readonly completeSteps: number;
  readonly totalSteps: number;
  /** The entry that is there in part. */
  readonly partialPath: string | undefined;
  readonly comparedBytes: number;
  /** What contradicts: none if the volume holds exactly such a state. */
  readonly differences: readonly Difference[];
}

const PIECE_BYTES = 1024 * 1024;

/**
 * Finds how far the import of `source` into the empty root of `volume` had come. What the source has changed since `startNs` (a time of
 * modification) is left out, because the import may have seen it before or after.
 */
export function findPrefix(source: TreeSource, volume: TreeSource, startNs: bigint): PrefixState {
  const comparison = new TreeComparison(source, volume, { timeToleranceNs: 0n });
  const differences: Difference[] = [];
  const expectedPaths = new Set<string>();
  let completeSteps = 0;
  let totalSteps = 0;
  let isPrefix = true;
  let partialPath: string | undefined;
  for (const step of walkTree(source)) {
    totalSteps++;
    if (step.kind === 'problem') throw step.error;
    expectedPaths.add(step.path);
    const present = entryAt(volume, step.path);
    if (isPrefix && (step.entry.mtimeNs >= startNs || isDone(step, present, volume))) {
      completeSteps++;
      if (step.entry.mtimeNs < startNs && step.kind !== 'enter' && step.kind !== 'leave') {
        differences.push(...comparison.differencesAt(step.path));
      }
      continue;
    }
    // A directory that is being filled is there before it is left.
    if (present !== undefined && step.kind !== 'leave') {
      if (isPrefix) {
        partialPath = step.path;
        const problem = partialProblem(source, volume, step.path, present);
        if (problem !== undefined) differences.push({ path: step.path, problem });
      } else {
        differences.push({ path: step.path, problem: 'is there, although something earlier is not' });
      }
    }
    isPrefix = false;
  }
  for (const step of walkTree(volume)) {
    if (step.kind === 'problem') differences.push({ path: step.path, problem: String(step.error) });
    else if (!expectedPaths.has(step.path))
      differences.push({ path: step.path, problem: 'is there, but should not be' });
  }
  return { completeSteps, totalSteps, partialPath, comparedBytes: comparison.comparedBytes, differences };
}

function entryAt(tree: TreeSource, path: string): Entry | undefined {
  try {
    return tree.entry(path);
  } catch {
    return undefined;
  }
}

/** Whether the step was finished, by what the import does last in it; whether it was done right is compared elsewhere. */
function isDone(step: Exclude<Step, { kind: 'problem' }>, present: Entry | undefined, volume: TreeSource): boolean {
  if (present === undefined) return false;
  switch (step.kind) {
    case 'enter':
      return present.mode === step.entry.mode;
    case 'hard-link':
      return present.identity === entryAt(volume, step.firstPath)?.identity;
    default:
      return present.mtimeNs === step.entry.mtimeNs;
  }
}

/** What is wrong with an entry that is there in part, if anything: a file must hold the first bytes of its source. */
function partialProblem(source: TreeSource, volume: TreeSource, path: string, present: Entry): string | undefined {
  if (present.kind !== 'file') return undefined;
  const expectedFile = source.open(path);
  const actualFile = volume.open(path);
  try {
    const expected = new Uint8Array(PIECE_BYTES);
    const actual = new Uint8Array(PIECE_BYTES);
    for (let position = 0; position < present.sizeBytes; position += PIECE_BYTES) {
      const actualBytes = actualFile.read(position, actual);
      expectedFile.read(position, expected);
      if (Buffer.compare(expected.subarray(0, actualBytes), actual.subarray(0, actualBytes)) !== 0) {
        return `is there in part, with other bytes near ${position}`;
      }
    }
    return undefined;
  } finally {
    expectedFile.close();
    actualFile.close();
  }
}

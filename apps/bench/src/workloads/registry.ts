/**
 * All workloads, in the order in which they are listed and run.
 */
import type { Workload } from '../workload.ts';
import { APPEND_WORKLOADS } from './append.ts';
import { COMMIT_COST_WORKLOADS } from './commit-cost.ts';
import { KEY_VALUE_WORKLOADS } from './key-value.ts';
import { LARGE_FILE_WORKLOADS } from './large-file.ts';
import { RECOVERY_WORKLOADS } from './recovery.ts';
import { SMALL_FILES_WORKLOADS } from './small-files.ts';
import { TREE_WORKLOADS } from './tree.ts';

const ALL: readonly Workload[] = [
  ...APPEND_WORKLOADS,
  ...KEY_VALUE_WORKLOADS,
  ...SMALL_FILES_WORKLOADS,
  ...LARGE_FILE_WORKLOADS,
  ...TREE_WORKLOADS,
  ...RECOVERY_WORKLOADS,
  ...COMMIT_COST_WORKLOADS,
];

/** Those on aged volumes last: they take longest and say least on their own. */
export const WORKLOADS: readonly Workload[] = [
  ...ALL.filter((workload) => !workload.name.startsWith('aged/')),
  ...ALL.filter((workload) => workload.name.startsWith('aged/')),
];

export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (found === undefined) throw new RangeError(`there is no workload named "${name}"`);
  return found;
}

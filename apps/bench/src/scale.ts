/**
 * How large each workload is: the sizes that the goals are set for, quick ones for a look, tiny ones for the tests.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

export interface Scale {
  readonly name: ScaleName;
  readonly rounds: number;
  /** Commits of the append workloads; each holds one append of every task. */
  readonly appendCount: { readonly one: number; readonly ten: number; readonly hundred: number };
  readonly entryCount: number;
  readonly readCount: number;
  /** Changes made by the overwrite workloads that commit every 1, 100 and 10,000 changes. */
  readonly overwriteCount: { readonly every1: number; readonly every100: number; readonly every10000: number };
  readonly deleteCount: number;
  /** Cache budget for key-value stores: larger than the data, so that warm means warm. */
  readonly keyValueCacheBytes: number;
  readonly smallFileCount: number;
  readonly smallDirectoryCount: number;
  readonly largeFileBytes: number;
  readonly largeRandomCount: number;
  /** Cache budget for files: small on purpose, the memory goal is measured with it. */
  readonly fileCacheBytes: number;
  readonly treeFileCount: number;
  /** The numbers of commits in the log of the recovery workloads are divided by this. */
  readonly recoveryDivisor: number;
  readonly commitCostCount: number;
  /** The smallest and the largest volume whose commits are compared, in bytes; sparse. */
  readonly commitCostVolumeBytes: readonly [small: number, large: number];
  /** Size of the volume that is filled up to 95 %. */
  readonly commitCostFillBytes: number;
  /** How long a process warms up at least, at the size of `WARM_UP`; 0 for not at all. */
  readonly warmUpSeconds: number;
}

export type ScaleName = 'full' | 'quick' | 'tiny';

const FULL: Scale = {
  name: 'full',
  rounds: 5,
  appendCount: { one: 4_000, ten: 2_000, hundred: 1_000 },
  entryCount: 1_000_000,
  readCount: 200_000,
  overwriteCount: { every1: 3_000, every100: 50_000, every10000: 200_000 },
  deleteCount: 200_000,
  keyValueCacheBytes: 512 * MIB,
  smallFileCount: 20_000,
  smallDirectoryCount: 20,
  largeFileBytes: 1024 * MIB,
  largeRandomCount: 20_000,
  fileCacheBytes: 32 * MIB,
  treeFileCount: 20_000,
  recoveryDivisor: 1,
  commitCostCount: 2_000,
  commitCostVolumeBytes: [1024 * MIB, 1024 * 1024 * MIB],
  commitCostFillBytes: 1024 * MIB,
  warmUpSeconds: 2,
};

const QUICK: Scale = {
  name: 'quick',
  rounds: 3,
  appendCount: { one: 400, ten: 150, hundred: 60 },
  entryCount: 40_000,
  readCount: 40_000,
  overwriteCount: { every1: 300, every100: 5_000, every10000: 20_000 },
  deleteCount: 10_000,
  keyValueCacheBytes: 64 * MIB,
  smallFileCount: 2_000,
  smallDirectoryCount: 10,
  largeFileBytes: 64 * MIB,
  largeRandomCount: 2_000,
  fileCacheBytes: 32 * MIB,
  treeFileCount: 2_000,
  recoveryDivisor: 10,
  commitCostCount: 300,
  commitCostVolumeBytes: [1024 * MIB, 1024 * 1024 * MIB],
  commitCostFillBytes: 64 * MIB,
  warmUpSeconds: 0.5,
};

const TINY: Scale = {
  name: 'tiny',
  rounds: 1,
  appendCount: { one: 4, ten: 3, hundred: 2 },
  entryCount: 300,
  readCount: 200,
  overwriteCount: { every1: 5, every100: 200, every10000: 300 },
  deleteCount: 100,
  keyValueCacheBytes: 4 * MIB,
  smallFileCount: 40,
  smallDirectoryCount: 4,
  largeFileBytes: 2 * MIB,
  largeRandomCount: 20,
  fileCacheBytes: 4 * MIB,
  treeFileCount: 30,
  recoveryDivisor: 100,
  commitCostCount: 10,
  commitCostVolumeBytes: [64 * MIB, 1024 * MIB],
  commitCostFillBytes: 32 * MIB,
  warmUpSeconds: 0,
};

/**
 * What a process does before it measures, again and again, so that the engine's code is compiled; its caches are too small to count as
 * memory.
 */
export const WARM_UP: Scale = {
  ...TINY,
  appendCount: { one: 300, ten: 100, hundred: 40 },
  entryCount: 20_000,
  readCount: 40_000,
  overwriteCount: { every1: 200, every100: 10_000, every10000: 40_000 },
  deleteCount: 10_000,
  keyValueCacheBytes: 8 * MIB,
  smallFileCount: 6_000,
  smallDirectoryCount: 10,
  largeFileBytes: 32 * MIB,
  largeRandomCount: 2_000,
  treeFileCount: 2_000,
};

const SCALES: Readonly<Record<ScaleName, Scale>> = { full: FULL, quick: QUICK, tiny: TINY };

export function scaleOf(name: ScaleName): Scale {
  return SCALES[name];
}

export function isScaleName(name: string): name is ScaleName {
  return Object.hasOwn(SCALES, name);
}

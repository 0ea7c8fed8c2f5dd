/**
 * Repairing a volume that is not in use: first what would be changed, then, if asked for, the changes, then a check of the result.
 *
 * The plan is made on a volume opened read-only in memory as a repair would leave it: the log cut where it breaks off in damage, nodes that
 * cannot be read given up, the free map made anew from what is reachable. Then the volume is opened once more, writable, with the edits of
 * the plan (`repair-plan.ts`): all of it is that one opening checkpoint, so a crash leaves either what was there before or what is repaired.
 *
 * Where it stops: the list of trees, or the root of the tree of files, that cannot be read in either checkpoint. Nodes do not say which tree
 * they belong to, so nothing below a lost root can be told from what was there once. Then nothing is changed, and the report says what is
 * in the way; a lost root, and with it all files that the log does not name, is given up only if that is asked for.
 */
import { readSlots } from '@outwrite/alloc-log';
import { type BlockDevice, CorruptionError, OutwriteError, UnsupportedError } from '@outwrite/blockdev';
import { BorrowedDevice } from './borrowed-device.ts';
import { findPaths } from './entry-walk.ts';
import type { Head } from './head.ts';
import { blocksOf, openHeadToRepair, openStoreToRepair, type RepairHead } from './repair-head.ts';
import { withoutCut } from './repair-length.ts';
import { planRepair, type RepairPlan } from './repair-plan.ts';
import { lastLoggedDelta, withoutNewerSlot } from './repair-slots.ts';
import type { RepairChange } from './repair-state.ts';
import { checkVolume, type Finding } from './volume-check.ts';

export interface RepairOptions {
  /** Only say what would be changed; nothing is written. False by default. */
  readonly dryRun?: boolean | undefined;
  /** Go on when the root of the tree of files is lost: what the log does not name is given up. False by default. */
  readonly acceptRootLoss?: boolean | undefined;
  /** Memory for cached blocks; 32 MiB by default. */
  readonly cacheBytes?: number | undefined;
}

export interface RepairReport {
  /** What was, or with `dryRun` would be, changed; `path` is as it was before. */
  readonly changes: readonly (RepairChange & { readonly path?: string | undefined })[];
  /** Why nothing was changed although something is wrong; null if nothing is in the way. */
  readonly obstacle: string | null;
  /** What the check finds afterwards; empty with `dryRun`, and when something is in the way. */
  readonly remaining: readonly Finding[];
}

/** Opens a head read-only, as anybody would. */
export type OpenToCheck = (device: BlockDevice) => Head;

/** A volume as one of its superblocks shows it, with what a repair makes of it. */
interface View {
  readonly isOlder: boolean;
  /** The head opened for repair, or why it cannot be. */
  readonly found: RepairHead | CorruptionError;
}

/** See `Volume.repair`. */
export function repairVolume(lent: BlockDevice, openToCheck: OpenToCheck, options: RepairOptions): RepairReport {
  const { whole: device, cut } = withoutCut(new BorrowedDevice(lent, { readOnly: lent.readOnly }));
  const reading = new BorrowedDevice(device, { readOnly: true });
  if (readSlots(reading).chosen.readOnlyFlags !== 0) {
    throw new UnsupportedError(
      'the volume uses features with which this release can only read it; repair it with a newer one',
    );
  }
  const { isOlder, found } = chooseView(reading, options);
  const obstacle = obstacleIn(found, options);
  if (obstacle !== null || found instanceof CorruptionError) return { changes: [], obstacle, remaining: [] };
  const { head, hasVolumeRecord } = found;
  let plan: RepairPlan;
  try {
    plan = planRepair(head, hasVolumeRecord);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return { changes: [], obstacle: obstacleText(error), remaining: [] };
  }
  const paths = findPaths(head, new Set(plan.changes.map(({ inode }) => inode ?? 0)));
  const changes: RepairReport['changes'] = [
    ...(cut === null
      ? []
      : [{ code: 'device-length' as const, message: `${cut.message}; what was behind its end is lost` }]),
    ...plan.changes.map((change) =>
      change.inode === undefined ? change : { ...change, path: paths.get(change.inode) },
    ),
    ...findSpaceChanges(reading, openToCheck, plan, isOlder),
  ];
  if (options.dryRun === true) return { changes, obstacle: null, remaining: [] };
  if (changes.length > 0) {
    const writing = isOlder
      ? withoutNewerSlot(device, { readOnly: false })!
      : new BorrowedDevice(device, { readOnly: false });
    openStoreToRepair(writing, options, { blocksOf, edits: plan.edits }).closeSync();
  }
  const remaining = [...checkVolume(openToCheck(new BorrowedDevice(lent, { readOnly: true })), {})];
  return { changes, obstacle: null, remaining };
}

/** The newer superblock, unless less is lost with the older one, which leads to the same last state. */
function chooseView(device: BlockDevice, options: RepairOptions): View {
  const newer: View = { isOlder: false, found: tryOpen(device, options) };
  if (lossOf(newer) === 0) return newer;
  const olderDevice = withoutNewerSlot(device, { readOnly: true });
  if (olderDevice === null) return newer;
  const older: View = { isOlder: true, found: tryOpen(olderDevice, options) };
  if (lossOf(older) >= lossOf(newer) || older.found instanceof CorruptionError) return newer;
  const { recovery } = older.found.head.log;
  const last = lastLoggedDelta(device);
  // What broke off in the log behind the older one is whole in the checkpoint of the newer one.
  if (recovery === null || recovery.delta < readSlots(device).chosen.delta) return newer;
  return recovery.delta === last || recovery.droppedDelta === last ? older : newer;
}

function tryOpen(device: BlockDevice, options: RepairOptions): RepairHead | CorruptionError {
  try {
    return openHeadToRepair(device, options);
  } catch (error) {
    if (error instanceof CorruptionError) return error;
    throw error;
  }
}

/** How much is lost: everything, or so many ranges of keys, index nodes above all. */
function lossOf({ found }: View): number {
  if (found instanceof CorruptionError) return Number.POSITIVE_INFINITY;
  let loss = 0;
  for (const { isIndex } of found.head.store.salvaged) loss += isIndex ? 1000 : 1;
  return loss;
}

function obstacleIn(found: RepairHead | CorruptionError, options: RepairOptions): string | null {
  if (found instanceof CorruptionError) return obstacleText(found);
  if (options.acceptRootLoss === true) return null;
  const root = found.head.store.salvaged.find(({ from, to, isIndex }) => isIndex && from.length === 0 && to === null);
  return root === undefined
    ? null
    : `${obstacleText(root.error)}; it is the root of the tree of files, and whatever the log does not name would be lost`;
}

function obstacleText(error: Error): string {
  return `repair stops at what it cannot mend without giving up more than is damaged: ${error.message}`;
}

/** What is wrong with superblocks and free map: both are made anew by every opening for repair. */
function findSpaceChanges(
  device: BlockDevice,
  openToCheck: OpenToCheck,
  plan: RepairPlan,
  isOlder: boolean,
): RepairChange[] {
  const changes: RepairChange[] = [];
  if (isOlder) {
    const message =
      'the newer superblock leads to damage; the older one and the log lead to the same state without it, and take its place';
    changes.push({ code: 'superblock', message });
    return changes;
  }
  if (!readSlots(device).bothValid) {
    changes.push({ code: 'superblock', message: 'the damaged one of the two superblocks is written again' });
  }
  const tell = (what: string): void => {
    changes.push({ code: 'free-map', message: `the free map is made anew from what is reachable: ${what}` });
  };
  try {
    const head = openToCheck(device);
    if (plan.endBlock > head.log.stats().sizeBlocks) tell('it ends before the last block that is in use');
    for (const finding of checkVolume(head, { data: false })) {
      if (finding.structure === 'free map' && finding.code !== 'reached-twice') tell(finding.message);
    }
  } catch (error) {
    // Anything else is met by the plan, which does without the stored map.
    if (!(error instanceof OutwriteError)) throw error;
    const isOfMap = error instanceof CorruptionError && error.structure.startsWith('free-map');
    if (isOfMap || plan.changes.length === 0) tell(error.message);
  }
  return changes;
}

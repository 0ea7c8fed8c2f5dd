/**
 * Repairing a volume that is not in use: first what would be changed, then, if asked for, the changes, then a check of the result.
 *
 * The free map is believed in nothing: every opening for repair makes it anew from what is reachable. So entries are simply put and deleted
 * (`repair-plan.ts`), in one delta; what they no longer refer to is free after the next opening, which follows. A crash in between leaves
 * a volume that opens and can be repaired again.
 *
 * Where it stops: a tree node, an inode record or a log block in the middle of the log that cannot be read hides what no reader can know,
 * and giving up the rest for the sake of a clean check would be no repair. Then nothing is changed, and the report says what is in the way.
 */
import { readSlots } from '@outwrite/alloc-log';
import { type BlockDevice, CorruptionError, OutwriteError } from '@outwrite/blockdev';
import { type BlocksOf, type StoreRepair, TreeStore } from '@outwrite/btree-cow';
import { decodeFileEntry, relocateFileEntry } from '@outwrite/filemap';
import { BorrowedDevice } from './borrowed-device.ts';
import { findPaths } from './entry-walk.ts';
import type { Head } from './head.ts';
import { planRepair, type RepairChange, type RepairPlan } from './repair-plan.ts';
import { checkVolume, type Finding } from './volume-check.ts';

export interface RepairOptions {
  /** Only say what would be changed; nothing is written. False by default. */
  readonly dryRun?: boolean | undefined;
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

/** Opens a head read-only, on a free map made anew or on the stored one. */
export type OpenToRepair = (device: BlockDevice, repair: StoreRepair | undefined) => Head;

/** See `Volume.repair`. */
export function repairVolume(device: BlockDevice, openHead: OpenToRepair, options: RepairOptions): RepairReport {
  const reading = new BorrowedDevice(device, { readOnly: true });
  const spaceChanges = findSpaceChanges(reading, openHead);
  let plan: RepairPlan;
  let changes: RepairReport['changes'];
  try {
    const head = openHead(reading, { blocksOf });
    const { damage } = head.log.recovery!;
    if (damage !== null) throw damage;
    for (const { error } of head.store.salvaged) throw error;
    plan = planRepair(head);
    const paths = findPaths(head, new Set(plan.changes.map(({ inode }) => inode ?? 0)));
    const treeChanges = plan.changes.map((change) =>
      change.inode === undefined ? change : { ...change, path: paths.get(change.inode) },
    );
    changes = [...treeChanges, ...spaceChanges];
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    const obstacle = `repair stops at what it cannot mend without giving up more than is damaged: ${error.message}`;
    return { changes: [], obstacle, remaining: [] };
  }
  if (options.dryRun === true) return { changes, obstacle: null, remaining: [] };
  if (changes.length > 0) {
    applyEdits(device, plan, options);
  }
  const remaining = [...checkVolume(openHead(reading, undefined), {})];
  return { changes, obstacle: null, remaining };
}

/** What is wrong with superblocks and free map: both are made anew by every opening for repair. */
function findSpaceChanges(device: BlockDevice, openHead: OpenToRepair): RepairChange[] {
  const changes: RepairChange[] = [];
  if (!readSlots(device).bothValid) {
    changes.push({ code: 'superblock', message: 'the damaged one of the two superblocks is written again' });
  }
  const tell = (what: string): void => {
    changes.push({ code: 'free-map', message: `the free map is made anew from what is reachable: ${what}` });
  };
  try {
    for (const finding of checkVolume(openHead(device, undefined), { data: false })) {
      if (finding.structure === 'free map' && finding.code !== 'reached-twice') tell(finding.message);
    }
  } catch (error) {
    // Anything else is met again by the plan.
    if (!(error instanceof OutwriteError)) throw error;
    if (error instanceof CorruptionError && error.structure.startsWith('free-map')) tell(error.message);
  }
  return changes;
}

function applyEdits(device: BlockDevice, plan: RepairPlan, options: RepairOptions): void {
  const store = TreeStore.open(new BorrowedDevice(device, { readOnly: false }), {
    ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
    relocateValue: relocateFileEntry,
    repair: { blocksOf, edits: plan.edits.map(([key, value]) => ({ treeId: 1, key, value })) },
  });
  store.closeSync();
}

/** The blocks of an extent entry. One that makes no sense refers to nothing: the plan drops it. */
const blocksOf: BlocksOf = (_treeId, key, value) => {
  try {
    const entry = decodeFileEntry(key, value, { blockSize: MAX_BLOCK_BYTES, openDelta: Number.MAX_SAFE_INTEGER });
    if (entry?.kind !== 'extent') return null;
    return { start: entry.extent.start, count: entry.extent.checksums.length };
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return null;
  }
};

/** Limits only matter to those who read the content. */
const MAX_BLOCK_BYTES = 16384;

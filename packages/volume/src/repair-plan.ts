/**
 * What a repair would change in the tree of a volume: computed from all entries, applied by whoever asked for it.
 *
 * One pass over the entries in key order gathers the namespace and looks at every extent; then the cross-references are mended. The rule is
 * that no content is given up that can be read: inodes without a name go to `/lost+found`, an inode whose record is gone gets one from
 * what it has, and of an extent only those blocks are cut out that have not their checksum, lie beyond the device, or belong to something
 * else already. They read as zeros afterwards. Held in memory: some hundred bytes for each inode and name.
 *
 * The plan is made of a tree whose every node can be read: an opening for repair has given up the others, and the plan lists them.
 */
import type { StoreEdit } from '@outwrite/btree-cow';
import type { Head } from './head.ts';
import { gatherEntries } from './repair-entries.ts';
import { ExtentRepair } from './repair-extents.ts';
import { mendCounts, mendInodes, settleInodes } from './repair-inodes.ts';
import { tellCut, tellLostRanges, whyDamaged } from './repair-losses.ts';
import { mendNames } from './repair-names.ts';
import { type RepairChange, RepairState } from './repair-state.ts';

export interface RepairPlan {
  readonly changes: readonly RepairChange[];
  readonly edits: readonly StoreEdit[];
  /** Where the last block ends that something refers to. */
  readonly endBlock: number;
}

/** Makes the plan for the volume that `head` shows, which is open read-only and for repair. */
export function planRepair(head: Head, hasVolumeRecord: boolean): RepairPlan {
  const state = new RepairState(head, hasVolumeRecord);
  const { beyond = null, damage = null } = head.log.recovery ?? {};
  const why = whyDamaged(beyond);
  if (beyond !== null && damage !== null) tellCut(state, beyond, damage);
  tellLostRanges(state, head.store.salvaged, why);
  const extents = new ExtentRepair(state, why);
  extents.claimNodes();
  gatherEntries(state, extents);
  settleInodes(state);
  mendNames(state);
  mendInodes(state);
  mendCounts(state);
  return { changes: state.changes, edits: state.edits(), endBlock: extents.endBlock };
}

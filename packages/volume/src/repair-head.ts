/**
 * Opening a volume to look at it as a repair would leave its trees: read-only, in memory, on a free map made anew.
 *
 * What openings otherwise insist on may be what is damaged here: the record of the volume need not be there if its keys have been lost.
 */
import { type BlockDevice, CorruptionError, deviceName, NotAVolumeError, UnsupportedError } from '@outwrite/blockdev';
import { type BlocksOf, type Tree, TreeStore } from '@outwrite/btree-cow';
import { decodeFileEntry, relocateFileEntry } from '@outwrite/filemap';
import { Head } from './head.ts';
import { decodeVolumeRecord, VOLUME_RECORD_VERSION, type VolumeRecord } from './inode-format.ts';
import { KeyScratch, KIND, ROOT_INODE, VOLUME_INODE } from './key-format.ts';

/** Limits only matter to those who read the content. */
const MAX_BLOCK_BYTES = 16384;
const CACHED_INODES = 64;

export interface RepairHead {
  readonly head: Head;
  readonly hasVolumeRecord: boolean;
}

export interface RepairTuning {
  readonly cacheBytes?: number | undefined;
}

/** The blocks of an extent entry. One that makes no sense refers to nothing: the plan drops it. */
export const blocksOf: BlocksOf = (_treeId, key, value) => {
  try {
    const entry = decodeFileEntry(key, value, { blockSize: MAX_BLOCK_BYTES, openDelta: Number.MAX_SAFE_INTEGER });
    if (entry?.kind !== 'extent') return null;
    return { start: entry.extent.start, count: entry.extent.checksums.length };
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return null;
  }
};

/** Opens the store of a volume for repair; `edits` make it writable. */
export function openStoreToRepair(
  device: BlockDevice,
  tuning: RepairTuning,
  edits: NonNullable<Parameters<typeof TreeStore.open>[1]>['repair'] | null,
): TreeStore {
  return TreeStore.open(device, {
    ...(tuning.cacheBytes === undefined ? {} : { cacheBytes: tuning.cacheBytes }),
    readOnly: edits === null,
    relocateValue: relocateFileEntry,
    repair: edits ?? { blocksOf },
  });
}

/** The head of the volume on `device` as salvage leaves it. Throws what opening throws for a device that holds no volume. */
export function openHeadToRepair(device: BlockDevice, tuning: RepairTuning): RepairHead {
  const store = openStoreToRepair(device, tuning, null);
  const ids = store.treeIds();
  if (ids.length === 0)
    throw new NotAVolumeError(`${deviceName(device)} holds an Outwrite store without trees, not a volume`);
  const tree = store.tree(Math.min(...ids));
  const record = readVolumeRecord(device, tree, store.salvaged.length > 0);
  const head = new Head(store, tree, record ?? { nextInode: ROOT_INODE + 1, inodeCount: 0 }, {
    limits: { inodeCount: CACHED_INODES, nameCount: CACHED_INODES },
    clock: Date.now,
    uid: 0,
    gid: 0,
    umask: 0,
    report: () => undefined,
  });
  return { head, hasVolumeRecord: record !== null };
}

/** Null if it makes no sense, or is not there and may have been lost. */
function readVolumeRecord(device: BlockDevice, tree: Tree, mayBeLost: boolean): VolumeRecord | null {
  try {
    const bytes = tree.get(new KeyScratch().plain(VOLUME_INODE, KIND.record));
    if (bytes === undefined) {
      if (mayBeLost) return null;
      throw new NotAVolumeError(`${deviceName(device)} holds an Outwrite key-value store, not a volume`);
    }
    const { version, nextInode, inodeCount } = decodeVolumeRecord(bytes);
    if (version === VOLUME_RECORD_VERSION) return { nextInode, inodeCount };
    throw new UnsupportedError(
      `the volume has version ${version}; this release knows version ${VOLUME_RECORD_VERSION}`,
    );
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return null;
  }
}

/**
 * Inodes under repair: which of them live on, and records that say what there is.
 *
 * An inode whose record is gone, or makes no sense, gets one from its entries: no content is given up that can be read. Where there is no
 * entry either, nothing is left of it; the names that lead to it go with it. Link counts, sizes and flags follow from names and entries.
 */
import {
  encodeInode,
  encodeVolumeRecord,
  INODE_RECORD_BYTES,
  SHORT_TARGET_BYTES,
  VOLUME_RECORD_BYTES,
} from './inode-format.ts';
import {
  ENTRY_DIRECTORY,
  FLAG_LONG_TARGET,
  FLAG_MAPPED,
  FLAG_XATTRS,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
} from './inode-mode.ts';
import { KIND, ROOT_INODE, VOLUME_INODE } from './key-format.ts';
import type { RepairInode, RepairState } from './repair-state.ts';

/** Of directories that a repair makes. */
export const MADE_DIRECTORY_MODE: number = MODE_DIRECTORY | 0o700;
const MADE_PERMISSIONS = 0o600;

/** Decides which inodes there are: each of them has a record afterwards, the root always. */
export function settleInodes(state: RepairState): void {
  const directories = new Set(state.names.map(({ directory }) => directory));
  state.inode(ROOT_INODE);
  for (const [number, inode] of state.inodes) {
    if (inode.record === null) makeRecord(state, number, inode, directories.has(number));
    dropLinkWithoutTarget(state, number, inode);
  }
}

function makeRecord(state: RepairState, number: number, inode: RepairInode, hasNames: boolean): void {
  const { blockSize } = state.head.log;
  const contentBytes = Math.max(inode.inlineBytes, inode.endBlockIndex * blockSize, 0);
  if (number === ROOT_INODE || hasNames) {
    inode.record = state.newRecord(number, MADE_DIRECTORY_MODE);
  } else if (contentBytes > 0) {
    inode.record = state.newRecord(number, MODE_FILE | MADE_PERMISSIONS);
    // The size of a record that is no good otherwise is believed if it ends in the last block.
    const isPlausible =
      inode.inlineBytes < 0 && inode.toldBytes <= contentBytes && inode.toldBytes > contentBytes - blockSize;
    inode.record.sizeBytes = isPlausible ? inode.toldBytes : contentBytes;
  } else if (inode.targetBytes > 0) {
    inode.record = state.newRecord(number, MODE_SYMLINK | MADE_PERMISSIONS);
    inode.record.flags |= FLAG_LONG_TARGET;
    inode.record.sizeBytes = inode.targetBytes;
  } else if (inode.hasXattrs || inode.hasExtents) {
    inode.record = state.newRecord(number, MODE_FILE | MADE_PERMISSIONS);
  } else {
    for (const key of inode.keys) state.delete(key);
    state.inodes.delete(number);
    state.tell('inode-dropped', `inode ${number}: nothing is left of it`, number);
    return;
  }
  state.tell('record-made', `inode ${number} gets a record from what it has`, number);
}

/** A symbolic link without its target leads nowhere and cannot be asked where. */
function dropLinkWithoutTarget(state: RepairState, number: number, inode: RepairInode): void {
  const { record } = inode;
  if (record === null || (record.flags & FLAG_LONG_TARGET) === 0 || inode.targetBytes > 0) return;
  for (const key of inode.keys) state.delete(key);
  state.inodes.delete(number);
  const key = state.keys.plain(number, KIND.record).slice();
  state.drop(key, 'inode-dropped', `inode ${number}: it is a symbolic link whose target is gone`, number);
}

/** Link counts, sizes and flags follow from names and entries. */
export function mendInodes(state: RepairState): void {
  const nameCounts = new Map<number, number>();
  const linkCounts = new Map<number, number>();
  const count = (map: Map<number, number>, number: number): void => {
    map.set(number, (map.get(number) ?? 0) + 1);
  };
  for (const { directory, inode, type } of state.names) {
    count(nameCounts, directory);
    count(linkCounts, type === ENTRY_DIRECTORY ? directory : inode);
  }
  const { blockSize } = state.head.log;
  for (const [number, inode] of state.inodes) {
    const record = inode.record!;
    const before = [record.linkCount, record.sizeBytes, record.flags].join();
    record.linkCount = (linkCounts.get(number) ?? 0) + (record.isDirectory ? 2 : 0);
    if (state.orphans.has(number)) record.linkCount = 0;
    if (record.isDirectory) record.sizeBytes = nameCounts.get(number) ?? 0;
    if (inode.hasXattrs) record.flags |= FLAG_XATTRS;
    if ((record.flags & FLAG_LONG_TARGET) !== 0) record.sizeBytes = inode.targetBytes;
    if (record.isFile) mendSize(inode, blockSize);
    const after = [record.linkCount, record.sizeBytes, record.flags].join();
    if (record.stored && before === after) continue;
    const value = new Uint8Array(INODE_RECORD_BYTES + 3 * SHORT_TARGET_BYTES);
    const length = encodeInode(record, value);
    state.put(state.keys.plain(number, KIND.record).slice(), value.subarray(0, length));
    if (!record.stored) continue;
    state.tell('record-fields', `inode ${number}: links, size and flags ${before} become ${after}`, number);
  }
}

/** A content in the tree has the size of the file. Extents that can be read are not beyond its end. */
function mendSize(inode: RepairInode, blockSize: number): void {
  const record = inode.record!;
  if (inode.hasExtents) record.flags |= FLAG_MAPPED;
  if (inode.inlineBytes >= 0 || !record.isMapped) record.sizeBytes = Math.max(inode.inlineBytes, 0);
  else if (inode.endBlockIndex > Math.ceil(record.sizeBytes / blockSize)) {
    record.sizeBytes = inode.endBlockIndex * blockSize;
  }
}

/** The record of the volume says how many inodes there are, and which number comes next. */
export function mendCounts(state: RepairState): void {
  const { record } = state.head;
  for (const number of state.inodes.keys()) state.nextInode = Math.max(state.nextInode, number + 1);
  const inodeCount = state.inodes.size;
  if (state.hasVolumeRecord && inodeCount === record.inodeCount && state.nextInode === record.nextInode) return;
  const value = new Uint8Array(VOLUME_RECORD_BYTES);
  encodeVolumeRecord({ nextInode: state.nextInode, inodeCount }, value);
  state.put(state.keys.plain(VOLUME_INODE, KIND.record).slice(), value);
  const said = state.hasVolumeRecord ? `it said ${record.inodeCount}` : 'its record is gone';
  state.tell('volume-counts', `the volume counts ${inodeCount} inodes (${said}), the next is ${state.nextInode}`);
}

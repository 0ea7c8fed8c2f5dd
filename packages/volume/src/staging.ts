/**
 * Write-back of what is kept as objects: inodes, names, small contents, the orphan list and the volume record.
 *
 * First half of an operation: `begin`, which makes room for all that follows; then `needInode`, `needName` and so on for each entry of the tree that staging will change on its
 * behalf, which reads the leaf concerned and makes it part of the open delta, so that staging reads nothing; then `reserve`, which makes
 * room for what may be added. If a delta was closed on the way the operation begins again. Second half: `mark...` puts changed objects on
 * the lists and holds their room.
 *
 * When the log closes a delta it calls `stage`, which gives the room back, walks the changed inodes in the order of their numbers, and
 * brings the tree to their state: so puts come in key order, and what was made and removed in between never reaches the tree. Afterwards
 * everything is clean, except inodes whose content is being changed across the boundary: they stay on the list, and their room is held
 * again, so that the size in the record follows the content in every delta.
 */

import type { AllocLog } from '@outwrite/alloc-log';
import { assert } from '@outwrite/blockdev';
import type { Tree } from '@outwrite/btree-cow';
import type { ContentArena } from './content-arena.ts';
import type { NameEntry } from './directory-names.ts';
import { type Operation, rethrow } from './fs-errors.ts';
import type { Inode } from './inode.ts';
import type { InodeCache } from './inode-cache.ts';
import { ENTRY_VALUE_BYTES, INODE_RECORD_BYTES, SHORT_TARGET_BYTES, type VolumeRecord } from './inode-format.ts';
import { FLAG_LONG_TARGET } from './inode-mode.ts';
import {
  type KeyScratch,
  KIND,
  maxNameBytes,
  NUMBERED_KEY_BYTES,
  RECORD_KEY_BYTES,
  VOLUME_INODE,
} from './key-format.ts';
import { StageWriter } from './stage-writer.ts';

/** Memory that a changed object stands for, about. */
const INODE_OBJECT_BYTES = 400;
const NAME_OBJECT_BYTES = 200;

// What staging may allocate for a change, in blocks. The leaf itself is of the open delta already (`need...`).
/** An entry that may grow, or one more in a leaf that may be full: a second half, and its share of the index. */
const BLOCKS_OF_GROWTH = 1.25;
/**
 * An entry that goes. A merge takes a block for the neighbour and gives back that of the leaf, which is of the open delta; so what adds up are
 * index nodes that split because a separator in them becomes longer.
 */
const BLOCKS_OF_REMOVAL = 0.125;
/** A record that is put again; it keeps its length. */
const BLOCKS_OF_RECORD = 0.125;
/** What an operation asks for in the first half for each entry that it will change: more than any of the above. */
const BLOCKS_OF_PUT = 2;
/** Bytes of an entry in a leaf beyond key and value, about. */
const ENTRY_OVERHEAD_BYTES = 16;
/** Parts of a block for each block of new entries that stand together: leaves half full, and the index above them. */
const NEW_BLOCK_SHARE = 2.25;
/** Leaves that names of one directory fill at least to this part, as merging leaves them. */
const LEAST_LEAF_FILL = 0.375;

export interface StagingParts {
  readonly log: AllocLog;
  readonly tree: Tree;
  readonly keys: KeyScratch;
  readonly cache: InodeCache;
  readonly arena: ContentArena;
  readonly record: VolumeRecord;
}

function byNumber(a: Inode, b: Inode): number {
  return a.number - b.number;
}

export class Staging {
  readonly #log: AllocLog;
  readonly #tree: Tree;
  readonly #keys: KeyScratch;
  readonly #cache: InodeCache;
  readonly #arena: ContentArena;
  readonly #record: VolumeRecord;
  readonly #writer: StageWriter;
  readonly #largestNameEntryBytes: number;
  #inodes: Inode[] = [];
  #sorted = true;
  #recordDirty = false;
  /** Inodes of which a change spans deltas, with the size that their record has in the tree. */
  readonly #changing: Map<Inode, number> = new Map();
  /** Orphans whose entry in the tree differs from what is to be: true to be put, false to be deleted. */
  readonly #orphanChanges: Map<number, boolean> = new Map();
  /** What the changes need, with parts of blocks; `#heldBlocks` is what the log holds for them. */
  #wantedBlocks = 0;
  #heldBlocks = 0;
  #beganInDelta = 0;
  #objectBytes = 0;

  constructor(parts: StagingParts) {
    this.#log = parts.log;
    this.#tree = parts.tree;
    this.#keys = parts.keys;
    this.#cache = parts.cache;
    this.#arena = parts.arena;
    this.#record = parts.record;
    this.#writer = new StageWriter(parts);
    this.#largestNameEntryBytes =
      RECORD_KEY_BYTES + maxNameBytes(parts.log.blockSize) + ENTRY_VALUE_BYTES + ENTRY_OVERHEAD_BYTES;
  }

  /** Memory bound by changes, about; what commits by dirty bytes go by. */
  get dirtyBytes(): number {
    return this.#objectBytes + this.#arena.usedBytes;
  }

  get hasChanges(): boolean {
    return this.#inodes.length !== 0 || this.#recordDirty;
  }

  /**
   * Begins a first half: makes sure that there is room for touching and changing `entryCount` entries, so that the calls that follow make
   * no commit for want of space; with `furtherBlocks` for what the operation itself does in the tree. Throws the operation's `ENOSPC`. `reclaiming` opens the reserve.
   */
  begin(operation: Operation, entryCount: number, reclaiming: boolean, furtherBlocks = 0): void {
    const blocks = entryCount * (BLOCKS_OF_PUT + 1) + furtherBlocks;
    // The root is one node, whatever comes below it.
    const nodes = entryCount * (this.#tree.height - 1) + 1;
    try {
      while (!this.#log.ensure(blocks, nodes, reclaiming));
    } catch (error) {
      rethrow(error, operation);
    }
    this.#beganInDelta = this.#log.openDelta;
  }

  /** First half: the record of `inode` will change. */
  needInode(operation: Operation, inode: Inode, reclaiming: boolean): void {
    if (inode.stored && !inode.dirty) this.#touch(operation, this.#keys.plain(inode.number, KIND.record), reclaiming);
  }

  /** First half: `name` of `directory` will change. */
  needName(operation: Operation, directory: Inode, name: string, reclaiming: boolean): void {
    if (directory.stored) this.#touch(operation, this.#keys.named(directory.number, KIND.name, name), reclaiming);
  }

  /** First half: the small content of `inode` will change. */
  needContent(operation: Operation, inode: Inode, reclaiming: boolean): void {
    if (inode.stored && inode.content === null) {
      this.#touch(operation, this.#keys.numbered(inode.number, KIND.inline, 0), reclaiming);
    }
  }

  /** First half: all keys of `inode`, which has no extents or attributes, may go: those that `needInode` touches, and what stands next to them. */
  needRemoval(operation: Operation, inode: Inode, reclaiming: boolean): void {
    if (!inode.stored) return;
    this.#touch(operation, this.#keys.plain(inode.number, KIND.record), reclaiming);
    if (inode.inlineStored) this.#touch(operation, this.#keys.numbered(inode.number, KIND.inline, 0), reclaiming);
    if ((inode.flags & FLAG_LONG_TARGET) !== 0) {
      this.#touch(operation, this.#keys.plain(inode.number, KIND.symlink), reclaiming);
    }
  }

  /** First half: the volume record will change, since an inode comes or goes. */
  needRecord(operation: Operation, reclaiming: boolean): void {
    if (this.#recordDirty) return;
    this.#touch(operation, this.#keys.plain(VOLUME_INODE, KIND.record), reclaiming);
    // New inodes have the largest numbers: their keys go to the last leaf.
    if (!reclaiming) this.#touch(operation, this.#keys.plain(this.#record.nextInode, KIND.record), false);
  }

  /** First half: the orphan list will or will not hold `number`. */
  needOrphan(operation: Operation, number: number): void {
    this.#touch(operation, this.#keys.numbered(VOLUME_INODE, KIND.orphan, number), true);
  }

  #touch(operation: Operation, key: Uint8Array, reclaiming: boolean): void {
    try {
      this.#tree.touch(key, reclaiming);
    } catch (error) {
      rethrow(error, operation);
    }
  }

  /**
   * Ends a first half: makes sure that there is room for `putCount` puts or deletes at staging. False: a delta was closed meanwhile, so
   * everything looked up before may have changed, and the operation begins again. Throws the operation's `ENOSPC`. `reclaiming` opens the
   * reserve.
   */
  reserve(operation: Operation, putCount: number, reclaiming: boolean): boolean {
    try {
      if (!this.#log.ensure(putCount * BLOCKS_OF_PUT, 0, reclaiming)) return false;
    } catch (error) {
      return rethrow(error, operation);
    }
    return this.#log.openDelta === this.#beganInDelta;
  }

  /** Holds room for changes; parts of a block add up. */
  #hold(blocks: number): void {
    this.#wantedBlocks += blocks;
    const missingBlocks = Math.ceil(this.#wantedBlocks) - this.#heldBlocks;
    if (missingBlocks > 0) {
      this.#heldBlocks += missingBlocks;
      this.#log.hold(missingBlocks);
    } else {
      this.#log.markChanged();
    }
  }

  /** Blocks for an entry of so many bytes among others that are new. */
  #shareOf(entryBytes: number): number {
    return ((entryBytes + ENTRY_OVERHEAD_BYTES) * NEW_BLOCK_SHARE) / this.#log.blockSize;
  }

  markInode(inode: Inode): void {
    if (inode.dirty) return;
    inode.dirty = true;
    const count = this.#inodes.length;
    if (count !== 0 && this.#inodes[count - 1].number > inode.number) this.#sorted = false;
    this.#inodes.push(inode);
    this.#objectBytes += INODE_OBJECT_BYTES;
    this.#hold(
      inode.stored ? BLOCKS_OF_RECORD : this.#shareOf(RECORD_KEY_BYTES + INODE_RECORD_BYTES + SHORT_TARGET_BYTES),
    );
  }

  /** Puts an inode that exists no longer on the list. */
  markRemoval(inode: Inode): void {
    this.markInode(inode);
    // Its record, and the content or the link target next to it.
    if (inode.stored) this.#hold(2 * BLOCKS_OF_REMOVAL);
  }

  /** For one name of `directory` that became dirty; the directory itself is marked apart. */
  markName(directory: Inode, entry: NameEntry): void {
    this.#objectBytes += NAME_OBJECT_BYTES;
    const names = directory.names;
    assert(names !== null, 'a changed name is known');
    if (entry.storedInode !== 0) {
      // It goes, or leads elsewhere with as many bytes.
      this.#hold(BLOCKS_OF_REMOVAL);
      return;
    }
    let blocks = this.#shareOf(RECORD_KEY_BYTES + 3 * entry.name.length + ENTRY_VALUE_BYTES);
    if (directory.stored) {
      // At worst each new name fills another leaf, but never more leaves than the directory has.
      const leafCount =
        (directory.sizeBytes * this.#largestNameEntryBytes) / (LEAST_LEAF_FILL * this.#log.blockSize) + 2;
      const { addedCount } = names;
      blocks += BLOCKS_OF_GROWTH * (Math.min(addedCount, leafCount) - Math.min(addedCount - 1, leafCount));
    }
    this.#hold(blocks);
  }

  /** For the content of a small file, or the long target of a link, that is not counted yet. */
  markContent(inode: Inode, sizeBytes: number): void {
    this.#hold(inode.stored ? BLOCKS_OF_GROWTH : this.#shareOf(NUMBERED_KEY_BYTES + sizeBytes));
  }

  markRecord(): void {
    if (this.#recordDirty) return;
    this.#recordDirty = true;
    this.#hold(BLOCKS_OF_RECORD);
  }

  /** Lets the orphan list hold `number`, or not. */
  markOrphan(number: number, present: boolean): void {
    const pending = this.#orphanChanges.get(number);
    if (pending === present) return;
    if (pending === undefined) {
      this.#orphanChanges.set(number, present);
      this.#objectBytes += NAME_OBJECT_BYTES;
      this.#hold(BLOCKS_OF_GROWTH);
    } else {
      // The list in the tree is already as it is to be.
      this.#orphanChanges.delete(number);
    }
  }

  /** A change of `inode` that spans deltas has ended. Its record is written once more if a delta that was closed meanwhile has another size. */
  endChange(inode: Inode): void {
    const storedBytes = this.#changing.get(inode);
    if (storedBytes === undefined) return;
    if (storedBytes !== inode.sizeBytes && !inode.removed) this.markInode(inode);
    // The next delta has no need of it, and the object may serve another inode by then.
    else if (inode.changingCount === 0 && !inode.dirty) this.#changing.delete(inode);
  }

  /** As `endChange`, where a delta that was closed meanwhile may have another record for any other reason. */
  recordDiffers(inode: Inode): void {
    if (this.#changing.has(inode) && !inode.removed) this.markInode(inode);
  }

  /**
   * Records of inodes that were changing when the last delta was closed and have another size now. Only these are written again: a record
   * that stays as it is takes no space, however many deltas a change spans.
   */
  #takeChanging(): void {
    for (const [inode, storedBytes] of this.#changing) {
      const sizeBytes = inode.map?.sizeBytes ?? inode.sizeBytes;
      if (inode.changingCount === 0) this.#changing.delete(inode);
      if (inode.dirty || inode.removed || sizeBytes === storedBytes) continue;
      inode.dirty = true;
      this.#inodes.push(inode);
      this.#sorted = false;
    }
  }

  /** Brings the tree to the state of the objects. Called by the log in the turn that closes a delta; neither reads ahead nor runs out. */
  stage(): void {
    this.#log.unhold(this.#heldBlocks);
    this.#heldBlocks = 0;
    this.#wantedBlocks = 0;
    this.#objectBytes = 0;
    if (this.#changing.size !== 0) this.#takeChanging();
    const inodes = this.#inodes;
    this.#inodes = [];
    if (!this.#sorted) inodes.sort(byNumber);
    this.#sorted = true;
    if (this.#recordDirty) this.#writer.writeRecord(this.#record);
    this.#recordDirty = false;
    if (this.#orphanChanges.size !== 0) this.#writer.writeOrphans(this.#orphanChanges);
    this.#orphanChanges.clear();
    this.#writer.writeInodes(inodes);
    this.#arena.reset();
    this.#cache.staged();
    for (let i = 0; i < inodes.length; i++) {
      const inode = inodes[i];
      if (inode.changingCount !== 0 && !inode.removed) this.#changing.set(inode, inode.sizeBytes);
    }
    if (this.#changing.size !== 0) {
      // Nothing has changed by this: the next delta may have no need of it.
      this.#heldBlocks = this.#changing.size;
      this.#log.setAside(this.#heldBlocks);
    }
  }
}

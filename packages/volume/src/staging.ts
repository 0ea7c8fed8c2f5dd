/**
 * Write-back of what is kept as objects: inodes, names, small contents, the orphan list and the volume record.
 *
 * First half of an operation: `reserve` makes room for the worst case of the puts that staging may do for it. Second half: `mark...` puts
 * changed objects on the lists and holds their room. When the log closes a delta it calls `stage`, which gives the room back, walks the
 * changed inodes in the order of their numbers, and brings the tree to their state: so puts come in key order, and what was made and
 * removed in between never reaches the tree.
 *
 * Afterwards everything is clean, except inodes whose content is being changed across the boundary: they stay on the list, and their
 * room is held again, so that the size in the record follows the content in every delta.
 */

import type { AllocLog } from '@outwrite/alloc-log';
import { assert, type OutwriteError } from '@outwrite/blockdev';
import type { Tree } from '@outwrite/btree-cow';
import type { ContentArena } from './content-arena.ts';
import { type Operation, rethrow } from './fs-errors.ts';
import { utf8Encoder } from './host.ts';
import type { Inode } from './inode.ts';
import type { InodeCache } from './inode-cache.ts';
import {
  ENTRY_VALUE_BYTES,
  encodeEntry,
  encodeInode,
  encodeVolumeRecord,
  INODE_RECORD_BYTES,
  SHORT_TARGET_BYTES,
  VOLUME_RECORD_BYTES,
  type VolumeRecord,
} from './inode-format.ts';
import { FLAG_LONG_TARGET } from './inode-mode.ts';
import {
  type KeyScratch,
  KIND,
  maxNameBytes,
  NUMBERED_KEY_BYTES,
  RECORD_KEY_BYTES,
  Scratch,
  VOLUME_INODE,
} from './key-format.ts';

/** Memory that a changed object stands for, about. */
const INODE_OBJECT_BYTES = 400;
const NAME_OBJECT_BYTES = 200;

// What staging may allocate for a change, in blocks, an index node counted twice. Changes of what the tree has may each meet a leaf of
// their own; what is new goes to the end of the keys, since inode numbers ascend, and fills leaves to a half at least.
/** A put or delete of one key: the leaf, its neighbour or second half, and the index node above. */
const BLOCKS_OF_CHANGE = 4;
/** A further put or delete next to one that was counted. */
const BLOCKS_OF_NEIGHBOUR = 2;
/** Bytes of an entry in a leaf beyond key and value, about. */
const ENTRY_OVERHEAD_BYTES = 16;
/** Blocks for each byte that is new, as parts of a block: leaves half full, and the index above them. */
const NEW_BLOCK_SHARE = 2.25;
/** The largest entry of a name in a leaf of half the least fill after merging, as part of a leaf. */
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
  readonly #values: Scratch = new Scratch(INODE_RECORD_BYTES + 3 * SHORT_TARGET_BYTES);
  readonly #largestNameEntryBytes: number;
  #inodes: Inode[] = [];
  #sorted = true;
  #recordDirty = false;
  /** Orphans whose entry in the tree differs from what is to be: true to be put, false to be deleted. */
  readonly #orphanChanges: Map<number, boolean> = new Map();
  /** What the changes need, with parts of blocks; `#heldBlocks` is what the log holds for them. */
  #wantedBlocks = 0;
  #heldBlocks = 0;
  #objectBytes = 0;

  constructor(parts: StagingParts) {
    this.#log = parts.log;
    this.#tree = parts.tree;
    this.#keys = parts.keys;
    this.#cache = parts.cache;
    this.#arena = parts.arena;
    this.#record = parts.record;
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
   * Makes sure that there is room for `putCount` puts or deletes at staging. False: a commit was made to gain room, so everything looked
   * up before may have changed, and the operation begins again. Throws the operation's `ENOSPC`. `reclaiming` opens the reserve.
   */
  reserve(operation: Operation, putCount: number, reclaiming: boolean): boolean {
    try {
      return this.#log.ensure(putCount * BLOCKS_OF_CHANGE + this.#tree.height, 0, reclaiming);
    } catch (error) {
      return rethrow(error as OutwriteError, operation);
    }
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
    // A removal also deletes a content or a link target.
    this.#hold(
      inode.stored
        ? BLOCKS_OF_CHANGE + BLOCKS_OF_NEIGHBOUR
        : this.#shareOf(RECORD_KEY_BYTES + INODE_RECORD_BYTES + SHORT_TARGET_BYTES),
    );
  }

  /** For one name of `directory` that became dirty; the directory itself is marked apart. */
  markName(directory: Inode, name: string): void {
    this.#objectBytes += NAME_OBJECT_BYTES;
    const names = directory.names;
    assert(names !== null, 'a changed name is known');
    const entryBytes = RECORD_KEY_BYTES + 3 * name.length + ENTRY_VALUE_BYTES;
    let blocks = this.#shareOf(entryBytes);
    if (directory.stored) {
      // At worst each change meets another leaf, but never more leaves than the directory has.
      const leafCount =
        (directory.sizeBytes * this.#largestNameEntryBytes) / (LEAST_LEAF_FILL * this.#log.blockSize) + 2;
      const before = Math.min(names.changes.length - 1, leafCount);
      blocks += BLOCKS_OF_CHANGE * (Math.min(names.changes.length, leafCount) - before);
    }
    this.#hold(Math.max(0, blocks));
  }

  /** For the content of a small file, or the long target of a link, that is not counted yet. */
  markContent(inode: Inode, sizeBytes: number): void {
    this.#hold(inode.stored ? BLOCKS_OF_NEIGHBOUR : this.#shareOf(NUMBERED_KEY_BYTES + sizeBytes));
  }

  markRecord(): void {
    if (this.#recordDirty) return;
    this.#recordDirty = true;
    this.#hold(BLOCKS_OF_CHANGE);
  }

  /** Lets the orphan list hold `number`, or not. */
  markOrphan(number: number, present: boolean): void {
    const pending = this.#orphanChanges.get(number);
    if (pending === present) return;
    if (pending === undefined) {
      this.#orphanChanges.set(number, present);
      this.#objectBytes += NAME_OBJECT_BYTES;
      this.#hold(BLOCKS_OF_NEIGHBOUR);
    } else {
      // The list in the tree is already as it is to be.
      this.#orphanChanges.delete(number);
    }
  }

  /** Brings the tree to the state of the objects. Called by the log in the turn that closes a delta; neither reads ahead nor runs out. */
  stage(): void {
    this.#log.unhold(this.#heldBlocks);
    this.#heldBlocks = 0;
    this.#wantedBlocks = 0;
    this.#objectBytes = 0;
    const inodes = this.#inodes;
    this.#inodes = [];
    this.#stageVolume();
    if (!this.#sorted) inodes.sort(byNumber);
    this.#sorted = true;
    for (let i = 0; i < inodes.length; i++) {
      const inode = inodes[i];
      if (!inode.dirty) continue;
      inode.dirty = false;
      if (inode.removed) this.#stageRemoval(inode);
      else this.#stageInode(inode);
    }
    this.#arena.reset();
    this.#cache.staged();
    for (let i = 0; i < inodes.length; i++) {
      if (inodes[i].changingCount !== 0 && !inodes[i].removed) this.markInode(inodes[i]);
    }
  }

  #stageVolume(): void {
    if (this.#recordDirty) {
      this.#recordDirty = false;
      encodeVolumeRecord(this.#record, this.#values.bytes);
      this.#tree.put(this.#keys.plain(VOLUME_INODE, KIND.record), this.#values.view(VOLUME_RECORD_BYTES));
    }
    if (this.#orphanChanges.size === 0) return;
    const numbers = [...this.#orphanChanges.keys()].sort((a, b) => a - b);
    for (const number of numbers) {
      const key = this.#keys.numbered(VOLUME_INODE, KIND.orphan, number);
      if (this.#orphanChanges.get(number) === true) this.#tree.put(key, this.#values.view(0));
      else this.#tree.delete(key);
    }
    this.#orphanChanges.clear();
  }

  #stageInode(inode: Inode): void {
    if (inode.map !== null) inode.sizeBytes = inode.map.sizeBytes;
    const length = encodeInode(inode, this.#values.bytes);
    this.#tree.put(this.#keys.plain(inode.number, KIND.record), this.#values.view(length));
    if (!inode.stored) {
      inode.stored = true;
      if ((inode.flags & FLAG_LONG_TARGET) !== 0) {
        assert(inode.linkTarget !== null, 'a new link has its target');
        this.#tree.put(this.#keys.plain(inode.number, KIND.symlink), utf8Encoder.encode(inode.linkTarget));
      }
    }
    const content = inode.content;
    if (content !== null) {
      inode.content = null;
      const key = this.#keys.numbered(inode.number, KIND.inline, 0);
      if (inode.sizeBytes === 0) {
        if (inode.inlineStored) this.#tree.delete(key);
        inode.inlineStored = false;
      } else {
        this.#tree.put(key, content.length === inode.sizeBytes ? content : content.subarray(0, inode.sizeBytes));
        inode.inlineStored = true;
      }
    }
    this.#stageNames(inode);
  }

  #stageNames(directory: Inode): void {
    const names = directory.names;
    if (names === null || names.changes.length === 0) return;
    const changes = names.sortedChanges();
    const value = this.#values.view(ENTRY_VALUE_BYTES);
    for (let i = 0; i < changes.length; i++) {
      const entry = changes[i];
      if (entry.inode === entry.storedInode && entry.type === entry.storedType) continue;
      const key = this.#keys.named(directory.number, KIND.name, entry.name);
      if (entry.inode === 0) {
        this.#tree.delete(key);
      } else {
        encodeEntry(entry.inode, entry.type, value);
        this.#tree.put(key, value);
      }
    }
    this.#cache.namesStored(directory);
  }

  /** Deletes the keys of an inode without extents and attributes; those are reclaimed before it is removed. */
  #stageRemoval(inode: Inode): void {
    if (inode.stored) {
      this.#tree.delete(this.#keys.plain(inode.number, KIND.record));
      if ((inode.flags & FLAG_LONG_TARGET) !== 0) this.#tree.delete(this.#keys.plain(inode.number, KIND.symlink));
    }
    if (inode.inlineStored) this.#tree.delete(this.#keys.numbered(inode.number, KIND.inline, 0));
    inode.content = null;
    this.#stageNames(inode);
    inode.stored = false;
    this.#cache.remove(inode);
  }
}

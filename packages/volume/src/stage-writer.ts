/**
 * The part of staging that brings the tree to the state of the objects, in key order.
 *
 * Three ways, by how much there is to do. One by one, puts and deletes. New inodes have larger numbers than all that the tree has, so many
 * of them are appended at its end, which fills leaves one after the other. Inodes with consecutive numbers that are all gone, and all the
 * names of a directory that has become empty, are deleted as a range, which drops whole leaves.
 */
import { assert } from '@outwrite/blockdev';
import type { Tree, TreeAppender } from '@outwrite/btree-cow';
import { type NameEntry, sortEntries } from './directory-names.ts';
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
import { decodeKeyHead, KeyScratch, KIND, Scratch, VOLUME_INODE } from './key-format.ts';

/** From so many new inodes on they are appended: that begins a leaf of its own, which few would leave empty. */
const APPEND_INODES = 64;
/** From so many keys on a range is deleted as one. */
const RANGE_KEYS = 8;

export class StageWriter {
  readonly #tree: Tree;
  /** Its own: a put that makes a commit for want of room still needs the key that its caller made. */
  readonly #keys: KeyScratch = new KeyScratch();
  /** For the second of two keys that are needed at once. */
  readonly #upperKeys: KeyScratch = new KeyScratch();
  readonly #cache: InodeCache;
  readonly #values: Scratch = new Scratch(INODE_RECORD_BYTES + 3 * SHORT_TARGET_BYTES);
  /** Names to be put for one directory. */
  readonly #puts: NameEntry[] = [];
  /** While new inodes are being appended at the end of the tree. */
  #appender: TreeAppender | null = null;

  constructor(parts: { readonly tree: Tree; readonly cache: InodeCache }) {
    this.#tree = parts.tree;
    this.#cache = parts.cache;
  }

  writeRecord(record: VolumeRecord): void {
    encodeVolumeRecord(record, this.#values.bytes);
    this.#tree.put(this.#keys.plain(VOLUME_INODE, KIND.record), this.#values.view(VOLUME_RECORD_BYTES));
  }

  /** Numbers that the orphan list gains (true) or loses. */
  writeOrphans(changes: ReadonlyMap<number, boolean>): void {
    const numbers = [...changes.keys()].sort((a, b) => a - b);
    for (const number of numbers) {
      const key = this.#keys.numbered(VOLUME_INODE, KIND.orphan, number);
      if (changes.get(number) === true) this.#tree.put(key, this.#values.view(0));
      else this.#tree.delete(key);
    }
  }

  /** Writes all inodes that are dirty, with their names and contents. `inodes` ascend by number; the new ones are thus the last. */
  writeInodes(inodes: readonly Inode[]): void {
    const appendFrom = this.#appendableFrom(inodes);
    for (let i = 0; i < appendFrom; ) {
      const inode = inodes[i];
      if (inode.dirty && inode.removed && inode.stored) {
        i = this.#removeRun(inodes, i);
        continue;
      }
      i++;
      if (!inode.dirty) continue;
      inode.dirty = false;
      if (inode.removed) this.#remove(inode);
      else this.#write(inode);
    }
    if (appendFrom < inodes.length) this.#append(inodes, appendFrom);
  }

  /** Where in `inodes` those begin whose keys all come after every key of the tree; the end of the list if it is not worth it. */
  #appendableFrom(inodes: readonly Inode[]): number {
    const count = inodes.length;
    if (count < APPEND_INODES || inodes[count - APPEND_INODES].stored) return count;
    const cursor = this.#tree.cursor();
    const last = cursor.last() ? decodeKeyHead(cursor.key()).inode : VOLUME_INODE;
    let from = count;
    while (from > 0 && inodes[from - 1].number > last) from--;
    return count - from < APPEND_INODES ? count : from;
  }

  #append(inodes: readonly Inode[], from: number): void {
    this.#appender = this.#tree.appender();
    try {
      for (let i = from; i < inodes.length; i++) {
        const inode = inodes[i];
        if (!inode.dirty) continue;
        inode.dirty = false;
        if (inode.removed) this.#remove(inode);
        else this.#write(inode);
      }
    } finally {
      this.#appender = null;
    }
  }

  #put(key: Uint8Array, value: Uint8Array): void {
    if (this.#appender === null) this.#tree.put(key, value);
    else this.#appender.append(key, value);
  }

  /** Puts what is to be put for an inode, in key order, and deletes on the way what is to be deleted. */
  #write(inode: Inode): void {
    if (inode.map !== null) inode.sizeBytes = inode.map.sizeBytes;
    const length = encodeInode(inode, this.#values.bytes);
    this.#put(this.#keys.plain(inode.number, KIND.record), this.#values.view(length));
    if (!inode.stored) {
      inode.stored = true;
      if ((inode.flags & FLAG_LONG_TARGET) !== 0) {
        assert(inode.linkTarget !== null, 'a new link has its target');
        this.#put(this.#keys.plain(inode.number, KIND.symlink), utf8Encoder.encode(inode.linkTarget));
      }
    }
    if (inode.content !== null) this.#writeContent(inode, inode.content);
    if (inode.names !== null && inode.names.changes.length !== 0) this.#writeNames(inode);
  }

  #writeContent(inode: Inode, content: Uint8Array): void {
    inode.content = null;
    if (inode.sizeBytes !== 0) {
      const value = content.length === inode.sizeBytes ? content : content.subarray(0, inode.sizeBytes);
      this.#put(this.#keys.numbered(inode.number, KIND.inline, 0), value);
      inode.inlineStored = true;
    } else if (inode.inlineStored) {
      this.#tree.delete(this.#keys.numbered(inode.number, KIND.inline, 0));
      inode.inlineStored = false;
    }
  }

  #writeNames(directory: Inode): void {
    const changes = directory.names?.changes ?? [];
    if (directory.sizeBytes === 0 && changes.length >= RANGE_KEYS) {
      this.#deleteNames(directory);
    } else {
      const puts = this.#puts;
      for (let i = 0; i < changes.length; i++) {
        const change = changes[i];
        if (change.inode === change.storedInode && change.type === change.storedType) continue;
        if (change.inode !== 0) puts.push(change);
        else this.#tree.delete(this.#keys.named(directory.number, KIND.name, change.name));
      }
      this.#putNames(directory, puts);
      puts.length = 0;
    }
    this.#cache.namesStored(directory);
  }

  /** Puts names in their order, which leaves full leaves behind. */
  #putNames(directory: Inode, entries: NameEntry[]): void {
    sortEntries(entries);
    const value = this.#values.view(ENTRY_VALUE_BYTES);
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      encodeEntry(entry.inode, entry.type, value);
      this.#put(this.#keys.named(directory.number, KIND.name, entry.name), value);
    }
  }

  /** All names that the tree has of a directory that has none any more. */
  #deleteNames(directory: Inode): void {
    if (!directory.stored) return;
    this.#tree.deleteRange(this.#keys.plain(directory.number, KIND.name), this.#endOf(directory));
  }

  /**
   * What comes next after the last key that the tree may have of an inode which has neither extents nor attributes. A range that ends there
   * goes on to no leaf without a key of it: the leaf of the last key is in memory, and the one after it need not be.
   */
  #endOf(inode: Inode): Uint8Array {
    const keys = this.#upperKeys;
    const changes = inode.names?.sortedChanges() ?? [];
    let key: Uint8Array;
    if (changes.length !== 0) key = keys.named(inode.number, KIND.name, changes[changes.length - 1].name);
    else if (inode.inlineStored) key = keys.numbered(inode.number, KIND.inline, 0);
    else key = keys.plain(inode.number, (inode.flags & FLAG_LONG_TARGET) !== 0 ? KIND.symlink : KIND.record);
    keys.bytes[key.length] = 0;
    return keys.view(key.length + 1);
  }

  /** Removes `inodes[from]` and those after it that are gone as well and have the numbers that follow. Returns where the next one is. */
  #removeRun(inodes: readonly Inode[], from: number): number {
    let end = from + 1;
    while (
      end < inodes.length &&
      inodes[end].number === inodes[end - 1].number + 1 &&
      inodes[end].dirty &&
      inodes[end].removed &&
      inodes[end].stored
    ) {
      end++;
    }
    const isRange = end - from >= RANGE_KEYS;
    if (isRange) {
      this.#tree.deleteRange(this.#keys.plain(inodes[from].number, KIND.record), this.#endOf(inodes[end - 1]));
    }
    for (let i = from; i < end; i++) {
      const inode = inodes[i];
      inode.dirty = false;
      if (isRange) this.#forget(inode);
      else this.#remove(inode);
    }
    return end;
  }

  /** Deletes the keys of an inode without extents and attributes; those are reclaimed before it is removed. */
  #remove(inode: Inode): void {
    if (inode.stored) {
      this.#tree.deleteRange(this.#keys.plain(inode.number, KIND.record), this.#endOf(inode));
    }
    this.#forget(inode);
  }

  #forget(inode: Inode): void {
    inode.stored = false;
    inode.inlineStored = false;
    inode.content = null;
    this.#cache.remove(inode);
  }
}

/**
 * Inodes that no name leads to any more: listed in the tree until all that they own is reclaimed.
 *
 * The entry on the list is the intent; with it the removal of the last name is complete, crash or not. An orphan is reclaimed when its
 * last descriptor is closed, or by the next writable opening of the volume, in bounded steps that each fit a delta of their own.
 * Small inodes that nobody has open need no list: staging deletes their few keys in the delta that removes the name.
 */
import { AssertionError, CorruptionError } from '@outwrite/blockdev';
import { Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import { FLAG_XATTRS } from './inode-mode.ts';
import { decodeKeyHead, KIND, NUMBERED_KEY_BYTES, REST_OFFSET, readU48BigEndian, VOLUME_INODE } from './key-format.ts';

/** Room for a removal at staging: record, content or target, orphan entry, volume record. */
const PUTS_TO_REMOVE = 4;

export class OrphanList {
  readonly #head: Head;
  /** Orphans that could not be reclaimed because of damage; they stay on the list. */
  damagedCount = 0;

  constructor(head: Head) {
    this.#head = head;
  }

  /** Second half of taking the last name away from `inode`, whose link count is 0 now. Part of a reservation of `PUTS_TO_REMOVE`. */
  abandon(inode: Inode): void {
    const inUse = inode.openCount !== 0 || inode.changingCount !== 0;
    if (inUse || inode.isMapped || (inode.flags & FLAG_XATTRS) !== 0) {
      this.#head.staging.markOrphan(inode.number, true);
    } else {
      this.#remove(inode);
    }
  }

  /**
   * Called after an operation that may have left `inode` without names and users. Reclaims what can be; what stands in the way does not fail
   * the operation.
   */
  settle(inode: Inode): void {
    if (inode.linkCount !== 0 || inode.removed || inode.openCount !== 0 || inode.changingCount !== 0) return;
    if (this.#head.readOnly) return;
    try {
      this.#reclaim(inode);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      // The entry on the list remains, and the next opening tries again. A latched or full volume says so at its next change.
      if (error instanceof CorruptionError) this.damagedCount++;
    }
  }

  /** Reclaims all orphans that an earlier life left. For a volume that has just been opened. Returns how many there were. */
  reclaimAll(): number {
    const numbers = this.list();
    for (const number of numbers) {
      const inode = this.#head.cache.find(number);
      if (inode === null || inode.linkCount !== 0) this.damagedCount++;
      else this.settle(inode);
      this.#head.cache.trim();
    }
    return numbers.length;
  }

  /** Numbers of the orphans on the list in the tree, as of the last staging. */
  list(): number[] {
    const numbers: number[] = [];
    const cursor = this.#head.tree.cursor();
    cursor.seek(this.#head.keys.plain(VOLUME_INODE, KIND.orphan));
    for (; cursor.valid; cursor.next()) {
      const key = cursor.key();
      const { inode, kind } = decodeKeyHead(key);
      if (inode !== VOLUME_INODE || kind !== KIND.orphan) break;
      if (key.length === NUMBERED_KEY_BYTES) numbers.push(readU48BigEndian(key, REST_OFFSET));
    }
    return numbers;
  }

  #reclaim(inode: Inode): void {
    const head = this.#head;
    const operation = new Operation('unlink');
    inode.openCount++;
    try {
      if (inode.isMapped) while (!head.maps.remove(inode.number).done);
      head.cache.closeMap(inode);
      if ((inode.flags & FLAG_XATTRS) !== 0) {
        const from = head.keys.plain(inode.number, KIND.xattr).slice();
        head.tree.deleteRange(from, head.keys.plain(inode.number, KIND.xattr + 1).slice());
      }
      do {
        head.staging.begin(operation, PUTS_TO_REMOVE, true);
        head.staging.needRemoval(operation, inode, true);
        head.staging.needRecord(operation, true);
        head.staging.needOrphan(operation, inode.number);
      } while (!head.staging.reserve(operation, PUTS_TO_REMOVE, true));
    } finally {
      inode.openCount--;
    }
    head.staging.markOrphan(inode.number, false);
    this.#remove(inode);
  }

  #remove(inode: Inode): void {
    const head = this.#head;
    head.record.inodeCount--;
    head.staging.markRecord();
    inode.removed = true;
    if (inode.isDirectory || inode.isSymlink) head.walker.forgetDirectories();
    head.staging.markRemoval(inode);
  }
}

/**
 * The inodes and names in memory: a bounded number of clean ones, and every changed one until it is staged.
 *
 * There is at most one object for an inode, so nothing is evicted while an operation may hold it: `trim` runs only between operations
 * and spares what is dirty, open or being changed. Inodes are evicted by a clock (used ones get a second turn), names directory by
 * directory in the order in which they became known. When a directory goes, its names go with it. What has gone serves again for another
 * inode or name, so an operation never keeps an object for the next one, unless it counts as a user (`openCount`, `changingCount`).
 */
import { assert, CorruptionError } from '@outwrite/blockdev';
import type { Tree } from '@outwrite/btree-cow';
import { DirectoryNames, type NameEntry } from './directory-names.ts';
import type { Inode } from './inode.ts';
import { checkEntry, decodeInode, entryInode, entryType } from './inode-format.ts';
import { InodeTable } from './inode-table.ts';
import { type KeyScratch, KIND } from './key-format.ts';
import { ObjectPool } from './object-pool.ts';

/** How many objects are kept. What is dirty or open comes on top of it. */
export interface InodeCacheLimits {
  readonly inodeCount: number;
  readonly nameCount: number;
}

/** A cache that is full is brought down by this part of its limit at once, so that a walk over pinned inodes is paid once for many additions. */
const TRIMMED_PART = 8;
const LEAST_POOLED = 16;
/** Maps (with the pages they cache) of files that nobody has open, beyond which the oldest are closed. */
const IDLE_MAP_LIMIT = 512;

export class InodeCache {
  readonly #tree: Tree;
  readonly #keys: KeyScratch;
  readonly #limits: InodeCacheLimits;
  readonly pool: ObjectPool;
  readonly #inodes: InodeTable = new InodeTable();
  /** Told when a directory leaves the cache. */
  readonly #directoryEvicted: () => void;
  #nameCount = 0;
  /** Beyond these it is worth looking for something to evict; more than the limits while much is pinned. */
  #inodeBound: number;
  #nameBound: number;
  /** Inodes whose content has a map, in the order in which they got it. */
  readonly #mapped: Set<Inode> = new Set();
  #mappedLimit = IDLE_MAP_LIMIT;
  hits = 0;
  misses = 0;

  constructor(tree: Tree, keys: KeyScratch, limits: InodeCacheLimits, directoryEvicted: () => void) {
    this.#tree = tree;
    this.#keys = keys;
    this.#limits = limits;
    this.pool = new ObjectPool(pooled(limits.inodeCount), pooled(limits.nameCount));
    this.#directoryEvicted = directoryEvicted;
    this.#inodeBound = limits.inodeCount;
    this.#nameBound = limits.nameCount;
  }

  get inodeCount(): number {
    return this.#inodes.count;
  }

  get nameCount(): number {
    return this.#nameCount;
  }

  /** The inode of this number, or null when there is none. Throws a `CorruptionError` for a damaged record. */
  find(number: number): Inode | null {
    const known = this.#inodes.find(number);
    if (known !== undefined) {
      known.referenced = true;
      this.hits++;
      return known;
    }
    this.misses++;
    const record = this.#tree.get(this.#keys.plain(number, KIND.record));
    if (record === undefined) return null;
    const inode = decodeInode(number, record, this.pool);
    inode.inlineStored = inode.isFile && !inode.isMapped && inode.sizeBytes !== 0;
    this.#inodes.add(inode);
    return inode;
  }

  /** The inode that a name leads to. Throws a `CorruptionError` when there is none. */
  get(number: number): Inode {
    const inode = this.find(number);
    if (inode === null) throw new CorruptionError(`inode ${number}`, 'a name leads to it, but it has no record');
    return inode;
  }

  /** The inode that `entry`, which leads somewhere, leads to. Throws a `CorruptionError` when there is none. */
  named(entry: NameEntry): Inode {
    const known = entry.target;
    if (known !== null) {
      known.referenced = true;
      this.hits++;
      return known;
    }
    const inode = this.get(entry.inode);
    entry.link(inode);
    return inode;
  }

  add(inode: Inode): void {
    this.#inodes.add(inode);
  }

  /** Forgets an inode, and its names. Nobody may hold it. */
  remove(inode: Inode): void {
    assert(inode.openCount === 0 && inode.changingCount === 0, 'an inode in use stays in memory');
    if (inode.names !== null) {
      this.#nameCount -= inode.names.entries.size;
      inode.names.close();
      inode.names = null;
    }
    inode.nameEntry?.unlink();
    this.#inodes.remove(inode);
    this.pool.giveBackInode(inode);
  }

  /** Where `name`, of which no entry is known, leads in `directory` by the tree: an entry that leads somewhere, or null. */
  loadName(directory: Inode, name: string): NameEntry | null {
    let names = directory.names;
    if (names === null) {
      names = new DirectoryNames(this.pool);
      directory.names = names;
    }
    if (names.liveCount === directory.sizeBytes) return null;
    const value = this.#tree.get(this.#keys.named(directory.number, KIND.name, name));
    if (value === undefined) return null;
    checkEntry(directory.number, value);
    this.#nameCount++;
    return names.addStored(name, entryInode(value), entryType(value));
  }

  /** Lets `name`, which is known to lead nowhere, lead to `inode`. Returns its entry if that became dirty. */
  addName(directory: Inode, name: string, inode: Inode, type: number): NameEntry | null {
    let names = directory.names;
    if (names === null) {
      names = new DirectoryNames(this.pool);
      directory.names = names;
    }
    const before = names.entries.size;
    const entry = names.absent(name);
    this.#nameCount += names.entries.size - before;
    const isNew = names.change(entry, inode.number, type);
    entry.link(inode);
    return isNew ? entry : null;
  }

  /** Notes that the tree has all names of `directory`. */
  namesStored(directory: Inode): void {
    const names = directory.names;
    if (names === null) return;
    const before = names.entries.size;
    names.changesStored();
    this.#nameCount += names.entries.size - before;
  }

  /** Brings the cache back within its limits. Only between operations: objects that a caller holds may go. */
  trim(): void {
    if (this.#inodes.count > this.#inodeBound) this.#trimInodes();
    if (this.#nameCount > this.#nameBound) this.#trimNames();
    if (this.#mapped.size > this.#mappedLimit) this.#trimMaps();
  }

  /** Notes that the content of `inode` has a map now. */
  mapOpened(inode: Inode): void {
    this.#mapped.add(inode);
  }

  /** Closes the map of the content of `inode`, if it has one. */
  closeMap(inode: Inode): void {
    if (inode.map === null) return;
    inode.map.close();
    inode.map = null;
    this.#mapped.delete(inode);
  }

  /** What was dirty may be evicted again. */
  staged(): void {
    this.#inodeBound = this.#limits.inodeCount;
    this.#nameBound = this.#limits.nameCount;
    this.#mappedLimit = IDLE_MAP_LIMIT;
  }

  #trimMaps(): void {
    let excess = this.#mapped.size - IDLE_MAP_LIMIT / 2;
    for (const inode of this.#mapped) {
      if (excess <= 0) break;
      const { map } = inode;
      if (map === null || inode.openCount !== 0 || inode.changingCount !== 0 || map.isDirty) continue;
      // What `stat` has found out may have been before the last commit.
      if (inode.allocatedBytes >= 0) inode.allocatedBytes = map.knownAllocatedBytes ?? inode.allocatedBytes;
      this.closeMap(inode);
      excess--;
    }
    // What is open or dirty is not looked at again before it has doubled or was staged.
    this.#mappedLimit = Math.max(IDLE_MAP_LIMIT, this.#mapped.size * 2);
  }

  #trimInodes(): void {
    const goal = this.#limits.inodeCount - partOf(this.#limits.inodeCount);
    for (let steps = this.#inodes.count * 2; steps > 0 && this.#inodes.count > goal; steps--) {
      const inode = this.#inodes.next();
      if (inode === null) break;
      const pinned = inode.dirty || inode.openCount !== 0 || inode.changingCount !== 0;
      if (pinned || inode.referenced || inode.map?.isDirty === true) {
        // A second turn: the hand comes by again.
        inode.referenced = false;
        continue;
      }
      this.closeMap(inode);
      if (inode.isDirectory) this.#directoryEvicted();
      this.remove(inode);
    }
    this.#inodeBound = nextBound(this.#limits.inodeCount, goal, this.#inodes.count);
  }

  #trimNames(): void {
    const goal = this.#limits.nameCount - partOf(this.#limits.nameCount);
    for (const inode of this.#inodes.values()) {
      if (this.#nameCount <= goal) break;
      if (inode.names !== null) this.#nameCount -= inode.names.forget(this.#nameCount - goal);
    }
    this.#nameBound = nextBound(this.#limits.nameCount, goal, this.#nameCount);
  }

  checkInvariants(): void {
    for (const inode of this.#mapped) assert(inode.map !== null, 'an inode without a map is not kept for one');
    let nameCount = 0;
    for (const inode of this.#inodes.values()) {
      assert(!inode.removed || inode.dirty, 'a removed inode stays only until it is staged');
      const { nameEntry } = inode;
      assert(nameEntry === null || nameEntry.target === inode, 'an inode and the name that it knows know each other');
      const names = inode.names;
      if (names === null) continue;
      nameCount += names.entries.size;
      let liveCount = 0;
      for (const entry of names.entries.values()) {
        if (entry.inode !== 0) liveCount++;
        const { target } = entry;
        assert(
          target === null || (target.number === entry.inode && this.#inodes.find(entry.inode) === target),
          'a name knows the inode that it leads to',
        );
        assert(
          entry.dirty || (entry.inode === entry.storedInode && entry.inode !== 0),
          'a clean name is as in the tree',
        );
      }
      assert(liveCount === names.liveCount, 'live names are counted');
      assert(liveCount <= inode.sizeBytes, 'no more names are known than there are');
      for (const entry of names.changes) {
        assert(entry.dirty && names.entries.get(entry.name) === entry, 'a changed name is known, and dirty');
      }
      assert(names.changes.length === 0 || inode.dirty, 'a directory with changed names is dirty');
    }
    assert(nameCount === this.#nameCount, 'names are counted');
  }
}

/** As many objects as one walk gives up are kept to be used again, and a few in the smallest cache. */
function pooled(limit: number): number {
  return Math.max(LEAST_POOLED, partOf(limit));
}

function partOf(limit: number): number {
  return Math.floor(limit / TRIMMED_PART);
}

/** How many may be there before the next walk. What is pinned is not walked again before a quarter has come on top, or it was staged. */
function nextBound(limit: number, goal: number, count: number): number {
  return count <= goal ? limit : Math.max(limit, count + (count >>> 2));
}

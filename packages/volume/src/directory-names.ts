/**
 * The known names of one directory: entries of the tree that were looked up, and changes that the tree does not have yet.
 *
 * An entry says where its name leads now (`inode`, 0 for nowhere) and where it leads in the tree (`storedInode`). The two differ exactly
 * while the entry is on the list of changes; staging makes them equal. When as many live names are known as the directory has, all are
 * known, and a name that is not found does not exist.
 */
import { assert } from '@outwrite/blockdev';
import type { Inode } from './inode.ts';
import type { ObjectPool } from './object-pool.ts';

export class NameEntry {
  name!: string;
  inode!: number;
  type!: number;
  storedInode!: number;
  storedType!: number;
  dirty!: boolean;
  /** The inode that the name leads to, if it is in memory and has been reached through it. That inode's `nameEntry` is this. */
  target!: Inode | null;

  constructor(name: string, inode: number, type: number) {
    this.reset(name, inode, type);
  }

  /** Makes it as a new one is. */
  reset(name: string, inode: number, type: number): void {
    this.name = name;
    this.inode = inode;
    this.type = type;
    this.storedInode = 0;
    this.storedType = 0;
    this.dirty = false;
    this.target = null;
  }

  /** Lets the name and the inode that it leads to know of each other; an inode knows one name. */
  link(inode: Inode): void {
    assert(inode.number === this.inode, 'a name is linked to the inode that it leads to');
    if (inode.nameEntry !== null) inode.nameEntry.target = null;
    inode.nameEntry = this;
    this.target = inode;
  }

  unlink(): void {
    if (this.target !== null) this.target.nameEntry = null;
    this.target = null;
  }
}

/**
 * Order of names as of their bytes in UTF-8, which is that of their code points. It differs from the order of code units only between
 * surrogates and what stands above them.
 */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA === unitB) continue;
    // A surrogate stands for a code point above all single units.
    const surrogateA = unitA >= 0xd800 && unitA < 0xe000;
    const surrogateB = unitB >= 0xd800 && unitB < 0xe000;
    return surrogateA === surrogateB ? unitA - unitB : surrogateA ? 1 : -1;
  }
  return a.length - b.length;
}

function compareEntries(a: NameEntry, b: NameEntry): number {
  return compareNames(a.name, b.name);
}

/** Sorts entries by name. Those that come in order, as they often do, are only looked at. */
export function sortEntries(entries: NameEntry[]): void {
  for (let i = 1; i < entries.length; i++) {
    if (compareEntries(entries[i - 1], entries[i]) <= 0) continue;
    entries.sort(compareEntries);
    return;
  }
}

export class DirectoryNames {
  readonly entries: Map<string, NameEntry>;
  /** Entries of `entries` that lead somewhere. */
  liveCount: number;
  /** Entries whose `dirty` is set. */
  changes: NameEntry[];
  /** Entries that became dirty and that the tree does not have. */
  addedCount: number;
  readonly #pool: ObjectPool;
  #sorted: boolean;

  constructor(pool: ObjectPool) {
    this.#pool = pool;
    this.entries = new Map();
    this.liveCount = 0;
    this.changes = [];
    this.addedCount = 0;
    this.#sorted = true;
  }

  /** Adds what the tree says about a name. */
  addStored(name: string, inode: number, type: number): NameEntry {
    const entry = this.#pool.makeName(name, inode, type);
    entry.storedInode = inode;
    entry.storedType = type;
    this.entries.set(name, entry);
    this.liveCount++;
    return entry;
  }

  /** The entry of a name that is known to lead nowhere, made when there is none. */
  absent(name: string): NameEntry {
    let entry = this.entries.get(name);
    if (entry === undefined) {
      entry = this.#pool.makeName(name, 0, 0);
      this.entries.set(name, entry);
    }
    assert(entry.inode === 0, 'a name to be made leads nowhere');
    return entry;
  }

  /** Lets an entry lead to `inode`; 0 takes the name away. Returns whether the entry became dirty. */
  change(entry: NameEntry, inode: number, type: number): boolean {
    if (entry.inode === 0 && inode !== 0) this.liveCount++;
    if (entry.inode !== 0 && inode === 0) this.liveCount--;
    entry.unlink();
    entry.inode = inode;
    entry.type = type;
    if (entry.dirty) return false;
    entry.dirty = true;
    if (entry.storedInode === 0) this.addedCount++;
    this.changes.push(entry);
    this.#sorted = false;
    return true;
  }

  /** The changed entries in the order of their names. Valid until the next change. */
  sortedChanges(): NameEntry[] {
    if (!this.#sorted) {
      sortEntries(this.changes);
      this.#sorted = true;
    }
    return this.changes;
  }

  /** Notes that the tree now has all changes; entries that lead nowhere are forgotten. */
  changesStored(): void {
    for (const entry of this.changes) {
      entry.dirty = false;
      entry.storedInode = entry.inode;
      entry.storedType = entry.type;
      if (entry.inode !== 0) continue;
      this.entries.delete(entry.name);
      this.#pool.giveBackName(entry);
    }
    this.changes = [];
    this.addedCount = 0;
    this.#sorted = true;
  }

  /** Forgets up to `count` clean entries, those known longest first. Returns how many. */
  forget(count: number): number {
    let forgotten = 0;
    for (const entry of this.entries.values()) {
      if (forgotten === count) break;
      if (entry.dirty) continue;
      this.entries.delete(entry.name);
      entry.unlink();
      if (entry.inode !== 0) this.liveCount--;
      this.#pool.giveBackName(entry);
      forgotten++;
    }
    return forgotten;
  }

  /** Forgets everything, with the directory. */
  close(): void {
    for (const entry of this.entries.values()) {
      entry.unlink();
      this.#pool.giveBackName(entry);
    }
  }
}

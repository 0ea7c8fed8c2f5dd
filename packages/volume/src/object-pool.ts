/**
 * Inodes and names that have left the cache, to be used for those that enter it.
 *
 * What has been in the cache for a while is old by the time it leaves, and V8 lets old garbage grow to several times of what is alive. A
 * cache that has to let one go for each that it takes in makes no garbage this way. Nobody may hold on to what is given back; see `InodeCache`.
 */
import { NameEntry } from './directory-names.ts';
import { Inode } from './inode.ts';

/** An inode that is given back has this number, which no inode has, so that one who still holds it finds nothing by it. */
const NO_INODE = 0;

export class ObjectPool {
  readonly #inodes: Inode[] = [];
  readonly #names: NameEntry[] = [];
  readonly #inodeLimit: number;
  readonly #nameLimit: number;

  /** Keeps so many of either. */
  constructor(inodeLimit: number, nameLimit: number) {
    this.#inodeLimit = inodeLimit;
    this.#nameLimit = nameLimit;
  }

  /** An inode as a new one. */
  makeInode(number: number, mode: number): Inode {
    const inode = this.#inodes.pop();
    if (inode === undefined) return new Inode(number, mode);
    inode.reset(number, mode);
    return inode;
  }

  giveBackInode(inode: Inode): void {
    inode.reset(NO_INODE, 0);
    if (this.#inodes.length < this.#inodeLimit) this.#inodes.push(inode);
  }

  makeName(name: string, inode: number, type: number): NameEntry {
    const entry = this.#names.pop();
    if (entry === undefined) return new NameEntry(name, inode, type);
    entry.reset(name, inode, type);
    return entry;
  }

  giveBackName(entry: NameEntry): void {
    entry.reset('', NO_INODE, 0);
    if (this.#names.length < this.#nameLimit) this.#names.push(entry);
  }
}

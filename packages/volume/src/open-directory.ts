/**
 * Open directories of the `fs` face.
 *
 * A page of names is read at a time, so that a directory of any size takes little memory. With `recursive` the directories below follow
 * level after level, as in Node; each is looked up when its turn comes, so what waits is a path and keeps nothing.
 */
import { ClosedError } from '@outwrite/blockdev';
import { type ListedName, listNames } from './directory-operations.ts';
import { Operation } from './fs-errors.ts';
import { Dirent } from './fs-stats.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import { ENTRY_DIRECTORY } from './inode-mode.ts';
import { joinPath } from './tree-operations.ts';

/** Names read at once. */
const PAGE_NAMES = 1024;

export interface DirOptions<Name> {
  readonly recursive: boolean;
  /** Makes what callers see of a name. */
  readonly coded: (name: string) => Name;
}

/**
 * An open directory, as `fs.Dir`: its names in the order of their bytes. Names that come and go meanwhile may be missed, and with
 * `recursive` also what stands in a directory that is moved before its turn.
 */
export class Dir<Name = string> {
  readonly path: string;
  readonly #head: Head;
  readonly #options: DirOptions<Name>;
  /** The directory that is being listed; it is kept while it is. */
  #inode: Inode;
  #inodePath: string;
  /** Directories to list after it; those before `#entered` are done. */
  readonly #below: string[] = [];
  #entered = 0;
  #page: ListedName[] = [];
  #next = 0;
  #last: string | null = null;
  #ended = false;
  #closed = false;

  constructor(head: Head, inode: Inode, path: string, options: DirOptions<Name>) {
    this.#head = head;
    this.#options = options;
    this.#inode = inode;
    this.#inodePath = path;
    this.path = path;
    inode.openCount++;
  }

  readSync(): Dirent<Name> | null {
    if (this.#closed) throw new ClosedError('the directory handle');
    while (this.#next === this.#page.length) {
      if (!this.#ended) this.#readPage();
      else if (!this.#enterNext()) return null;
    }
    const { name, type } = this.#page[this.#next++];
    this.#last = name;
    if (this.#options.recursive && type === ENTRY_DIRECTORY) this.#below.push(joinPath(this.#inodePath, name));
    return new Dirent(this.#options.coded(name), this.#inodePath, type);
  }

  #readPage(): void {
    this.#head.begin();
    this.#page = this.#inode.removed ? [] : listNames(this.#head, this.#inode, this.#last, PAGE_NAMES);
    this.#next = 0;
    this.#ended = this.#page.length < PAGE_NAMES;
  }

  /** Goes on to the next directory below that is still there. False when there is none. */
  #enterNext(): boolean {
    while (this.#entered < this.#below.length) {
      const path = this.#below[this.#entered++];
      this.#head.begin();
      const inode = this.#head.walker.find(new Operation('opendir', path), path, false);
      if (inode?.isDirectory !== true) continue;
      this.#leave();
      inode.openCount++;
      this.#inode = inode;
      this.#inodePath = path;
      this.#last = null;
      this.#ended = false;
      return true;
    }
    return false;
  }

  #leave(): void {
    this.#inode.openCount--;
    this.#head.orphans.settle(this.#inode);
  }

  async read(): Promise<Dirent<Name> | null> {
    return this.readSync();
  }

  closeSync(): void {
    if (this.#closed) throw new ClosedError('the directory handle');
    this.#closed = true;
    this.#leave();
  }

  async close(): Promise<void> {
    this.closeSync();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Dirent<Name>, void> {
    try {
      for (let entry = this.readSync(); entry !== null; entry = this.readSync()) yield entry;
    } finally {
      if (!this.#closed) this.closeSync();
    }
  }
}

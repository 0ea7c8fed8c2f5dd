/**
 * Inodes and names that have left the cache, to be used for those that enter it.
 *
 * What has been in the cache for a while is old by the time it leaves, and V8 lets old garbage grow to several times of what is alive. A
 * cache that has to let one go for each that it takes in makes no garbage this way.
 *
 * Nobody may hold on to what is given back; see `InodeCache`. Where the checks of `verify` are on, as in every test, an object is emptied
 * when it is given back and used again as soon as possible, so that whoever does shows. Elsewhere it rests as it is until as many others
 * have come after it, so that who uses it a moment too long finds what was there.
 */
import { verificationIsOn } from '@outwrite/blockdev';
import { NameEntry } from './directory-names.ts';
import { Inode } from './inode.ts';

/** An inode that is given back under checks has this number, which no inode has. */
const NO_INODE = 0;

/** A queue of bounded length; what is too much is left to the collector. */
class Resting<T> {
  readonly #objects: T[] = [];
  readonly #restCount: number;
  readonly #limit: number;
  /** Place of the one that came first, and how many there are. */
  #first = 0;
  #count = 0;

  /** Objects rest until half of `readyCount` have come after them; beside those that rest so many are kept. */
  constructor(readyCount: number) {
    this.#restCount = Math.ceil(readyCount / 2);
    this.#limit = readyCount + this.#restCount;
  }

  push(object: T): void {
    if (this.#count === this.#limit) return;
    this.#objects[(this.#first + this.#count++) % this.#limit] = object;
  }

  /** The one that has rested longest, if that is long enough. */
  take(): T | undefined {
    if (this.#count <= (verificationIsOn() ? 0 : this.#restCount)) return undefined;
    const object = this.#objects[this.#first];
    this.#first = (this.#first + 1) % this.#limit;
    this.#count--;
    return object;
  }
}

export class ObjectPool {
  readonly #inodes: Resting<Inode>;
  readonly #names: Resting<NameEntry>;

  /** Of either, so many are ready to be used, beside those that rest. */
  constructor(inodeCount: number, nameCount: number) {
    this.#inodes = new Resting(inodeCount);
    this.#names = new Resting(nameCount);
  }

  /** An inode as a new one. */
  makeInode(number: number, mode: number): Inode {
    const inode = this.#inodes.take();
    if (inode === undefined) return new Inode(number, mode);
    inode.reset(number, mode);
    return inode;
  }

  giveBackInode(inode: Inode): void {
    if (verificationIsOn()) inode.reset(NO_INODE, 0);
    this.#inodes.push(inode);
  }

  makeName(name: string, inode: number, type: number): NameEntry {
    const entry = this.#names.take();
    if (entry === undefined) return new NameEntry(name, inode, type);
    entry.reset(name, inode, type);
    return entry;
  }

  giveBackName(entry: NameEntry): void {
    if (verificationIsOn()) entry.reset('', NO_INODE, 0);
    this.#names.push(entry);
  }
}

/**
 * An inode as an object: what its record holds, and what is known and changed about it in memory.
 *
 * Lifecycle: made by an operation or loaded from the tree, held by the `InodeCache`, changed only by operations that have reserved what
 * staging needs, written back by `Staging`. `dirty` means that it is on the list of staging and holds a reservation there. An inode is
 * evicted only when it is clean, not open, and not being changed. Once `removed`, nothing finds it any more, and staging deletes its keys.
 * Objects that have left the cache are used again (`ObjectPool`).
 */
import { CorruptionError } from '@outwrite/blockdev';
import type { FileMap } from '@outwrite/filemap';
import type { BackgroundWrites } from './background-writes.ts';
import type { DirectoryNames, NameEntry } from './directory-names.ts';
import { FLAG_MAPPED, MODE_DIRECTORY, MODE_FILE, MODE_SYMLINK, MODE_TYPE_MASK } from './inode-mode.ts';

/** The times that a change of content gives. */
export type ContentTimes = Pick<Inode, 'mtimeSeconds' | 'mtimeNanoseconds' | 'ctimeSeconds' | 'ctimeNanoseconds'>;

export class Inode {
  /** 0 when it has left the cache and stands by for another inode. */
  number!: number;
  /** File type and permissions. */
  mode!: number;
  /** `FLAG_*` of the record. */
  flags!: number;
  uid!: number;
  gid!: number;
  linkCount!: number;
  /** Bytes of a file or of a link's target; for a directory the number of its names. */
  sizeBytes!: number;
  atimeSeconds!: number;
  atimeNanoseconds!: number;
  mtimeSeconds!: number;
  mtimeNanoseconds!: number;
  ctimeSeconds!: number;
  ctimeNanoseconds!: number;
  birthtimeSeconds!: number;
  birthtimeNanoseconds!: number;

  /** The tree holds a record of it. */
  stored!: boolean;
  dirty!: boolean;
  removed!: boolean;
  /** Used since the clock of the cache came by. */
  referenced!: boolean;
  /** Open descriptors, handles and walks. */
  openCount!: number;
  /** Content changes in progress, which may span deltas: staging keeps the inode dirty and takes its size from `map`. */
  changingCount!: number;

  /** Target of a symbolic link; null until it is loaded. */
  linkTarget!: string | null;
  /** Changed content of a small file, at least `sizeBytes` long; null when the tree has it. Memory of the `ContentArena`. */
  content!: Uint8Array | null;
  /** The tree may hold a value under the inline key. */
  inlineStored!: boolean;
  /** The content of a mapped file once it has been used. */
  map!: FileMap | null;
  /** Background writes that have not ended; null when there are none. */
  background!: BackgroundWrites | null;
  /** Bytes that a mapped file occupies, for as long as `map` is null; -1 when not known. */
  allocatedBytes!: number;
  /** The names of a directory that are known. */
  names!: DirectoryNames | null;
  /** The one name of a directory, as a walk came by it: the directory that holds it (0 while none has), and the name. */
  enteredFrom!: number;
  enteredAs!: string;
  /** A name that leads here and whose `target` is this. */
  nameEntry!: NameEntry | null;

  constructor(number: number, mode: number) {
    this.reset(number, mode);
  }

  /** Makes it as a new one is; nothing is known of it but its number and mode. */
  reset(number: number, mode: number): void {
    this.number = number;
    this.mode = mode;
    this.flags = 0;
    this.uid = 0;
    this.gid = 0;
    this.linkCount = 0;
    this.sizeBytes = 0;
    this.atimeSeconds = 0;
    this.atimeNanoseconds = 0;
    this.mtimeSeconds = 0;
    this.mtimeNanoseconds = 0;
    this.ctimeSeconds = 0;
    this.ctimeNanoseconds = 0;
    this.birthtimeSeconds = 0;
    this.birthtimeNanoseconds = 0;
    this.stored = false;
    this.dirty = false;
    this.removed = false;
    this.referenced = true;
    this.openCount = 0;
    this.changingCount = 0;
    this.linkTarget = null;
    this.content = null;
    this.inlineStored = false;
    this.map = null;
    this.background = null;
    this.allocatedBytes = -1;
    this.names = null;
    this.enteredFrom = 0;
    this.enteredAs = '';
    this.nameEntry = null;
  }

  /**
   * Notes that a walk enters this directory by `name` in `directory`. Throws a `CorruptionError` if it was entered by another one: with several
   * names a tree is a graph, in which there are more paths than anybody could walk.
   */
  enter(directory: number, name: string): void {
    if (this.enteredFrom === 0) {
      this.enteredFrom = directory;
      this.enteredAs = name;
    } else if (this.enteredFrom !== directory || this.enteredAs !== name) {
      throw new CorruptionError(`directory ${this.number}`, 'a second name leads to it');
    }
  }

  get isDirectory(): boolean {
    return (this.mode & MODE_TYPE_MASK) === MODE_DIRECTORY;
  }

  get isFile(): boolean {
    return (this.mode & MODE_TYPE_MASK) === MODE_FILE;
  }

  get isSymlink(): boolean {
    return (this.mode & MODE_TYPE_MASK) === MODE_SYMLINK;
  }

  /** Whether `filemap` keeps the content. */
  get isMapped(): boolean {
    return (this.flags & FLAG_MAPPED) !== 0;
  }
}

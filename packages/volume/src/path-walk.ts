/**
 * From paths to inodes, after the rules of POSIX: `.` and `..`, repeated and trailing slashes, symbolic links up to 40 a path.
 *
 * A walk keeps the directories from the root down on a stack, so `..` needs no parent pointers, and a rename can see whether a directory
 * would become its own descendant. Relative paths begin at the root. For the common case, a path whose directory part was walked
 * before, the walker remembers what directory parts lead to; everything remembered is dropped when a directory or a link is moved or
 * removed, so it never misleads.
 *
 * `locate` leaves its result in the fields; it is valid until the next walk or change.
 */
import { assert, CorruptionError } from '@outwrite/blockdev';
import type { NameEntry } from './directory-names.ts';
import type { Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import { decodeUtf8, utf8Encoder } from './host.ts';
import type { Inode } from './inode.ts';
import { TARGET_BYTES_LIMIT } from './inode-format.ts';
import { ENTRY_DIRECTORY, ENTRY_SYMLINK } from './inode-mode.ts';
import { KIND, ROOT_INODE } from './key-format.ts';

const SLASH = 0x2f;
const DOT = 0x2e;
/** Symbolic links followed in one walk; one more is `ELOOP`. As on Linux. */
export const LINK_LIMIT = 40;
/** Longest path in bytes, its end mark included. As on Linux. */
export const PATH_BYTES_LIMIT = 4096;
const REMEMBERED_LIMIT = 4096;

/** The target of a symbolic link. Throws a `CorruptionError`. */
export function linkTarget(head: Head, inode: Inode): string {
  if (inode.linkTarget !== null) return inode.linkTarget;
  const structure = `link target of inode ${inode.number}`;
  const bytes = head.tree.get(head.keys.plain(inode.number, KIND.symlink));
  if (bytes === undefined) throw new CorruptionError(structure, 'it is missing');
  const target = bytes.length === inode.sizeBytes ? decodeUtf8(bytes, 0, bytes.length) : null;
  if (target === null || target === '')
    throw new CorruptionError(structure, 'it is not the text that the record names');
  inode.linkTarget = target;
  return target;
}

/** Bytes of UTF-8 that `text` takes, exactly when it matters for a limit: short texts are not counted. */
function exceedsBytes(text: string, limitBytes: number): boolean {
  if (text.length * 3 <= limitBytes) return false;
  if (text.length > limitBytes) return true;
  return utf8Encoder.encode(text).length > limitBytes;
}

// A surrogate that is not one of a pair: UTF-8 has no bytes for it.
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Most names have no surrogates at all, and a loop sees that sooner than the expression. */
export function hasLoneSurrogate(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) >= 0xd800) return LONE_SURROGATE.test(name);
  return false;
}

/** A name in a directory that is known by its number, for what stands deeper than a path can tell. */
export interface NamePlace {
  readonly directory: number;
  readonly name: string;
}

export class PathWalker {
  readonly #head: Head;
  /** The directory that holds, or would hold, what the path names; or that directory itself when `name` is empty. */
  directory!: Inode;
  /** The last part of the path (after following links); empty for `/`, and for paths that end in `.` or `..`. */
  name = '';
  /** What the name leads to, or null when there is none. */
  entry: NameEntry | null = null;
  /** The path ended in a slash, so it means a directory. */
  endsInSlash = false;
  /** The last part as given was `.` or `..`: no name to make, move or remove. */
  endsInDots = false;

  readonly #stack: Inode[] = [];
  readonly #names: string[] = [];
  #linkCount = 0;
  #keepsLink = false;
  readonly #remembered: Map<string, Inode> = new Map();
  #lastPath = '';
  #lastDirectory: Inode | null = null;

  constructor(head: Head) {
    this.#head = head;
  }

  /** Drops all that is remembered of directory parts: a directory or link was moved, removed, or left the cache. */
  forgetDirectories(): void {
    if (this.#lastDirectory === null && this.#remembered.size === 0) return;
    this.#remembered.clear();
    this.#lastDirectory = null;
    this.#lastPath = '';
  }

  /** The inode that `path` leads to. Throws `ENOENT` and its kin. */
  resolve(operation: Operation, path: string, follow: boolean): Inode {
    return this.find(operation, path, follow) ?? operation.fail('ENOENT');
  }

  /** As `resolve`; null instead of `ENOENT`. */
  find(operation: Operation, path: string, follow: boolean): Inode | null {
    if (!this.locate(operation, path, follow)) return null;
    return this.inode();
  }

  /** What the last `locate` found: null when there is no such name. */
  inode(): Inode | null {
    if (this.entry !== null) return this.#head.cache.named(this.entry);
    return this.name === '' ? this.directory : null;
  }

  /**
   * Finds the name that `path` ends in, for operations that make, move or remove names: a link at the end is never followed, and with a
   * slash behind it is still that name; `endsInSlash` tells. False when a directory on the way does not exist. `withStack` as in
   * `locateWithStack`.
   */
  locateName(operation: Operation, path: string | NamePlace, withStack = false): boolean {
    if (typeof path !== 'string') return this.#locateIn(operation, path);
    this.#keepsLink = true;
    try {
      return withStack ? this.locateWithStack(operation, path, false) : this.locate(operation, path, false);
    } finally {
      this.#keepsLink = false;
    }
  }

  #locateIn(operation: Operation, { directory, name }: NamePlace): boolean {
    this.endsInSlash = false;
    this.endsInDots = false;
    this.directory = this.#head.cache.get(directory);
    this.name = name;
    this.entry = this.#lookUp(operation, this.directory, name);
    return true;
  }

  /**
   * Finds the directory and the entry that `path` names. False when a directory on the way does not exist. `follow` also follows a
   * symbolic link at the end (a trailing slash always does); the fields then describe what it leads to.
   */
  locate(operation: Operation, path: string, follow: boolean): boolean {
    const length = path.length;
    if (length === 0) return false;
    const slash = path.lastIndexOf('/');
    this.endsInSlash = false;
    this.endsInDots = false;
    if (slash !== length - 1 && path.charCodeAt(slash + 1) !== DOT) {
      const directory = this.#recall(path, slash);
      if (directory !== null) {
        this.directory = directory;
        this.name = path.slice(slash + 1);
        this.entry = this.#lookUp(operation, directory, this.name);
        if (this.entry === null || !follow || this.entry.type !== ENTRY_SYMLINK) return true;
      }
    }
    return this.locateWithStack(operation, path, follow);
  }

  /** As `locate`, always from the root, so that `isBelow` and `realPath` can be asked afterwards. */
  locateWithStack(operation: Operation, path: string, follow: boolean): boolean {
    if (path.length === 0) return false;
    if (exceedsBytes(path, PATH_BYTES_LIMIT - 1)) operation.fail('ENAMETOOLONG');
    this.endsInSlash = false;
    this.endsInDots = false;
    this.#linkCount = 0;
    this.#enterRoot();
    return this.#locateEnd(operation, path, follow, true);
  }

  /** Whether the directory of the last `locateWithStack` is `ancestor` or stands below it. */
  isBelow(ancestor: Inode): boolean {
    return this.#stack.includes(ancestor);
  }

  /** The path without links, dots and idle slashes of what the last `locateWithStack` found. */
  realPath(): string {
    const directory = `/${this.#names.join('/')}`;
    if (this.name === '') return directory;
    return this.#names.length === 0 ? `/${this.name}` : `${directory}/${this.name}`;
  }

  #recall(path: string, slash: number): Inode | null {
    if (this.#lastDirectory !== null && slash === this.#lastPath.length && path.startsWith(this.#lastPath)) {
      return this.#lastDirectory;
    }
    const part = slash <= 0 ? '' : path.slice(0, slash);
    const known = this.#remembered.get(part);
    if (known === undefined) return null;
    known.referenced = true;
    if (slash > 0) {
      this.#lastPath = part;
      this.#lastDirectory = known;
    }
    return known;
  }

  #remember(part: string, directory: Inode): void {
    if (this.#remembered.size >= REMEMBERED_LIMIT) this.forgetDirectories();
    this.#remembered.set(part, directory);
  }

  #enterRoot(): void {
    this.#stack.length = 0;
    this.#names.length = 0;
    this.#stack.push(this.#head.cache.get(ROOT_INODE));
  }

  get #top(): Inode {
    return this.#stack[this.#stack.length - 1];
  }

  #lookUp(operation: Operation, directory: Inode, name: string): NameEntry | null {
    const known = directory.names?.entries.get(name);
    if (known !== undefined) return known.inode === 0 ? null : known;
    if (exceedsBytes(name, this.#head.nameLimitBytes)) operation.fail('ENAMETOOLONG');
    if (hasLoneSurrogate(name)) operation.fail('EINVAL');
    return this.#head.cache.loadName(directory, name);
  }

  #locateEnd(operation: Operation, path: string, follow: boolean, outermost: boolean): boolean {
    let end = path.length;
    while (end > 0 && path.charCodeAt(end - 1) === SLASH) end--;
    if (end !== path.length) this.endsInSlash = true;
    const slash = path.lastIndexOf('/', end - 1);
    if (!this.#enter(operation, path, end === 0 ? path.length : slash + 1)) return false;
    if (outermost) this.#remember(slash <= 0 ? '' : path.slice(0, slash), this.#top);
    const name = path.slice(slash + 1, end);
    if (name === '' || name === '.' || name === '..') {
      if (outermost) this.endsInDots = name !== '';
      if (!this.#descend(operation, name)) return false;
      this.directory = this.#top;
      this.name = '';
      this.entry = null;
      return true;
    }
    const directory = this.#top;
    const entry = this.#lookUp(operation, directory, name);
    if (entry?.type === ENTRY_SYMLINK && (follow || (this.endsInSlash && !this.#keepsLink))) {
      return this.#locateEnd(operation, this.#followedTarget(operation, entry), true, false);
    }
    if (entry !== null && this.endsInSlash && entry.type !== ENTRY_DIRECTORY && !this.#keepsLink)
      operation.fail('ENOTDIR');
    this.directory = directory;
    this.name = name;
    this.entry = entry;
    return true;
  }

  #followedTarget(operation: Operation, entry: NameEntry): string {
    if (++this.#linkCount > LINK_LIMIT) operation.fail('ELOOP');
    const inode = this.#head.cache.named(entry);
    if (!inode.isSymlink)
      throw new CorruptionError(`inode ${inode.number}`, 'its name calls it a link, its record does not');
    const target = linkTarget(this.#head, inode);
    assert(target.length <= TARGET_BYTES_LIMIT, 'targets are checked when they are made and when they are read');
    return target;
  }

  /** Walks the parts of `path[0, end)`, each of which must lead to a directory. False when one does not exist. */
  #enter(operation: Operation, path: string, end: number): boolean {
    if (path.charCodeAt(0) === SLASH) this.#enterRoot();
    let start = 0;
    while (start < end) {
      if (path.charCodeAt(start) === SLASH) {
        start++;
        continue;
      }
      let stop = path.indexOf('/', start);
      if (stop < 0 || stop > end) stop = end;
      if (!this.#descend(operation, path.slice(start, stop))) return false;
      start = stop + 1;
    }
    return true;
  }

  #descend(operation: Operation, name: string): boolean {
    if (name === '' || name === '.') return true;
    if (name === '..') {
      if (this.#stack.length > 1) {
        this.#stack.pop();
        this.#names.pop();
      }
      return true;
    }
    const entry = this.#lookUp(operation, this.#top, name);
    if (entry === null) return false;
    if (entry.type === ENTRY_SYMLINK) {
      const target = this.#followedTarget(operation, entry);
      return this.#enter(operation, target, target.length);
    }
    if (entry.type !== ENTRY_DIRECTORY) operation.fail('ENOTDIR');
    const inode = this.#head.cache.named(entry);
    if (!inode.isDirectory) {
      throw new CorruptionError(`inode ${inode.number}`, 'its name calls it a directory, its record does not');
    }
    inode.enter(this.#top.number, name);
    this.#stack.push(inode);
    this.#names.push(name);
    return true;
  }
}

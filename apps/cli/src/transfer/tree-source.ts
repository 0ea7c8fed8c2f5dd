/**
 * A directory tree to read from: the host's or a volume's, behind one small face.
 *
 * Import, export and comparison all walk a tree in one order and read its files in pieces; what differs is only where the tree lies.
 * Paths are relative to the root of the tree, with '/' between names; the root itself is ''. Everything is synchronous and throws what
 * the file system throws.
 */

export type EntryKind = 'file' | 'directory' | 'symlink' | 'special';

/** What is known of a file, directory or link without opening it. */
export interface Entry {
  readonly kind: EntryKind;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly linkCount: number;
  /** Equal for two paths of one tree if and only if they are links to one file. */
  readonly identity: string;
}

/** A name in a directory that cannot be carried over, and why. */
export interface UnusableName {
  readonly shownName: string;
  readonly reason: string;
}

export interface DirectoryListing {
  /** In the order of UTF-16 code units, so that every tree is walked in one order. */
  readonly names: readonly string[];
  readonly unusable: readonly UnusableName[];
}

export interface OpenedFile {
  entry(): Entry;
  /** Fills `target` from `position` on; returns the byte count, which is short at the end of the file only. */
  read(position: number, target: Uint8Array): number;
  close(): void;
}

export interface TreeSource {
  /** The path as its owner would write it, for messages. */
  fullPath(path: string): string;
  entry(path: string): Entry;
  list(path: string): DirectoryListing;
  linkTarget(path: string): string;
  open(path: string): OpenedFile;
}

const TYPE_MASK = 0o170000;
const KIND_OF_TYPE: ReadonlyMap<number, EntryKind> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);

/** The fields of `fs.BigIntStats` that a tree needs; volumes give the same. */
export interface NanosecondStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: bigint;
  readonly nlink: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly size: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
}

/** Reads an entry out of what `lstat` says. */
export function entryOfStats(stats: NanosecondStats): Entry {
  const mode = Number(stats.mode);
  return {
    kind: KIND_OF_TYPE.get(mode & TYPE_MASK) ?? 'special',
    mode: mode & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    sizeBytes: Number(stats.size),
    atimeNs: stats.atimeNs,
    mtimeNs: stats.mtimeNs,
    linkCount: Number(stats.nlink),
    identity: `${stats.dev}:${stats.ino}`,
  };
}

/** The path of a name in a directory. */
export function childPath(directoryPath: string, name: string): string {
  return directoryPath === '' ? name : `${directoryPath}/${name}`;
}

/**
 * How a file, directory or link of a volume is described: one JSON shape for all commands, and its parts for people.
 */

import { formatNanoseconds } from './printable.ts';
import { lastName } from './volume-path.ts';
import type { CliVolume } from './volume-session.ts';

export type EntryType = 'file' | 'directory' | 'symlink';

export interface EntryReport {
  readonly path: string;
  readonly name: string;
  readonly type: EntryType;
  /** Octal permission bits, as `chmod` takes them. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for a directory. */
  readonly sizeBytes: number;
  /** Of a directory: how many names it has. */
  readonly nameCount?: number;
  /** Space taken in the volume outside the tree; small files live inside it. */
  readonly allocatedBytes: number;
  readonly links: number;
  readonly inode: number;
  readonly modified: string;
  readonly accessed: string;
  readonly changed: string;
  readonly created: string;
  /** Where a symbolic link points. */
  readonly target?: string;
}

/** A report, with the full mode (type included) for `formatMode`. */
export interface DescribedEntry {
  readonly report: EntryReport;
  readonly fullMode: number;
  readonly mtimeMs: number;
}

const STAT_BLOCK_BYTES = 512;

/** Looks at `path` (without following a link at its end); throws what the volume throws. */
export function describeEntry(volume: CliVolume, path: string): DescribedEntry {
  const stats = volume.fs.lstatSync(path, { bigint: true });
  const type: EntryType = stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'file';
  const fullMode = Number(stats.mode);
  return {
    report: {
      path,
      name: lastName(path),
      type,
      mode: (fullMode & 0o7777).toString(8).padStart(4, '0'),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      sizeBytes: type === 'directory' ? 0 : Number(stats.size),
      ...(type === 'directory' ? { nameCount: Number(stats.size) } : {}),
      allocatedBytes: Number(stats.blocks) * STAT_BLOCK_BYTES,
      links: Number(stats.nlink),
      inode: Number(stats.ino),
      modified: formatNanoseconds(stats.mtimeNs),
      accessed: formatNanoseconds(stats.atimeNs),
      changed: formatNanoseconds(stats.ctimeNs),
      created: formatNanoseconds(stats.birthtimeNs),
      ...(type === 'symlink' ? { target: volume.fs.readlinkSync(path) } : {}),
    },
    fullMode,
    mtimeMs: Number(stats.mtimeNs / 1_000_000n),
  };
}

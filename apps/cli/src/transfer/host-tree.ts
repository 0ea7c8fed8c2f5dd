/**
 * A tree on the host's file system.
 *
 * Names that are not UTF-8 cannot be kept in a volume; they are reported as unusable and not read.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  type DirectoryListing,
  type Entry,
  entryOfStats,
  type OpenedFile,
  type TreeSource,
  type UnusableName,
} from './tree-source.ts';

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// Absent on Windows; a link that took the place of a file after it was looked at is not followed, and nobody is waited for who might write
// to a pipe.
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

class HostFile implements OpenedFile {
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, OPEN_FLAGS);
  }

  entry(): Entry {
    return entryOfStats(fstatSync(this.#descriptor, { bigint: true }));
  }

  read(position: number, target: Uint8Array): number {
    let doneBytes = 0;
    while (doneBytes < target.length) {
      const readBytes = readSync(this.#descriptor, target, doneBytes, target.length - doneBytes, position + doneBytes);
      if (readBytes === 0) break;
      doneBytes += readBytes;
    }
    return doneBytes;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

class HostTree implements TreeSource {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  fullPath(path: string): string {
    return path === '' ? this.#root : join(this.#root, path);
  }

  entry(path: string): Entry {
    return entryOfStats(lstatSync(this.fullPath(path), { bigint: true }));
  }

  list(path: string): DirectoryListing {
    const names: string[] = [];
    const unusable: UnusableName[] = [];
    for (const bytes of readdirSync(this.fullPath(path), { encoding: 'buffer' })) {
      try {
        names.push(STRICT_UTF8.decode(bytes));
      } catch {
        unusable.push({ shownName: bytes.toString('latin1'), reason: 'its name is not UTF-8' });
      }
    }
    return { names: names.sort(), unusable };
  }

  linkTarget(path: string): string {
    return readlinkSync(this.fullPath(path));
  }

  open(path: string): OpenedFile {
    return new HostFile(this.fullPath(path));
  }
}

/** The tree below the directory `root` of the host. */
export function hostTree(root: string): TreeSource {
  return new HostTree(root);
}

/** The identity (see `Entry`) of the file that a path on the host leads to. */
export function hostIdentity(path: string): string {
  return entryOfStats(statSync(path, { bigint: true })).identity;
}

/**
 * Operations on whole directory trees, made of those on single names: recursive making and removal.
 *
 * They are not atomic (each step is) unless the caller puts them into a transaction. None recurses, so depth is bounded by memory only.
 */
import { CorruptionError } from '@outwrite/blockdev';
import { listNames, makeDirectory, removableEntry, removeDirectory } from './directory-operations.ts';
import { FsError, Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import { ENTRY_DIRECTORY } from './inode-mode.ts';
import { unlink } from './links.ts';
import type { NamePlace } from './path-walk.ts';

/** Names that are listed at once while a directory is emptied. */
const PAGE_NAMES = 1024;

/** Makes `path` and the directories above it that are missing. Returns the first one made; undefined when all were there. */
export function makeDirectories(head: Head, operation: Operation, path: string, mode: number): string | undefined {
  head.beginChange(operation);
  if (path === '') operation.fail('ENOENT');
  const found = head.walker.find(operation, path, true);
  if (found !== null) {
    if (!found.isDirectory) operation.fail('EEXIST');
    return undefined;
  }
  let first: string | undefined;
  let end = 0;
  while (end < path.length) {
    let start = end;
    while (path[start] === '/') start++;
    if (start === path.length) break;
    end = path.indexOf('/', start);
    if (end < 0) end = path.length;
    const part = path.slice(start, end);
    const prefix = path.slice(0, end);
    if (part === '.' || part === '..') continue;
    const existing = head.walker.find(operation, prefix, true);
    if (existing === null) {
      // A link that leads nowhere is not made to lead somewhere.
      if (head.walker.find(operation, prefix, false) !== null) operation.fail('ENOENT');
      makeDirectory(head, operation, prefix, mode);
      first ??= prefix;
    } else if (!existing.isDirectory) {
      operation.fail(end === path.length ? 'EEXIST' : 'ENOTDIR');
    }
  }
  return first;
}

/** Joins a directory's path and a name. */
export function joinPath(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** A directory that is to be removed with all below it. */
interface DoomedDirectory {
  /** For errors only: it may be longer than a path can be. */
  readonly path: string;
  readonly place: NamePlace;
  readonly inode: number;
  isBegun: boolean;
  /** The last name that was listed: those up to it are gone. */
  after: string | null;
}

/**
 * Removes the directory `path` and all below it, which may be deeper than a path can tell: directories can be moved to any depth. A path that
 * cannot be removed itself is refused while all below it is still there.
 */
function removeTree(head: Head, operation: Operation, path: string): void {
  const { inode, name } = removableEntry(head, operation, path);
  // Directories to remove, those below after those above; the last one is being emptied.
  const place = { directory: head.walker.directory.number, name };
  const stack: DoomedDirectory[] = [{ path, place, inode, isBegun: false, after: null }];
  const begun = new Set<number>();
  for (;;) {
    const doomed = stack[stack.length - 1];
    if (doomed === undefined) return;
    const step = new Operation('rm', doomed.path);
    head.begin();
    const directory = head.cache.get(doomed.inode);
    if (!directory.isDirectory) step.fail('ENOTDIR');
    if (!doomed.isBegun) {
      directory.enter(doomed.place.directory, doomed.place.name);
      // A way round may be so long that where it was entered has been forgotten.
      if (begun.has(doomed.inode)) throw new CorruptionError(`directory ${doomed.inode}`, 'it stands below itself');
      begun.add(doomed.inode);
      doomed.isBegun = true;
    }
    const names = listNames(head, directory, doomed.after, PAGE_NAMES);
    if (names.length === 0) {
      removeDirectory(head, step, doomed.place);
      begun.delete(doomed.inode);
      stack.pop();
      continue;
    }
    for (const listed of names) {
      const child = joinPath(doomed.path, listed.name);
      const at = { directory: doomed.inode, name: listed.name };
      if (listed.type !== ENTRY_DIRECTORY) unlink(head, new Operation('rm', child), at);
      else stack.push({ path: child, place: at, inode: listed.inode, isBegun: false, after: null });
      doomed.after = listed.name;
    }
  }
}

/** As `fs.rmdir` with `recursive`. */
export function removeDirectories(head: Head, operation: Operation, path: string): void {
  head.beginChange(operation);
  removeTree(head, operation, path);
}

/** As `fs.rm`. */
export function remove(head: Head, path: string, options: { recursive: boolean; force: boolean }): void {
  const operation = new Operation('rm', path);
  head.beginChange(operation);
  try {
    const inode = head.walker.resolve(operation, path, false);
    if (!inode.isDirectory) unlink(head, operation, path);
    else if (!options.recursive) throw directoryError(path);
    else removeTree(head, operation, path);
  } catch (error) {
    if (!(options.force && error instanceof FsError && error.code === 'ENOENT')) throw error;
  }
}

/** Node's own error for `rm` of a directory without `recursive`, with the POSIX code in its place. */
function directoryError(path: string): FsError {
  return new FsError('EISDIR', new Operation('rm', path));
}

/**
 * Directories: making, removing and listing them, and the two steps by which any operation gives or takes a name.
 *
 * A directory's size is the number of its names, so "is it empty" needs no look at them. Its link count is 2 plus its subdirectories.
 * A listing merges the tree's names, which stand in order, with the changes that the tree does not have yet.
 */
import type { NameEntry } from './directory-names.ts';
import { compareNames } from './directory-names.ts';
import type { Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import { checkEntry, entryInode, entryType, LINK_COUNT_LIMIT } from './inode-format.ts';
import { entryTypeOf, MODE_DIRECTORY, MODE_PERMISSIONS } from './inode-mode.ts';
import { decodeName, KIND, KIND_OFFSET, readU48BigEndian } from './key-format.ts';
import type { NamePlace } from './path-walk.ts';

/** Room at staging for a new inode with its name: inode 2, content, name, directory 2, volume record. */
export const PUTS_TO_CREATE = 7;
/** Room at staging for taking a name away: name, directory 2, inode 2, orphan, volume record. */
export const PUTS_TO_UNLINK = 7;

/** First half of making an inode with a name. */
export function needToCreate(head: Head, operation: Operation, directory: Inode, name: string): void {
  const { staging } = head;
  staging.needInode(operation, directory, false);
  staging.needName(operation, directory, name, false);
  staging.needRecord(operation, false);
}

/** First half of taking a name, perhaps the last one, away from `inode`. */
export function needToUnlink(head: Head, operation: Operation, directory: Inode, entry: NameEntry, inode: Inode): void {
  const { staging } = head;
  staging.needInode(operation, directory, true);
  staging.needName(operation, directory, entry.name, true);
  if (inode.linkCount > 1 && !inode.isDirectory) staging.needInode(operation, inode, true);
  else staging.needRemoval(operation, inode, true);
  staging.needRecord(operation, true);
}

/** Second half: lets `name`, which leads nowhere, lead to `inode`. Does not count the link. */
export function giveName(head: Head, directory: Inode, name: string, inode: Inode): void {
  const changed = head.cache.addName(directory, name, inode, entryTypeOf(inode.mode));
  if (changed !== null) head.staging.markName(directory, changed);
  directory.sizeBytes++;
  head.touch(directory);
}

/** Second half: takes a name away. Does not count the link. */
export function takeName(head: Head, directory: Inode, entry: NameEntry): void {
  if (directory.names?.change(entry, 0, 0)) head.staging.markName(directory, entry);
  directory.sizeBytes--;
  head.touch(directory);
}

/** What `mkdir` takes of a mode: setuid and setgid mean nothing on a new directory, and Linux drops them. */
const MODE_NEW_DIRECTORY = 0o1777;

/** The permissions of something new. */
export function newMode(head: Head, type: number, mode: number): number {
  return type | (mode & MODE_PERMISSIONS & ~head.options.umask);
}

export function makeDirectory(head: Head, operation: Operation, path: string, mode: number): void {
  head.beginChange(operation);
  const { walker } = head;
  do {
    head.staging.begin(operation, PUTS_TO_CREATE, false);
    if (!walker.locateName(operation, path)) operation.fail('ENOENT');
    if (walker.entry !== null || walker.name === '') operation.fail('EEXIST');
    if (walker.directory.linkCount >= LINK_COUNT_LIMIT || !head.hasInodeNumbers) operation.fail('EMLINK');
    needToCreate(head, operation, walker.directory, walker.name);
  } while (!head.staging.reserve(operation, PUTS_TO_CREATE, false));
  const parent = walker.directory;
  const inode = head.makeInode(newMode(head, MODE_DIRECTORY, mode & MODE_NEW_DIRECTORY));
  inode.linkCount = 2;
  parent.linkCount++;
  giveName(head, parent, walker.name, inode);
}

/**
 * The entry of the directory that `path` names, for its removal. Fails for what has no name that could be taken away: the root, and
 * paths that end in dots; and for a link, also with a slash behind it.
 */
export function removableEntry(head: Head, operation: Operation, path: string | NamePlace): NameEntry {
  const { walker } = head;
  if (!walker.locateName(operation, path)) operation.fail('ENOENT');
  if (walker.name === '') operation.fail(walker.endsInDots ? 'EINVAL' : 'EPERM');
  const entry = walker.entry ?? operation.fail('ENOENT');
  if (!head.cache.named(entry).isDirectory) operation.fail('ENOTDIR');
  return entry;
}

export function removeDirectory(head: Head, operation: Operation, path: string | NamePlace): void {
  head.beginChange(operation);
  const { walker } = head;
  let entry: NameEntry;
  let inode: Inode;
  do {
    head.staging.begin(operation, PUTS_TO_UNLINK, true);
    entry = removableEntry(head, operation, path);
    inode = head.cache.named(entry);
    if (inode.sizeBytes !== 0) operation.fail('ENOTEMPTY');
    needToUnlink(head, operation, walker.directory, entry, inode);
  } while (!head.staging.reserve(operation, PUTS_TO_UNLINK, true));
  const parent = walker.directory;
  takeName(head, parent, entry);
  parent.linkCount--;
  inode.linkCount = 0;
  head.touchRecord(inode);
  head.walker.forgetDirectories();
  head.orphans.abandon(inode);
  head.orphans.settle(inode);
}

/** A name as a listing gives it. */
export interface ListedName {
  readonly name: string;
  readonly inode: number;
  /** `ENTRY_*`. */
  readonly type: number;
}

/** Up to `limit` names of a directory in the order of their bytes, those after `after` (null: from the first). Throws a `CorruptionError`. */
export function listNames(head: Head, directory: Inode, after: string | null, limit: number): ListedName[] {
  const listed: ListedName[] = [];
  const changes = directory.names === null ? [] : directory.names.sortedChanges();
  let change = after === null ? 0 : placeAfter(changes, after);

  const cursor = head.tree.cursor();
  const { keys } = head;
  const start =
    after === null ? keys.plain(directory.number, KIND.name) : keys.named(directory.number, KIND.name, after);
  // What is found exactly was listed before.
  if (cursor.seek(start) && after !== null) cursor.next();
  const key = keys.bytes;
  while (cursor.valid && listed.length < limit) {
    const keyLength = cursor.keyLength;
    // Only a damaged image has keys so long.
    const found = keyLength <= key.length ? key : cursor.key();
    if (found === key) cursor.copyKey(key, 0);
    if (keyLength <= KIND_OFFSET || readU48BigEndian(found, 0) !== directory.number) break;
    if (found[KIND_OFFSET] !== KIND.name) break;
    const name = decodeName(directory.number, found, keyLength, head.nameLimitBytes);
    let hidden = false;
    while (change < changes.length && listed.length < limit) {
      const entry = changes[change];
      const order = compareNames(entry.name, name);
      if (order > 0) break;
      change++;
      if (entry.inode !== 0) listed.push({ name: entry.name, inode: entry.inode, type: entry.type });
      if (order === 0) {
        hidden = true;
        break;
      }
    }
    if (!hidden) {
      if (listed.length >= limit) break;
      const value = cursor.valueView();
      checkEntry(directory.number, value);
      listed.push({ name, inode: entryInode(value), type: entryType(value) });
    }
    cursor.next();
  }
  for (; change < changes.length && listed.length < limit; change++) {
    const entry = changes[change];
    if (entry.inode !== 0) listed.push({ name: entry.name, inode: entry.inode, type: entry.type });
  }
  return listed;
}

/** The index of the first entry of a sorted list whose name comes after `name`. */
function placeAfter(sorted: readonly NameEntry[], name: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareNames(sorted[middle].name, name) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The directory that `path` names. */
export function findDirectory(head: Head, operation: Operation, path: string): Inode {
  const inode = head.walker.resolve(operation, path, true);
  if (!inode.isDirectory) operation.fail('ENOTDIR');
  return inode;
}

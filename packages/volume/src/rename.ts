/**
 * Rename, after the rules of POSIX: one atomic change, over an existing name if the two go together.
 *
 * A file or link replaces a file or link, a directory an empty directory. Two names of one inode are left as they are. A directory
 * cannot move below itself; that is seen from the walk to the new place, which passes through all its ancestors. The record of what is
 * moved stays as it is, its ctime too: POSIX leaves that open, and it keeps a rename from rewriting what stands beside the record.
 */
import type { NameEntry } from './directory-names.ts';
import { giveName, takeName } from './directory-operations.ts';
import type { Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import { LINK_COUNT_LIMIT } from './inode-format.ts';
import { dropLink } from './links.ts';

/** Room at staging: two directories 4, two names, the moved and the replaced inode 4, orphan, volume record. */
const PUTS_TO_RENAME = 12;

export function rename(head: Head, operation: Operation, oldPath: string, newPath: string): void {
  head.beginChange(operation);
  const { walker } = head;
  let oldParent: Inode;
  let oldEntry: NameEntry;
  let moved: Inode;
  let replaced: Inode | null;
  do {
    head.staging.begin(operation, PUTS_TO_RENAME, false);
    if (!walker.locateName(operation, oldPath)) operation.fail('ENOENT');
    if (walker.name === '') operation.fail(walker.endsInDots ? 'EINVAL' : 'EPERM');
    oldEntry = walker.entry ?? operation.fail('ENOENT');
    oldParent = walker.directory;
    moved = head.cache.named(oldEntry);
    if (walker.endsInSlash && !moved.isDirectory) operation.fail('ENOTDIR');

    if (!walker.locateName(operation, newPath, true)) operation.fail('ENOENT');
    if (walker.name === '') operation.fail(walker.endsInDots ? 'EINVAL' : 'EPERM');
    if (walker.endsInSlash && !moved.isDirectory) operation.fail('ENOTDIR');
    if (moved.isDirectory && walker.isBelow(moved)) operation.fail('EINVAL');
    replaced = walker.inode();
    if (replaced === moved) return;
    if (replaced !== null) {
      if (moved.isDirectory && !replaced.isDirectory) operation.fail('ENOTDIR');
      if (!moved.isDirectory && replaced.isDirectory) operation.fail('EISDIR');
      if (replaced.isDirectory && replaced.sizeBytes !== 0) operation.fail('ENOTEMPTY');
    } else if (moved.isDirectory && oldParent !== walker.directory && walker.directory.linkCount >= LINK_COUNT_LIMIT) {
      operation.fail('EMLINK');
    }
    const { staging } = head;
    staging.needInode(operation, oldParent, false);
    staging.needName(operation, oldParent, oldEntry.name, false);
    staging.needInode(operation, walker.directory, false);
    staging.needName(operation, walker.directory, walker.name, false);
    if (replaced !== null) {
      staging.needRemoval(operation, replaced, false);
      staging.needRecord(operation, false);
    }
  } while (!head.staging.reserve(operation, PUTS_TO_RENAME, false));

  const newParent = walker.directory;
  const newName = walker.name;
  if (walker.entry !== null) takeName(head, newParent, walker.entry);
  takeName(head, oldParent, oldEntry);
  giveName(head, newParent, newName, moved);
  if (moved.isDirectory) {
    oldParent.linkCount--;
    newParent.linkCount++;
    moved.enteredFrom = 0;
  }
  if (moved.isDirectory || moved.isSymlink) walker.forgetDirectories();
  if (replaced === null) return;
  if (replaced.isDirectory) {
    newParent.linkCount--;
    replaced.linkCount = 0;
    head.touchRecord(replaced);
    walker.forgetDirectories();
    head.orphans.abandon(replaced);
  } else {
    dropLink(head, replaced);
  }
  head.orphans.settle(replaced);
}

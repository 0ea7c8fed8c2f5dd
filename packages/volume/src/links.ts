/**
 * Hard links, symbolic links, and the removal of names.
 */
import type { NameEntry } from './directory-names.ts';
import {
  giveName,
  needToCreate,
  needToUnlink,
  newMode,
  PUTS_TO_CREATE,
  PUTS_TO_UNLINK,
  takeName,
} from './directory-operations.ts';
import type { Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import { strictUtf8Decoder, utf8Encoder } from './host.ts';
import type { Inode } from './inode.ts';
import { LINK_COUNT_LIMIT, SHORT_TARGET_BYTES, TARGET_BYTES_LIMIT } from './inode-format.ts';
import { FLAG_LONG_TARGET, MODE_SYMLINK } from './inode-mode.ts';
import { linkTarget, type NamePlace } from './path-walk.ts';

/** Second half: one name less leads to `inode`. The caller calls `orphans.settle` when it is done. */
export function dropLink(head: Head, inode: Inode): void {
  inode.linkCount--;
  head.touchRecord(inode);
  if (inode.isSymlink) head.walker.forgetDirectories();
  if (inode.linkCount === 0) head.orphans.abandon(inode);
}

export function unlink(head: Head, operation: Operation, path: string | NamePlace): void {
  head.beginChange(operation);
  const { walker } = head;
  let entry: NameEntry;
  let inode: Inode;
  do {
    head.staging.begin(operation, PUTS_TO_UNLINK, true);
    if (!walker.locateName(operation, path)) operation.fail('ENOENT');
    if (walker.name === '') operation.fail('EISDIR');
    entry = walker.entry ?? operation.fail('ENOENT');
    inode = head.cache.named(entry);
    if (inode.isDirectory) operation.fail('EISDIR');
    if (walker.endsInSlash) operation.fail('ENOTDIR');
    needToUnlink(head, operation, walker.directory, entry, inode);
  } while (!head.staging.reserve(operation, PUTS_TO_UNLINK, true));
  takeName(head, walker.directory, entry);
  dropLink(head, inode);
  head.orphans.settle(inode);
}

/** A second name for a file or a symbolic link (which is not followed). */
export function link(head: Head, operation: Operation, existingPath: string, newPath: string): void {
  head.beginChange(operation);
  const { walker } = head;
  let inode: Inode;
  do {
    head.staging.begin(operation, PUTS_TO_CREATE, false);
    inode = walker.resolve(operation, existingPath, false);
    if (inode.isDirectory) operation.fail('EPERM');
    if (inode.linkCount >= LINK_COUNT_LIMIT) operation.fail('EMLINK');
    if (!walker.locateName(operation, newPath)) operation.fail('ENOENT');
    if (walker.entry !== null || walker.name === '') operation.fail('EEXIST');
    if (walker.endsInSlash) operation.fail('ENOENT');
    head.staging.needInode(operation, inode, false);
    needToCreate(head, operation, walker.directory, walker.name);
  } while (!head.staging.reserve(operation, PUTS_TO_CREATE, false));
  inode.linkCount++;
  head.touchRecord(inode);
  giveName(head, walker.directory, walker.name, inode);
}

export function symlink(head: Head, operation: Operation, target: string, path: string): void {
  head.beginChange(operation);
  if (target.length === 0) operation.fail('ENOENT');
  const bytes = utf8Encoder.encode(target);
  if (bytes.length > TARGET_BYTES_LIMIT) operation.fail('ENAMETOOLONG');
  // A lone surrogate has no UTF-8, and the link would read back as another text.
  if (strictUtf8Decoder.decode(bytes) !== target) operation.fail('EINVAL');
  const { walker } = head;
  do {
    head.staging.begin(operation, PUTS_TO_CREATE, false);
    if (!walker.locateName(operation, path)) operation.fail('ENOENT');
    if (walker.entry !== null || walker.name === '') operation.fail('EEXIST');
    if (walker.endsInSlash) operation.fail('ENOENT');
    if (!head.hasInodeNumbers) operation.fail('ENOSPC');
    needToCreate(head, operation, walker.directory, walker.name);
  } while (!head.staging.reserve(operation, PUTS_TO_CREATE, false));
  const { directory, name } = walker;
  const inode = head.makeInode(newMode(head, MODE_SYMLINK, 0o777) | 0o777);
  inode.linkCount = 1;
  inode.linkTarget = target;
  inode.sizeBytes = bytes.length;
  if (bytes.length > SHORT_TARGET_BYTES) {
    inode.flags |= FLAG_LONG_TARGET;
    head.staging.markContent(inode, bytes.length);
  }
  giveName(head, directory, name, inode);
}

export function readLink(head: Head, operation: Operation, path: string): string {
  head.begin();
  const inode = head.walker.resolve(operation, path, false);
  if (!inode.isSymlink) operation.fail('EINVAL');
  return linkTarget(head, inode);
}

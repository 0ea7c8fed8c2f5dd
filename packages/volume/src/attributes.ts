/**
 * Changes of an inode's record: permissions, owner, times.
 */
import type { Operation } from './fs-errors.ts';
import { invalidType, outOfRange } from './fs-errors.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';
import { MODE_PERMISSIONS, MODE_TYPE_MASK } from './inode-mode.ts';
import type { Timestamp } from './timestamp.ts';

/** Room at staging for a record. */
const PUTS_TO_CHANGE = 2;

/** A mode as callers give it: a number, or octal digits in a text. */
export function modeOf(mode: number | string): number {
  const value = typeof mode === 'string' ? (/^[0-7]+$/.test(mode) ? Number.parseInt(mode, 8) : Number.NaN) : mode;
  if (typeof value !== 'number') throw invalidType('mode', 'a number or octal digits', mode);
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw outOfRange('mode', 'an unsigned 32-bit integer', mode);
  return value;
}

/** An owner id. -1 leaves the owner as it is, as in POSIX. */
function ownerOf(argument: string, id: number, present: number): number {
  if (typeof id !== 'number') throw invalidType(argument, 'a number', id);
  if (id === -1 || id === 0xffffffff) return present;
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) throw outOfRange(argument, 'an unsigned 32-bit integer', id);
  return id;
}

/** Finds the inode to change by `path` and makes room for its record. */
export function beginAttributes(head: Head, operation: Operation, path: string, follow: boolean): Inode {
  head.beginChange(operation);
  let inode: Inode;
  do {
    head.staging.begin(operation, PUTS_TO_CHANGE, false);
    inode = head.walker.resolve(operation, path, follow);
    head.staging.needInode(operation, inode, false);
  } while (!head.staging.reserve(operation, PUTS_TO_CHANGE, false));
  return inode;
}

/** As `beginAttributes`, for an inode that the caller has open. */
export function beginOpenAttributes(head: Head, operation: Operation, inode: Inode): void {
  head.beginChange(operation);
  do {
    head.staging.begin(operation, PUTS_TO_CHANGE, false);
    head.staging.needInode(operation, inode, false);
  } while (!head.staging.reserve(operation, PUTS_TO_CHANGE, false));
}

export function changeMode(head: Head, inode: Inode, mode: number): void {
  inode.mode = (inode.mode & MODE_TYPE_MASK) | (mode & MODE_PERMISSIONS);
  head.touchRecord(inode);
}

export function changeOwner(head: Head, inode: Inode, uid: number, gid: number): void {
  const newUid = ownerOf('uid', uid, inode.uid);
  const newGid = ownerOf('gid', gid, inode.gid);
  inode.uid = newUid;
  inode.gid = newGid;
  head.touchRecord(inode);
}

export function changeTimes(head: Head, inode: Inode, atime: Timestamp, mtime: Timestamp): void {
  inode.atimeSeconds = atime.seconds;
  inode.atimeNanoseconds = atime.nanoseconds;
  inode.mtimeSeconds = mtime.seconds;
  inode.mtimeNanoseconds = mtime.nanoseconds;
  head.touchRecord(inode);
}

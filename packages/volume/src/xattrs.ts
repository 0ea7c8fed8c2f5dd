/**
 * Extended attributes: named byte strings of an inode, each an entry of the tree, changed there at once.
 *
 * Names have 1 to 255 bytes of UTF-8 (less with small blocks), values up to 65,536 bytes. A flag in the record says that there are any,
 * so that removing an inode without them need not look.
 */

import { CorruptionError } from '@outwrite/blockdev';
import { invalidType, invalidValue, type Operation, rethrow } from './fs-errors.ts';
import type { Head } from './head.ts';
import { decodeUtf8, utf8Encoder } from './host.ts';
import type { Inode } from './inode.ts';
import { FLAG_XATTRS } from './inode-mode.ts';
import { decodeKeyHead, KIND, REST_OFFSET } from './key-format.ts';
import { hasLoneSurrogate } from './path-walk.ts';

/** Room at staging for the record. */
const PUTS_TO_CHANGE = 2;

/** Longest value of an extended attribute, as on Linux. */
export const XATTR_BYTES_LIMIT = 65_536;

/** Whether setting may make the attribute, must make it, or must find it. */
export type XattrMode = 'any' | 'create' | 'replace';

function xattrKey(head: Head, operation: Operation, inode: Inode, name: string): Uint8Array {
  if (typeof name !== 'string') throw invalidType('name', 'a string', name);
  const bytes = utf8Encoder.encode(name);
  // A lone surrogate has no UTF-8: all such names would be one.
  if (bytes.length === 0 || name.includes('\0') || hasLoneSurrogate(name)) operation.fail('EINVAL');
  if (bytes.length > head.nameLimitBytes) operation.fail('ENAMETOOLONG');
  return head.keys.named(inode.number, KIND.xattr, name);
}

export function getXattr(head: Head, operation: Operation, inode: Inode, name: string): Uint8Array {
  return head.tree.get(xattrKey(head, operation, inode, name)) ?? operation.fail('ENODATA');
}

/** Puts an attribute. `find` gives the inode, again after each commit that was made for want of room. */
export function setXattr(
  head: Head,
  operation: Operation,
  find: () => Inode,
  name: string,
  value: Uint8Array,
  mode: XattrMode,
): void {
  if (mode !== 'any' && mode !== 'create' && mode !== 'replace') {
    throw invalidValue('mode', `must be 'any', 'create' or 'replace', not '${String(mode)}'`);
  }
  if (value.length > XATTR_BYTES_LIMIT) operation.fail('EFBIG');
  changeXattr(head, operation, find, name, value.length, false, (key) => {
    const present = head.tree.has(key);
    if (mode === 'create' && present) operation.fail('EEXIST');
    if (mode === 'replace' && !present) operation.fail('ENODATA');
    head.tree.put(key, value);
  });
}

export function removeXattr(head: Head, operation: Operation, find: () => Inode, name: string): void {
  changeXattr(head, operation, find, name, 0, true, (key) => {
    if (!head.tree.delete(key)) operation.fail('ENODATA');
  });
}

function changeXattr(
  head: Head,
  operation: Operation,
  find: () => Inode,
  name: string,
  valueLength: number,
  reclaiming: boolean,
  change: (key: Uint8Array) => void,
): void {
  head.beginChange(operation);
  let inode: Inode;
  let key: Uint8Array;
  do {
    const room = head.tree.putRoom(head.nameLimitBytes, valueLength);
    head.staging.begin(operation, PUTS_TO_CHANGE, reclaiming, room.blocks + 2 * room.nodes);
    inode = find();
    key = xattrKey(head, operation, inode, name).slice();
    head.staging.needInode(operation, inode, reclaiming);
  } while (!head.staging.reserve(operation, PUTS_TO_CHANGE, reclaiming));
  try {
    // Within a transaction no commit is made, so the entry and the record enter the same delta.
    head.log.transact(() => change(key));
  } catch (error) {
    rethrow(error, operation);
  }
  inode.flags |= FLAG_XATTRS;
  head.touchRecord(inode);
}

/** Names of the attributes of `inode` in the order of their bytes. Throws a `CorruptionError`. */
export function listXattrs(head: Head, inode: Inode): string[] {
  const names: string[] = [];
  if ((inode.flags & FLAG_XATTRS) === 0) return names;
  const cursor = head.tree.cursor();
  cursor.seek(head.keys.plain(inode.number, KIND.xattr));
  for (; cursor.valid; cursor.next()) {
    const key = cursor.key();
    const { inode: owner, kind } = decodeKeyHead(key);
    if (owner !== inode.number || kind !== KIND.xattr) break;
    const name = decodeUtf8(key, REST_OFFSET, key.length);
    if (name === null) throw new CorruptionError(`attributes of inode ${inode.number}`, 'a name is not UTF-8');
    names.push(name);
  }
  return names;
}

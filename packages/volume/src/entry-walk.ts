/**
 * Reading all entries of a head that can be read, and finding the paths of inodes from them.
 *
 * A leaf that cannot be read hides an unknown range of keys. The walk tells of it and goes on at the next inode, at a distance that doubles
 * as long as the damage lasts. It sees the tree, so what waits in memory to be staged is not part of it.
 */
import { CorruptionError } from '@outwrite/blockdev';
import type { Head } from './head.ts';
import { entryInode } from './inode-format.ts';
import { decodeKeyHead, decodeName, KIND, ROOT_INODE, VOLUME_INODE } from './key-format.ts';

/** Directories nested deeper than this are taken for a loop. */
const DEPTH_LIMIT = 4096;

/**
 * Yields key and value of every entry, in order, as copies. The tree may change between two of them. `report` is told of damage, with the
 * inode whose keys were being read.
 */
export function* walkEntries(
  head: Head,
  report: (error: CorruptionError, inode: number) => void,
): Generator<[key: Uint8Array, value: Uint8Array]> {
  const cursor = head.tree.cursor();
  let from = head.keys.plain(VOLUME_INODE, 0).slice();
  let inode = VOLUME_INODE;
  let jump = 1;
  for (;;) {
    try {
      cursor.seek(from);
      while (cursor.valid) {
        const key = cursor.key();
        inode = decodeKeyHead(key).inode;
        jump = 1;
        yield [key, cursor.value()];
        cursor.next();
      }
      return;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      report(error, inode);
      inode += jump;
      jump *= 2;
      if (inode >= head.record.nextInode) return;
      from = head.keys.plain(inode, 0).slice();
    }
  }
}

/** Where a name is and what it leads to. */
interface Step {
  readonly directory: number;
  readonly name: string;
}

/** Paths of those of `inodes` that names lead to: one of them each. One pass over the names for each level of directories. */
export function findPaths(head: Head, inodes: Iterable<number>): Map<number, string> {
  const steps = new Map<number, Step>();
  const wanted = [...inodes].filter((inode) => inode !== VOLUME_INODE);
  let open = new Set(wanted.filter((inode) => inode !== ROOT_INODE));
  for (let depth = 0; open.size > 0 && depth < DEPTH_LIMIT; depth++) {
    const next = new Set<number>();
    for (const [key, value] of walkEntries(head, () => undefined)) {
      const { inode: directory, kind } = decodeKeyHead(key);
      if (kind !== KIND.name || value.length < 6) continue;
      const inode = entryInode(value);
      if (!open.has(inode) || steps.has(inode)) continue;
      const name = nameOrNull(head, directory, key);
      if (name === null) continue;
      steps.set(inode, { directory, name });
      if (directory !== ROOT_INODE && !steps.has(directory)) next.add(directory);
    }
    open = next;
  }
  const paths = new Map<number, string>();
  for (const inode of wanted) {
    const path = pathBySteps(steps, inode);
    if (path !== null) paths.set(inode, path);
  }
  return paths;
}

/** The name in the key of a directory's entry; null for one that cannot be part of a path. */
export function nameOrNull(head: Head, directory: number, key: Uint8Array): string | null {
  try {
    return decodeName(directory, key, key.length, head.nameLimitBytes);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return null;
  }
}

function pathBySteps(steps: ReadonlyMap<number, Step>, inode: number): string | null {
  if (inode === ROOT_INODE) return '/';
  const names: string[] = [];
  for (let at = inode; at !== ROOT_INODE; ) {
    const step = steps.get(at);
    if (step === undefined || names.length >= DEPTH_LIMIT) return null;
    names.push(step.name);
    at = step.directory;
  }
  return `/${names.reverse().join('/')}`;
}

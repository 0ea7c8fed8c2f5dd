/**
 * The cross-references of a volume's namespace, collected in one pass over its keys and compared at the end.
 *
 * For each inode: what its record says (type, links, size) and what names say of it. Held as numbers in maps, some 50 bytes an inode.
 * Compared: every name leads to an inode of its type; link counts are those of the names, for directories 2 plus the subdirectories;
 * every directory has one name and is reached from the root; inodes without names are on the orphan list, and only they.
 */
import type { Inode } from './inode.ts';
import { ENTRY_DIRECTORY, entryTypeOf } from './inode-mode.ts';
import { ROOT_INODE } from './key-format.ts';

export interface NamespaceFinding {
  readonly code:
    | 'dangling-name'
    | 'wrong-type'
    | 'wrong-link-count'
    | 'unreachable'
    | 'not-listed'
    | 'wrong-list'
    | 'wrong-count';
  readonly message: string;
  readonly inode: number;
}

export class NamespaceCheck {
  /** Inode number to type and link count, as type * 2^32 + count. */
  readonly #inodes: Map<number, number> = new Map();
  /** Inode number to the names that lead to it, likewise; the type is that of the first name. */
  readonly #names: Map<number, number> = new Map();
  readonly #parents: Map<number, number> = new Map();
  readonly #subdirectories: Map<number, number> = new Map();
  readonly #orphans: Set<number> = new Set();

  get inodeCount(): number {
    return this.#inodes.size;
  }

  addInode(inode: Inode): void {
    this.#inodes.set(inode.number, entryTypeOf(inode.mode) * 0x100000000 + inode.linkCount);
  }

  addOrphan(number: number): void {
    this.#orphans.add(number);
  }

  /** Returns what is wrong with a name at first sight. */
  addName(directory: number, inode: number, type: number): NamespaceFinding | null {
    const before = this.#names.get(inode);
    this.#names.set(inode, (before ?? type * 0x100000000) + 1);
    if (before !== undefined && Math.floor(before / 0x100000000) !== type) {
      return { code: 'wrong-type', message: 'its names call it different things', inode };
    }
    if (type !== ENTRY_DIRECTORY) return null;
    this.#subdirectories.set(directory, (this.#subdirectories.get(directory) ?? 0) + 1);
    if (before !== undefined) return { code: 'wrong-link-count', message: 'a directory has more than one name', inode };
    this.#parents.set(inode, directory);
    return null;
  }

  *finish(record: { nextInode: number; inodeCount: number }): Generator<NamespaceFinding> {
    for (const [inode, packed] of this.#names) {
      const type = Math.floor(packed / 0x100000000);
      const known = this.#inodes.get(inode);
      if (known === undefined)
        yield { code: 'dangling-name', message: 'a name leads to an inode that does not exist', inode };
      else if (Math.floor(known / 0x100000000) !== type) {
        yield { code: 'wrong-type', message: 'its name calls it something else than its record', inode };
      }
    }
    for (const [inode, packed] of this.#inodes) yield* this.#finishInode(inode, packed);
    for (const orphan of this.#orphans) {
      if (!this.#inodes.has(orphan))
        yield { code: 'wrong-list', message: 'the orphan list names an inode that does not exist', inode: orphan };
    }
    yield* this.#findLoops();
    if (this.#inodes.size !== record.inodeCount) {
      yield {
        code: 'wrong-count',
        message: `the volume counts ${record.inodeCount} inodes, and there are ${this.#inodes.size}`,
        inode: 0,
      };
    }
    for (const inode of this.#inodes.keys()) {
      if (inode >= record.nextInode) yield { code: 'wrong-count', message: 'its number has not been given yet', inode };
    }
  }

  *#finishInode(inode: number, packed: number): Generator<NamespaceFinding> {
    const type = Math.floor(packed / 0x100000000);
    const linkCount = packed % 0x100000000;
    const nameCount = (this.#names.get(inode) ?? 0) % 0x100000000;
    const listed = this.#orphans.has(inode);
    if (nameCount === 0 && inode !== ROOT_INODE) {
      if (!listed)
        yield { code: 'not-listed', message: 'no name leads to it, and it is not on the orphan list', inode };
      if (linkCount !== 0)
        yield { code: 'wrong-link-count', message: `it counts ${linkCount} links and has no name`, inode };
      return;
    }
    if (listed) yield { code: 'wrong-list', message: 'it is on the orphan list, and a name leads to it', inode };
    const expected = type === ENTRY_DIRECTORY ? 2 + (this.#subdirectories.get(inode) ?? 0) : nameCount;
    if (linkCount !== expected) {
      yield { code: 'wrong-link-count', message: `it counts ${linkCount} links where there are ${expected}`, inode };
    }
  }

  /** Directories that have a name and yet are not below the root stand in a loop. */
  *#findLoops(): Generator<NamespaceFinding> {
    const sound = new Set([ROOT_INODE]);
    for (const start of this.#parents.keys()) {
      const path: number[] = [];
      const onPath = new Set<number>();
      let inode: number | undefined = start;
      while (inode !== undefined && !sound.has(inode) && !onPath.has(inode)) {
        path.push(inode);
        onPath.add(inode);
        inode = this.#parents.get(inode);
      }
      if (inode !== undefined && onPath.has(inode)) {
        yield {
          code: 'unreachable',
          message: 'a directory stands in a loop and cannot be reached from the root',
          inode,
        };
      }
      for (const passed of path) sound.add(passed);
    }
  }

  /** The directory that holds the name of a directory. */
  parentOf(directory: number): number | undefined {
    return this.#parents.get(directory);
  }
}

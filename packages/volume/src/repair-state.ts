/**
 * What a repair knows of a volume and what it has decided to change, shared by the parts that read and mend it.
 *
 * Edits are keyed: what is decided later about an entry replaces what was decided before. Pieces of extents are kept apart, because one may
 * stand under the key of an entry that goes.
 */
import type { CorruptionError } from '@outwrite/blockdev';
import type { StoreEdit } from '@outwrite/btree-cow';
import type { ReclaimRange } from '@outwrite/filemap';
import type { Head } from './head.ts';
import { Inode } from './inode.ts';
import { ENTRY_VALUE_BYTES, encodeEntry } from './inode-format.ts';
import { entryTypeOf } from './inode-mode.ts';
import { INODE_NUMBER_LIMIT, KeyScratch, KIND } from './key-format.ts';

/** One thing that a repair changes. `code` is stable. */
export interface RepairChange {
  readonly code:
    | 'device-length'
    | 'log-cut'
    | 'range-lost'
    | 'block-dropped'
    | 'entry-dropped'
    | 'inode-dropped'
    | 'name-dropped'
    | 'name-type'
    | 'record-dropped'
    | 'record-made'
    | 'record-fields'
    | 'lost-and-found'
    | 'orphan-list'
    | 'volume-counts'
    | 'free-map'
    | 'superblock';
  readonly message: string;
  readonly inode?: number | undefined;
}

export interface KnownName {
  readonly directory: number;
  readonly key: Uint8Array;
  readonly text: string;
  readonly inode: number;
  type: number;
}

/** What the entries of an inode say of it, whatever its record says. */
export interface RepairInode {
  record: Inode | null;
  /** The size that a record told which is no good otherwise; -1 if it told none. */
  toldBytes: number;
  inlineBytes: number;
  targetBytes: number;
  /** Where the content ends that extents hold, and whether there are any. */
  endBlockIndex: number;
  hasExtents: boolean;
  /** What is being given up and belongs to no content any more. */
  reclaimed: ReclaimRange | null;
  hasXattrs: boolean;
  /** Keys that go with the inode: attributes of links, content of what has no record. */
  readonly keys: Uint8Array[];
  /** Entries for what is left of extents. */
  readonly pieces: [key: Uint8Array, value: Uint8Array][];
}

/** Inode numbers from here on leave no room for new ones: no volume comes there. */
const NUMBER_BOUND: number = INODE_NUMBER_LIMIT - 0x10000;

export class RepairState {
  readonly head: Head;
  /** Whether the record of the volume could be read. */
  readonly hasVolumeRecord: boolean;
  readonly changes: RepairChange[] = [];
  readonly keys: KeyScratch = new KeyScratch();
  readonly inodes: Map<number, RepairInode> = new Map();
  readonly orphans: Set<number> = new Set();
  names: KnownName[] = [];
  nextInode: number;
  readonly #edits: Map<string, readonly [Uint8Array, Uint8Array | null]> = new Map();

  constructor(head: Head, hasVolumeRecord: boolean) {
    this.head = head;
    this.hasVolumeRecord = hasVolumeRecord;
    this.nextInode = head.record.nextInode;
  }

  /** All that is to be changed in the tree, in an order in which it can be. */
  edits(): StoreEdit[] {
    const treeId = this.head.tree.id;
    const edits: StoreEdit[] = [...this.#edits.values()].map(([key, value]) => ({ treeId, key, value }));
    for (const { pieces } of this.inodes.values()) {
      for (const [key, value] of pieces) edits.push({ treeId, key, value });
    }
    return edits;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#edits.set(textOf(key), [key, value]);
  }

  delete(key: Uint8Array): void {
    this.#edits.set(textOf(key), [key, null]);
  }

  isDeleted(key: Uint8Array): boolean {
    return this.#edits.get(textOf(key))?.[1] === null;
  }

  tell(code: RepairChange['code'], message: string, inode?: number): void {
    this.changes.push(inode === undefined ? { code, message } : { code, message, inode });
  }

  drop(key: Uint8Array, code: RepairChange['code'], message: string, inode: number): void {
    this.delete(key);
    this.tell(code, message, inode);
  }

  dropDamaged(key: Uint8Array, code: RepairChange['code'], error: CorruptionError, inode: number): void {
    this.drop(key, code, error.message, inode);
  }

  static isNumber(inode: number): boolean {
    return inode < NUMBER_BOUND;
  }

  inode(number: number): RepairInode {
    let inode = this.inodes.get(number);
    if (inode === undefined) {
      inode = {
        record: null,
        toldBytes: -1,
        inlineBytes: -1,
        targetBytes: -1,
        endBlockIndex: 0,
        hasExtents: false,
        reclaimed: null,
        hasXattrs: false,
        keys: [],
        pieces: [],
      };
      this.inodes.set(number, inode);
    }
    return inode;
  }

  recordOf(number: number): Inode | null {
    return this.inodes.get(number)?.record ?? null;
  }

  unusedNumber(): number {
    for (const number of this.inodes.keys()) this.nextInode = Math.max(this.nextInode, number + 1);
    return this.nextInode++;
  }

  addName(directory: number, text: string, inode: number): void {
    const key = this.keys.named(directory, KIND.name, text).slice();
    const name = { directory, key, text, inode, type: entryTypeOf(this.recordOf(inode)!.mode) };
    this.names.push(name);
    this.putName(name);
  }

  putName(name: KnownName): void {
    const value = new Uint8Array(ENTRY_VALUE_BYTES);
    encodeEntry(name.inode, name.type, value);
    this.put(name.key, value);
  }

  /** A record that is not in the tree yet. */
  newRecord(number: number, mode: number): Inode {
    const record = new Inode(number, mode);
    const { clock, options } = this.head;
    clock.tick();
    record.uid = options.uid;
    record.gid = options.gid;
    for (const time of ['atime', 'mtime', 'ctime', 'birthtime'] as const) {
      record[`${time}Seconds`] = clock.seconds;
      record[`${time}Nanoseconds`] = clock.nanoseconds;
    }
    return record;
  }
}

/** One character a byte. */
function textOf(key: Uint8Array): string {
  let text = '';
  for (const byte of key) text += String.fromCharCode(byte);
  return text;
}

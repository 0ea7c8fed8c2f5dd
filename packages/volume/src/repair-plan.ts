/**
 * What a repair would change in the tree of a volume: computed from all entries, applied by whoever asked for it.
 *
 * One pass over the entries in key order gathers the namespace and looks at every extent; then the cross-references are mended. The rule is
 * that no content is given up that can be read: inodes without a name go to `/lost+found`, an inode whose record is gone gets one from
 * what it has, and of an extent only those blocks are cut out that have not their checksum, lie beyond the device, or belong to something
 * else already. They read as zeros afterwards. Held in memory: some hundred bytes for each inode and name.
 *
 * The plan needs all keys, so it is made of a tree whose every node can be read.
 */
import { SpaceAudit } from '@outwrite/alloc-log';
import { CorruptionError, OutwriteError, xxh32 } from '@outwrite/blockdev';
import { decodeFileEntry, type Extent, encodeExtent, KIND_RECLAIM } from '@outwrite/filemap';
import { walkEntries } from './entry-walk.ts';
import type { Head } from './head.ts';
import { decodeUtf8 } from './host.ts';
import { Inode } from './inode.ts';
import {
  checkEntry,
  decodeInode,
  ENTRY_VALUE_BYTES,
  encodeEntry,
  encodeInode,
  encodeVolumeRecord,
  entryInode,
  entryType,
  INODE_RECORD_BYTES,
  SHORT_TARGET_BYTES,
  VOLUME_RECORD_BYTES,
} from './inode-format.ts';
import {
  ENTRY_DIRECTORY,
  entryTypeOf,
  FLAG_LONG_TARGET,
  FLAG_MAPPED,
  FLAG_XATTRS,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
} from './inode-mode.ts';
import {
  decodeKeyHead,
  KeyScratch,
  KIND,
  NUMBERED_KEY_BYTES,
  REST_OFFSET,
  ROOT_INODE,
  readU48BigEndian,
  VOLUME_INODE,
} from './key-format.ts';

/** One thing that a repair changes. `code` is stable. */
export interface RepairChange {
  readonly code:
    | 'block-dropped'
    | 'entry-dropped'
    | 'name-dropped'
    | 'name-type'
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

/** What to do with the tree: a value to put, or null to delete the key. */
export type TreeEdit = readonly [key: Uint8Array, value: Uint8Array | null];

export interface RepairPlan {
  readonly changes: RepairChange[];
  readonly edits: TreeEdit[];
}

interface KnownName {
  readonly directory: number;
  readonly key: Uint8Array;
  readonly text: string;
  readonly inode: number;
  type: number;
}

/** What the entries of an inode say of it, whatever its record says. */
interface Gathered {
  record: Inode | null;
  inlineBytes: number;
  targetBytes: number;
  endBlockIndex: number;
  hasXattrs: boolean;
}

const LOST_AND_FOUND = 'lost+found';
const LOST_MODE: number = MODE_DIRECTORY | 0o700;
const UNKNOWN_MODE = 0o600;

/** Makes the plan for the volume that `head` shows, which is open read-only. Throws the error of a node that cannot be read. */
export function planRepair(head: Head): RepairPlan {
  const planner = new RepairPlanner(head);
  planner.claimNodes();
  planner.readEntries();
  planner.mendNames();
  planner.mendInodes();
  planner.mendCounts();
  return planner;
}

class RepairPlanner implements RepairPlan {
  readonly changes: RepairChange[] = [];
  readonly edits: TreeEdit[] = [];
  readonly #head: Head;
  readonly #keys: KeyScratch = new KeyScratch();
  readonly #claimed: SpaceAudit;
  readonly #inodes: Map<number, Gathered> = new Map();
  readonly #orphans: Set<number> = new Set();
  #names: KnownName[] = [];
  #nextInode: number;

  constructor(head: Head) {
    this.#head = head;
    this.#claimed = new SpaceAudit(head.log);
    this.#nextInode = head.record.nextInode;
  }

  claimNodes(): void {
    this.#head.store.check({
      block: (start, count, kind) => {
        const problem = this.#claimed.reach(start, count, kind)[0];
        if (problem !== undefined) throw new CorruptionError(kind, problem.message, { block: problem.block });
      },
      problem: (error) => {
        throw error;
      },
    });
    for (const { start, count } of this.#head.log.systemExtents()) this.#claimed.reach(start, count, 'the volume');
  }

  readEntries(): void {
    const walk = walkEntries(this.#head, (error) => {
      throw error;
    });
    for (const [key, value] of walk) {
      const { inode, kind } = decodeKeyHead(key);
      try {
        if (inode === VOLUME_INODE) this.#volumeEntry(kind, key);
        else this.#entry(inode, kind, key, value);
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        // A record is everything that is known of its inode; to give that up is no repair. The check goes on reporting it.
        if (kind === KIND.record) throw error;
        this.#drop(key, kind === KIND.name ? 'name-dropped' : 'entry-dropped', error.message, inode);
      }
    }
  }

  #volumeEntry(kind: number, key: Uint8Array): void {
    if (kind === KIND.orphan && key.length === NUMBERED_KEY_BYTES)
      this.#orphans.add(readU48BigEndian(key, REST_OFFSET));
    else if (kind !== KIND.record) throw new CorruptionError('volume record', 'an entry of an unknown kind');
  }

  #entry(inode: number, kind: number, key: Uint8Array, value: Uint8Array): void {
    if (kind === KIND.name) {
      this.#name(inode, key, value);
      return;
    }
    const gathered = this.#gathered(inode);
    if (kind === KIND.record) gathered.record = decodeInode(inode, value);
    else if (kind === KIND.symlink) gathered.targetBytes = value.length;
    else if (kind === KIND.xattr) gathered.hasXattrs = true;
    else if (kind === KIND.inline || kind === KIND.extent || kind === KIND_RECLAIM) this.#content(inode, key, value);
    else throw new CorruptionError('inode', `an entry of the unknown kind 0x${kind.toString(16)}`);
  }

  #name(directory: number, key: Uint8Array, value: Uint8Array): void {
    const text = decodeUtf8(key, REST_OFFSET, key.length);
    if (text === null || text === '' || text === '.' || text === '..' || text.includes('/') || text.includes('\0')) {
      throw new CorruptionError('directory', 'it holds a name that cannot be one');
    }
    checkEntry(directory, value);
    this.#gathered(directory);
    this.#names.push({ directory, key, text, inode: entryInode(value), type: entryType(value) });
  }

  #content(inode: number, key: Uint8Array, value: Uint8Array): void {
    const { blockSize, openDelta } = this.#head.log;
    const entry = decodeFileEntry(key, value, { blockSize, openDelta });
    if (entry === null) throw new CorruptionError('file map', 'a key makes no sense');
    const gathered = this.#gathered(inode);
    if (entry.kind === 'inline') gathered.inlineBytes = entry.lengthBytes;
    if (entry.kind !== 'extent') return;
    const { extent } = entry;
    const kept = this.#keptPieces(inode, extent);
    if (kept.length === 1 && kept[0]!.checksums.length === extent.checksums.length) {
      gathered.endBlockIndex = extent.blockIndex + extent.checksums.length;
      return;
    }
    this.edits.push([key, null]);
    for (const piece of kept) {
      this.edits.push([this.#keys.numbered(inode, KIND.extent, piece.blockIndex).slice(), encodeExtent(piece)]);
      gathered.endBlockIndex = piece.blockIndex + piece.checksums.length;
    }
  }

  /** The runs of blocks of `extent` that are sound and nobody else's. */
  #keptPieces(inode: number, extent: Extent): Extent[] {
    const { start, blockIndex, checksums } = extent;
    const pieces: Extent[] = [];
    let from = 0;
    const keep = (to: number): void => {
      if (to > from) {
        pieces.push({
          ...extent,
          start: start + from,
          blockIndex: blockIndex + from,
          checksums: checksums.slice(from, to),
        });
      }
      from = to + 1;
    };
    for (let i = 0; i < checksums.length; i++) {
      const problem =
        this.#problemOf(start + i, checksums[i]!) ?? this.#claimed.reach(start + i, 1, `inode ${inode}`)[0]?.message;
      if (problem === undefined) continue;
      const message = `inode ${inode}: block ${blockIndex + i} of the file will read as zeros: block ${start + i} ${problem}`;
      this.changes.push({ code: 'block-dropped', message, inode });
      keep(i);
    }
    keep(checksums.length);
    return pieces;
  }

  #problemOf(block: number, checksum: number): string | undefined {
    const { device, blockSize } = this.#head.log;
    if ((block + 1) * blockSize > device.sizeBytes) return 'lies beyond the end of the device';
    const bytes = new Uint8Array(blockSize);
    try {
      device.readSync(block * blockSize, [bytes]);
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      return `cannot be read: ${error.message}`;
    }
    return xxh32(bytes) === checksum ? undefined : 'does not have its checksum';
  }

  /** Every name leads to an inode of its type, every directory has one name and hangs below the root, and what has none gets one. */
  mendNames(): void {
    this.#makeRecords();
    const parents = new Map<number, KnownName>();
    const named = new Set<number>([ROOT_INODE]);
    this.#names = this.#names.filter((name) => {
      const target = this.#inodes.get(name.inode)?.record;
      const drop = (why: string): boolean => {
        this.#drop(name.key, 'name-dropped', `the name "${name.text}" of inode ${name.inode}: ${why}`, name.directory);
        return false;
      };
      if (target === undefined || target === null) return drop('it leads to an inode that does not exist');
      if (target.number === ROOT_INODE) return drop('it leads to the root');
      if (this.#inodes.get(name.directory)?.record?.isDirectory !== true) return drop('it is in no directory');
      if (target.isDirectory && named.has(target.number)) return drop('the directory has a name already');
      named.add(target.number);
      if (target.isDirectory) parents.set(target.number, name);
      const type = entryTypeOf(target.mode);
      if (type !== name.type) {
        name.type = type;
        this.#putName(name);
        const message = `the name "${name.text}" says what kind of inode ${name.inode} is`;
        this.changes.push({ code: 'name-type', message, inode: name.inode });
      }
      return true;
    });
    for (const number of this.#loops(parents)) {
      const name = parents.get(number)!;
      const why = `the name "${name.text}": directory ${number} stands in a loop`;
      this.#drop(name.key, 'name-dropped', why, name.directory);
      this.#names.splice(this.#names.indexOf(name), 1);
      named.delete(number);
    }
    this.#mendOrphans(named);
    const lost = [...this.#inodes.keys()].filter((number) => !named.has(number) && !this.#orphans.has(number));
    if (lost.length > 0) this.#find(lost.sort((a, b) => a - b));
  }

  /** One directory of each loop. */
  #loops(parents: ReadonlyMap<number, KnownName>): number[] {
    const loops: number[] = [];
    const sound = new Set([ROOT_INODE]);
    for (const start of parents.keys()) {
      const path = new Set<number>();
      let at: number | undefined = start;
      while (at !== undefined && !sound.has(at) && !path.has(at)) {
        path.add(at);
        at = parents.get(at)?.directory;
      }
      if (at !== undefined && path.has(at)) loops.push(at);
      for (const passed of path) sound.add(passed);
    }
    return loops;
  }

  #mendOrphans(named: ReadonlySet<number>): void {
    for (const number of this.#orphans) {
      const exists = this.#inodes.has(number);
      if (exists && !named.has(number)) continue;
      this.#orphans.delete(number);
      const why = exists ? 'a name leads to it' : 'it does not exist';
      const key = this.#keys.numbered(VOLUME_INODE, KIND.orphan, number).slice();
      this.#drop(key, 'orphan-list', `inode ${number} leaves the list of orphans: ${why}`, number);
    }
  }

  /** Gives a name in `/lost+found` to each of `numbers`. */
  #find(numbers: readonly number[]): void {
    const directory = this.#lostAndFound();
    const taken = new Set(this.#names.filter((name) => name.directory === directory).map(({ text }) => text));
    for (const inode of numbers) {
      let text = `#${inode}`;
      while (taken.has(text)) text += '_';
      this.#addName(directory, text, inode);
      const message = `inode ${inode}, which no name leads to, becomes /${this.#lostName}/${text}`;
      this.changes.push({ code: 'lost-and-found', message, inode });
    }
  }

  #lostName: string = LOST_AND_FOUND;

  /** The inode of `/lost+found`, which is made if it is not there. */
  #lostAndFound(): number {
    const inRoot = new Map(this.#names.filter(({ directory }) => directory === ROOT_INODE).map((n) => [n.text, n]));
    for (let i = 1; ; i++) {
      this.#lostName = i === 1 ? LOST_AND_FOUND : `${LOST_AND_FOUND}.${i}`;
      const name = inRoot.get(this.#lostName);
      if (name?.type === ENTRY_DIRECTORY) return name.inode;
      if (name === undefined) break;
    }
    const number = this.#unusedNumber();
    this.#gathered(number).record = this.#newRecord(number, LOST_MODE);
    this.#addName(ROOT_INODE, this.#lostName, number);
    this.changes.push({ code: 'record-made', message: `the directory /${this.#lostName} is made`, inode: number });
    return number;
  }

  #unusedNumber(): number {
    for (const number of this.#inodes.keys()) this.#nextInode = Math.max(this.#nextInode, number + 1);
    return this.#nextInode++;
  }

  #addName(directory: number, text: string, inode: number): void {
    const key = this.#keys.named(directory, KIND.name, text).slice();
    const name = { directory, key, text, inode, type: entryTypeOf(this.#inodes.get(inode)!.record!.mode) };
    this.#names.push(name);
    this.#putName(name);
  }

  #putName(name: KnownName): void {
    const value = new Uint8Array(ENTRY_VALUE_BYTES);
    encodeEntry(name.inode, name.type, value);
    this.edits.push([name.key, value]);
  }

  /** What has entries and no record gets one from them; the root always has one. */
  #makeRecords(): void {
    const directories = new Set(this.#names.map(({ directory }) => directory));
    this.#gathered(ROOT_INODE);
    for (const [number, gathered] of this.#inodes) {
      if (gathered.record !== null) continue;
      const isDirectory = number === ROOT_INODE || directories.has(number);
      const mode = isDirectory ? LOST_MODE : (gathered.targetBytes > 0 ? MODE_SYMLINK : MODE_FILE) | UNKNOWN_MODE;
      const record = this.#newRecord(number, mode);
      if (record.isSymlink) {
        record.flags |= FLAG_LONG_TARGET;
        record.sizeBytes = gathered.targetBytes;
      } else if (record.isFile) {
        record.sizeBytes = Math.max(gathered.inlineBytes, gathered.endBlockIndex * this.#head.log.blockSize, 0);
      }
      gathered.record = record;
      this.changes.push({
        code: 'record-made',
        message: `inode ${number} gets a record from what it has`,
        inode: number,
      });
    }
  }

  /** A record that is not in the tree yet. */
  #newRecord(number: number, mode: number): Inode {
    const record = new Inode(number, mode);
    const { clock, options } = this.#head;
    clock.tick();
    record.uid = options.uid;
    record.gid = options.gid;
    for (const time of ['atime', 'mtime', 'ctime', 'birthtime'] as const) {
      record[`${time}Seconds`] = clock.seconds;
      record[`${time}Nanoseconds`] = clock.nanoseconds;
    }
    return record;
  }

  /** Link counts, sizes and flags follow from names and entries. */
  mendInodes(): void {
    const nameCounts = new Map<number, number>();
    const linkCounts = new Map<number, number>();
    const count = (map: Map<number, number>, number: number): void => {
      map.set(number, (map.get(number) ?? 0) + 1);
    };
    for (const { directory, inode, type } of this.#names) {
      count(nameCounts, directory);
      if (type === ENTRY_DIRECTORY) count(linkCounts, directory);
      else count(linkCounts, inode);
    }
    for (const [number, gathered] of this.#inodes) {
      const record = gathered.record!;
      const before = [record.linkCount, record.sizeBytes, record.flags].join();
      record.linkCount = (linkCounts.get(number) ?? 0) + (record.isDirectory ? 2 : 0);
      if (this.#orphans.has(number)) record.linkCount = 0;
      if (record.isDirectory) record.sizeBytes = nameCounts.get(number) ?? 0;
      if (gathered.hasXattrs) record.flags |= FLAG_XATTRS;
      if (record.isFile && gathered.endBlockIndex > 0) record.flags |= FLAG_MAPPED;
      if (record.isFile && (!record.isMapped || gathered.inlineBytes >= 0)) {
        record.sizeBytes = Math.max(gathered.inlineBytes, 0);
      }
      const after = [record.linkCount, record.sizeBytes, record.flags].join();
      if (record.stored && before === after) continue;
      const value = new Uint8Array(INODE_RECORD_BYTES + 3 * SHORT_TARGET_BYTES);
      const length = encodeInode(record, value);
      this.edits.push([this.#keys.plain(number, KIND.record).slice(), value.subarray(0, length)]);
      if (!record.stored) continue;
      const message = `inode ${number}: links, size and flags ${before} become ${after}`;
      this.changes.push({ code: 'record-fields', message, inode: number });
    }
  }

  mendCounts(): void {
    const { record } = this.#head;
    for (const number of this.#inodes.keys()) this.#nextInode = Math.max(this.#nextInode, number + 1);
    if (this.#inodes.size === record.inodeCount && this.#nextInode === record.nextInode) return;
    const value = new Uint8Array(VOLUME_RECORD_BYTES);
    encodeVolumeRecord({ nextInode: this.#nextInode, inodeCount: this.#inodes.size }, value);
    this.edits.push([this.#keys.plain(VOLUME_INODE, KIND.record).slice(), value]);
    const message = `the volume counts ${this.#inodes.size} inodes (it said ${record.inodeCount}), the next is ${this.#nextInode}`;
    this.changes.push({ code: 'volume-counts', message });
  }

  #gathered(inode: number): Gathered {
    let gathered = this.#inodes.get(inode);
    if (gathered === undefined) {
      gathered = {
        record: null,
        inlineBytes: -1,
        targetBytes: -1,
        endBlockIndex: 0,
        hasXattrs: false,
      };
      this.#inodes.set(inode, gathered);
    }
    return gathered;
  }

  #drop(key: Uint8Array, code: RepairChange['code'], message: string, inode: number): void {
    this.edits.push([key, null]);
    this.changes.push({ code, message, inode });
  }
}

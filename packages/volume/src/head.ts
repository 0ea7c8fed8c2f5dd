/**
 * A head: one writable root with its caches. All that operations on names and files need is reached from here.
 *
 * The order of a changing operation is always the same: `beginChange` (the only place where caches shrink and a commit may be made for
 * want of memory), resolve and check, `staging.reserve` (which may ask to begin again), then change objects and mark them; from the
 * reservation on nothing fails. Operations are synchronous, so no delta closes between their halves.
 */
import type { AllocLog } from '@outwrite/alloc-log';
import { ClosedError, type CorruptionError } from '@outwrite/blockdev';
import type { Tree, TreeStore } from '@outwrite/btree-cow';
import { FileMaps } from '@outwrite/filemap';
import { ContentArena } from './content-arena.ts';
import type { Operation } from './fs-errors.ts';
import type { ContentTimes, Inode } from './inode.ts';
import { InodeCache, type InodeCacheLimits } from './inode-cache.ts';
import type { VolumeRecord } from './inode-format.ts';
import { INODE_NUMBER_LIMIT, KeyScratch, maxNameBytes } from './key-format.ts';
import { OrphanList } from './orphans.ts';
import { PathWalker } from './path-walk.ts';
import { Staging } from './staging.ts';
import { Clock } from './timestamp.ts';

/** The log keeps this part of the volume for operations that free space. */
const RESERVE_PART = 64;

export interface HeadOptions {
  readonly limits: InodeCacheLimits;
  /** The present time in milliseconds since 1970, with fractions if there are any. */
  readonly clock: () => number;
  /** Owner of what is made here. */
  readonly uid: number;
  readonly gid: number;
  /** Permissions that are taken away from what is made here. */
  readonly umask: number;
  /** Told of damage that was met, and passed over, while space was being reclaimed. */
  readonly report: (error: CorruptionError) => void;
}

export class Head {
  readonly store: TreeStore;
  readonly log: AllocLog;
  readonly tree: Tree;
  readonly options: HeadOptions;
  readonly readOnly: boolean;
  readonly keys: KeyScratch = new KeyScratch();
  readonly arena: ContentArena = new ContentArena();
  readonly clock: Clock;
  readonly record: VolumeRecord;
  readonly cache: InodeCache;
  readonly maps: FileMaps;
  readonly staging: Staging;
  readonly walker: PathWalker;
  readonly orphans: OrphanList;
  /** Files up to this many bytes are kept as one value in the tree. */
  readonly inlineLimitBytes: number;
  readonly nameLimitBytes: number;
  closed = false;
  /** Writes from callers' memory that have not ended. */
  readonly backgroundWrites: Set<Promise<void>> = new Set();
  /** The times that inodes get back if every change of content under way is refused; any other change of a record takes its inode out. */
  readonly provisionalTimes: Map<Inode, ContentTimes> = new Map();
  /** Called before each change; the volume commits here when much is dirty. */
  beforeChange: () => void = () => {};

  constructor(store: TreeStore, tree: Tree, record: VolumeRecord, options: HeadOptions) {
    this.store = store;
    this.log = store.log;
    this.tree = tree;
    this.record = record;
    this.options = options;
    this.readOnly = store.log.readOnly;
    this.clock = new Clock(options.clock);
    this.nameLimitBytes = maxNameBytes(store.log.blockSize);
    this.cache = new InodeCache(tree, this.keys, options.limits, () => this.walker.forgetDirectories());
    this.maps = new FileMaps(store, tree, { report: (error) => options.report(error) });
    this.inlineLimitBytes = this.maps.inlineLimitBytes;
    this.staging = new Staging({
      log: store.log,
      tree,
      keys: this.keys,
      cache: this.cache,
      arena: this.arena,
      record,
    });
    this.walker = new PathWalker(this);
    this.orphans = new OrphanList(this);
    if (!this.readOnly) store.log.registerStager(this.staging);
  }

  /** First call of every operation: nothing looked up by an earlier one is used after it. */
  begin(): void {
    if (this.closed) throw new ClosedError('the volume');
    this.cache.trim();
  }

  /** As `begin`, for operations that change something. */
  beginChange(operation: Operation): void {
    if (this.closed) throw new ClosedError('the volume');
    if (this.readOnly) operation.fail('EROFS');
    this.cache.trim();
    this.beforeChange();
    this.clock.tick();
  }

  /** Makes an inode with a number of its own; second half of an operation. It has no name and no link yet. */
  makeInode(mode: number): Inode {
    const inode = this.cache.pool.makeInode(this.record.nextInode, mode);
    this.record.nextInode++;
    this.record.inodeCount++;
    this.staging.markRecord();
    inode.uid = this.options.uid;
    inode.gid = this.options.gid;
    const { seconds, nanoseconds } = this.clock;
    inode.atimeSeconds = seconds;
    inode.atimeNanoseconds = nanoseconds;
    inode.mtimeSeconds = seconds;
    inode.mtimeNanoseconds = nanoseconds;
    inode.ctimeSeconds = seconds;
    inode.ctimeNanoseconds = nanoseconds;
    inode.birthtimeSeconds = seconds;
    inode.birthtimeNanoseconds = nanoseconds;
    this.cache.add(inode);
    this.staging.markInode(inode);
    return inode;
  }

  /** Whether an inode can still be made. */
  get hasInodeNumbers(): boolean {
    return this.record.nextInode < INODE_NUMBER_LIMIT - 1;
  }

  /** Content or names of `inode` changed now. */
  touch(inode: Inode): void {
    inode.mtimeSeconds = this.clock.seconds;
    inode.mtimeNanoseconds = this.clock.nanoseconds;
    this.touchRecord(inode);
  }

  /** Something in the record of `inode` changed now. */
  touchRecord(inode: Inode): void {
    if (this.provisionalTimes.size !== 0) this.provisionalTimes.delete(inode);
    inode.ctimeSeconds = this.clock.seconds;
    inode.ctimeNanoseconds = this.clock.nanoseconds;
    this.staging.markInode(inode);
  }

  /** Blocks of the volume, free ones, and those of them that are not kept for deletes. */
  space(): { blockCount: number; freeBlockCount: number; availableBlockCount: number } {
    const { limitBlocks, freeBlocks } = this.log.stats();
    const keptBlocks = Math.ceil(limitBlocks / RESERVE_PART);
    return {
      blockCount: limitBlocks,
      freeBlockCount: Math.max(0, freeBlocks),
      availableBlockCount: Math.max(0, freeBlocks - keptBlocks),
    };
  }

  checkInvariants(): void {
    this.cache.checkInvariants();
  }
}

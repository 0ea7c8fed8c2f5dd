/**
 * What all parts of one tree store share: the log and its cache, scratch space, and the lists of trees that have changed.
 *
 * `node` is the one way to a node: it finds it in the cache, or reads it, verifies its checksum and validates its layout before anybody
 * else sees it. The scratch objects serve one operation at a time. `ensure` of the log may run a delta boundary, whose stagers use them
 * too; an operation that it tells to begin again loads everything anew.
 */
import { type AllocLog, isProvisional } from '@outwrite/alloc-log';
import { assert, ClosedError, CorruptionError, OutwriteError } from '@outwrite/blockdev';
import { type BufferCache, type Frame, NO_FRAME } from '@outwrite/buffer-cache';
import { IndexBuilder } from './index-build.ts';
import { childBirth, childBlock, childChecksum, IndexEntry } from './index-page.ts';
import { LeafBuilder } from './leaf-build.ts';
import { LeafEntry } from './leaf-entry.ts';
import { checkNode, type NodeExpectation } from './node-check.ts';
import { INDEX_KIND, LEAF_KIND, maxKeyBytes } from './node-format.ts';
import { entryCount } from './node-header.ts';
import type { RangeScratch } from './range-delete.ts';
import { TreePath } from './tree-path.ts';
import type { TreeState } from './tree-state.ts';

/** Leaves are read ahead in runs of so many bytes. */
const READ_AHEAD_BYTES = 131072;

export class StoreCore {
  readonly log: AllocLog;
  readonly cache: BufferCache;
  readonly blockSize: number;

  readonly entry: LeafEntry;
  readonly indexEntry: IndexEntry;
  readonly leafBuilder: LeafBuilder;
  readonly indexBuilder: IndexBuilder;
  /** The path of the operation under way, one for a second leaf, and one to the line of its tree in the catalogue. */
  readonly path: TreePath;
  readonly secondPath: TreePath;
  readonly cataloguePath: TreePath;
  readonly keyScratch: Uint8Array;
  readonly secondKeyScratch: Uint8Array;
  /** Bounds of range deletes, those that are not in use. */
  readonly rangeScratches: RangeScratch[] = [];
  /** Trees with changes in the open delta. */
  changedTrees: TreeState[] = [];
  /** Trees whose root reference has changed since the last checkpoint. */
  movedTrees: TreeState[] = [];
  /** Made by the store when the log is loaded; the tree of trees. */
  catalogue: TreeState | null = null;
  /** The log is being replayed into the trees. */
  isReplaying = false;
  isClosed = false;
  /** While an opening relocates: the delta whose blocks move. Births stay then, so the open delta must not appear on the paths to them. */
  relocatedDelta = 0;
  /** Nodes redirected so far, for those who count both kinds of redirect. */
  redirectedLeafCount = 0;
  redirectedIndexCount = 0;

  /** Leaves that are read ahead at a time: enough for one transfer, and few for the cache. */
  readonly #readAheadLimit: number;
  readonly #runChecksums: Uint32Array;
  readonly #runBirths: Float64Array;
  /** One object for all nodes that are read: made for each, they were a third of the garbage of a cache that misses. */
  readonly #expected: NodeExpectation = { block: 0, level: 0, birth: 0, isRoot: false, blockCount: 0 };

  constructor(log: AllocLog) {
    this.log = log;
    this.cache = log.cache;
    this.blockSize = log.blockSize;
    this.entry = new LeafEntry(this.blockSize);
    this.indexEntry = new IndexEntry(this.blockSize);
    this.leafBuilder = new LeafBuilder(this.blockSize);
    this.indexBuilder = new IndexBuilder(this.blockSize);
    this.path = new TreePath(this);
    this.secondPath = new TreePath(this);
    this.cataloguePath = new TreePath(this);
    this.#readAheadLimit = Math.min(
      READ_AHEAD_BYTES / this.blockSize,
      Math.floor(log.cache.stats.budgetFrameCount / 8),
    );
    this.#runChecksums = new Uint32Array(READ_AHEAD_BYTES / this.blockSize);
    this.#runBirths = new Float64Array(READ_AHEAD_BYTES / this.blockSize);
    this.keyScratch = new Uint8Array(maxKeyBytes(this.blockSize));
    this.secondKeyScratch = new Uint8Array(maxKeyBytes(this.blockSize));
  }

  /** The birth of what changes now. */
  get birth(): number {
    return this.relocatedDelta !== 0 ? this.relocatedDelta : this.log.openDelta;
  }

  /**
   * The frame of a node, read if it is not cached. Valid until the next call that may take a frame, unless it is pinned or dirty. Throws a
   * `CorruptionError` if it is not what its pointer names.
   */
  node(number: number, checksum: number, birth: number, level: number, isRoot: boolean): Frame {
    const frame = this.cache.find(number);
    if (frame === NO_FRAME) return this.#readNode(number, checksum, birth, level, isRoot);
    if (this.cache.slabOf(frame).u16[this.cache.baseOf(frame) >>> 1] !== kindAndLevel(level))
      this.wrongNode(number, level);
    return frame;
  }

  #readNode(number: number, checksum: number, birth: number, level: number, isRoot: boolean): Frame {
    assert(!isProvisional(number), 'a node of the open epoch stays in memory');
    const { cache } = this;
    const frame = cache.read(number, checksum, level === 0 ? 'leaf' : 'index node');
    this.checkFresh(frame, number, level, birth, isRoot);
    return frame;
  }

  /** Validates a node that has just been read; one that is not sound does not stay in the cache. */
  checkFresh(frame: Frame, block: number, level: number, birth: number, isRoot: boolean): void {
    const { cache } = this;
    const expected = this.#expected;
    expected.block = block;
    expected.level = level;
    expected.birth = birth;
    expected.isRoot = isRoot;
    expected.blockCount = this.log.blockLimit;
    try {
      checkNode(cache.slabOf(frame), cache.baseOf(frame), this.blockSize, expected);
    } catch (error) {
      cache.discard(frame);
      throw error;
    }
  }

  /**
   * Reads leaves ahead: entry `position` of an index node above leaves and those after it, as far as they stand in one run of blocks and are
   * not cached. Damage is nobody's business before somebody asks for the leaf that has it.
   */
  readAhead(parent: Frame, position: number): void {
    const { cache } = this;
    const checksums = this.#runChecksums;
    const births = this.#runBirths;
    const slab = cache.slabOf(parent);
    const base = cache.baseOf(parent);
    const start = childBlock(slab, base, position);
    const limit = Math.min(entryCount(slab, base) - position, this.#readAheadLimit);
    let count = 0;
    for (; count < limit && childBlock(slab, base, position + count) === start + count; count++) {
      if (cache.find(start + count) !== NO_FRAME) break;
      checksums[count] = childChecksum(slab, base, position + count);
      births[count] = childBirth(slab, base, position + count);
    }
    if (count < 2) return;
    cache.pin(parent);
    ignoreDamage(() => cache.readRun(start, count, checksums.subarray(0, count), 'leaf'));
    for (let i = 0; i < count; i++) {
      const frame = cache.find(start + i);
      if (frame === NO_FRAME) continue;
      ignoreDamage(() => this.checkFresh(frame, start + i, 0, births[i]!, false));
    }
    cache.unpin(parent);
  }

  /** Ends an operation, however it ended: nothing stays pinned. */
  releasePaths(): void {
    if (this.path.isHeld) this.path.release();
    if (this.secondPath.isHeld) this.secondPath.release();
    if (this.cataloguePath.isHeld) this.cataloguePath.release();
  }

  /**
   * Asks the log for room between the two halves of an operation. True: go on, everything is as it was. False: begin again. Nothing is
   * pinned meanwhile, because making room may run other operations.
   */
  ensure(blockCount: number, nodeCount: number, isReclaiming: boolean): boolean {
    const { path, secondPath, cataloguePath } = this;
    const holdsSecond = secondPath.isHeld;
    const holdsCatalogue = cataloguePath.isHeld;
    this.releasePaths();
    if (!this.ensureRoom(blockCount, nodeCount, isReclaiming)) return false;
    path.hold();
    if (holdsSecond) secondPath.hold();
    if (holdsCatalogue) cataloguePath.hold();
    return true;
  }

  /** `ensure` where nothing has been looked up. Replay has all the room it needs: it takes what the log says was taken. */
  ensureRoom(blockCount: number, nodeCount: number, isReclaiming: boolean = false): boolean {
    return this.isReplaying || this.log.ensure(blockCount, nodeCount, isReclaiming);
  }

  checkOpen(): void {
    if (this.isClosed) throw new ClosedError('the tree store');
  }

  /** Throws unless the store is open and the tree still there. */
  checkUsable(state: TreeState): void {
    this.checkOpen();
    if (state.isDying) throw new OutwriteError('ENOENT', `tree ${state.id} has been dropped`);
  }

  /** A cached node is of another kind or level than the pointer that led to it says. */
  wrongNode(number: number, level: number): never {
    throw new CorruptionError(level === 0 ? 'leaf' : 'index node', 'two pointers of different levels lead to it', {
      block: number,
    });
  }
}

function ignoreDamage(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    if (!(error instanceof OutwriteError)) throw error;
  }
}

/** The first u16 of a node of this level. */
export function kindAndLevel(level: number): number {
  return level === 0 ? LEAF_KIND : INDEX_KIND | (level << 8);
}

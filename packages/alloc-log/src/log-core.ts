/**
 * The state that the parts of the log share: one object per opening, known to the facade, the committer, the checkpointer and recovery.
 *
 * It also holds the only door to the latch: whoever meets a failure after which the image on disk and the one in memory may differ
 * calls `latch`, and from then on `check` throws the same clear error to everybody.
 */
import {
  assert,
  type BlockDevice,
  ClosedError,
  CorruptionError,
  LatchedError,
  ReadOnlyError,
} from '@outwrite/blockdev';
import type { BufferCache } from '@outwrite/buffer-cache';
import type { FreeMap } from './free-map.ts';
import { LogBuffers } from './log-buffers.ts';
import type { LogClient } from './log-client.ts';
import type { LogCounters } from './log-stats.ts';
import { OpenDelta } from './open-delta.ts';
import { ProvisionalNumbers } from './provisional-numbers.ts';
import type { Superblock } from './superblock-format.ts';
import { WaitingBytes } from './waiting-bytes.ts';
import type { WaitingList } from './waiting-list.ts';

/** Bounds that decide when work is done early. */
export interface LogBounds {
  /** Log blocks after which a checkpoint is due. */
  logBlocks: number;
  /** Promises after which a checkpoint is due: they bound the time of recovery. */
  promises: number;
  /** Provisional nodes after which a checkpoint is due: they cannot leave the cache. */
  nodes: number;
  /** Blocks of one delta, in bytes, above which they are flushed before the log block is written. */
  flushFirstBytes: number;
  /** Space that is zeroed at a time, ahead of small commits; 0 turns it off. */
  zeroAheadBytes: number;
  /** Dirty memory in blocks above which `ensure` commits. */
  dirtyBlocks: number;
  /** Direct writes of one delta, in bytes, that wait for the commit's write instead of being made at once. */
  waitingBytes: number;
  /** Batches up to this size are written synchronously: a call costs microseconds, handing a write to a thread a hundred. */
  syncWriteBytes: number;
}

/** A log block that recovery from one of the two slots would read. */
export interface ChainBlock {
  block: number;
  delta: number;
}

export class LogCore {
  readonly device: BlockDevice;
  readonly cache: BufferCache;
  readonly map: FreeMap;
  readonly waiting: WaitingList;
  readonly waitingBytes: WaitingBytes;
  readonly logBuffers: LogBuffers;
  readonly client: LogClient;
  readonly bounds: LogBounds;
  readonly counters: LogCounters;
  readonly blockBytes: number;
  readonly readOnly: boolean;
  readonly provisional: ProvisionalNumbers = new ProvisionalNumbers();

  /** The newest superblock that was written or is about to be. */
  superblock: Superblock;
  open: OpenDelta;
  /** Counts up with each checkpoint taken. */
  epoch = 1;
  durableDelta: number;
  /** Blocks written by an earlier checkpoint that nodes of the open epoch have replaced. They count as used until the next one. */
  retired: number[] = [];
  /** The log from where the newest slot begins to the reserved place of the next block, which is the last entry. */
  chain: ChainBlock[] = [];
  chainNumber: number;
  chainChecksum: number;
  /** Promises in the log since the last checkpoint. */
  promiseCount = 0;
  /** Blocks set aside for what is still to be staged. */
  heldCount = 0;
  /** Blocks that asynchronous writes from callers' memory have taken and no delta owns yet. */
  pendingDirectCount = 0;
  staging = false;
  /** While a repair makes its changes: its opening finds out afterwards what is no longer referred to. */
  freesNothing = false;
  transactionDepth = 0;
  /** Transactions around that may use the reserve. */
  reclaimingDepth = 0;
  closed = false;
  latched: LatchedError | null = null;

  constructor(parts: {
    device: BlockDevice;
    cache: BufferCache;
    map: FreeMap;
    waiting: WaitingList;
    client: LogClient;
    bounds: LogBounds;
    counters: LogCounters;
    superblock: Superblock;
    readOnly: boolean;
  }) {
    this.device = parts.device;
    this.cache = parts.cache;
    this.map = parts.map;
    this.waiting = parts.waiting;
    this.client = parts.client;
    this.bounds = parts.bounds;
    this.counters = parts.counters;
    this.superblock = parts.superblock;
    this.readOnly = parts.readOnly;
    this.blockBytes = parts.superblock.blockBytes;
    this.waitingBytes = new WaitingBytes(parts.device, this.blockBytes, this.bounds.waitingBytes);
    this.logBuffers = new LogBuffers(this.blockBytes);
    this.durableDelta = parts.superblock.delta;
    this.open = new OpenDelta(parts.superblock.delta + 1);
    this.chainNumber = parts.superblock.nextLogNumber;
    this.chainChecksum = parts.superblock.previousLogChecksum;
  }

  /** The place of the next log block, reserved already. */
  get nextLogBlock(): number {
    return this.chain[this.chain.length - 1]!.block;
  }

  get logBlockCount(): number {
    return this.chain.length - 1;
  }

  /** Throws unless the volume can be changed. */
  check(): void {
    if (this.latched !== null) throw this.latched;
    if (this.closed) throw new ClosedError('the volume');
    if (this.readOnly) throw new ReadOnlyError('the volume');
  }

  /** Ends all changing for good; the first cause stays. Returns the error that everybody gets from now on. */
  latch(cause: unknown): LatchedError {
    this.latched ??= cause instanceof LatchedError ? cause : new LatchedError(cause);
    return this.latched;
  }

  /** A free block for the log or another use that is no part of any state; it is held back. */
  takeHeldBlock(): number {
    const block = this.map.findBlock();
    assert(block !== -1, 'reservations leave room for the log');
    this.map.pages.setHeld(block, 1);
    return block;
  }

  /** A free block that is used from now on, for a checkpoint. */
  takeUsedBlock(): number {
    const block = this.map.findBlock();
    assert(block !== -1, 'reservations leave room for a checkpoint');
    this.map.pages.setUsed(block, 1);
    return block;
  }

  /** Turns used blocks into blocks that wait: free in every image from now on, and not to be reused yet. */
  holdBack(start: number, count: number): void {
    const { pages } = this.map;
    for (let block = start; block < start + count; block++) {
      if (pages.isUsed(block) && !pages.isHeld(block)) continue;
      throw new CorruptionError('free map', 'a block that was in use counts as free', { block });
    }
    pages.clearUsed(start, count);
    pages.setHeld(start, count);
  }
}

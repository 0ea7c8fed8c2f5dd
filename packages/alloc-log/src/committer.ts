/**
 * Commits and checkpoints on their way to the device: who waits for what, in which order things are written, and what happens when a
 * write fails.
 *
 * At most one delta and one checkpoint are in flight. A delta is closed only when the one before it is durable, so no log block is
 * written before the flush of its predecessor has returned, and whoever wants to commit meanwhile shares the next delta. A checkpoint
 * is taken in the turn that closes its delta and may stay in flight while further deltas commit.
 *
 * A synchronous commit that meets something in flight overtakes it: it issues the same writes again synchronously, flushes through the
 * device's other description, and completes it. When the asynchronous calls return, the flight is settled and they go no further; until
 * then its buffers stay marked as being written and no block is released.
 */
import { assert, type LatchedError, NoSpaceError, OutwriteError } from '@outwrite/blockdev';
import type { WriteBatch } from '@outwrite/buffer-cache';
import { type CheckpointFlight, takeCheckpoint } from './checkpoint.ts';
import { closeDelta, type DeltaFlight, type Stager } from './delta-flight.ts';
import type { LogCore } from './log-core.ts';
import { availableBlocks } from './space-accounting.ts';

/** Space that small commits will use is zeroed ahead when less than this is left. */
const ZERO_MARGIN_BYTES = 256 * 1024;
/** It is zeroed asynchronously if it is at most this part of what is available: nobody else gets it meanwhile, and requests cannot wait for it. */
const ZERO_PART = 8;

/** Zeros are written from one array again and again: memory that is touched for the first time costs more than the write. */
const ZEROS: Uint8Array = new Uint8Array(64 * 1024);

function zeros(lengthBytes: number): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  for (let at = 0; at < lengthBytes; at += ZEROS.length) {
    buffers.push(lengthBytes - at < ZEROS.length ? ZEROS.subarray(0, lengthBytes - at) : ZEROS);
  }
  return buffers;
}

interface Waiter {
  resolve(delta: number): void;
  reject(error: unknown): void;
}

export class Committer {
  readonly #core: LogCore;
  readonly stagers: Stager[] = [];
  #flight: DeltaFlight | null = null;
  #checkpoint: CheckpointFlight | null = null;
  /** Who waits for the delta in flight. */
  #current: Waiter[] = [];
  /** Who waits for the delta after it. */
  #next: Waiter[] = [];
  #startScheduled = false;
  #checkpointWanted = false;
  #checkpointWaiters: Waiter[] = [];
  /** Checkpoint waiters that the checkpoint in flight will satisfy. */
  #checkpointServed: Waiter[] = [];
  #zeroing = false;

  constructor(core: LogCore) {
    this.#core = core;
  }

  get busy(): boolean {
    return this.#flight !== null || this.#checkpoint !== null || this.#zeroing;
  }

  /** Resolves with the number of a durable delta that holds everything changed before the call. */
  commit(): Promise<number> {
    const core = this.#core;
    return new Promise((resolve, reject) => {
      core.check();
      if (core.open.changed) this.#next.push({ resolve, reject });
      else if (this.#flight !== null) this.#current.push({ resolve, reject });
      else resolve(core.durableDelta);
      this.#schedule();
    });
  }

  /** Resolves when a checkpoint taken after the call is durable. */
  checkpoint(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#core.check();
      this.#checkpointWanted = true;
      this.#checkpointWaiters.push({ resolve: () => resolve(), reject });
      this.#schedule();
    });
  }

  commitSync(): number {
    this.#enterSync();
    this.#commitNow(false);
    return this.#core.durableDelta;
  }

  checkpointSync(): void {
    this.#enterSync();
    this.#commitNow(true);
  }

  #enterSync(): void {
    const core = this.#core;
    core.check();
    if (core.transactionDepth > 0 || core.staging) {
      throw new OutwriteError('EINVAL', 'a transaction cannot be committed from inside; return from it first');
    }
  }

  /** All that asked from now on has been told; nothing is in flight. Used once, before closing. */
  async drain(): Promise<void> {
    while (this.busy || this.#startScheduled) {
      if (this.#core.latched !== null) return;
      await new Promise<void>((resolve) => {
        this.#idleListeners.push(resolve);
      });
    }
  }

  readonly #idleListeners: (() => void)[] = [];

  #notifyIdle(): void {
    for (const listener of this.#idleListeners.splice(0)) listener();
  }

  // --- asynchronous ---------------------------------------------------------------------------------------------------------------

  /** Starts the next delta at the end of this turn, so that everybody who commits in it shares one. */
  #schedule(): void {
    if (this.#startScheduled || this.#flight !== null) return;
    if (this.#next.length === 0 && !(this.#checkpointWanted && this.#checkpoint === null)) return;
    this.#startScheduled = true;
    void Promise.resolve().then(() => {
      this.#startScheduled = false;
      this.#start();
      this.#notifyIdle();
    });
  }

  #start(): void {
    if (this.#flight !== null || this.#core.latched !== null) return;
    if (this.#next.length === 0 && !this.#checkpointWanted) return;
    let flight: DeltaFlight | null;
    let checkpoint: CheckpointFlight | null;
    try {
      flight = closeDelta(this.#core, this.stagers);
      checkpoint = this.#takeCheckpointIfDue(flight);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#current = this.#current.concat(this.#next);
    this.#next = [];
    this.#flight = flight;
    if (checkpoint !== null) void this.#runCheckpoint(checkpoint, flight);
    if (this.#core.latched !== null) return;
    if (flight !== null) void this.#runDelta(flight);
    else this.#resolveCurrent();
  }

  #takeCheckpointIfDue(flight: DeltaFlight | null): CheckpointFlight | null {
    const core = this.#core;
    if (this.#checkpoint !== null) return null;
    const { bounds } = core;
    const due =
      core.logBlockCount >= bounds.logBlocks ||
      core.promiseCount >= bounds.promises ||
      core.provisional.count >= bounds.nodes ||
      core.map.pages.changed.size >= bounds.nodes;
    if (!this.#checkpointWanted && !due) return null;
    this.#checkpointWanted = false;
    this.#checkpointServed = this.#checkpointServed.concat(this.#checkpointWaiters);
    this.#checkpointWaiters = [];
    const checkpoint = takeCheckpoint(core, flight === null ? core.open.number - 1 : flight.delta);
    this.#checkpoint = checkpoint;
    return checkpoint;
  }

  async #runDelta(flight: DeltaFlight): Promise<void> {
    try {
      if (flight.flushedFirst) {
        await this.#issue(flight, flight.blocks);
        if (this.#isOver(flight)) return;
        await this.#flush();
        if (this.#isOver(flight)) return;
      }
      await this.#issue(flight, flight.log);
      if (this.#isOver(flight)) return;
      await this.#flush();
      if (this.#isOver(flight)) return;
    } catch (error) {
      if (!flight.settled) this.#fail(error);
      return;
    }
    this.#settleDelta(flight);
    this.#zeroAhead(flight, false);
    this.#schedule();
  }

  async #runCheckpoint(checkpoint: CheckpointFlight, flight: DeltaFlight | null): Promise<void> {
    const core = this.#core;
    try {
      if (checkpoint.batch.sizeBytes <= core.bounds.syncWriteBytes) {
        checkpoint.batch.writeSync();
        // The flush of the delta begins after this and covers it.
        checkpoint.writtenWithDelta = flight !== null;
      } else {
        await this.#issue(checkpoint, checkpoint.batch);
      }
      if (flight !== null) await this.#untilSettled(flight);
      if (this.#isOver(checkpoint)) return;
      if (!checkpoint.writtenWithDelta) await this.#flush();
      if (this.#isOver(checkpoint)) return;
      assert(core.durableDelta >= checkpoint.superblock.delta, 'a superblock never overtakes its delta');
      checkpoint.writeSlot();
      await this.#flush();
      if (this.#isOver(checkpoint)) return;
    } catch (error) {
      if (!checkpoint.settled) this.#fail(error);
      return;
    }
    this.#settleCheckpoint(checkpoint);
    this.#schedule();
  }

  /** A flight goes no further once it was overtaken, or anything failed: a latched volume writes nothing more. */
  #isOver(flight: DeltaFlight | CheckpointFlight): boolean {
    return flight.settled || this.#core.latched !== null;
  }

  readonly #settledListeners: (() => void)[] = [];

  #untilSettled(flight: DeltaFlight): Promise<void> {
    if (flight.settled || this.#core.latched !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settledListeners.push(resolve);
    });
  }

  /** Writes a batch, synchronously where that is cheaper. After being overtaken, lets go of what the flight had kept untouchable. */
  async #issue(flight: DeltaFlight | CheckpointFlight, batch: WriteBatch): Promise<void> {
    if (batch.sizeBytes <= this.#core.bounds.syncWriteBytes) {
      batch.writeSync();
      return;
    }
    flight.batchInFlight = batch;
    try {
      await batch.write();
    } finally {
      flight.batchInFlight = null;
      if (flight.settled) {
        flight.releaseFrames();
        this.#core.waiting.lateWriteReturned(batch);
      }
    }
  }

  async #flush(): Promise<void> {
    this.#core.counters.flushes++;
    await this.#core.device.flush();
  }

  // --- synchronous ----------------------------------------------------------------------------------------------------------------

  #commitNow(forceCheckpoint: boolean): void {
    const core = this.#core;
    try {
      const overtook = this.#flight !== null || this.#checkpoint !== null;
      this.#overtake();
      if (forceCheckpoint) this.#checkpointWanted = true;
      const flight = closeDelta(core, this.stagers);
      const checkpoint = this.#takeCheckpointIfDue(flight);
      this.#current = this.#current.concat(this.#next);
      this.#next = [];
      this.#flight = flight;
      // A flush that is still in flight may fail and take with it what was written before it began, the direct writes of this delta too,
      // and tell only who asked for it.
      if (flight !== null) this.#completeDeltaSync(flight, overtook);
      else this.#resolveCurrent();
      if (checkpoint !== null) this.#completeCheckpointSync(checkpoint);
      if (flight !== null) this.#zeroAhead(flight, true);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Completes what is in flight: the same writes again, synchronously, and a flush of our own. */
  #overtake(): void {
    const flight = this.#flight;
    const checkpoint = this.#checkpoint;
    if (flight !== null) this.#completeDeltaSync(flight, true);
    if (checkpoint !== null) this.#completeCheckpointSync(checkpoint);
  }

  #completeDeltaSync(flight: DeltaFlight, again: boolean): void {
    if (again) flight.rewriteDirectWrites();
    if (flight.flushedFirst) {
      flight.blocks.writeSync();
      this.#flushSync();
    }
    flight.log.writeSync();
    this.#flushSync();
    this.#settleDelta(flight);
  }

  #completeCheckpointSync(checkpoint: CheckpointFlight): void {
    checkpoint.batch.writeSync();
    this.#flushSync();
    assert(this.#core.durableDelta >= checkpoint.superblock.delta, 'a superblock never overtakes its delta');
    checkpoint.writeSlot();
    this.#flushSync();
    this.#settleCheckpoint(checkpoint);
  }

  #flushSync(): void {
    this.#core.counters.flushes++;
    this.#core.device.flushSync();
  }

  // --- both -----------------------------------------------------------------------------------------------------------------------

  #settleDelta(flight: DeltaFlight): void {
    const core = this.#core;
    flight.settled = true;
    core.durableDelta = flight.delta;
    core.counters.commits++;
    if (flight.batchInFlight !== null) core.waiting.lateWriteStarted(flight.batchInFlight);
    else flight.releaseFrames();
    this.#flight = null;
    core.waiting.deltaDurable(flight.delta);
    core.client.durable?.(flight.delta);
    this.#resolveCurrent();
    for (const listener of this.#settledListeners.splice(0)) listener();
    this.#notifyIdle();
  }

  #settleCheckpoint(checkpoint: CheckpointFlight): void {
    const core = this.#core;
    checkpoint.settled = true;
    core.counters.checkpoints++;
    if (checkpoint.batchInFlight !== null) core.waiting.lateWriteStarted(checkpoint.batchInFlight);
    else checkpoint.releaseFrames();
    this.#checkpoint = null;
    core.waiting.checkpointDurable(checkpoint.superblock.generation);
    for (const waiter of this.#checkpointServed.splice(0)) waiter.resolve(checkpoint.superblock.delta);
    this.#notifyIdle();
  }

  #resolveCurrent(): void {
    for (const waiter of this.#current.splice(0)) waiter.resolve(this.#core.durableDelta);
  }

  /** Latches, and tells everybody who waits. */
  #fail(cause: unknown): LatchedError {
    const error = this.#core.latch(cause);
    const waiters = [
      ...this.#current.splice(0),
      ...this.#next.splice(0),
      ...this.#checkpointWaiters.splice(0),
      ...this.#checkpointServed.splice(0),
    ];
    for (const waiter of waiters) waiter.reject(error);
    for (const listener of this.#settledListeners.splice(0)) listener();
    this.#notifyIdle();
    return error;
  }

  /** Something outside a commit failed in a way that memory and disk may now differ. */
  latch(cause: unknown): LatchedError {
    return this.#fail(cause);
  }

  /**
   * After a small commit that nears the end of the space that was ever written: writes zeros further on, so that the flushes of the
   * commits to come find the file's blocks allocated. The zeros are held back while they are being written, so they spare what the changes
   * that wait for the next commit were promised. Failing to grow is no failure: the space is simply not there.
   */
  #zeroAhead(flight: DeltaFlight, synchronously: boolean): void {
    const core = this.#core;
    const { device } = core;
    const { pages } = core.map;
    if (this.#zeroing || core.latched !== null || flight.flushedFirst || flight.log.sizeBytes > ZERO_MARGIN_BYTES)
      return;
    const spaceAheadBytes = core.map.aheadCount * core.blockBytes;
    if (spaceAheadBytes >= ZERO_MARGIN_BYTES || core.map.wouldGoRound) return;
    const start = pages.sizeBlocks;
    const unclaimed = availableBlocks(core, false);
    const zeroAheadBlocks = Math.floor(core.bounds.zeroAheadBytes / core.blockBytes);
    const count = Math.min(zeroAheadBlocks, pages.blockLimit - start, unclaimed);
    if (count <= 0) return;
    try {
      device.grow((start + count) * core.blockBytes);
    } catch (error) {
      if (error instanceof NoSpaceError) return;
      this.#fail(error);
      return;
    }
    pages.setHeld(start, count);
    core.counters.bytesWritten.zero += count * core.blockBytes;
    const done = (): void => {
      this.#zeroing = false;
      pages.clearHeld(start, count);
      this.#notifyIdle();
    };
    this.#zeroing = true;
    try {
      const position = start * core.blockBytes;
      const buffers = zeros(count * core.blockBytes);
      if (synchronously || count * ZERO_PART > unclaimed) {
        device.writeSync(position, buffers);
        done();
      } else {
        device.write(position, buffers).then(done, (error: unknown) => this.#fail(error));
      }
    } catch (error) {
      this.#fail(error);
    }
  }
}

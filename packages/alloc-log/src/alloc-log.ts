/**
 * The log of promises and the space that it governs: what a layer with blocks of its own builds on.
 *
 * Lifecycle: `format` or `open` (recovery, and for writable openings the opening checkpoint), then operations and commits, then `close`.
 * An operation has two halves. In the first it calls `ensure` until that says yes; this may commit, may throw, and has changed nothing.
 * In the second it allocates, frees and changes; this cannot fail. Everything changed since the last commit is the open delta and will
 * be there as a whole, or not at all, after a crash.
 */
import { assert, type BlockDevice, checkDevice, checkSynchronous, OutwriteError } from '@outwrite/blockdev';
import type { BufferCache, Frame } from '@outwrite/buffer-cache';
import { nilPointer } from './block-pointer.ts';
import { checkedFlush, checkedGrow, checkedWrite } from './checked-calls.ts';
import { takeCheckpoint, writeSlot } from './checkpoint.ts';
import { closeLog, closeLogSync } from './closing.ts';
import { Committer } from './committer.ts';
import type { Stager } from './delta-flight.ts';
import type { Extent } from './extent.ts';
import { formatSizes } from './format-arguments.ts';
import { beginRebuild } from './free-map-rebuild.ts';
import type { LogClient } from './log-client.ts';
import type { LogCore } from './log-core.ts';
import type { ListedKind } from './log-record-format.ts';
import type { LogStats, RecoveryReport } from './log-stats.ts';
import { type LogTuning, makeCore, randomId } from './log-tuning.ts';
import { OpenDelta } from './open-delta.ts';
import { openWritable } from './opening.ts';
import { loadFreeMap, recoverLog, recoveryReport, replay } from './recovery.ts';
import { type LogRepair, repairWhileOpening } from './repair-opening.ts';
import { Room } from './room.ts';
import { readSlots } from './slots.ts';
import { logStats } from './state-figures.ts';
import { LIFE_ID_BYTES, SLOT_BYTES, SLOT_POSITIONS, slotExtents, VOLUME_ID_BYTES } from './superblock-format.ts';
import type { LogView } from './waiting-list.ts';

export interface FormatOptions extends LogTuning {
  /** 512 to 16384, a power of two; 4096 by default. Fixed for the life of the volume. */
  blockSize?: number;
  /** The volume never grows beyond this; the device's own limit by default. */
  maxBytes?: number;
}

export interface OpenOptions extends LogTuning {
  /** Recovers in memory and writes nothing. */
  readOnly?: boolean;
  /** For repair: the stored free map is made anew, damage in the middle of the log is its end, and changes become part of the opening. */
  repair?: LogRepair;
}

export class AllocLog {
  readonly device: BlockDevice;
  readonly cache: BufferCache;
  readonly blockSize: number;
  readonly readOnly: boolean;
  /** How the volume was found; null for one that was just formatted. */
  readonly recovery: RecoveryReport | null;
  readonly #core: LogCore;
  readonly #committer: Committer;
  readonly #room: Room;
  #closing: Promise<void> | null = null;

  private constructor(core: LogCore, recovery: RecoveryReport | null) {
    this.#core = core;
    this.device = core.device;
    this.cache = core.cache;
    this.blockSize = core.blockBytes;
    this.readOnly = core.readOnly;
    this.recovery = recovery;
    this.#committer = new Committer(core);
    this.#room = new Room(core, this.#committer);
  }

  /** Makes a volume of what the device holds, whatever that is. Throws a `RangeError` for impossible sizes, or what the device throws. */
  static format(device: BlockDevice, options: FormatOptions, client: LogClient): AllocLog {
    checkDevice(device);
    const { blockBytes, blockLimit } = formatSizes(device, options);
    const core = makeCore(device, options, client, {
      compatibleFlags: 0,
      readOnlyFlags: 0,
      blockBytes,
      blockLimit,
      volumeId: randomId(options, VOLUME_ID_BYTES),
      lifeId: randomId(options, LIFE_ID_BYTES),
      generation: 1,
      delta: 0,
      sizeBlocks: 0,
      root: nilPointer(),
      rootLevel: 0,
      freeMapRoot: nilPointer(),
      freeMapLevel: 0,
      freeMapPages: 0,
      nextLogBlock: 0,
      nextLogNumber: 0,
      previousLogChecksum: 0,
    });
    const { pages } = core.map;
    const slots = slotExtents(blockBytes);
    const lastSlot = slots[slots.length - 1]!;
    pages.extend(lastSlot.start + lastSlot.count);
    for (const { start, count } of slots) pages.setUsed(start, count);
    core.chain = [{ block: core.takeHeldBlock(), delta: 1 }];
    const log = new AllocLog(core, null);
    client.load(log, null);
    checkedGrow(device, SLOT_POSITIONS[SLOT_POSITIONS.length - 1]! + SLOT_BYTES);
    // The old slots go first: a crash in the middle must not leave an old volume whose blocks are being overwritten.
    for (const position of SLOT_POSITIONS) checkedWrite(device, position, new Uint8Array(SLOT_BYTES));
    checkedFlush(device);
    const checkpoint = takeCheckpoint(core, 0);
    checkpoint.batch.writeSync();
    device.flushSync();
    checkpoint.writeSlot();
    device.flushSync();
    core.superblock = { ...core.superblock, generation: core.superblock.generation + 1 };
    writeSlot(core, core.superblock);
    device.flushSync();
    core.counters.flushes += 4;
    checkpoint.releaseFrames();
    core.waiting.checkpointDurable(core.superblock.generation);
    core.open = new OpenDelta(core.open.number);
    return log;
  }

  /**
   * Opens a volume: recovery, and for a writable opening the opening checkpoint. Throws `NotAVolumeError`, `TruncatedError`,
   * `UnsupportedError`, or a `CorruptionError` for damage below the superblock or in the middle of the log (which only a read-only
   * opening gets past, see `recovery.damage`).
   */
  static open(device: BlockDevice, options: OpenOptions, client: LogClient): AllocLog {
    checkDevice(device);
    const readOnly = options.readOnly ?? device.readOnly;
    const slots = readSlots(device);
    if (!readOnly && slots.chosen.readOnlyFlags !== 0) {
      throw new OutwriteError(
        'EUNSUPPORTED',
        `the volume uses features (flags 0x${slots.chosen.readOnlyFlags.toString(16)}) with which this release can only read it; open it read-only`,
      );
    }
    const core = makeCore(device, options, client, slots.chosen, readOnly);
    const { repair } = options;
    const storedMapBlocks = repair === undefined ? [] : beginRebuild(core);
    if (repair === undefined) loadFreeMap(core);
    const recovered = recoverLog(device, slots.chosen, repair !== undefined);
    if (recovered.damage !== null && !readOnly && repair === undefined) throw recovered.damage;
    const report = recoveryReport(
      slots,
      recovered,
      recovered.kept[recovered.kept.length - 1]?.delta ?? slots.chosen.delta,
    );
    const log = new AllocLog(core, report);
    const { root, rootLevel } = slots.chosen;
    client.load(log, { pointer: root, level: rootLevel });
    replay(core, recovered, repair === undefined);
    recovered.sparedBlocks.push(...storedMapBlocks);
    const repaired = repair === undefined ? null : repairWhileOpening(core, recovered, repair);
    if (!readOnly) {
      report.relocatedBlocks = openWritable(core, recovered, {
        lifeId: randomId(options, LIFE_ID_BYTES),
        bothSlotsValid: slots.bothValid,
        repaired,
      });
    }
    return log;
  }

  // --- state ----------------------------------------------------------------------------------------------------------------------

  /** Number of the delta that changes enter now. */
  get openDelta(): number {
    return this.#core.open.number;
  }

  /** Number of the epoch: counts up with each checkpoint taken. */
  get openEpoch(): number {
    return this.#core.epoch;
  }

  get durableDelta(): number {
    return this.#core.durableDelta;
  }

  get blockLimit(): number {
    return this.#core.superblock.blockLimit;
  }

  get volumeId(): Uint8Array {
    return this.#core.superblock.volumeId.slice();
  }

  /** Something was changed since the last commit. */
  get hasChanges(): boolean {
    return this.#core.open.changed;
  }

  get isStaging(): boolean {
    return this.#core.staging;
  }

  /** The first failure of a write or flush, wrapped; null while all is well. */
  get latched(): Error | null {
    return this.#core.latched;
  }

  /** Throws unless the volume can be changed: `LatchedError`, `ClosedError`, `ReadOnlyError`. */
  checkWritable(): void {
    this.#core.check();
  }

  // --- first half of an operation ---------------------------------------------------------------------------------------------------

  /**
   * Is there room for `blocks` blocks to be allocated now and `nodes` new provisional nodes? True: go on. False: a commit or a
   * checkpoint was made for the sake of space or memory; whatever was looked up before may have moved, begin again. Throws a
   * `NoSpaceError` when nothing helps. With `reclaiming` the reserve is open, for what will free more than it takes. Inside `transact` it
   * never commits, and while staging it is always true: room was set aside before (`hold`).
   */
  ensure(blocks: number, nodes: number, reclaiming: boolean): boolean {
    return this.#room.ensure(blocks, nodes, reclaiming);
  }

  /** Sets aside blocks for what staging will need. Call `ensure` first. */
  hold(blocks: number): void {
    this.setAside(blocks);
    this.#core.open.changed = true;
  }

  /** As `hold`, for a change that may or may not come: by itself it is none. */
  setAside(blocks: number): void {
    this.#core.heldCount += blocks;
  }

  /** Gives back what `hold` set aside. */
  unhold(blocks: number): void {
    assert(blocks <= this.#core.heldCount, 'only what was set aside is given back');
    this.#core.heldCount -= blocks;
  }

  /**
   * Runs `fn` with no delta boundary inside: after a crash all of it is there or nothing. Nothing is undone when `fn` throws, or returns a
   * promise, which is a `TypeError`. With `reclaiming` the reserve is open to whatever `fn` calls: for a change that frees more than it takes.
   */
  transact<T>(fn: () => T, reclaiming: boolean = false): T {
    const core = this.#core;
    core.check();
    core.transactionDepth++;
    if (reclaiming) core.reclaimingDepth++;
    try {
      return checkSynchronous(fn(), 'the change of a transaction');
    } finally {
      core.transactionDepth--;
      if (reclaiming) core.reclaimingDepth--;
    }
  }

  /** Reads the parts of the free map that freeing these blocks will change, so that `free` cannot fail. Throws a `CorruptionError`. */
  prepareFree(start: number, count: number): void {
    this.#core.map.pages.prefetch(start, count);
  }

  // --- second half: cannot fail -----------------------------------------------------------------------------------------------------

  /** One block, next to what was allocated last. */
  allocateBlock(): number {
    const core = this.#core;
    const block = core.map.findBlock();
    assert(block !== -1, 'ensure comes before allocate');
    core.map.pages.setUsed(block, 1);
    core.open.allocated(block, 1);
    return block;
  }

  /** 1 to `blockCount` consecutive blocks, at `goal` if that is free; call again for the rest. */
  allocateExtent(blockCount: number, goal?: number): Extent {
    const core = this.#core;
    const extent = core.map.findExtent(blockCount, goal);
    assert(extent !== null, 'ensure comes before allocate');
    core.map.pages.setUsed(extent.start, extent.count);
    core.open.allocated(extent.start, extent.count);
    return extent;
  }

  /**
   * Leaf, data or overflow blocks are no longer referred to. Born in the open delta they are free at once, unless a snapshot could see
   * them they are reusable when this delta is durable and no older view is open.
   */
  free(start: number, count: number, birth: number): void {
    const core = this.#core;
    if (!ownedByHead(birth)) return;
    if (this.#core.freesNothing && birth !== this.#core.open.number) return;
    try {
      if (birth === core.open.number) {
        core.map.pages.clearUsed(start, count);
        core.open.gaveBack(start, count);
        core.waitingBytes.drop(start, count);
      } else {
        core.holdBack(start, count);
        core.open.freed(start, count);
      }
    } catch (error) {
      // A page of the free map that could not be read: memory no longer agrees with itself.
      throw this.#committer.latch(error);
    }
  }

  /** A number for an index node of the open epoch. */
  takeProvisional(): number {
    this.#core.open.changed = true;
    return this.#core.provisional.take();
  }

  releaseProvisional(number: number): void {
    this.#core.provisional.release(number);
  }

  /** A node that an earlier checkpoint wrote was replaced or dropped: reusable after the second checkpoint from now. */
  retire(block: number): void {
    this.#core.open.changed = true;
    this.#core.retired.push(block);
  }

  /** Something entered the open delta that allocates nothing yet. */
  markChanged(): void {
    this.#core.open.changed = true;
  }

  // --- content of the delta ---------------------------------------------------------------------------------------------------------

  /** While staging: `frame` is written to `block` with this delta, listed with its checksum. It must not change before that is durable. */
  writeFrame(block: number, frame: Frame, checksum: number, kind: ListedKind): void {
    assert(this.#core.staging, 'frames are handed over while staging');
    this.#core.open.frameWrites.push({ block, frame, checksum, kind });
  }

  /**
   * Writes blocks from `start` on, allocated in this delta, from a caller's memory, which is free to change afterwards. One checksum a
   * block. A few blocks are copied and wait for the commit's write; read them with `readBlocks`. A write that fails latches the volume.
   */
  writeBlocks(start: number, buffers: readonly Uint8Array[], checksums: ArrayLike<number>, kind: ListedKind): void {
    const core = this.#core;
    const blockCount = checksums.length;
    if (core.open.waitingBytes + blockCount * core.blockBytes <= core.bounds.waitingBytes) {
      core.open.wroteDirectly(start, checksums, kind, core.waitingBytes.keep(start, buffers, blockCount));
      core.counters.bytesWritten[kind] += blockCount * core.blockBytes;
      return;
    }
    try {
      core.device.writeSync(start * core.blockBytes, buffers);
    } catch (error) {
      throw this.latch(error);
    }
    this.writtenDirectly(start, checksums, kind);
  }

  /** Reads the blocks from `start` on into `target`, whole blocks, from the device or from what waits for a commit. Verifies nothing. */
  readBlocks(start: number, target: Uint8Array): void {
    this.#core.waitingBytes.read(start, target);
  }

  /** The caller has written blocks from `start` on, allocated in this delta, synchronously. One checksum a block. */
  writtenDirectly(start: number, checksums: ArrayLike<number>, kind: ListedKind): void {
    this.#core.open.wroteDirectly(start, checksums, kind, null);
    this.#core.counters.bytesWritten[kind] += checksums.length * this.#core.blockBytes;
  }

  /** Takes 1 to `blockCount` consecutive blocks for an asynchronous write from a caller's memory. No delta owns them until it ends. */
  startDirectWrite(blockCount: number, goal?: number): Extent {
    const core = this.#core;
    const extent = core.map.findExtent(blockCount, goal);
    assert(extent !== null, 'ensure comes before allocate');
    core.map.pages.setHeld(extent.start, extent.count);
    core.pendingDirectCount += extent.count;
    return extent;
  }

  /** The write has returned: the blocks enter the delta that is open now, which is then their birth. */
  endDirectWrite(start: number, checksums: ArrayLike<number>, kind: ListedKind): void {
    const core = this.#core;
    core.map.pages.clearHeld(start, checksums.length);
    core.pendingDirectCount -= checksums.length;
    core.map.pages.setUsed(start, checksums.length);
    core.open.allocated(start, checksums.length);
    core.open.wroteFromCaller = true;
    this.writtenDirectly(start, checksums, kind);
  }

  /** The write is not wanted any more although it has returned; its blocks are free again. A failed write latches instead: `latch`. */
  abandonDirectWrite(start: number, count: number): void {
    this.#core.map.pages.clearHeld(start, count);
    this.#core.pendingDirectCount -= count;
  }

  /** A write that the caller issued has failed. Latches the volume and returns the error to throw. */
  latch(cause: unknown): Error {
    return this.#committer.latch(cause);
  }

  /** Called in each closing turn; the last registered runs first. */
  registerStager(stager: Stager): void {
    this.#committer.stagers.push(stager);
  }

  // --- boundaries -------------------------------------------------------------------------------------------------------------------

  /** Makes everything changed before the call durable; resolves with the number of the delta. Concurrent callers share one. */
  commit(): Promise<number> {
    return this.#committer.commit();
  }

  commitSync(): number {
    return this.#committer.commitSync();
  }

  /** Commits and takes a checkpoint; resolves when it is durable. */
  checkpoint(): Promise<void> {
    return this.#committer.checkpoint();
  }

  checkpointSync(): void {
    this.#committer.checkpointSync();
  }

  /** A hold on the state of the last closed delta: what is freed from now on is not reused before it is released. */
  openView(): LogView {
    return this.#core.waiting.openView(this.#core.open.number - 1);
  }

  /**
   * Commits, checkpoints what the log holds, and closes the device. A latched volume, or one that latches on the way, writes nothing more
   * and is closed all the same; then this rejects with a `LatchedError`, since what was not committed is lost. Callers meanwhile share the
   * outcome; a call on a volume that is closed already resolves.
   */
  close(): Promise<void> {
    this.#closing ??= closeLog(this.#core, this.#committer).finally(() => {
      this.#closing = null;
    });
    return this.#closing;
  }

  /**
   * As `close`. While asynchronous calls are in flight the device's error is thrown and the volume stays open; then `close` is the way to
   * let go of it.
   */
  closeSync(): void {
    closeLogSync(this.#core, this.#committer);
  }

  get closed(): boolean {
    return this.#core.closed;
  }

  stats(): LogStats {
    return logStats(this.#core, this.recovery);
  }

  /** Blocks that no client owns: superblock slots, the stored free map. They count as used. */
  *systemExtents(): Generator<Extent> {
    yield* slotExtents(this.blockSize);
    for (const block of this.#core.map.ownBlocks()) yield { start: block, count: 1 };
  }

  /** Blocks that count as used until the next checkpoint although nothing refers to them. */
  retiredBlocks(): readonly number[] {
    return this.#core.retired;
  }

  /** The blocks of the log, the reserved place of the next one last. They count as neither used nor free. */
  chainBlocks(): number[] {
    return this.#core.chain.map(({ block }) => block);
  }

  /** Extents of used blocks, ascending, as the free map has them. Throws a `CorruptionError` where it is damaged. */
  usedExtents(): Generator<Extent> {
    return this.#core.map.pages.usedExtents();
  }
}

/**
 * The one place that asks who owns a freed block. A head frees what was born after its anchor; before there are snapshots, the anchor of
 * the only head is delta 0 and everything is its own.
 */
function ownedByHead(birth: number): boolean {
  const anchor = 0;
  return birth > anchor;
}

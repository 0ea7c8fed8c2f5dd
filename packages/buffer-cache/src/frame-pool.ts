/**
 * The life of a frame: taken, mapped, dirtied, written, cleaned, evicted or discarded.
 *
 * FREE --take--> EMPTY --markClean--> CLEAN --markDirty--> DIRTY --beginWrite, endWrite--> CLEAN --evicted--> FREE
 *
 * `discard` leads from any mapped state to FREE, or to DETACHED while the frame is pinned or being written: nobody can
 * find it any more, and its memory stays as it is until the last pin and the last write have ended. A frame that is
 * being written is never changed; who wants to change it makes a copy (see `BufferCache.redirect`,
 * `PageSpace.writable`).
 *
 * Each owner has a list of its *pending* frames: dirty, and not being written. Membership follows the state and is
 * never kept beside it.
 *
 * The budget is soft. With nothing to evict, one more frame is taken rather than failing (what is dirty is bounded
 * above, not here); later calls give two frames up for one taken until the budget holds again.
 */
import { assert } from '@outwrite/blockdev';
import { EvictionQueues } from './eviction-queues.ts';
import { FrameArena } from './frame-arena.ts';
import { CLEAN, DETACHED, DIRTY, EMPTY, FREE, type Frame, FrameTable, NO_FRAME } from './frame-table.ts';

/** Something that maps frames: the physical mapping, or a page space. */
export interface FrameOwner {
  /** Forgets the mapping of a frame that is being taken away. */
  unmap(frame: Frame): void;
  /** Stands for what a frame holds, for the memory of evictions. */
  fingerprintOf(frame: Frame): number;
  /** First of the owner's pending frames, or NO_FRAME; linked by `FrameTable.nextPending`. */
  firstPending: Frame;
  pendingCount: number;
}

/** How many frames of extra slabs one call looks at, to empty them bit by bit. */
const EXTRA_FRAMES_PER_STEP = 16;
const NIL_NUMBER = 0xffffffff;

export class FramePool {
  readonly table = new FrameTable();
  readonly arena: FrameArena;
  readonly queues: EvictionQueues;
  /** By owner number; a number without an owner waits in `#freeOwnerIds`. */
  readonly #owners: (FrameOwner | undefined)[] = [];
  readonly #freeOwnerIds: number[] = [];
  #extraCursor: Frame = 0;

  dirtyFrameCount = 0;
  pinnedFrameCount = 0;
  writingFrameCount = 0;
  evictionCount = 0;

  constructor(options: { blockSize: number; budgetBytes: number }) {
    this.arena = new FrameArena(this.table, options);
    this.queues = new EvictionQueues(this.table, this.arena.budgetFrameCount);
  }

  addOwner(owner: FrameOwner): number {
    const id = this.#freeOwnerIds.pop() ?? this.#owners.length;
    this.#owners[id] = owner;
    return id;
  }

  /** The owner must have no frame left. */
  removeOwner(id: number): void {
    this.#owners[id] = undefined;
    this.#freeOwnerIds.push(id);
  }

  // --- taking and giving back ----------------------------------------------------------------------------------------

  /** An EMPTY frame that nobody maps yet: follow with `adopt`, or with `abandon`. May evict others. */
  take(): Frame {
    this.#makeRoom();
    const frame = this.arena.take();
    this.table.number[frame] = NIL_NUMBER;
    return frame;
  }

  /**
   * Gives a frame that has just been taken to an owner, who maps it. `original` is the frame that it is a copy of, or
   * NO_FRAME.
   */
  adopt(frame: Frame, ownerId: number, original: Frame): void {
    this.table.owner[frame] = ownerId;
    if (original === NO_FRAME) this.queues.admit(frame, this.#owners[ownerId]!.fingerprintOf(frame));
    else this.queues.admitCopy(frame, original);
  }

  /** Gives back a frame that was taken and not adopted. */
  abandon(frame: Frame): void {
    this.arena.release(frame);
  }

  /** Makes the owner of a frame forget it: follow with `detach`. */
  unmap(frame: Frame): void {
    this.#owners[this.table.owner[frame]]!.unmap(frame);
  }

  /**
   * Takes a frame away from its owner, who has unmapped it. Its changes are cancelled; its memory is free once nobody
   * uses it.
   */
  detach(frame: Frame): void {
    const table = this.table;
    assert(table.isMapped(frame), 'only a mapped frame is detached');
    this.#cancelDirty(frame);
    this.queues.remove(frame);
    table.number[frame] = NIL_NUMBER;
    table.content[frame] = DETACHED;
    if (table.pins[frame] === 0 && table.writes[frame] === 0) this.arena.release(frame);
  }

  /** Evicts until the budget holds, as far as there is something to evict. */
  trim(): void {
    while (this.arena.usedFrameCount > this.arena.budgetFrameCount && this.#evictOne()) {
      // Each round gives up one frame.
    }
  }

  // --- states --------------------------------------------------------------------------------------------------------

  pin(frame: Frame): void {
    const table = this.table;
    assert(table.content[frame] > FREE, 'only a frame in use is pinned');
    if (table.pins[frame]++ === 0) this.pinnedFrameCount++;
  }

  unpin(frame: Frame): void {
    const table = this.table;
    assert(table.pins[frame] > 0, 'a frame is unpinned as often as it was pinned');
    if (--table.pins[frame] === 0) {
      this.pinnedFrameCount--;
      this.#becameIdle(frame);
    }
  }

  markDirty(frame: Frame, delta: number): void {
    const table = this.table;
    assert(delta > 0, 'a delta number is positive');
    assert(table.isMapped(frame), 'only a mapped frame is dirty');
    assert(table.writes[frame] === 0, 'a frame that is being written is not changed');
    table.delta[frame] = delta;
    if (table.content[frame] === DIRTY) return;
    table.content[frame] = DIRTY;
    this.arena.forgetNote(frame);
    this.dirtyFrameCount++;
    this.#linkPending(frame);
  }

  markClean(frame: Frame): void {
    const table = this.table;
    assert(table.isMapped(frame), 'only a mapped frame is clean');
    this.#cancelDirty(frame);
    table.content[frame] = CLEAN;
    this.#becameIdle(frame);
  }

  /**
   * Makes a frame's content unknown to the device again, so that it is not evicted before its owner has said what it
   * is.
   */
  markEmpty(frame: Frame): void {
    if (this.table.content[frame] !== CLEAN) return;
    this.table.content[frame] = EMPTY;
    this.arena.forgetNote(frame);
  }

  beginWrite(frame: Frame): void {
    const table = this.table;
    assert(table.content[frame] === CLEAN || table.content[frame] === DIRTY, 'only a frame with content is written');
    if (table.writes[frame]++ > 0) return;
    this.writingFrameCount++;
    if (table.content[frame] === DIRTY) this.#unlinkPending(frame);
  }

  endWrite(frame: Frame, cleanIfDelta: number): void {
    const table = this.table;
    assert(table.writes[frame] > 0, 'a write ends once');
    if (table.content[frame] === DIRTY && table.delta[frame] === cleanIfDelta) this.#cancelDirty(frame);
    if (--table.writes[frame] > 0) return;
    this.writingFrameCount--;
    if (table.content[frame] === DIRTY) this.#linkPending(frame);
    this.#becameIdle(frame);
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  /** After a pin or a write has ended, or a frame became clean: is it free, or up for eviction again? */
  #becameIdle(frame: Frame): void {
    const table = this.table;
    if (table.isEvictable(frame)) this.queues.readmit(frame);
    else if (table.content[frame] === DETACHED && table.pins[frame] === 0 && table.writes[frame] === 0)
      this.arena.release(frame);
  }

  #cancelDirty(frame: Frame): void {
    const table = this.table;
    if (table.content[frame] !== DIRTY) return;
    this.dirtyFrameCount--;
    if (table.writes[frame] === 0) this.#unlinkPending(frame);
    table.delta[frame] = 0;
    table.content[frame] = CLEAN;
  }

  #makeRoom(): void {
    const arena = this.arena;
    if (arena.endFrame > arena.firstExtraFrame) this.#emptyExtraSlabs();
    const budget = arena.budgetFrameCount;
    if (arena.usedFrameCount < budget) return;
    if (this.#evictOne() && arena.usedFrameCount >= budget) this.#evictOne();
  }

  #evictOne(): boolean {
    const frame = this.queues.chooseVictim();
    if (frame === NO_FRAME) return false;
    this.#evict(frame);
    return true;
  }

  #evict(frame: Frame): void {
    const owner = this.#owners[this.table.owner[frame]]!;
    this.queues.rememberEvicted(frame, owner.fingerprintOf(frame));
    owner.unmap(frame);
    this.detach(frame);
    this.evictionCount++;
  }

  /** Slabs beyond the budget are only let go when empty, so their frames are given up first, however useful. */
  #emptyExtraSlabs(): void {
    const arena = this.arena;
    const first = arena.firstExtraFrame;
    for (let step = 0; step < EXTRA_FRAMES_PER_STEP; step++) {
      const end = arena.endFrame;
      if (first >= end) return;
      if (this.#extraCursor < first || this.#extraCursor >= end) this.#extraCursor = first;
      if (this.table.isEvictable(this.#extraCursor)) this.#evict(this.#extraCursor);
      this.#extraCursor++;
    }
  }

  #linkPending(frame: Frame): void {
    const table = this.table;
    const owner = this.#owners[table.owner[frame]]!;
    const first = owner.firstPending;
    table.previousPending[frame] = NO_FRAME;
    table.nextPending[frame] = first;
    if (first !== NO_FRAME) table.previousPending[first] = frame;
    owner.firstPending = frame;
    owner.pendingCount++;
  }

  #unlinkPending(frame: Frame): void {
    const table = this.table;
    const owner = this.#owners[table.owner[frame]]!;
    const before = table.previousPending[frame];
    const after = table.nextPending[frame];
    if (before === NO_FRAME) owner.firstPending = after;
    else table.nextPending[before] = after;
    if (after !== NO_FRAME) table.previousPending[after] = before;
    owner.pendingCount--;
  }

  checkInvariants(): void {
    const table = this.table;
    this.arena.checkInvariants();
    this.queues.checkInvariants();
    let usedFrameCount = 0;
    let dirtyFrameCount = 0;
    let pinnedFrameCount = 0;
    let writingFrameCount = 0;
    let pendingFrameCount = 0;
    for (let frame = 0; frame < table.capacity; frame++) {
      const content = table.content[frame];
      const inUse = table.pins[frame] > 0 || table.writes[frame] > 0;
      assert(table.delta[frame] > 0 === (content === DIRTY), 'exactly the dirty frames have a delta');
      assert(content !== FREE || !inUse, 'a free frame is neither pinned nor being written');
      assert(content !== DETACHED || inUse, 'a detached frame is pinned or being written');
      if (content !== CLEAN && content !== FREE) assert(!this.arena.hasNote(frame), 'only a clean frame has a note');
      if (content !== FREE) usedFrameCount++;
      if (content === DIRTY) dirtyFrameCount++;
      if (content === DIRTY && table.writes[frame] === 0) pendingFrameCount++;
      if (table.pins[frame] > 0) pinnedFrameCount++;
      if (table.writes[frame] > 0) writingFrameCount++;
    }
    assert(usedFrameCount === this.arena.usedFrameCount, 'every frame in use is counted');
    assert(dirtyFrameCount === this.dirtyFrameCount, 'every dirty frame is counted');
    assert(pinnedFrameCount === this.pinnedFrameCount, 'every pinned frame is counted');
    assert(writingFrameCount === this.writingFrameCount, 'every frame being written is counted');
    for (let ownerId = 0; ownerId < this.#owners.length; ownerId++) {
      const owner = this.#owners[ownerId];
      if (owner !== undefined) pendingFrameCount -= this.#checkPending(owner, ownerId);
    }
    assert(pendingFrameCount === 0, 'every pending frame is listed by its owner');
  }

  #checkPending(owner: FrameOwner, ownerId: number): number {
    const table = this.table;
    let count = 0;
    let before = NO_FRAME;
    for (let frame = owner.firstPending; frame !== NO_FRAME; frame = table.nextPending[frame]) {
      assert(table.owner[frame] === ownerId, 'a pending frame is listed by its owner');
      assert(
        table.content[frame] === DIRTY && table.writes[frame] === 0,
        'a pending frame is dirty and not being written',
      );
      assert(table.previousPending[frame] === before, 'a list of pending frames is linked both ways');
      assert(++count <= owner.pendingCount, 'a list of pending frames has an end');
      before = frame;
    }
    assert(count === owner.pendingCount, 'the count of pending frames is right');
    return count;
  }
}

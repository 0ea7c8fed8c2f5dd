/**
 * What is known of each frame, as a struct of arrays: one typed array a property, indexed by frame, grown by doubling.
 *
 * A frame is one block's worth of memory; its number stays the same for as long as it holds anything. Arrays are
 * replaced when the table grows, so nobody keeps one across a call that may take a frame.
 *
 * Invariants:
 * - `content` is FREE exactly for the frames on a free list of the arena.
 * - `delta` is positive exactly when `content` is DIRTY.
 * - A frame is mapped (EMPTY, CLEAN, DIRTY) by one owner: as block `number` by owner 0, or as page `pageIndex` by the
 *   space `owner`.
 * - A DETACHED frame belongs to nobody; it waits for its last write or pin to end and is then FREE.
 */

/** The index of a frame of the cache. */
export type Frame = number;

/** Stands for "no frame": the answer of a look-up that found nothing. */
export const NO_FRAME: Frame = -1;

/** On a free list. */
export const FREE = 0;
/** Taken, but its content is undefined so far. */
export const EMPTY = 1;
/** Holds what the device holds (or what a write in flight brings there). */
export const CLEAN = 2;
/** Holds changes of the delta in `delta`. */
export const DIRTY = 3;
/** Unmapped while still being written or pinned. */
export const DETACHED = 4;

/** The owner of physically mapped frames; page spaces count from 1. */
export const BLOCK_OWNER = 0;

export class FrameTable {
  capacity = 0;
  content: Uint8Array = new Uint8Array(0);
  /** 1 when the frame was used since eviction last looked at it. */
  reference: Uint8Array = new Uint8Array(0);
  pins: Uint32Array = new Uint32Array(0);
  /** Writes in flight, see `FramePool.beginWrite`. */
  writes: Uint32Array = new Uint32Array(0);
  delta: Float64Array = new Float64Array(0);
  owner: Int32Array = new Int32Array(0);
  /** Block number of a physically mapped frame, otherwise NIL_BLOCK. */
  number: Uint32Array = new Uint32Array(0);
  /** Block index in its file of a logically mapped frame. */
  pageIndex: Float64Array = new Float64Array(0);
  /** Eviction queue of the frame (see eviction-queues.ts). */
  queue: Uint8Array = new Uint8Array(0);
  /** Neighbours in the eviction queue; `next` also links the free frames of a slab. */
  next: Int32Array = new Int32Array(0);
  previous: Int32Array = new Int32Array(0);
  /** Neighbours among the owner's frames that wait to be written. */
  nextPending: Int32Array = new Int32Array(0);
  previousPending: Int32Array = new Int32Array(0);

  /** Makes room for `frameCount` frames; new ones are FREE. */
  grow(frameCount: number): void {
    if (frameCount <= this.capacity) return;
    let capacity = Math.max(64, this.capacity);
    while (capacity < frameCount) capacity *= 2;
    this.content = copyInto(new Uint8Array(capacity), this.content);
    this.reference = copyInto(new Uint8Array(capacity), this.reference);
    this.pins = copyInto(new Uint32Array(capacity), this.pins);
    this.writes = copyInto(new Uint32Array(capacity), this.writes);
    this.delta = copyInto(new Float64Array(capacity), this.delta);
    this.owner = copyInto(new Int32Array(capacity), this.owner);
    this.number = copyInto(new Uint32Array(capacity).fill(0xffffffff), this.number);
    this.pageIndex = copyInto(new Float64Array(capacity), this.pageIndex);
    this.queue = copyInto(new Uint8Array(capacity), this.queue);
    this.next = copyInto(new Int32Array(capacity), this.next);
    this.previous = copyInto(new Int32Array(capacity), this.previous);
    this.nextPending = copyInto(new Int32Array(capacity), this.nextPending);
    this.previousPending = copyInto(new Int32Array(capacity), this.previousPending);
    this.capacity = capacity;
  }

  /** Whether the frame may be given to somebody else: clean, not pinned and not being written. */
  isEvictable(frame: Frame): boolean {
    return this.content[frame] === CLEAN && this.pins[frame] === 0 && this.writes[frame] === 0;
  }

  /** Whether somebody owns the frame. */
  isMapped(frame: Frame): boolean {
    const content = this.content[frame];
    return content === CLEAN || content === DIRTY || content === EMPTY;
  }
}

function copyInto<A extends { set(source: A): void }>(target: A, source: A): A {
  target.set(source);
  return target;
}

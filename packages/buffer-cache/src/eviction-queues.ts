/**
 * Which frame to give up: queues that let a scan pass through a tenth of the cache and leave the rest alone.
 *
 * After S3-FIFO (Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction", SOSP 2023) with the
 * two-part probation of 2Q (Johnson, Shasha, 1994). A new frame enters YOUNG, passes on to OLD and leaves the cache
 * from there unless it was used while in OLD; then it enters MAIN, a clock. Uses while in YOUNG do not count: they are
 * the several touches of one visit, which every scan makes. What was given up from probation is remembered for a while
 * by a fingerprint, and enters MAIN when it comes back.
 *
 * A use only sets the frame's reference bit. Frames that may not be evicted stay where they are until eviction meets
 * them; it then parks them, off all queues, and whoever makes them evictable again calls `readmit`. So a cache full of
 * dirty frames costs nothing.
 *
 * Invariants: every evictable frame is on a queue; a free or detached frame is on none; the counts are those of the
 * lists.
 */
import { assert } from '@outwrite/blockdev';
import { type Frame, type FrameTable, NO_FRAME } from './frame-table.ts';
import { GhostTable } from './ghost-table.ts';

/** Values of `FrameTable.queue`. */
export const NO_QUEUE = 0;
export const YOUNG = 1;
export const OLD = 2;
export const MAIN = 3;
/** A parked frame remembers its queue: code less PARKED_OFFSET. */
const PARKED_OFFSET = 2;
export const PARKED_OLD: number = OLD + PARKED_OFFSET;
export const PARKED_MAIN: number = MAIN + PARKED_OFFSET;
const QUEUE_COUNT = 4;

/** Probation gets this part of the budget, half of it for YOUNG. */
const PROBATION_DIVISOR = 10;

export class EvictionQueues {
  readonly #table: FrameTable;
  readonly #ghosts: GhostTable;
  readonly #probationLimit: number;
  readonly #youngLimit: number;
  /** By queue: newest frame, oldest frame, number of frames. */
  readonly #newest: Int32Array = new Int32Array(QUEUE_COUNT).fill(NO_FRAME);
  readonly #oldest: Int32Array = new Int32Array(QUEUE_COUNT).fill(NO_FRAME);
  readonly #count: Int32Array = new Int32Array(QUEUE_COUNT);

  constructor(table: FrameTable, budgetFrameCount: number) {
    this.#table = table;
    this.#ghosts = new GhostTable(budgetFrameCount);
    this.#probationLimit = Math.max(2, Math.floor(budgetFrameCount / PROBATION_DIVISOR));
    this.#youngLimit = this.#probationLimit >>> 1;
  }

  /** Queues a frame that has just been mapped. `fingerprint` stands for what it holds. */
  admit(frame: Frame, fingerprint: number): void {
    assert(this.#table.queue[frame] === NO_QUEUE, 'a new frame is on no queue');
    this.#table.reference[frame] = 0;
    if (this.#ghosts.recall(fingerprint)) {
      this.#push(frame, MAIN);
    } else {
      this.#push(frame, YOUNG);
      this.#age();
    }
  }

  /** Queues a copy as its original is queued. */
  admitCopy(frame: Frame, original: Frame): void {
    const table = this.#table;
    const queue = table.queue[original];
    table.reference[frame] = table.reference[original];
    if (queue === MAIN || queue === PARKED_MAIN) {
      this.#push(frame, MAIN);
    } else {
      this.#push(frame, YOUNG);
      this.#age();
    }
  }

  /** Queues a parked frame again; nothing to do for one that was not parked. */
  readmit(frame: Frame): void {
    const queue = this.#table.queue[frame];
    if (queue > MAIN) this.#push(frame, queue - PARKED_OFFSET);
  }

  /** Takes a frame off its queue for good. */
  remove(frame: Frame): void {
    const queue = this.#table.queue[frame];
    if (queue !== NO_QUEUE && queue <= MAIN) this.#unlink(frame, queue);
    this.#table.queue[frame] = NO_QUEUE;
  }

  /** Chooses an evictable frame and leaves it where it is, or NO_FRAME when there is none. Amortized constant time. */
  chooseVictim(): Frame {
    const table = this.#table;
    const count = this.#count;
    for (;;) {
      const inProbation = count[YOUNG] + count[OLD];
      let queue = MAIN;
      if (inProbation > this.#probationLimit || count[MAIN] === 0) queue = count[OLD] > 0 ? OLD : YOUNG;
      const frame = this.#oldest[queue];
      if (frame === NO_FRAME) return NO_FRAME;
      if (!table.isEvictable(frame)) {
        this.#unlink(frame, queue);
        table.queue[frame] = (queue === MAIN ? MAIN : OLD) + PARKED_OFFSET;
      } else if (table.reference[frame] === 0) {
        return frame;
      } else {
        table.reference[frame] = 0;
        this.#unlink(frame, queue);
        this.#push(frame, MAIN);
      }
    }
  }

  /** Remembers a frame that is being evicted, if it leaves from probation. */
  rememberEvicted(frame: Frame, fingerprint: number): void {
    if (this.#table.queue[frame] !== MAIN) this.#ghosts.remember(fingerprint);
  }

  checkInvariants(): void {
    const table = this.#table;
    const onQueue = new Int32Array(QUEUE_COUNT);
    for (let queue = YOUNG; queue <= MAIN; queue++) {
      let newer = NO_FRAME;
      for (let frame = this.#newest[queue]; frame !== NO_FRAME; frame = table.next[frame]) {
        assert(table.queue[frame] === queue, 'a frame knows the queue that it is on');
        assert(table.previous[frame] === newer, 'a queue is linked both ways');
        assert(table.isMapped(frame), 'only mapped frames are on a queue');
        assert(++onQueue[queue] <= table.capacity, 'a queue has an end');
        newer = frame;
      }
      assert(this.#oldest[queue] === newer, 'a queue ends with its oldest frame');
      assert(onQueue[queue] === this.#count[queue], 'the count of a queue is right');
    }
    for (let frame = 0; frame < table.capacity; frame++) {
      const queue = table.queue[frame];
      if (queue !== NO_QUEUE && queue <= MAIN) onQueue[queue]--;
      if (table.isEvictable(frame)) assert(queue !== NO_QUEUE && queue <= MAIN, 'an evictable frame is on a queue');
      if (!table.isMapped(frame)) assert(queue === NO_QUEUE, 'an unmapped frame is on no queue');
    }
    assert(
      onQueue[YOUNG] === 0 && onQueue[OLD] === 0 && onQueue[MAIN] === 0,
      'no frame says that it is on a queue when it is not',
    );
  }

  #age(): void {
    while (this.#count[YOUNG] > this.#youngLimit) {
      const frame = this.#oldest[YOUNG];
      this.#unlink(frame, YOUNG);
      this.#table.reference[frame] = 0;
      this.#push(frame, OLD);
    }
  }

  #push(frame: Frame, queue: number): void {
    const table = this.#table;
    const newest = this.#newest[queue];
    table.queue[frame] = queue;
    table.previous[frame] = NO_FRAME;
    table.next[frame] = newest;
    if (newest === NO_FRAME) this.#oldest[queue] = frame;
    else table.previous[newest] = frame;
    this.#newest[queue] = frame;
    this.#count[queue]++;
  }

  #unlink(frame: Frame, queue: number): void {
    const table = this.#table;
    const newer = table.previous[frame];
    const older = table.next[frame];
    if (newer === NO_FRAME) this.#newest[queue] = older;
    else table.next[newer] = older;
    if (older === NO_FRAME) this.#oldest[queue] = newer;
    else table.previous[older] = newer;
    this.#count[queue]--;
  }
}

/**
 * Deferred frees: blocks that nobody refers to any more and that must not be reused yet.
 *
 * The free map counts them as free at once (that is the state a checkpoint stores); this list holds them back in its overlay until the
 * event that each waits for: the delta that freed it is durable, or the second checkpoint after is. An open view of an earlier delta
 * keeps everything freed since. A write in flight that came too late (a synchronous commit has overtaken it) keeps the blocks that it goes to,
 * where it may still land, and no others: a synchronous call cannot wait for it, and on a full volume all that is deleted may be needed.
 */
import { assert } from '@outwrite/blockdev';
import type { WriteBatch } from '@outwrite/buffer-cache';
import { type Extent, extentBalance, extentBlockCount } from './extent.ts';
import type { MapPages } from './map-pages.ts';

interface WaitingEntry {
  /** The delta that freed these blocks: views of earlier deltas can see them. */
  delta: number;
  /** The delta or checkpoint generation to wait for. */
  event: number;
  extents: readonly Extent[];
}

/** A reader's hold on the state at the end of a delta. */
export interface LogView {
  readonly delta: number;
  /** When it was opened, in milliseconds since the epoch. */
  readonly openedAt: number;
  /** Lets go; idempotent. */
  release(): void;
}

export class WaitingList {
  readonly #pages: MapPages;
  #forDelta: WaitingEntry[] = [];
  #forCheckpoint: WaitingEntry[] = [];
  readonly #views: Set<LogView> = new Set();
  #durableDelta = 0;
  #durableGeneration = 0;
  /** Writes that were overtaken and have not returned, with the blocks that they go to. */
  readonly #lateWrites: Map<WriteBatch, readonly Extent[]> = new Map();

  constructor(pages: MapPages) {
    this.#pages = pages;
  }

  get blockCount(): number {
    let count = 0;
    for (const entry of this.#forDelta) count += extentBlockCount(entry.extents);
    for (const entry of this.#forCheckpoint) count += extentBlockCount(entry.extents);
    return count;
  }

  get views(): readonly LogView[] {
    return [...this.#views];
  }

  /** The blocks, which are held back already, were freed by `delta` and wait until that is durable. */
  untilDelta(delta: number, extents: readonly Extent[]): void {
    if (extents.length > 0) this.#forDelta.push({ delta, event: delta, extents });
  }

  /** The blocks, which are held back already, were retired at the end of `delta` and wait until checkpoint `generation` is durable. */
  untilCheckpoint(generation: number, delta: number, extents: readonly Extent[]): void {
    if (extents.length > 0) this.#forCheckpoint.push({ delta, event: generation, extents });
  }

  deltaDurable(delta: number): void {
    this.#durableDelta = delta;
    this.#sweep();
  }

  checkpointDurable(generation: number): void {
    this.#durableGeneration = generation;
    this.#sweep();
  }

  /** A write that was overtaken is still in flight: none of its blocks is released before `lateWriteReturned`. */
  lateWriteStarted(batch: WriteBatch): void {
    this.#lateWrites.set(batch, batch.extents());
  }

  lateWriteReturned(batch: WriteBatch): void {
    const wasLate = this.#lateWrites.delete(batch);
    assert(wasLate, 'a late write returns once');
    this.#sweep();
  }

  openView(delta: number): LogView {
    const view: LogView = {
      delta,
      openedAt: Date.now(),
      release: () => {
        if (this.#views.delete(view)) this.#sweep();
      },
    };
    this.#views.add(view);
    return view;
  }

  #sweep(): void {
    let oldestView = Number.POSITIVE_INFINITY;
    for (const view of this.#views) oldestView = Math.min(oldestView, view.delta);
    this.#forDelta = this.#release(this.#forDelta, this.#durableDelta, oldestView);
    this.#forCheckpoint = this.#release(this.#forCheckpoint, this.#durableGeneration, oldestView);
  }

  #release(entries: WaitingEntry[], reached: number, oldestView: number): WaitingEntry[] {
    const still: WaitingEntry[] = [];
    const late = [...this.#lateWrites.values()].flat();
    for (const entry of entries) {
      if (entry.event > reached || entry.delta > oldestView) {
        still.push(entry);
        continue;
      }
      const released = late.length === 0 ? entry.extents : extentBalance(entry.extents, late);
      for (const { start, count } of released) this.#pages.clearHeld(start, count);
      if (late.length === 0) continue;
      const kept = extentBalance(entry.extents, released);
      if (kept.length > 0) still.push({ ...entry, extents: kept });
    }
    return still;
  }
}

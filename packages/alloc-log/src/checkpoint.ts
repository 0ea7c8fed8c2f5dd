/**
 * A checkpoint: the index nodes and the free map of a delta boundary, written to new places, and a superblock that points at them.
 *
 * It is taken in the turn that closes its delta and frozen then: nodes that change later are redirected into the next epoch, free-map
 * pages are copied here. Its image counts as free what it retires itself; memory holds those blocks back until the checkpoint after it
 * is durable, because the other slot still leads to them. The log chain goes on across it, so that either slot alone leads to the same
 * last state.
 */
import { type Frame, WriteBatch } from '@outwrite/buffer-cache';
import { checkedWrite } from './checked-calls.ts';
import { appendExtent, type Extent } from './extent.ts';
import type { LogCore } from './log-core.ts';
import { encodeSuperblock, SLOT_POSITIONS, type Superblock } from './superblock-format.ts';

export class CheckpointFlight {
  readonly core: LogCore;
  readonly superblock: Superblock;
  readonly batch: WriteBatch;
  readonly #frames: { frame: Frame; dirtyIn: number }[];
  settled = false;
  /** See `DeltaFlight`. */
  batchInFlight: WriteBatch | null = null;
  /** The batch was written before the flush of the checkpoint's own delta began, so that flush covers it. */
  writtenWithDelta = false;

  constructor(core: LogCore, superblock: Superblock, batch: WriteBatch, frames: { frame: Frame; dirtyIn: number }[]) {
    this.core = core;
    this.superblock = superblock;
    this.batch = batch;
    this.#frames = frames;
  }

  /** Writes the slot that the newest durable checkpoint does not use. Always synchronous. */
  writeSlot(): void {
    writeSlot(this.core, this.superblock);
  }

  releaseFrames(): void {
    for (const { frame, dirtyIn } of this.#frames) this.core.cache.endWrite(frame, dirtyIn);
    this.#frames.length = 0;
  }
}

/** Writes `superblock` to the slot of its generation: the two take turns, so it is never the one written before. */
export function writeSlot(core: LogCore, superblock: Superblock): void {
  const bytes = encodeSuperblock(superblock);
  checkedWrite(core.device, SLOT_POSITIONS[superblock.generation % 2]!, bytes);
  core.counters.bytesWritten.superblock += bytes.length;
}

/**
 * Takes a checkpoint of the boundary after `delta`, the delta that was closed last. The caller writes it. `lifeId` and `generation`
 * differ from the present ones only for the opening checkpoint.
 */
export function takeCheckpoint(
  core: LogCore,
  delta: number,
  lifeId: Uint8Array = core.superblock.lifeId,
): CheckpointFlight {
  const { blockBytes, cache, counters, map } = core;
  const generation = core.superblock.generation + 1;
  const batch = new WriteBatch(core.device, blockBytes);
  const frames: { frame: Frame; dirtyIn: number }[] = [];
  const retired: Extent[] = [];
  const retire = (block: number): void => {
    core.holdBack(block, 1);
    appendExtent(retired, block, 1);
  };
  const root = core.client.checkpoint({
    delta,
    allocate: () => core.takeUsedBlock(),
    writeNode: (block, frame) => {
      frames.push({ frame, dirtyIn: cache.deltaOf(frame) });
      cache.beginWrite(frame);
      batch.add(block, cache.bytesOf(frame));
      counters.bytesWritten.index += blockBytes;
    },
  });
  for (const block of core.retired) retire(block);
  core.retired = [];
  const image = map.writeImage(delta, () => core.takeUsedBlock(), retire);
  for (const { block, bytes } of image.blocks) {
    batch.add(block, bytes);
    counters.bytesWritten['free-map'] += blockBytes;
  }
  // The log up to this delta is needed by the other slot only. Its blocks were never part of an image; they are held back already.
  const stillNeeded = core.chain.findIndex((entry) => entry.delta > delta);
  for (const { block } of core.chain.splice(0, stillNeeded)) appendExtent(retired, block, 1);
  core.waiting.untilCheckpoint(generation + 1, delta, retired);
  core.promiseCount = 0;
  core.epoch++;
  const superblock: Superblock = {
    ...core.superblock,
    lifeId,
    generation,
    delta,
    sizeBlocks: map.pages.sizeBlocks,
    root: root.pointer,
    rootLevel: root.level,
    freeMapRoot: image.root.pointer,
    freeMapLevel: image.root.level,
    freeMapPages: image.root.pageCount,
    nextLogBlock: core.nextLogBlock,
    nextLogNumber: core.chainNumber,
    previousLogChecksum: core.chainChecksum,
  };
  core.superblock = superblock;
  // A device that is shorter than its superblock says is a truncated one.
  core.device.grow(Math.max(superblock.sizeBlocks * blockBytes, SLOT_POSITIONS[1]! + 4096));
  return new CheckpointFlight(core, superblock, batch, frames);
}

/**
 * A delta on its way to the device: closed, encoded, its content frozen, not yet known to be durable.
 *
 * Closing is one synchronous turn: stage, seal, encode. What comes out holds every byte that must be written, so that the writes can be
 * issued a second time by a synchronous commit that overtakes an asynchronous one.
 */
import { assert, CorruptionError, xxh32 } from '@outwrite/blockdev';
import { type Frame, WriteBatch } from '@outwrite/buffer-cache';
import type { BlockPointer } from './block-pointer.ts';
import { encodeDelta } from './delta-encoder.ts';
import type { LogCore } from './log-core.ts';
import type { AtPromise, DeltaRecords } from './log-record-format.ts';
import { type DirectWrite, OpenDelta } from './open-delta.ts';

export interface Stager {
  /** Writes back everything that is kept as objects or dirty pages, in key order; must not fail for want of space. */
  stage(): void;
}

export class DeltaFlight {
  readonly core: LogCore;
  readonly delta: number;
  /** The blocks are flushed before the log block is written. */
  readonly flushedFirst: boolean;
  readonly blocks: WriteBatch;
  readonly log: WriteBatch;
  /** Frames that are marked as being written until the delta is durable. */
  readonly frames: Frame[];
  readonly directWrites: readonly DirectWrite[];
  /** Memory of the log blocks. */
  readonly logBlocks: Uint8Array[];
  settled = false;
  /** An asynchronous write of this flight that has not returned. */
  batchInFlight: WriteBatch | null = null;

  constructor(
    core: LogCore,
    parts: {
      delta: number;
      flushedFirst: boolean;
      blocks: WriteBatch;
      log: WriteBatch;
      frames: Frame[];
      directWrites: readonly DirectWrite[];
      logBlocks: Uint8Array[];
    },
  ) {
    this.core = core;
    this.delta = parts.delta;
    this.flushedFirst = parts.flushedFirst;
    this.blocks = parts.blocks;
    this.log = parts.log;
    this.frames = parts.frames;
    this.directWrites = parts.directWrites;
    this.logBlocks = parts.logBlocks;
  }

  /**
   * Writes again what was written straight from a caller's memory, which may have changed since: the blocks are read back (a write is
   * visible before it is durable), verified, and written to the same places.
   */
  rewriteDirectWrites(): void {
    const { core } = this;
    const bytes = new Uint8Array(core.blockBytes);
    for (const { start, checksums, pieces } of this.directWrites) {
      // What waited for the commit is part of its batch.
      if (pieces !== null) continue;
      for (let i = 0; i < checksums.length; i++) {
        const position = (start + i) * core.blockBytes;
        core.device.readSync(position, [bytes]);
        const actual = xxh32(bytes);
        if (actual !== checksums[i]) {
          throw new CorruptionError('data block', 'what was just written reads back otherwise', {
            block: start + i,
            expected: checksums[i],
            actual,
          });
        }
        core.device.writeSync(position, [bytes]);
      }
    }
  }

  /** The delta is durable and none of its writes is under way any more: its frames, and what else it wrote from, may change again. */
  releaseFrames(): void {
    const { core } = this;
    for (const frame of this.frames) core.cache.endWrite(frame, this.delta);
    this.frames.length = 0;
    core.waitingBytes.written(this.directWrites);
    core.logBuffers.giveBack(this.logBlocks);
  }
}

/** Closes the open delta: stages, seals, encodes. Returns null when there was nothing to commit. Later changes belong to the next one. */
export function closeDelta(core: LogCore, stagers: readonly Stager[]): DeltaFlight | null {
  assert(core.transactionDepth === 0, 'no delta boundary inside a transaction');
  core.staging = true;
  try {
    for (let i = stagers.length - 1; i >= 0; i--) stagers[i]!.stage();
  } finally {
    core.staging = false;
  }
  const { open } = core;
  if (!open.changed) return null;
  const delta = open.number;
  const { blockBytes, cache, counters, device } = core;
  const gone: Uint8Array[] = [];
  const at: AtPromise[] = [];
  const frames: Frame[] = [];
  const leaves: { block: number; frame: Frame }[] = [];
  core.client.seal({
    delta,
    gone: (payload) => void gone.push(payload),
    at: (payload: Uint8Array, pointer: BlockPointer) => void at.push({ payload, pointer: { ...pointer } }),
    writeLeaf: (block, frame) => {
      cache.beginWrite(frame);
      frames.push(frame);
      leaves.push({ block, frame });
    },
  });
  for (const { frame } of open.frameWrites) {
    cache.beginWrite(frame);
    frames.push(frame);
  }
  let directBlockCount = 0;
  for (const write of open.directWrites) directBlockCount += write.checksums.length;
  const sizeBytes = (frames.length + directBlockCount) * blockBytes;
  const flushedFirst = open.wroteFromCaller || sizeBytes > core.bounds.flushFirstBytes;
  const records: DeltaRecords = {
    allocations: open.netAllocations(),
    frees: open.netFrees(),
    gone,
    at,
    writes: flushedFirst ? [] : open.listedWrites(),
  };
  const log = new WriteBatch(device, blockBytes);
  // Without a flush in between, log and blocks are one batch and, where the layout allows, one run.
  const blocks = flushedFirst ? new WriteBatch(device, blockBytes) : log;
  const logBlocks: Uint8Array[] = [];
  for (const { block, bytes } of encodeDelta(core, delta, records, flushedFirst)) {
    log.add(block, bytes);
    logBlocks.push(bytes);
    counters.bytesWritten.log += blockBytes;
  }
  for (const { block, frame } of leaves) blocks.add(block, cache.bytesOf(frame));
  counters.bytesWritten.leaf += leaves.length * blockBytes;
  for (const { block, frame, kind } of open.frameWrites) {
    blocks.add(block, cache.bytesOf(frame));
    counters.bytesWritten[kind] += blockBytes;
  }
  for (const { start, pieces } of open.directWrites) {
    if (pieces !== null) for (let i = 0; i < pieces.length; i++) blocks.add(start + i, pieces[i]!);
  }
  core.waiting.untilDelta(delta, records.frees);
  core.promiseCount += gone.length + at.length;
  core.open = new OpenDelta(delta + 1);
  return new DeltaFlight(core, {
    delta,
    flushedFirst,
    blocks,
    log,
    frames,
    directWrites: open.directWrites,
    logBlocks,
  });
}

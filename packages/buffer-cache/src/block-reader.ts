/**
 * Reading blocks from the device into frames: no frame is handed on before its content has been verified.
 */
import { type BlockDevice, CorruptionError, xxh32Each } from '@outwrite/blockdev';
import type { FramePool } from './frame-pool.ts';
import { type Frame, NO_FRAME } from './frame-table.ts';

/** Who gets the blocks of a run; `place` counts from the start of the run. */
export interface RunTarget {
  lookUp(place: number): Frame;
  /** Maps a frame with verified content and says that it is clean. */
  adopt(frame: Frame, place: number): void;
}

/** The blocks of a run from place `start` to `end`, none of them cached; `block` is that of `start`. */
interface Gap {
  readonly block: number;
  readonly start: number;
  readonly end: number;
  readonly checksums: ArrayLike<number>;
  readonly structure: string;
  readonly target: RunTarget;
  /** Gets the frames that were pinned. */
  readonly pinned: Frame[];
}

export class BlockReader {
  readonly device: BlockDevice;
  /** Look-ups in page spaces that found their page. */
  pageHitCount = 0;
  /** Blocks read from the device. */
  missCount = 0;

  readonly #pool: FramePool;
  readonly #blockSize: number;
  /** The list of the one buffer of a single read, made once. */
  readonly #single: Uint8Array[] = [];

  constructor(device: BlockDevice, pool: FramePool) {
    this.device = device;
    this.#pool = pool;
    this.#blockSize = pool.arena.blockSize;
  }

  /**
   * A new frame with the verified content of a block, to be adopted; throws a `CorruptionError` or `DeviceError` and
   * takes none.
   */
  readOne(block: number, checksum: number, structure: string): Frame {
    this.#checkOnDevice(block, 1, structure);
    const frame = this.#pool.take();
    try {
      this.missCount++;
      this.#single[0] = this.#pool.arena.bytesOf(frame);
      this.device.readSync(block * this.#blockSize, this.#single);
      const actual = this.#pool.arena.checksumOf(frame);
      if (actual !== checksum >>> 0) throw mismatch(block, checksum, actual, structure);
    } catch (error) {
      this.#pool.abandon(frame);
      throw error;
    }
    return frame;
  }

  /**
   * Makes `count` consecutive blocks, from `block` on, present in `target`: those that are not are read, one vectored
   * read for each gap. When it returns all of them are there. Throws for the first that does not verify, or if the
   * device fails; those that verified are kept.
   */
  readRun(block: number, count: number, checksums: ArrayLike<number>, structure: string, target: RunTarget): void {
    const pool = this.#pool;
    // What is there already, or has just been read, must not make room for the rest of the run.
    const pinned: Frame[] = [];
    try {
      for (let place = 0; place < count; place++) {
        const frame = target.lookUp(place);
        if (frame === NO_FRAME) continue;
        pool.pin(frame);
        pinned.push(frame);
      }
      for (let place = 0; place < count; ) {
        if (target.lookUp(place) !== NO_FRAME) {
          place++;
          continue;
        }
        const start = place;
        while (place < count && target.lookUp(place) === NO_FRAME) place++;
        this.#readGap({ block: block + start, start, end: place, checksums, structure, target, pinned });
      }
    } finally {
      for (const frame of pinned) pool.unpin(frame);
    }
  }

  #readGap(gap: Gap): void {
    const { block, start, end, checksums, structure, target, pinned } = gap;
    const pool = this.#pool;
    const count = end - start;
    this.#checkOnDevice(block, count, structure);
    const frames: Frame[] = [];
    const views: Uint8Array[] = [];
    let damage: CorruptionError | undefined;
    let doneCount = 0;
    try {
      for (let i = 0; i < count; i++) {
        frames.push(pool.take());
        views.push(pool.arena.bytesOf(frames[i]));
      }
      this.missCount += count;
      this.device.readSync(block * this.#blockSize, views);
      const found = new Uint32Array(count);
      xxh32Each(views, count, found);
      for (; doneCount < count; doneCount++) {
        const frame = frames[doneCount];
        const expected = checksums[start + doneCount];
        const actual = found[doneCount];
        if (actual !== expected >>> 0) {
          damage ??= mismatch(block + doneCount, expected, actual, structure);
          pool.abandon(frame);
          continue;
        }
        target.adopt(frame, start + doneCount);
        pool.pin(frame);
        pinned.push(frame);
      }
    } finally {
      for (let i = doneCount; i < frames.length; i++) pool.abandon(frames[i]);
    }
    if (damage !== undefined) throw damage;
  }

  /** A pointer may be damaged, or lead beyond the end of an image that was cut short. */
  #checkOnDevice(block: number, count: number, structure: string): void {
    if ((block + count) * this.#blockSize > this.device.sizeBytes) {
      throw new CorruptionError(structure, 'the block lies beyond the end of the device', {
        block,
        expected: `fewer than ${Math.floor(this.device.sizeBytes / this.#blockSize)} blocks`,
        actual: `${block + count} blocks`,
      });
    }
  }
}

function mismatch(block: number, expected: number, actual: number, structure: string): CorruptionError {
  return new CorruptionError(structure, 'wrong checksum', { block, expected: expected >>> 0, actual });
}

/**
 * Reading blocks from the device into frames: no frame is handed on before its content has been verified.
 *
 * Also the place where uses of the cache are counted, since a block is either found or read.
 */
import { type BlockDevice, CorruptionError } from '@outwrite/blockdev';
import type { FramePool } from './frame-pool.ts';
import type { Frame } from './frame-table.ts';

export class BlockReader {
  readonly device: BlockDevice;
  /** Look-ups that found their block or page. */
  hitCount = 0;
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

  /** A new frame with the verified content of a block, to be adopted; throws a `CorruptionError` or `DeviceError` and takes none. */
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
   * Reads consecutive blocks in one vectored read and calls `adopt` for each that verifies, with a frame that holds it and its place in the
   * run. Throws for the first that does not, or if the device fails; no frame is kept but those that were handed on.
   */
  readRun(block: number, checksums: ArrayLike<number>, structure: string, adopt: (frame: Frame, place: number) => void): void {
    const pool = this.#pool;
    const count = checksums.length;
    this.#checkOnDevice(block, count, structure);
    const frames: Frame[] = [];
    const views: Uint8Array[] = [];
    let damage: CorruptionError | undefined;
    let doneCount = 0;
    try {
      for (let place = 0; place < count; place++) {
        frames.push(pool.take());
        views.push(pool.arena.bytesOf(frames[place]));
      }
      this.missCount += count;
      this.device.readSync(block * this.#blockSize, views);
      for (let place = 0; place < count; place++) {
        const frame = frames[place];
        const actual = pool.arena.checksumOf(frame);
        if (actual === checksums[place] >>> 0) {
          adopt(frame, place);
        } else {
          pool.abandon(frame);
          damage ??= mismatch(block + place, checksums[place], actual, structure);
        }
        doneCount++;
      }
    } catch (error) {
      for (let place = doneCount; place < frames.length; place++) pool.abandon(frames[place]);
      throw error;
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

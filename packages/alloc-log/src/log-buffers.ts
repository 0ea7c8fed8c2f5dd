/**
 * Memory in which deltas are encoded: one stream of records, and blocks for the log that are used again when their delta is written.
 *
 * Making an array of a block's size costs more than filling it, and its memory is only reclaimed by a garbage collection.
 */
import { ByteWriter } from '@outwrite/blockdev';

/** Blocks kept for use; a delta of many log blocks is rare, and larger than what is saved. */
const KEPT_BLOCKS = 4;

export class LogBuffers {
  readonly #blockBytes: number;
  readonly #records: ByteWriter = new ByteWriter(1024);
  readonly #blocks: Uint8Array[] = [];

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** An empty stream for the records of one delta; good until the next call. */
  records(): ByteWriter {
    this.#records.reset();
    return this.#records;
  }

  /** A block of zeros. */
  takeBlock(): Uint8Array {
    return this.#blocks.pop()?.fill(0) ?? new Uint8Array(this.#blockBytes);
  }

  /** Nobody writes from these blocks any more. */
  giveBack(blocks: Uint8Array[]): void {
    for (const block of blocks.splice(0)) if (this.#blocks.length < KEPT_BLOCKS) this.#blocks.push(block);
  }
}

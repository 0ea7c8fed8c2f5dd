/**
 * Write-back: blocks in any order, written as few vectored writes.
 *
 * Blocks are sorted by number and neighbours joined into runs; each run is one vectored write. The batch keeps what it
 * was given, so it can be issued again (a synchronous commit does, while asynchronous writes of the same batch are
 * still in flight: the same bytes go to the same places). Nothing may change in the bytes from the first issue until
 * every issue has ended.
 */
import { assert, type BlockDevice } from '@outwrite/blockdev';

interface Run {
  readonly position: number;
  readonly buffers: Uint8Array[];
}

export class WriteBatch {
  readonly device: BlockDevice;
  readonly blockSize: number;
  #blocks: number[] = [];
  #pieces: Uint8Array[] = [];
  #sizeBytes = 0;
  /** Whether `#blocks` ascends as it is, which is usual: blocks of a delta are allocated in order. */
  #ascending = true;
  /** Made when first needed, until the next `add`. */
  #runs: Run[] | undefined;

  constructor(device: BlockDevice, blockSize: number) {
    this.device = device;
    this.blockSize = blockSize;
  }

  /** Adds one or more whole blocks, the first of them to be written at `block`. No block may be added twice. */
  add(block: number, bytes: Uint8Array): void {
    assert(bytes.length > 0 && bytes.length % this.blockSize === 0, 'a batch takes whole blocks');
    if (this.#blocks.length > 0 && block < this.#blocks[this.#blocks.length - 1]) this.#ascending = false;
    this.#blocks.push(block);
    this.#pieces.push(bytes);
    this.#sizeBytes += bytes.length;
    this.#runs = undefined;
  }

  get blockCount(): number {
    return this.#sizeBytes / this.blockSize;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Vectored writes that an issue makes. */
  get runCount(): number {
    return this.#prepare().length;
  }

  /** The blocks that an issue writes, ascending: an extent for each vectored write. */
  extents(): { start: number; count: number }[] {
    return this.#prepare().map(({ position, buffers }) => {
      const lengthBytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
      return { start: position / this.blockSize, count: lengthBytes / this.blockSize };
    });
  }

  /**
   * Writes everything, growing the device as needed. Throws what the device throws: a part may have been written then.
   */
  writeSync(): void {
    const runs = this.#prepare();
    this.#growDevice(runs);
    for (let i = 0; i < runs.length; i++) this.device.writeSync(runs[i].position, runs[i].buffers);
  }

  /** As `writeSync`; all runs at once. Settles when every write has, with the first failure if there was one. */
  async write(): Promise<void> {
    const runs = this.#prepare();
    this.#growDevice(runs);
    // Async, so that a device that throws instead of rejecting leaves no other write behind.
    const results = await Promise.allSettled(
      runs.map(async (run) => await this.device.write(run.position, run.buffers)),
    );
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason;
    }
  }

  #prepare(): Run[] {
    this.#runs ??= this.#makeRuns();
    return this.#runs;
  }

  #makeRuns(): Run[] {
    if (!this.#ascending) this.#sort();
    const runs: Run[] = [];
    let end = -1;
    for (let i = 0; i < this.#blocks.length; i++) {
      const block = this.#blocks[i];
      assert(block >= end, 'a block is written once in a batch');
      if (block === end) runs[runs.length - 1].buffers.push(this.#pieces[i]);
      else runs.push({ position: block * this.blockSize, buffers: [this.#pieces[i]] });
      end = block + this.#pieces[i].length / this.blockSize;
    }
    return runs;
  }

  #sort(): void {
    const blocks = this.#blocks;
    const pieces = this.#pieces;
    const order = Array.from(blocks.keys()).sort((a, b) => blocks[a] - blocks[b]);
    this.#blocks = order.map((place) => blocks[place]);
    this.#pieces = order.map((place) => pieces[place]);
    this.#ascending = true;
  }

  #growDevice(runs: Run[]): void {
    if (runs.length === 0) return;
    const last = this.#blocks.length - 1;
    const endBytes = this.#blocks[last] * this.blockSize + this.#pieces[last].length;
    if (endBytes > this.device.sizeBytes) this.device.grow(endBytes);
  }
}

/**
 * Blocks whose bytes wait in memory for the write of their commit, outside the cache.
 *
 * A value of a few blocks is not worth a write of its own: the commit writes it in one run with its neighbours. Until that write has been
 * made and is durable the device does not have the bytes, so whoever reads such blocks reads through here.
 */
import type { BlockDevice } from '@outwrite/blockdev';
import type { DirectWrite } from './open-delta.ts';

/** Memory for copies that is kept: from the first length on it grows to what commits turn out to need, up to the second. */
const SMALLEST_ARENA_BYTES = 256 * 1024;
const LARGEST_ARENA_BYTES = 1024 * 1024;

export class WaitingBytes {
  readonly #device: BlockDevice;
  readonly #blockBytes: number;
  readonly #pieces: Map<number, Uint8Array> = new Map();
  /** Memory for the copies, filled from its beginning whenever nothing waits: making an array costs more than copying a block. */
  #arena: Uint8Array = new Uint8Array(0);
  #arenaAt = 0;
  /** What was asked for since nothing waited. */
  #askedBytes = 0;

  constructor(device: BlockDevice, blockBytes: number) {
    this.#device = device;
    this.#blockBytes = blockBytes;
  }

  get blockCount(): number {
    return this.#pieces.size;
  }

  /** Copies whole blocks and keeps them; returns the copies, one a block. */
  keep(start: number, buffers: readonly Uint8Array[], blockCount: number): Uint8Array[] {
    const copy = this.#take(blockCount * this.#blockBytes);
    let end = 0;
    for (const buffer of buffers) {
      copy.set(buffer, end);
      end += buffer.length;
    }
    const pieces: Uint8Array[] = [];
    for (let i = 0; i < blockCount; i++) {
      const piece = blockCount === 1 ? copy : copy.subarray(i * this.#blockBytes, (i + 1) * this.#blockBytes);
      pieces.push(piece);
      this.#pieces.set(start + i, piece);
    }
    return pieces;
  }

  #take(lengthBytes: number): Uint8Array {
    if (this.#pieces.size === 0) this.#beginArena();
    this.#askedBytes += lengthBytes;
    // A delta that is being written keeps its part of the arena; what does not fit beside it has an array of its own.
    if (this.#arenaAt + lengthBytes > this.#arena.length) return new Uint8Array(lengthBytes);
    this.#arenaAt += lengthBytes;
    return this.#arena.subarray(this.#arenaAt - lengthBytes, this.#arenaAt);
  }

  #beginArena(): void {
    const wantedBytes = Math.min(Math.max(SMALLEST_ARENA_BYTES, this.#askedBytes), LARGEST_ARENA_BYTES);
    if (wantedBytes > this.#arena.length) this.#arena = new Uint8Array(wantedBytes);
    this.#arenaAt = 0;
    this.#askedBytes = 0;
  }

  /** The blocks were given back before they were written. */
  drop(start: number, count: number): void {
    if (this.#pieces.size === 0) return;
    for (let block = start; block < start + count; block++) this.#pieces.delete(block);
  }

  /** What a delta wrote is durable. */
  written(writes: readonly DirectWrite[]): void {
    for (const { start, pieces } of writes) {
      if (pieces === null) continue;
      for (let i = 0; i < pieces.length; i++) {
        if (this.#pieces.get(start + i) === pieces[i]) this.#pieces.delete(start + i);
      }
    }
  }

  /** Reads the blocks from `start` on into `target`, whole blocks, as they are or will be on the device. */
  read(start: number, target: Uint8Array): void {
    const blockCount = target.length / this.#blockBytes;
    if (this.#pieces.size === 0) {
      this.#device.readSync(start * this.#blockBytes, [target]);
      return;
    }
    for (let i = 0; i < blockCount; ) {
      const piece = this.#pieces.get(start + i);
      if (piece !== undefined) {
        target.set(piece, i * this.#blockBytes);
        i++;
        continue;
      }
      const first = i;
      while (i < blockCount && !this.#pieces.has(start + i)) i++;
      this.#device.readSync((start + first) * this.#blockBytes, [
        target.subarray(first * this.#blockBytes, i * this.#blockBytes),
      ]);
    }
  }
}

/**
 * Blocks whose bytes wait in memory for the write of their commit, outside the cache.
 *
 * A value of a few blocks is not worth a write of its own: the commit writes it in one run with its neighbours. Until that write has been
 * made and is durable the device does not have the bytes, so whoever reads such blocks reads through here.
 */
import type { BlockDevice } from '@outwrite/blockdev';
import type { DirectWrite } from './open-delta.ts';

/** Memory for copies, filled from its beginning whenever nothing in it waits: making an array costs more than copying a block. */
interface Arena {
  bytes: Uint8Array;
  usedBytes: number;
  /** Blocks in it that wait. */
  waitingCount: number;
}

export class WaitingBytes {
  readonly #device: BlockDevice;
  readonly #blockBytes: number;
  readonly #arenaBytes: number;
  readonly #pieces: Map<number, Uint8Array> = new Map();
  /** Two, so that there is one to fill while a delta is written from the other. */
  #arena: Arena = newArena();
  #otherArena: Arena = newArena();

  /** `arenaBytes` is what one delta keeps at most, or is expected to. */
  constructor(device: BlockDevice, blockBytes: number, arenaBytes: number) {
    this.#device = device;
    this.#blockBytes = blockBytes;
    this.#arenaBytes = arenaBytes;
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
    if (!this.#fits(this.#arena, lengthBytes)) {
      // Where both are being written from, a copy has an array of its own.
      if (!this.#fits(this.#otherArena, lengthBytes)) return new Uint8Array(lengthBytes);
      [this.#arena, this.#otherArena] = [this.#otherArena, this.#arena];
    }
    const arena = this.#arena;
    if (arena.bytes.length === 0) arena.bytes = new Uint8Array(this.#arenaBytes);
    const start = arena.usedBytes;
    arena.usedBytes += lengthBytes;
    arena.waitingCount += lengthBytes / this.#blockBytes;
    return arena.bytes.subarray(start, arena.usedBytes);
  }

  #fits(arena: Arena, lengthBytes: number): boolean {
    if (arena.waitingCount === 0) arena.usedBytes = 0;
    return arena.usedBytes + lengthBytes <= this.#arenaBytes;
  }

  #remove(block: number, piece: Uint8Array): void {
    this.#pieces.delete(block);
    if (piece.buffer === this.#arena.bytes.buffer) this.#arena.waitingCount--;
    else if (piece.buffer === this.#otherArena.bytes.buffer) this.#otherArena.waitingCount--;
  }

  /** The blocks were given back before they were written. */
  drop(start: number, count: number): void {
    if (this.#pieces.size === 0) return;
    for (let block = start; block < start + count; block++) {
      const piece = this.#pieces.get(block);
      if (piece !== undefined) this.#remove(block, piece);
    }
  }

  /** What a delta wrote is durable. */
  written(writes: readonly DirectWrite[]): void {
    for (const { start, pieces } of writes) {
      if (pieces === null) continue;
      for (let i = 0; i < pieces.length; i++) {
        const piece = pieces[i]!;
        if (this.#pieces.get(start + i) === piece) this.#remove(start + i, piece);
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

function newArena(): Arena {
  return { bytes: new Uint8Array(0), usedBytes: 0, waitingCount: 0 };
}

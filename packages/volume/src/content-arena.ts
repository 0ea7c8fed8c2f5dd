/**
 * Memory for the changed contents of small files: pieces of large chunks, given back all at once.
 *
 * A fresh `Uint8Array` of a kilobyte costs more than copying it. Contents live here from their change until staging has put them into
 * the tree; then `reset` makes all memory free again, except that which an open change of the next delta still uses (there is none:
 * a change of a small file is one synchronous call). Pieces are not zeroed.
 */

const CHUNK_BYTES = 1 << 20;
/** Copies whose target starts at the very beginning of a large buffer are slow on common processors. */
const CHUNK_START = 16;

export class ContentArena {
  #chunk: Uint8Array = new Uint8Array(0);
  #end = 0;
  #usedBytes = 0;

  /** Bytes handed out since the last reset. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A piece of `sizeBytes`, at most a chunk. */
  allocate(sizeBytes: number): Uint8Array {
    if (this.#end + sizeBytes > this.#chunk.length) {
      // The full chunk stays alive through its pieces, until those are staged.
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#end = CHUNK_START;
    }
    const start = this.#end;
    this.#end = start + ((sizeBytes + 7) & ~7);
    this.#usedBytes += sizeBytes;
    return this.#chunk.subarray(start, start + sizeBytes);
  }

  reset(): void {
    this.#end = Math.min(CHUNK_START, this.#chunk.length);
    this.#usedBytes = 0;
  }
}

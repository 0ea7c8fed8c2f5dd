/**
 * Has the disk fetch the next piece of a file for a reader that is still busy with the one before.
 *
 * Who verifies what it reads leaves the disk idle meanwhile; the system reads ahead by itself, but only an eighth of a piece of 1 MiB. Node has no
 * call to advise it. So behind a long read that continues the one before and took as long as a disk takes, a thread of the pool reads as many
 * bytes again, to memory that nobody looks at: what counts is that they come into the system's cache. It is a hint: its errors are none, as the
 * read that needs those bytes will meet them. What is in the system's cache already is read too fast to be hinted at.
 *
 * Of the hints of the present turn of the event loop nothing can have been heard yet; a caller that makes only synchronous calls lets nobody else
 * use the pool either. One from an earlier turn that has not ended says that the disk, or the pool, has enough to do.
 *
 * Lifecycle: `close` gives the description back at once, or when the last read on it has ended: its number must not become somebody else's
 * before that.
 */
import fs from 'node:fs';

/** A read from this length on is a piece of a stream that is worth a hint. */
const SHORTEST_READ_BYTES = 256 * 1024;
const LONGEST_HINT_BYTES = 1024 * 1024;

/** Slower than this, a read cannot have been a copy from the system's cache. */
const FASTEST_DISK_BYTES_A_MILLISECOND = 4 * 1024 * 1024;

/** Each takes some memory until it is heard of. */
const MAX_BEGUN_IN_A_TURN = 4096;

export class ReadAhead {
  readonly #descriptor: number;
  /** Where the last long read ended. */
  #lastEnd = -1;
  #target: Uint8Array | null = null;
  /** Hints whose end has not been heard of, and of these those that were begun in this turn. */
  #underWay = 0;
  #begunInTurn = 0;
  #closing = false;

  /** The description becomes this object's. */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** `[position, position + lengthBytes)` of a file of `sizeBytes` was read, in so many milliseconds. */
  wasRead(position: number, lengthBytes: number, milliseconds: number, sizeBytes: number): void {
    if (lengthBytes < SHORTEST_READ_BYTES) return;
    const isContinued = position === this.#lastEnd;
    const end = position + lengthBytes;
    this.#lastEnd = end;
    if (!isContinued || end >= sizeBytes) return;
    if (lengthBytes > milliseconds * FASTEST_DISK_BYTES_A_MILLISECOND) return;
    if (this.#closing || this.#underWay > this.#begunInTurn || this.#begunInTurn >= MAX_BEGUN_IN_A_TURN) return;
    this.#begin(end, Math.min(lengthBytes, LONGEST_HINT_BYTES, sizeBytes - end));
  }

  close(): void {
    this.#closing = true;
    if (this.#underWay === 0) fs.closeSync(this.#descriptor);
  }

  #begin(position: number, lengthBytes: number): void {
    this.#target ??= new Uint8Array(LONGEST_HINT_BYTES);
    if (this.#begunInTurn === 0) {
      setImmediate(() => {
        this.#begunInTurn = 0;
      });
    }
    this.#begunInTurn++;
    this.#underWay++;
    fs.read(this.#descriptor, this.#target, 0, lengthBytes, position, () => {
      this.#underWay--;
      if (this.#closing && this.#underWay === 0) fs.close(this.#descriptor, ignore);
    });
  }
}

/** The device is closed, and nobody waits for hints. */
function ignore(): void {}

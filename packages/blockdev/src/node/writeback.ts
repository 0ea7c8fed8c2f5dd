/**
 * Begins to write out what a stream of writes leaves in the system's cache, so that the flush at its end finds little to do.
 *
 * Every so many bytes an fdatasync begins that nobody waits for. It acknowledges nothing. It uses a description of the file of its own: a
 * write error is reported once for each description, so the flush that somebody does wait for is told of it, too. Where a system reports
 * an error only once, `failure` keeps it, and the device lets no later flush succeed.
 *
 * Each waits in a thread of the pool that all file calls of the process share, so few may be under way. Of those begun in the present turn of
 * the event loop nothing can have been heard yet: a caller that makes only synchronous calls may begin more, since it lets nobody else use
 * the pool either.
 *
 * Lifecycle: `close` gives the description back at once, or when the last flush on it has ended: its number must not become somebody else's
 * before that.
 */
import fs from 'node:fs';

const STEP_BYTES = 8 * 1024 * 1024;
const MAX_UNDER_WAY = 2;
const MAX_BEGUN_IN_A_TURN = 32;

export class Writeback {
  readonly #descriptor: number;
  #pendingBytes = 0;
  /** Flushes whose end has not been heard of. */
  #underWay = 0;
  /** Of these, begun in this turn: since the last synchronous flush, and before it, so that they have nothing left to do. */
  #begunInTurn = 0;
  #idleInTurn = 0;
  #closing = false;
  /** The first error of a flush in the background. */
  failure: Error | null = null;

  /** The description becomes this object's. */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** So many bytes were written. */
  wrote(lengthBytes: number): void {
    this.#pendingBytes += lengthBytes;
    if (this.#pendingBytes < STEP_BYTES || this.#begunInTurn >= MAX_BEGUN_IN_A_TURN) return;
    if (this.#underWay - this.#begunInTurn - this.#idleInTurn >= MAX_UNDER_WAY) return;
    this.#pendingBytes = 0;
    this.#begin();
  }

  /** A flush begins, which writes out all that was written before. */
  flushBegins(): void {
    this.#pendingBytes = 0;
  }

  /** A synchronous flush has ended. */
  flushedSync(): void {
    this.#idleInTurn += this.#begunInTurn;
    this.#begunInTurn = 0;
  }

  close(): void {
    this.#closing = true;
    if (this.#underWay === 0) fs.closeSync(this.#descriptor);
  }

  #begin(): void {
    if (this.#begunInTurn + this.#idleInTurn === 0) setImmediate(() => this.#endTurn());
    this.#begunInTurn++;
    this.#underWay++;
    fs.fdatasync(this.#descriptor, (error) => {
      this.#underWay--;
      this.failure ??= error;
      if (this.#closing && this.#underWay === 0) fs.close(this.#descriptor, ignore);
    });
  }

  #endTurn(): void {
    this.#begunInTurn = 0;
    this.#idleInTurn = 0;
  }
}

/** The device is closed, and its last flush has reported what there was to report. */
function ignore(): void {}

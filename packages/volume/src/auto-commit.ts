/**
 * Commits that nobody asks for: when the oldest change has waited for long enough, and when much is dirty.
 *
 * By age a timer runs from the first change after a commit. By size it is looked at before each change: beyond the bound a commit is begun
 * in the background, beyond twice the bound (changes come faster than the device takes them) one is made at once. A failure latches the
 * volume, and the next change or commit reports it.
 */
import type { Head } from './head.ts';
import { startTimer, stopTimer } from './host.ts';

export interface AutoCommitOptions {
  /** Milliseconds after the first change; 0 for never. */
  readonly ageMilliseconds: number;
  /** Bytes of changed objects; 0 for no bound but that of the cache. */
  readonly dirtyBytes: number;
}

export class AutoCommit {
  readonly #head: Head;
  readonly #options: AutoCommitOptions;
  #timer: unknown = null;
  #commitRunning = false;
  #transactionDepth = 0;

  constructor(head: Head, options: AutoCommitOptions) {
    this.#head = head;
    this.#options = options;
  }

  enterTransaction(): void {
    this.#transactionDepth++;
  }

  leaveTransaction(): void {
    this.#transactionDepth--;
  }

  /** Called before each change. */
  beforeChange(): void {
    if (this.#timer === null && this.#options.ageMilliseconds > 0) {
      this.#timer = startTimer(() => {
        this.#timer = null;
        this.#begin();
      }, this.#options.ageMilliseconds);
    }
    const bound = this.#options.dirtyBytes;
    if (bound === 0 || this.#head.staging.dirtyBytes < bound || this.#transactionDepth > 0) return;
    if (this.#head.staging.dirtyBytes >= 2 * bound) this.#head.store.commitSync();
    else if (!this.#commitRunning) this.#begin();
  }

  #begin(): void {
    if (this.#head.closed || !this.#head.log.hasChanges || this.#head.log.latched !== null) return;
    this.#commitRunning = true;
    const ended = (): void => {
      this.#commitRunning = false;
    };
    // A failure has latched the volume; whoever changes or commits next gets it.
    this.#head.store.commit().then(ended, ended);
  }

  stop(): void {
    if (this.#timer !== null) stopTimer(this.#timer);
    this.#timer = null;
  }
}

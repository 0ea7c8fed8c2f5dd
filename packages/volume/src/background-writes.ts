/**
 * The writes of one file that run in the background, as far as those need to know of them that come to the end of the file.
 *
 * Such a write takes effect piece by piece, so the length of the file says nothing of the place that it will fill. An append therefore
 * begins behind the file and behind every write that runs. One that may wait does so until all writes that were asked for before it have
 * ended, and so leaves no gap when one of those fails. One that cannot wait goes behind them at once: nothing that was acknowledged is ever
 * written over, but should a write before it fail, zeros stay in the place that this one was to fill.
 */
export class BackgroundWrites {
  /** Where the writes that run will have ended. */
  readonly #ends: Set<{ readonly position: number }> = new Set();
  #unsettledCount = 0;
  #settled: Promise<unknown> = Promise.resolve();

  /** Whether every write that was asked for has ended. */
  get isIdle(): boolean {
    return this.#unsettledCount === 0;
  }

  /** The furthest end of the writes that run; 0 when there is none. */
  get end(): number {
    let end = 0;
    for (const { position } of this.#ends) end = Math.max(end, position);
    return end;
  }

  /** Settles when all writes that have been added so far have ended, however they did. */
  settled(): Promise<unknown> {
    return this.#settled;
  }

  /** Adds a write that runs, or waits until it may. */
  add(write: Promise<void>): void {
    this.#unsettledCount++;
    const end = (): void => {
      this.#unsettledCount--;
    };
    this.#settled = Promise.allSettled([this.#settled, write.then(end, end)]);
  }

  /** Runs a write that will reach to `end`. */
  async run(end: number, write: () => Promise<void>): Promise<void> {
    const running = { position: end };
    this.#ends.add(running);
    try {
      await write();
    } finally {
      this.#ends.delete(running);
    }
  }
}

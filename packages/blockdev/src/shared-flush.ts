/**
 * Lets any number of callers share flushes of which at most one is in flight.
 *
 * A flush makes durable what was written before it began, so a caller that finds one in flight cannot join it; it waits
 * for the next, together with all who come meanwhile. Two flushes at once on one file description would also race for a
 * write error, which the kernel reports once for each description: the loser would be told that all is well. For the
 * same reason those who wait for the next flush fail with the one in flight: their writes may be among those that the
 * error was about.
 */
export class SharedFlush {
  readonly #run: () => Promise<void>;
  #current: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  /** `run` does one flush. */
  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  get inFlight(): boolean {
    return this.#current !== null || this.#next !== null;
  }

  /** Resolves when a flush that began no earlier than this call has succeeded. */
  request(): Promise<void> {
    if (this.#next !== null) return this.#next;
    if (this.#current === null) return this.#start();
    this.#next = this.#current.then(
      () => {
        this.#next = null;
        return this.#start();
      },
      (error: unknown) => {
        this.#next = null;
        throw error;
      },
    );
    return this.#next;
  }

  #start(): Promise<void> {
    this.#current = this.#run().finally(() => {
      this.#current = null;
    });
    return this.#current;
  }
}

/**
 * The writes from callers' memory that are in flight, of all files: what they will still need, and who waits for them to end.
 *
 * A write takes its blocks first and the rest of its room when it returns. On a volume that is nearly full, too many of them at once would
 * take each other's rest, and fail where one after the other fit. So each counts what those before it will ask for, and one for which
 * nothing is left waits until another has ended, instead of failing.
 */

export class DirectFlights {
  #count = 0;
  #claimedBlocks = 0;
  readonly #waiting: (() => void)[] = [];

  /** Blocks that the writes in flight will ask for when they return, at most. */
  get claimedBlocks(): number {
    return this.#claimedBlocks;
  }

  /** Whether nothing is in flight, so that waiting is of no use. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  begin(claimedBlocks: number): void {
    this.#count++;
    this.#claimedBlocks += claimedBlocks;
  }

  /** A write asks for the rest of its room now, so nobody has to leave it to the write any longer. */
  settle(claimedBlocks: number): void {
    this.#claimedBlocks -= claimedBlocks;
  }

  /** A write has ended, however that was. */
  end(): void {
    this.#count--;
    this.wakeNext();
  }

  /** Resolves when there may be room again: who then finds some, or fails for good, wakes the next. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** One at a time: each that looks for room on a full volume makes commits. */
  wakeNext(): void {
    this.#waiting.shift()?.();
  }
}

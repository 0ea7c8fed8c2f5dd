/**
 * Progress of long work on standard error: a bar with rate and remaining time in a terminal, a plain line now and then otherwise.
 *
 * The work reports how many bytes and items are done as often as it likes; what is shown is decided here: a terminal is redrawn ten
 * times a second at most, plain lines come after 2 seconds, 4, 8, ... and then every minute, so that the log of a long job stays short.
 * The remaining time follows the rate over the whole run, counted in bytes, to which each item adds a constant (small files cost time,
 * too). Lifecycle: construct, `update` many times, `finish` once, also when the work failed.
 */
import { SingleBar } from 'cli-progress';
import type { Output } from './output.ts';
import { formatCount, formatRate, formatRemaining, formatSize } from './quantities.ts';

/** What there is to do in all, or what was done so far. */
export interface WorkAmount {
  readonly sizeBytes: number;
  readonly itemCount: number;
}

/** A file costs about as much as this many bytes of content. */
const ITEM_COST_BYTES = 16384;

const FIRST_LINE_MILLISECONDS = 2000;
const LONGEST_PAUSE_MILLISECONDS = 60_000;
const REDRAWS_A_SECOND = 10;
const SHORTEST_GUESS_MILLISECONDS = 1000;

const CLEAR_LINE = '\r\x1b[K';

function cost(amount: WorkAmount): number {
  return amount.sizeBytes + amount.itemCount * ITEM_COST_BYTES;
}

export class Progress {
  readonly #output: Output;
  readonly #label: string;
  readonly #total: WorkAmount;
  readonly #startTime = performance.now();
  readonly #bar: SingleBar | undefined;
  #done: WorkAmount = { sizeBytes: 0, itemCount: 0 };
  #pauseMilliseconds = FIRST_LINE_MILLISECONDS;
  #nextLineTime = this.#startTime + FIRST_LINE_MILLISECONDS;
  #finished = false;

  constructor(output: Output, label: string, total: WorkAmount) {
    this.#output = output;
    this.#label = label;
    this.#total = total;
    if (!output.isTerminal) return;
    this.#bar = new SingleBar({
      stream: output.stream as NodeJS.WriteStream,
      format: (options, parameters) => this.#barText(options.barsize ?? 24, parameters.progress),
      barsize: 24,
      fps: REDRAWS_A_SECOND,
      // Nothing is to be put back when the process is ended in the middle.
      hideCursor: false,
      clearOnComplete: true,
      // Signals are handled by the entry function, which closes the volume first.
      gracefulExit: false,
    });
    this.#bar.start(Math.max(1, cost(total)), 0);
  }

  update(done: WorkAmount): void {
    this.#done = done;
    if (this.#bar !== undefined) {
      this.#bar.update(Math.min(cost(done), Math.max(1, cost(this.#total))));
      return;
    }
    const now = performance.now();
    if (now < this.#nextLineTime) return;
    this.#output.line(`${this.#label}: ${this.#amounts()}`);
    this.#pauseMilliseconds = Math.min(this.#pauseMilliseconds * 2, LONGEST_PAUSE_MILLISECONDS);
    this.#nextLineTime = now + this.#pauseMilliseconds;
  }

  /** Takes the bar out of the way of output that follows; it comes back below. */
  makeWay(): void {
    if (this.#bar !== undefined && !this.#finished) this.#output.stream.write(CLEAR_LINE);
  }

  /** Writes a message; the bar stays below it. */
  note(text: string): void {
    this.makeWay();
    this.#output.line(text);
  }

  /** Takes the bar away. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#bar?.stop();
  }

  #barText(barSize: number, fraction: number): string {
    const filled = Math.round(barSize * Math.min(1, fraction));
    const percent = String(Math.floor(fraction * 100)).padStart(3);
    return `${this.#label} ${'█'.repeat(filled)}${'░'.repeat(barSize - filled)} ${percent} %  ${this.#amounts()}`;
  }

  #amounts(): string {
    const milliseconds = performance.now() - this.#startTime;
    const { sizeBytes, itemCount } = this.#done;
    const parts: string[] = [];
    if (this.#total.itemCount > 0) parts.push(`${formatCount(itemCount)} of ${formatCount(this.#total.itemCount)}`);
    if (this.#total.sizeBytes > 0) {
      parts.push(
        `${formatSize(sizeBytes)} of ${formatSize(this.#total.sizeBytes)}`,
        formatRate(sizeBytes, milliseconds),
      );
    }
    const doneCost = cost(this.#done);
    const leftCost = cost(this.#total) - doneCost;
    if (doneCost > 0 && leftCost > 0 && milliseconds > SHORTEST_GUESS_MILLISECONDS) {
      parts.push(`${formatRemaining((milliseconds * leftCost) / doneCost)} left`);
    }
    return parts.join(', ');
  }
}

/**
 * What happened to a medium, in order, so that every moment of it can be visited again.
 *
 * A trace holds a fork of the medium as it was at the beginning and all events since, with the notes that the workload
 * made in between ("commit 7 was acknowledged"). Replaying costs no more than the writes themselves, so a workload runs
 * once and its crash points are visited after. It follows the medium, not a device: late writes of an earlier life and
 * all of a later one are in it.
 */
import { assert } from '../assert.ts';
import type { Medium, MediumEvent } from './medium.ts';

export class Trace {
  readonly events: MediumEvent[] = [];
  readonly #start: Medium;

  /** A trace that begins now. */
  constructor(medium: Medium) {
    this.#start = medium.fork();
    medium.listen((event) => this.events.push(event));
  }

  /** A fresh replay, at the beginning of the trace. */
  replay(): TraceReplay {
    return new TraceReplay(this.#start.fork(), this.events);
  }
}

/** A walk over a trace that holds the medium as it was after the events passed so far. */
export class TraceReplay {
  readonly medium: Medium;
  /** What the workload noted so far. */
  readonly notes: unknown[] = [];
  /** Events passed so far. */
  eventIndex = 0;
  readonly #events: readonly MediumEvent[];

  constructor(medium: Medium, events: readonly MediumEvent[]) {
    this.medium = medium;
    this.#events = events;
  }

  /** The event that `step` would pass, undefined at the end. */
  get next(): MediumEvent | undefined {
    return this.#events[this.eventIndex];
  }

  step(): void {
    const event = this.next;
    assert(event !== undefined, 'a replay steps while there are events');
    this.eventIndex++;
    this.medium.apply(event);
    if (event.kind === 'note') this.notes.push(event.value);
  }
}

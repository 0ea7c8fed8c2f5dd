/**
 * Times: whole seconds since 1970 (negative before) and nanoseconds within the second, as POSIX has them.
 *
 * Two numbers, because the nanoseconds since 1970 do not fit a double and a bigint is slow. Milliseconds are computed as Node computes
 * them, so equal times give equal `mtimeMs`.
 */
import { invalidType, outOfRange } from './fs-errors.ts';
import { SECONDS_MAX, SECONDS_MIN } from './inode-format.ts';

/** What `utimes` and its kin accept: seconds, a date, a text with either, or (beyond Node) nanoseconds as a bigint. */
export type TimeLike = number | string | bigint | Date;

/**
 * Reads the time of the host, or of a test. `seconds` and `nanoseconds` are those of the last `tick`.
 */
export class Clock {
  readonly #milliseconds: () => number;
  seconds = 0;
  nanoseconds = 0;

  constructor(milliseconds: () => number) {
    this.#milliseconds = milliseconds;
  }

  /** Holds what is beyond what a record can store to its ends. Throws a `RangeError` for what is no time, and then the time is as it was. */
  tick(): void {
    const milliseconds = this.#milliseconds();
    let seconds = Math.floor(milliseconds / 1000);
    // By so little before a full second that a double cannot tell.
    let nanoseconds = Math.min(Math.floor((milliseconds - seconds * 1000) * 1e6), 999_999_999);
    if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) {
      if (Number.isNaN(seconds)) throw new RangeError(`a clock gives milliseconds since 1970, not ${milliseconds}`);
      ({ seconds, nanoseconds } = clamped(seconds, 0));
    }
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
  }
}

export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** A time as a caller gives it, held to what a record can store. Seconds and dates count to the microsecond, bigints to the nanosecond. */
export function timestampOf(argument: string, time: TimeLike): Timestamp {
  if (typeof time === 'bigint') {
    const seconds = Number(time / 1_000_000_000n);
    const rest = Number(time % 1_000_000_000n);
    return rest < 0 ? clamped(seconds - 1, rest + 1e9) : clamped(seconds, rest);
  }
  let inSeconds: number;
  if (typeof time === 'number') inSeconds = time;
  else if (time instanceof Date) inSeconds = time.getTime() / 1000;
  else if (typeof time === 'string') {
    inSeconds = Number(time);
    if (Number.isNaN(inSeconds)) inSeconds = Date.parse(time) / 1000;
  } else throw invalidType(argument, 'a number, a string, a bigint or a Date', time);
  if (!Number.isFinite(inSeconds)) throw outOfRange(argument, 'a finite time', time);
  let seconds = Math.floor(inSeconds);
  let microseconds = Math.round((inSeconds - seconds) * 1e6);
  if (microseconds === 1e6) {
    seconds++;
    microseconds = 0;
  }
  return clamped(seconds, microseconds * 1000);
}

function clamped(seconds: number, nanoseconds: number): Timestamp {
  if (seconds < SECONDS_MIN) return { seconds: SECONDS_MIN, nanoseconds: 0 };
  if (seconds > SECONDS_MAX) return { seconds: SECONDS_MAX, nanoseconds: 999_999_999 };
  return { seconds, nanoseconds };
}

export function millisecondsOf(seconds: number, nanoseconds: number): number {
  return seconds * 1000 + nanoseconds / 1e6;
}

export function nanosecondsOf(seconds: number, nanoseconds: number): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

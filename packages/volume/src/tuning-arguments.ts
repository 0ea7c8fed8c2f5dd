/**
 * The options of a volume, checked before anything is written or read.
 */
import type { VolumeTuning } from './volume.ts';

type NumberOption = {
  [Key in keyof VolumeTuning]-?: NonNullable<VolumeTuning[Key]> extends number ? Key : never;
}[keyof VolumeTuning];

/** The most that each option may be; the budget of the cache is looked at by the cache. */
const LIMITS: Readonly<Record<Exclude<NumberOption, 'cacheBytes'>, number>> = {
  cachedInodes: Number.POSITIVE_INFINITY,
  cachedNames: Number.POSITIVE_INFINITY,
  autoCommitMilliseconds: Number.POSITIVE_INFINITY,
  autoCommitBytes: Number.POSITIVE_INFINITY,
  uid: 0xffffffff,
  gid: 0xffffffff,
  umask: 0o7777,
};

/** Throws a `TypeError` or `RangeError` for options that make no sense. */
export function checkTuning(tuning: VolumeTuning): void {
  for (const [name, limit] of Object.entries(LIMITS)) {
    const value: unknown = tuning[name as NumberOption];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number') throw new TypeError(`${name} is a number, not a ${typeof value}`);
    const isLimited = limit !== Number.POSITIVE_INFINITY;
    if (!(value >= 0 && value <= limit) || (isLimited && !Number.isInteger(value))) {
      throw new RangeError(
        `${name} is ${isLimited ? `a whole number from 0 to ${limit}` : 'a number from 0 on'}, not ${value}`,
      );
    }
  }
  const { clock } = tuning;
  if (clock !== undefined && typeof clock !== 'function')
    throw new TypeError('clock is a function that returns milliseconds');
}

/** What callers say about how a volume is to behave, looked at before anything is done with the device. */
import { invalidType, outOfRange } from './fs-errors.ts';
import type { VolumeTuning } from './volume.ts';

const AMOUNTS = ['cachedInodes', 'cachedNames', 'autoCommitMilliseconds', 'autoCommitBytes'] as const;
const LIMITS = { uid: 0xffffffff, gid: 0xffffffff, umask: 0o7777 } as const;

/** Throws a `TypeError` or a `RangeError` that names what makes no sense. */
export function checkTuning(tuning: VolumeTuning): void {
  for (const name of AMOUNTS) {
    const amount = tuning[name] ?? 0;
    if (typeof amount !== 'number') throw invalidType(name, 'a number', amount);
    if (!(amount >= 0)) throw outOfRange(name, '0 or more', amount);
  }
  for (const name of ['uid', 'gid', 'umask'] as const) {
    const value = tuning[name] ?? 0;
    if (typeof value !== 'number') throw invalidType(name, 'a number', value);
    if (!(Number.isInteger(value) && value >= 0 && value <= LIMITS[name])) {
      throw outOfRange(name, `an integer from 0 to ${LIMITS[name]}`, value);
    }
  }
  for (const name of ['clock', 'randomBytes'] as const) {
    const call = tuning[name] ?? null;
    if (call !== null && typeof call !== 'function') throw invalidType(name, 'a function', call);
  }
}

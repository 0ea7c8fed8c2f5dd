/**
 * Access and modification times of host files, as near to the nanosecond as Node can set them.
 *
 * Node passes times to the system as seconds in a double, and libuv before 1.49 cuts them to whole microseconds. So the nearest double
 * is taken, and the next larger one where cutting would otherwise end one microsecond too low: whole microseconds come out exactly,
 * everything else within one. `HOST_TIME_TOLERANCE_NS` is what a comparison has to allow. Times before 1970 are mirrored, since they are
 * cut towards zero, and handed over as text: for a negative number Node takes the present time.
 */
import { futimesSync, lutimesSync } from 'node:fs';

const NANOSECONDS_A_SECOND = 1_000_000_000n;

/** A time that went through `setHostTimes` differs from the wanted one by less than this. */
export const HOST_TIME_TOLERANCE_NS = 1000n;

/** The relative distance to the next larger double. */
const NEXT_DOUBLE = 1 + 2 ** -52;

/** The double that makes the system's time come out nearest to `nanoseconds` (since 1970). */
export function hostSeconds(nanoseconds: bigint): number {
  if (nanoseconds < 0n) return -hostSeconds(-nanoseconds);
  const rest = nanoseconds % NANOSECONDS_A_SECOND;
  const nearest = Number(nanoseconds / NANOSECONDS_A_SECOND) + Number(rest) / 1e9;
  const cutMicroseconds = Math.floor((nearest - Math.floor(nearest)) * 1e6);
  return cutMicroseconds < Number(rest / 1000n) ? nearest * NEXT_DOUBLE : nearest;
}

function hostTime(nanoseconds: bigint): number | string {
  const seconds = hostSeconds(nanoseconds);
  return seconds < 0 ? String(seconds) : seconds;
}

/** Sets the times of an open file. */
export function setFileTimes(descriptor: number, times: { atimeNs: bigint; mtimeNs: bigint }): void {
  futimesSync(descriptor, hostTime(times.atimeNs), hostTime(times.mtimeNs));
}

/** Sets the times of a path, of a symbolic link itself if it is one. */
export function setPathTimes(path: string, times: { atimeNs: bigint; mtimeNs: bigint }): void {
  lutimesSync(path, hostTime(times.atimeNs), hostTime(times.mtimeNs));
}

/**
 * Access and modification times of host files, as near to the nanosecond as Node can set them.
 *
 * Node passes times to the system as seconds in a double, and libuv before 1.49 cuts them to whole microseconds. So the nearest double
 * is taken, and the next larger one where cutting would otherwise end one microsecond too low: whole microseconds come out exactly,
 * everything else within one. `HOST_TIME_TOLERANCE_NS` is what a comparison has to allow.
 */
import { futimesSync, lutimesSync } from 'node:fs';

const NANOSECONDS_A_SECOND = 1_000_000_000n;

/** A time that went through `setHostTimes` differs from the wanted one by less than this. */
export const HOST_TIME_TOLERANCE_NS = 1000n;

/** The relative distance to the next larger double. */
const NEXT_DOUBLE = 1 + 2 ** -52;

/** The double that makes the system's time come out nearest to `nanoseconds` (since 1970). */
export function hostSeconds(nanoseconds: bigint): number {
  let seconds = nanoseconds / NANOSECONDS_A_SECOND;
  let rest = nanoseconds % NANOSECONDS_A_SECOND;
  if (rest < 0n) {
    rest += NANOSECONDS_A_SECOND;
    seconds -= 1n;
  }
  const nearest = Number(seconds) + Number(rest) / 1e9;
  if (nearest <= 0) return nearest;
  const cutMicroseconds = Math.floor((nearest - Math.floor(nearest)) * 1e6);
  return cutMicroseconds < Number(rest / 1000n) ? nearest * NEXT_DOUBLE : nearest;
}

/** Sets the times of an open file. */
export function setFileTimes(descriptor: number, times: { atimeNs: bigint; mtimeNs: bigint }): void {
  futimesSync(descriptor, hostSeconds(times.atimeNs), hostSeconds(times.mtimeNs));
}

/** Sets the times of a path, of a symbolic link itself if it is one. */
export function setPathTimes(path: string, times: { atimeNs: bigint; mtimeNs: bigint }): void {
  lutimesSync(path, hostSeconds(times.atimeNs), hostSeconds(times.mtimeNs));
}

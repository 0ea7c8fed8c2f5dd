/**
 * Names and times in human output.
 *
 * A name may hold anything but a slash and a zero byte, and what a terminal makes of control characters is not ours to pass on: they
 * are shown as escapes. JSON output carries names as they are.
 */

/** The name with control characters and backslashes-to-be written as escapes: `a\nb`, `\x1b[2J`. */
export function printableName(name: string): string {
  let text = '';
  for (const character of name) {
    const code = character.codePointAt(0)!;
    if (code === 0x0a) text += '\\n';
    else if (code === 0x09) text += '\\t';
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) text += `\\x${code.toString(16).padStart(2, '0')}`;
    else text += character;
  }
  return text;
}

const NANOSECONDS_A_MILLISECOND = 1_000_000n;

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** `2026-11-22 13:45`, local time. */
export function formatMinute(date: Date): string {
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  return `${day} ${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
}

/** `2026-11-22T13:45:07.123456789Z`: a time in nanoseconds since 1970, in full. */
export function formatNanoseconds(nanoseconds: bigint): string {
  let milliseconds = nanoseconds / NANOSECONDS_A_MILLISECOND;
  let rest = nanoseconds % NANOSECONDS_A_MILLISECOND;
  if (rest < 0n) {
    rest += NANOSECONDS_A_MILLISECOND;
    milliseconds -= 1n;
  }
  const date = new Date(Number(milliseconds));
  if (Number.isNaN(date.getTime())) return `${nanoseconds} ns`;
  return date.toISOString().replace('Z', `${String(rest).padStart(6, '0')}Z`);
}

const TYPE_LETTERS: ReadonlyMap<number, string> = new Map([
  [0o040000, 'd'],
  [0o100000, '-'],
  [0o120000, 'l'],
]);

/** `drwxr-xr-x`, as `ls -l` shows a mode. */
export function formatMode(mode: number): string {
  let text = TYPE_LETTERS.get(mode & 0o170000) ?? '?';
  for (const shift of [6, 3, 0]) {
    const bits = (mode >> shift) & 7;
    const special = ((mode >> 9) & (1 << (shift / 3))) !== 0;
    const specialLetter = shift === 0 ? 't' : 's';
    text += (bits & 4) !== 0 ? 'r' : '-';
    text += (bits & 2) !== 0 ? 'w' : '-';
    if (special) text += (bits & 1) !== 0 ? specialLetter : specialLetter.toUpperCase();
    else text += (bits & 1) !== 0 ? 'x' : '-';
  }
  return text;
}

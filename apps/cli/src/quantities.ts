/**
 * Sizes, counts, times and rates, as people read and write them.
 *
 * Sizes are read as the GNU tools read them: `64M` and `64MiB` are 64 × 1024 × 1024 bytes, `64MB` is 64 × 1000 × 1000, a plain number is
 * bytes. (The small libraries for this either take `MB` for 1024 × 1024 or do not parse; neither would agree with `ls` and `dd`.)
 * They are printed in powers of 1024 with three digits: `512 B`, `1.50 GiB`.
 */
import { UsageError } from './failures.ts';

const UNIT_LETTERS = 'KMGTP';

const SIZE_PATTERN = /^(\d+(?:\.\d+)?)\s*(?:([KMGTP])(iB|B)?|B)?$/i;

/** Parses `4096`, `64M`, `1.5GiB`, `10 MB`. Throws a `UsageError` for anything else, and for what is no whole number of bytes. */
export function parseSize(text: string): number {
  const match = SIZE_PATTERN.exec(text.trim());
  if (match === null) throw new UsageError(`'${text}' is no size; sizes look like 4096, 64M or 1.5GiB`);
  const letter = match[2];
  const exponent = letter === undefined ? 0 : UNIT_LETTERS.indexOf(letter.toUpperCase()) + 1;
  const base = match[3] !== undefined && match[3].length === 1 ? 1000 : 1024;
  const sizeBytes = Number(match[1]) * base ** exponent;
  if (!Number.isSafeInteger(sizeBytes)) throw new UsageError(`'${text}' is no whole number of bytes`);
  return sizeBytes;
}

/** Parses a count: digits only. Throws a `UsageError`. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) throw new UsageError(`'${text}' is no whole number`);
  return count;
}

/** Parses permission bits as `chmod` takes them in octal: `644`, `0755`. Throws a `UsageError`. */
export function parseMode(text: string): number {
  if (!/^[0-7]{3,5}$/.test(text) || Number.parseInt(text, 8) > 0o7777) {
    throw new UsageError(`'${text}' is no mode; modes are octal, like 644 or 0755`);
  }
  return Number.parseInt(text, 8);
}

/** `512 B`, `4.00 KiB`, `1.50 GiB`. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let exponent = 0;
  // 1023.5 would be shown as 1024 of the smaller unit.
  while (value >= 1023.5 && exponent < UNIT_LETTERS.length) {
    value /= 1024;
    exponent++;
  }
  if (exponent === 0) return `${sizeBytes} B`;
  return `${threeDigits(value)} ${UNIT_LETTERS[exponent - 1]}iB`;
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

const COUNT_FORMAT = new Intl.NumberFormat('en-US');

/** `1,234,567`. */
export function formatCount(count: number): string {
  return COUNT_FORMAT.format(count);
}

/** `1 file`, `2 files`: a count with its noun. */
export function formatCounted(count: number, singular: string, plural: string = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}

/** `0.85 s`, `12.3 s`, `2 min 05 s`, `3 h 20 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const wholeSeconds = Math.round(seconds);
  const twoDigits = (value: number): string => String(value).padStart(2, '0');
  if (wholeSeconds < 3600) return `${Math.floor(wholeSeconds / 60)} min ${twoDigits(wholeSeconds % 60)} s`;
  const wholeMinutes = Math.round(seconds / 60);
  return `${Math.floor(wholeMinutes / 60)} h ${twoDigits(wholeMinutes % 60)} min`;
}

/** As `formatDuration`, for a guess: whole seconds. */
export function formatRemaining(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : formatDuration(milliseconds);
}

/** `118 MiB/s`; `-` before anything was measured. */
export function formatRate(sizeBytes: number, milliseconds: number): string {
  return milliseconds > 0 ? `${formatSize(Math.round((sizeBytes / milliseconds) * 1000))}/s` : '-';
}

/** `43.2 %`; `0 %` of nothing. */
export function formatPercent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((part / whole) * 100).toFixed(1)} %`;
}

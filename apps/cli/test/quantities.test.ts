import { describe, expect, it } from 'vitest';
import { UsageError } from '../src/failures.ts';
import { formatMode, formatNanoseconds, printableName } from '../src/printable.ts';
import {
  formatCounted,
  formatDuration,
  formatPercent,
  formatRate,
  formatRemaining,
  formatSize,
  parseCount,
  parseMode,
  parseSize,
} from '../src/quantities.ts';

describe('sizes as people write them', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['512B', 512],
    ['64M', 64 * 1024 ** 2],
    ['64m', 64 * 1024 ** 2],
    ['64MiB', 64 * 1024 ** 2],
    ['64 MiB', 64 * 1024 ** 2],
    ['64MB', 64_000_000],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['1.5k', 1536],
    ['2T', 2 * 1024 ** 4],
  ])('%s is %d bytes', (text, sizeBytes) => {
    expect(parseSize(text)).toBe(sizeBytes);
  });

  it.each(['', 'x', '-1', '1.2', '1.0001k', '1e3', '64X', '64iB', '9999999P', 'M'])('%j is refused', (text) => {
    expect(() => parseSize(text)).toThrow(UsageError);
  });

  it('counts and modes are digits only', () => {
    expect(parseCount('120')).toBe(120);
    expect(() => parseCount('1.5')).toThrow(UsageError);
    expect(() => parseCount('-1')).toThrow(UsageError);
    expect(parseMode('0755')).toBe(0o755);
    expect(() => parseMode('888')).toThrow(UsageError);
    expect(() => parseMode('77777')).toThrow(UsageError);
  });
});

describe('quantities as people read them', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [10_229, '9.99 KiB'],
    [10_235, '10.0 KiB'],
    [1_048_064, '1.00 MiB'],
    [1_610_612_736, '1.50 GiB'],
    [5 * 1024 ** 5, '5.00 PiB'],
  ])('%d bytes are %s', (sizeBytes, text) => {
    expect(formatSize(sizeBytes)).toBe(text);
  });

  it('durations, rates, counts and shares', () => {
    expect(formatDuration(846)).toBe('0.85 s');
    expect(formatDuration(12_340)).toBe('12.3 s');
    expect(formatDuration(59_960)).toBe('1 min 00 s');
    expect(formatDuration(125_000)).toBe('2 min 05 s');
    expect(formatDuration(12_000_000)).toBe('3 h 20 min');
    expect(formatRemaining(4200)).toBe('5 s');
    expect(formatRemaining(125_000)).toBe('2 min 05 s');
    expect(formatRate(1024 * 1024 * 10, 1000)).toBe('10.0 MiB/s');
    expect(formatRate(1, 0)).toBe('-');
    expect(formatCounted(1, 'file')).toBe('1 file');
    expect(formatCounted(1_234_567, 'file')).toBe('1,234,567 files');
    expect(formatPercent(1, 8)).toBe('12.5 %');
    expect(formatPercent(0, 0)).toBe('0 %');
  });

  it('modes look as in ls -l', () => {
    expect(formatMode(0o100644)).toBe('-rw-r--r--');
    expect(formatMode(0o040755)).toBe('drwxr-xr-x');
    expect(formatMode(0o120777)).toBe('lrwxrwxrwx');
    expect(formatMode(0o104755)).toBe('-rwsr-xr-x');
    expect(formatMode(0o102644)).toBe('-rw-r-Sr--');
    expect(formatMode(0o041777)).toBe('drwxrwxrwt');
  });

  it('times keep their nanoseconds, before 1970 as well', () => {
    expect(formatNanoseconds(1_500_000_000_123_456_789n)).toBe('2017-07-14T02:40:00.123456789Z');
    expect(formatNanoseconds(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
    expect(formatNanoseconds(10n ** 27n)).toBe(`${10n ** 27n} ns`);
  });

  it('control characters in names never reach the terminal', () => {
    expect(printableName('a\nb\tc\x1b[2Jd\x9b')).toBe('a\\nb\\tc\\x1b[2Jd\\x9b');
    expect(printableName('größe – 大小 🎈')).toBe('größe – 大小 🎈');
  });
});

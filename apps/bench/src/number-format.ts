/**
 * Numbers as people read them, the same in tables and in the report.
 */
import type { Unit } from './results.ts';

const GROUPED = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Three significant digits at least, thousands grouped. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size >= 100) return GROUPED.format(value);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

export function formatValue(value: number, unit: Unit): string {
  return `${formatNumber(value)} ${unit}`;
}

export function formatRatio(ratio: number | null): string {
  return ratio === null ? '-' : `${formatNumber(ratio)}x`;
}

export function formatSpread(spread: number): string {
  return `±${(spread * 100).toFixed(0)} %`;
}

/** A time given in microseconds. */
export function formatMicros(micros: number): string {
  if (micros >= 1_000_000) return `${formatNumber(micros / 1_000_000)} s`;
  if (micros >= 1_000) return `${formatNumber(micros / 1_000)} ms`;
  return `${formatNumber(micros)} µs`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '-';
  let value = bytes;
  let unitIndex = 0;
  while (Math.abs(value) >= 1024 && unitIndex < BYTE_UNITS.length - 1) {
    value /= 1024;
    unitIndex++;
  }
  return unitIndex === 0 ? `${value} B` : `${formatNumber(value)} ${BYTE_UNITS[unitIndex]}`;
}

export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

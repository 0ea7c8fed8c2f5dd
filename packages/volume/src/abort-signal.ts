/**
 * Signals that call off what was asked for. Every host has them; named here are the members that are used.
 */
import { invalidType } from './fs-errors.ts';

/** What is looked at of an `AbortSignal`. */
export interface AbortState {
  readonly aborted: boolean;
  readonly reason?: unknown;
}

export interface AbortOption {
  /** Looked at once, before anything is done. */
  readonly signal?: AbortState | null | undefined;
}

/** Throws Node's `AbortError` when the signal among the options is aborted. */
export function checkSignal(options: AbortOption | string | null | undefined): void {
  const signal = typeof options === 'object' ? options?.signal : undefined;
  if (signal === null || signal === undefined) return;
  if (typeof signal !== 'object' || !('aborted' in signal))
    throw invalidType('options.signal', 'an AbortSignal', signal);
  if (!signal.aborted) return;
  const error = new Error('The operation was aborted', { cause: signal.reason });
  throw Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

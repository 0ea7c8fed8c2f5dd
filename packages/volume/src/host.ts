/**
 * What a core package takes from its host beyond the language: text coding, timers, and the symbol of `await using`.
 *
 * Browsers, Deno, Bun and Node all have these as globals. They are named here and nowhere else, with the few members that are used,
 * so the rest of the package compiles without the types of any host.
 */

interface HostTextEncoder {
  encode(text: string): Uint8Array;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}

interface HostTextDecoder {
  decode(bytes: Uint8Array): string;
}

interface HostGlobals {
  TextEncoder: new () => HostTextEncoder;
  TextDecoder: new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }) => HostTextDecoder;
  setTimeout(run: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
}

const host = globalThis as unknown as HostGlobals;

/** UTF-8 from strings; a lone surrogate becomes U+FFFD, so names are checked before. */
export const utf8Encoder: HostTextEncoder = new host.TextEncoder();

/** Strings from UTF-8; throws a `TypeError` on bytes that are none. Keeps a byte order mark. */
export const strictUtf8Decoder: HostTextDecoder = new host.TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strings from any bytes; what is no UTF-8 becomes U+FFFD, as `Buffer.toString` does it. */
export const lenientUtf8Decoder: HostTextDecoder = new host.TextDecoder('utf-8', { ignoreBOM: true });

/**
 * What `await using` calls: the symbol of the host, or the one by which Node went before hosts had it. A function, so that declarations
 * do not name it: programs are compiled with libraries that know no such symbol.
 */
export function asyncDispose(): symbol {
  return (Symbol as { readonly asyncDispose?: symbol }).asyncDispose ?? Symbol.for('nodejs.asyncDispose');
}

/** 25 days. Hosts take a longer time for none at all. */
const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1;

/** A timer that does not keep a process alive where the host knows such a thing. It runs no longer than hosts can wait. */
export function startTimer(run: () => void, milliseconds: number): unknown {
  const timer = host.setTimeout(run, Math.min(milliseconds, LONGEST_TIMER_MILLISECONDS));
  if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref();
  return timer;
}

/** Resolves after so many milliseconds, and not before others had their turn. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => host.setTimeout(resolve, milliseconds));
}

export function stopTimer(timer: unknown): void {
  host.clearTimeout(timer);
}

/** UTF-8 bytes of a short text that is mostly ASCII, written to `target` from `start` on; returns the end. A loop beats the encoder up to about 40 characters. */
export function encodeUtf8(text: string, target: Uint8Array, start: number): number {
  let end = start;
  const length = text.length;
  if (length <= 48) {
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) break;
      target[end++] = unit;
    }
    if (i === length) return end;
  }
  return start + utf8Encoder.encodeInto(text, target.subarray(start)).written;
}

/** The string of UTF-8 bytes `[start, end)`; null if they are none. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start <= 32) {
    let text = '';
    let i = start;
    for (; i < end; i++) {
      const byte = bytes[i];
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (i === end) return text;
  }
  try {
    return strictUtf8Decoder.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}

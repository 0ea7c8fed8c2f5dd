/**
 * What a core package may use beyond the language: present under these names in browsers, workers, Node, Bun and Deno.
 *
 * Deliberately less than any of them declares. An addition here is a demand on every host, so it needs a reason.
 */

/** An opaque handle: a number in browsers, an object in Node. */
interface HostTimer {
  /** Node, Bun and Deno only: lets the process end although the timer is pending. */
  unref?(): unknown;
}

declare function setTimeout(callback: () => void, delayMilliseconds?: number): HostTimer;
declare function clearTimeout(timer: HostTimer | undefined): void;
declare function queueMicrotask(callback: () => void): void;

/** Monotonic time, and random bytes for identities. */
declare const performance: { now(): number };
declare const crypto: { getRandomValues<T extends Uint8Array | Uint32Array>(array: T): T };

/** UTF-8. */
declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}

/**
 * What was evicted lately: fingerprints of the last evictions, without their content.
 *
 * A direct-mapped table: a fingerprint overwrites whoever had its place, so a few are forgotten early. That, like two
 * contents with one fingerprint, costs a less fortunate choice of a queue and nothing else. `NO_STAMP` marks an empty
 * place.
 */
const NO_STAMP = 0;
const MULTIPLIER = 0x9e3779b1 | 0;

export class GhostTable {
  readonly #fingerprints: Int32Array;
  /** Number of the eviction, counting from 1. */
  readonly #stamps: Float64Array;
  readonly #shift: number;
  readonly #lifetime: number;
  #evictionCount = 0;

  /** Remembers an eviction during the `lifetime` evictions that follow it. */
  constructor(lifetime: number) {
    const bits = Math.max(4, 32 - Math.clz32(lifetime - 1));
    this.#fingerprints = new Int32Array(2 ** bits);
    this.#stamps = new Float64Array(2 ** bits);
    this.#shift = 32 - bits;
    this.#lifetime = lifetime;
  }

  remember(fingerprint: number): void {
    const place = Math.imul(fingerprint, MULTIPLIER) >>> this.#shift;
    this.#fingerprints[place] = fingerprint;
    this.#stamps[place] = ++this.#evictionCount;
  }

  /** Whether the fingerprint was remembered lately; forgets it. */
  recall(fingerprint: number): boolean {
    const place = Math.imul(fingerprint, MULTIPLIER) >>> this.#shift;
    const stamp = this.#stamps[place];
    if (stamp === NO_STAMP || this.#fingerprints[place] !== (fingerprint | 0)) return false;
    this.#stamps[place] = NO_STAMP;
    return this.#evictionCount - stamp < this.#lifetime;
  }
}

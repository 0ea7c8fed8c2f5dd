/**
 * From block number to frame: one open-addressing hash in an Int32Array, key and frame side by side so that a look-up
 * that hits at once touches one cache line.
 *
 * Linear probing from a multiplicative hash, at most half full, so a probe is short; deletion shifts the followers back
 * and leaves no tombstones. `NIL_BLOCK`, which is never mapped, marks an empty place.
 */
import { assert } from '@outwrite/blockdev';
import { type Frame, NO_FRAME } from './frame-table.ts';

/** NIL_BLOCK as a signed word. */
const EMPTY_KEY = -1;
/** 2^32 divided by the golden ratio: neighbouring numbers land far apart. */
const MULTIPLIER = 0x9e3779b1 | 0;
const SMALLEST_PLACE_COUNT = 1024;

export class BlockIndex {
  count = 0;
  #words: Int32Array = emptyWords(SMALLEST_PLACE_COUNT);
  #shift = 32 - Math.log2(SMALLEST_PLACE_COUNT);
  /** Place count less one, times two. */
  #mask = (SMALLEST_PLACE_COUNT - 1) * 2;

  /** The frame of a number, or NO_FRAME. */
  find(number: number): Frame {
    const words = this.#words;
    const mask = this.#mask;
    const key = number | 0;
    let at = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    for (;;) {
      const found = words[at];
      if (found === key) return words[at + 1];
      if (found === EMPTY_KEY) return NO_FRAME;
      at = (at + 2) & mask;
    }
  }

  /** Maps a number that is not mapped. */
  insert(number: number, frame: Frame): void {
    const key = number | 0;
    assert(key !== EMPTY_KEY, 'NIL is never mapped');
    if (this.count * 4 >= this.#mask) this.#double();
    this.#place(key, frame);
    this.count++;
  }

  /** Removes the mapping of a number, which must be there. */
  remove(number: number): void {
    const words = this.#words;
    const mask = this.#mask;
    const key = number | 0;
    let at = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    while (words[at] !== key) {
      assert(words[at] !== EMPTY_KEY, 'only what is mapped is unmapped');
      at = (at + 2) & mask;
    }
    // Shift back whoever probed across the gap: those whose home lies cyclically at or before it.
    let gap = at;
    for (at = (at + 2) & mask; words[at] !== EMPTY_KEY; at = (at + 2) & mask) {
      const home = (Math.imul(words[at], MULTIPLIER) >>> this.#shift) << 1;
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        words[gap] = words[at];
        words[gap + 1] = words[at + 1];
        gap = at;
      }
    }
    words[gap] = EMPTY_KEY;
    words[gap + 1] = NO_FRAME;
    this.count--;
  }

  checkInvariants(): void {
    const words = this.#words;
    let count = 0;
    for (let at = 0; at < words.length; at += 2) {
      if (words[at] === EMPTY_KEY) continue;
      count++;
      assert(this.find(words[at] >>> 0) === words[at + 1], 'every mapping is found from its home');
    }
    assert(count === this.count, 'the number of mappings is right');
  }

  #place(key: number, frame: Frame): void {
    const words = this.#words;
    let at = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    while (words[at] !== EMPTY_KEY) {
      assert(words[at] !== key, 'a number is mapped once');
      at = (at + 2) & this.#mask;
    }
    words[at] = key;
    words[at + 1] = frame;
  }

  #double(): void {
    const old = this.#words;
    this.#words = emptyWords(old.length); // a place is two words: this is twice as many places
    this.#shift--;
    this.#mask = this.#words.length - 2;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] !== EMPTY_KEY) this.#place(old[at], old[at + 1]);
    }
  }
}

function emptyWords(placeCount: number): Int32Array {
  return new Int32Array(placeCount * 2).fill(EMPTY_KEY);
}

/**
 * From block index in a file to frame: an open-addressing hash for one page space, small when the file is.
 *
 * Block indexes reach 2^48, so keys are doubles in an array of their own. Otherwise as block-index.ts: linear probing,
 * at most half full, deletion by shifting back. `EMPTY_KEY` marks an empty place.
 */
import { assert } from '@outwrite/blockdev';
import { type Frame, NO_FRAME } from './frame-table.ts';

const EMPTY_KEY = -1;
const LOW_MULTIPLIER = 0x9e3779b1 | 0;
const HIGH_MULTIPLIER = 0x85ebca77 | 0;
const HIGH_UNIT = 2 ** -32;
const SMALLEST_PLACE_COUNT = 8;

export class PageIndex {
  count = 0;
  #keys: Float64Array = new Float64Array(SMALLEST_PLACE_COUNT).fill(EMPTY_KEY);
  #frames: Int32Array = new Int32Array(SMALLEST_PLACE_COUNT);
  #shift = 32 - Math.log2(SMALLEST_PLACE_COUNT);
  /** Every key ever inserted is below this, since the index was last empty. */
  #keyLimit = 0;

  find(key: number): Frame {
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let at = this.#home(key); ; at = (at + 1) & mask) {
      const found = keys[at];
      if (found === key) return this.#frames[at];
      if (found === EMPTY_KEY) return NO_FRAME;
    }
  }

  /** Maps a block index that is not mapped. */
  insert(key: number, frame: Frame): void {
    if (this.count * 2 >= this.#keys.length) this.#double();
    if (this.count === 0) this.#keyLimit = 0;
    if (key >= this.#keyLimit) this.#keyLimit = key + 1;
    this.#place(key, frame);
    this.count++;
  }

  /** Maps a block index that is mapped to another frame. */
  replace(key: number, frame: Frame): void {
    this.#frames[this.#locate(key)] = frame;
  }

  /** Removes the mapping of a block index, which must be there. */
  remove(key: number): void {
    const keys = this.#keys;
    const frames = this.#frames;
    const mask = keys.length - 1;
    let gap = this.#locate(key);
    for (let at = (gap + 1) & mask; keys[at] !== EMPTY_KEY; at = (at + 1) & mask) {
      if (((at - this.#home(keys[at])) & mask) >= ((at - gap) & mask)) {
        keys[gap] = keys[at];
        frames[gap] = frames[at];
        gap = at;
      }
    }
    keys[gap] = EMPTY_KEY;
    this.count--;
  }

  /** The frames of all block indexes from `firstKey` on, in no order. Costs the smaller of the range and the table. */
  framesFrom(firstKey: number): Frame[] {
    const found: Frame[] = [];
    if (this.count === 0) return found;
    if (this.#keyLimit - firstKey < this.#keys.length) {
      for (let key = firstKey; key < this.#keyLimit; key++) {
        const frame = this.find(key);
        if (frame !== NO_FRAME) found.push(frame);
      }
      return found;
    }
    for (let at = 0; at < this.#keys.length; at++) {
      if (this.#keys[at] >= firstKey) found.push(this.#frames[at]);
    }
    return found;
  }

  checkInvariants(): void {
    let count = 0;
    for (let at = 0; at < this.#keys.length; at++) {
      if (this.#keys[at] === EMPTY_KEY) continue;
      count++;
      assert(this.find(this.#keys[at]) === this.#frames[at], 'every page is found from its home');
      assert(this.#keys[at] < this.#keyLimit, 'the limit of block indexes holds');
    }
    assert(count === this.count, 'the number of pages is right');
  }

  #home(key: number): number {
    const high = (key * HIGH_UNIT) | 0;
    return Math.imul((key | 0) ^ Math.imul(high, HIGH_MULTIPLIER), LOW_MULTIPLIER) >>> this.#shift;
  }

  #locate(key: number): number {
    const keys = this.#keys;
    let at = this.#home(key);
    while (keys[at] !== key) {
      assert(keys[at] !== EMPTY_KEY, 'only a page that is there is changed');
      at = (at + 1) & (keys.length - 1);
    }
    return at;
  }

  #place(key: number, frame: Frame): void {
    const keys = this.#keys;
    let at = this.#home(key);
    while (keys[at] !== EMPTY_KEY) {
      assert(keys[at] !== key, 'a page is mapped once');
      at = (at + 1) & (keys.length - 1);
    }
    keys[at] = key;
    this.#frames[at] = frame;
  }

  #double(): void {
    const oldKeys = this.#keys;
    const oldFrames = this.#frames;
    this.#keys = new Float64Array(oldKeys.length * 2).fill(EMPTY_KEY);
    this.#frames = new Int32Array(oldKeys.length * 2);
    this.#shift--;
    for (let at = 0; at < oldKeys.length; at++) {
      if (oldKeys[at] !== EMPTY_KEY) this.#place(oldKeys[at], oldFrames[at]);
    }
  }
}

/**
 * From inode numbers to the inodes in memory, in the order of a clock.
 *
 * An open-addressing hash (linear probing from a multiplicative hash, at most half full, no tombstones) leads to places in an array. An
 * inode that leaves frees its place for the next one that comes, so nothing is made anew when a full cache takes in one inode for another:
 * a `Map` with as many entries makes new tables all the time, and they are old before they are garbage.
 */
import { assert } from '@outwrite/blockdev';
import type { Inode } from './inode.ts';

/** 2^32 divided by the golden ratio: neighbouring numbers land far apart. */
const MULTIPLIER = 0x9e3779b1 | 0;
const SMALLEST_SLOT_COUNT = 64;
const EMPTY = -1;

export class InodeTable {
  count = 0;
  /** By place; null where a place is free. */
  readonly #inodes: (Inode | null)[] = [];
  readonly #freePlaces: number[] = [];
  /** Slots of two words: the low half of a number, and the place of its inode or EMPTY. */
  #slots: Int32Array = emptySlots(SMALLEST_SLOT_COUNT);
  #shift = 32 - Math.log2(SMALLEST_SLOT_COUNT);
  /** Slot count less one, times two. */
  #mask = (SMALLEST_SLOT_COUNT - 1) * 2;
  /** Place that the hand of the clock points at. */
  #hand = 0;

  find(number: number): Inode | undefined {
    const slots = this.#slots;
    const low = number | 0;
    for (let at = this.#home(low); ; at = (at + 2) & this.#mask) {
      const place = slots[at + 1];
      if (place === EMPTY) return undefined;
      if (slots[at] !== low) continue;
      const inode = this.#inodes[place];
      if (inode !== null && inode.number === number) return inode;
    }
  }

  /** Adds an inode whose number is not there yet. */
  add(inode: Inode): void {
    assert(this.find(inode.number) === undefined, 'there is one object for an inode');
    if (this.count * 4 >= this.#mask) this.#double();
    const place = this.#freePlaces.pop() ?? this.#inodes.length;
    this.#inodes[place] = inode;
    this.#enter(inode.number | 0, place);
    this.count++;
  }

  /** Removes an inode that is there. */
  remove(inode: Inode): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let at = this.#home(inode.number | 0);
    while (this.#inodes[slots[at + 1]] !== inode) {
      assert(slots[at + 1] !== EMPTY, 'only an inode that is there is removed');
      at = (at + 2) & mask;
    }
    const place = slots[at + 1];
    // Shift back whoever probed across the gap: those whose home lies cyclically at or before it.
    let gap = at;
    for (at = (at + 2) & mask; slots[at + 1] !== EMPTY; at = (at + 2) & mask) {
      if (((at - this.#home(slots[at])) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = slots[at];
      slots[gap + 1] = slots[at + 1];
      gap = at;
    }
    slots[gap + 1] = EMPTY;
    this.#inodes[place] = null;
    this.#freePlaces.push(place);
    this.count--;
  }

  /** The next inode of the clock's round; null when there is none. Any may be removed or added between two calls. */
  next(): Inode | null {
    const inodes = this.#inodes;
    for (let steps = inodes.length; steps > 0; steps--) {
      if (this.#hand >= inodes.length) this.#hand = 0;
      const inode = inodes[this.#hand++];
      if (inode !== null) return inode;
    }
    return null;
  }

  /** All inodes. Not to be changed meanwhile. */
  *values(): Generator<Inode> {
    for (const inode of this.#inodes) if (inode !== null) yield inode;
  }

  #home(low: number): number {
    return (Math.imul(low, MULTIPLIER) >>> this.#shift) << 1;
  }

  #enter(low: number, place: number): void {
    const slots = this.#slots;
    let at = this.#home(low);
    while (slots[at + 1] !== EMPTY) at = (at + 2) & this.#mask;
    slots[at] = low;
    slots[at + 1] = place;
  }

  #double(): void {
    const old = this.#slots;
    this.#slots = emptySlots(old.length); // a slot is two words: this is twice as many slots
    this.#shift--;
    this.#mask = this.#slots.length - 2;
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== EMPTY) this.#enter(old[at], old[at + 1]);
  }
}

function emptySlots(slotCount: number): Int32Array {
  return new Int32Array(slotCount * 2).fill(EMPTY);
}

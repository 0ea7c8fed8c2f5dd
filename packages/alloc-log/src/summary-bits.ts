/**
 * A growable set of small integers that finds its next member without scanning: bits, and above them bits that say which words below
 * are not zero. `next` touches one word a level going up and one going down, whatever the size of the set.
 */
export class SummaryBits {
  #levels: Uint32Array[] = [new Uint32Array(1)];

  has(index: number): boolean {
    const words = this.#levels[0]!;
    const word = index >>> 5;
    return word < words.length && (words[word]! & (1 << (index & 31))) !== 0;
  }

  set(index: number, member: boolean): void {
    if (this.has(index) === member) return;
    if (member) this.#reserve(index);
    let at = index;
    for (const words of this.#levels) {
      const word = at >>> 5;
      const before = words[word]!;
      const after = member ? before | (1 << (at & 31)) : before & ~(1 << (at & 31));
      words[word] = after;
      // The summary above changes only when a word becomes empty or stops being so.
      if ((before === 0) === (after >>> 0 === 0)) return;
      at = word;
    }
  }

  /** The smallest member that is at least `from`, or -1. */
  next(from: number): number {
    let at = from;
    for (let level = 0; level < this.#levels.length; level++) {
      const words = this.#levels[level]!;
      const word = at >>> 5;
      if (word >= words.length) return -1;
      const rest = words[word]! & (-1 << (at & 31));
      if (rest !== 0) {
        at = word * 32 + lowestBit(rest);
        while (level > 0) {
          level--;
          at = at * 32 + lowestBit(this.#levels[level]![at]!);
        }
        return at;
      }
      // Index of the next word, which is a member of the level above if it is not empty.
      at = word + 1;
    }
    return -1;
  }

  #reserve(index: number): void {
    let wordCount = (index >>> 5) + 1;
    for (let level = 0; ; level++) {
      let words = this.#levels[level];
      if (words === undefined) {
        // A new top: it summarizes what the level below holds already.
        words = new Uint32Array(wordCount);
        const below = this.#levels[level - 1]!;
        for (let i = 0; i < below.length; i++) if (below[i] !== 0) words[i >>> 5]! |= 1 << (i & 31);
        this.#levels[level] = words;
      } else if (words.length < wordCount) {
        const larger = new Uint32Array(Math.max(wordCount, words.length * 2));
        larger.set(words);
        words = larger;
        this.#levels[level] = words;
      }
      if (words.length === 1) return;
      wordCount = (words.length + 31) >>> 5;
    }
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

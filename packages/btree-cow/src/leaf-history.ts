/**
 * What became of the leaves of one tree since the last delta boundary, as far as the log must be told: which of those that it knows are gone.
 *
 * A leaf is named by the separator at which it begins. Leaves that came and went within the delta never were; one that went and came back
 * is simply somewhere else. Leaves that go one after the other, as in a range delete, make one range: each leaf that goes says where the
 * next one begins, and at that moment there is nothing in between. Ranges may overlap, when leaves came and went within an older one; what
 * holds for each holds for both together. A leaf in a range that exists at the end was made in this delta, and its "is at", which
 * applies after everything that is gone, puts it back.
 */

/** Leaves that are gone: the one at `first`, or (`end` not null) all that begin in `[first, end)`. */
export interface GoneLeaves {
  first: string;
  end: string | null;
}

export class LeafHistory {
  /** Separators that came into being in the open delta, as strings of one character a byte. */
  readonly #created = new Set<string>();
  /** First separators to null, or to the end of a range. */
  readonly #gone = new Map<string, string | null>();
  /** The range that the next leaf may extend: its key in `#gone`, and the separator with which that leaf begins. */
  #rangeStart = '';
  #rangeEnd: string | null = null;

  /** A leaf has been made that begins at `separator`. */
  created(separator: string): void {
    if (this.#gone.get(separator) === null) this.#gone.delete(separator);
    else this.#created.add(separator);
  }

  /** The leaf that begins at `separator` has been given up; the next one, where it is known, begins at `next`. */
  gone(separator: string, next: string | null): void {
    const isNew = this.#created.delete(separator);
    if (separator === this.#rangeEnd && next !== null && this.#gone.has(this.#rangeStart)) {
      this.#gone.set(this.#rangeStart, next);
      this.#rangeEnd = next;
      return;
    }
    this.#rangeEnd = null;
    if (isNew) return;
    this.#gone.set(separator, null);
    if (next !== null) {
      this.#rangeStart = separator;
      this.#rangeEnd = next;
    }
  }

  /** Everything that is gone, ascending and disjoint. */
  summary(): GoneLeaves[] {
    const all: GoneLeaves[] = [];
    for (const first of [...this.#gone.keys()].sort()) {
      const end = this.#gone.get(first)!;
      const last = all[all.length - 1];
      if (last === undefined || last.end === null || first >= last.end) all.push({ first, end });
      else if (end !== null && end > last.end) last.end = end;
    }
    return all;
  }

  /** A new delta begins. */
  clear(): void {
    this.#created.clear();
    this.#gone.clear();
    this.#rangeEnd = null;
  }
}

/**
 * The room that staging will need for changing the tree, set aside while changes are made.
 *
 * Whoever makes a change first touches the leaves that staging will change for it: they become part of the open delta, so staging reads
 * nothing and redirects nothing. What is left to reserve is what entries may grow by: new leaves for the added bytes, and splits of leaves
 * and index nodes that are full already. The data blocks themselves are held by each file (`FileState`). Everything is let go when a delta is
 * closed, because staging uses it up.
 */
import type { AllocLog } from '@outwrite/alloc-log';
import { assert } from '@outwrite/blockdev';
import type { Tree } from '@outwrite/btree-cow';

/** A leaf that is full may be split (a block), and so may the node above it (which counts twice). */
const BLOCKS_OF_TOUCHED_LEAF = 3;

/** A leaf that is filled anew ends at least this full. */
const FILL_AFTER_SPLIT = 0.4;

/** A new leaf takes a block, and a part of an index node. */
const BLOCKS_OF_NEW_LEAF = 1.5;

/** Levels above the parents of leaves are split once at most for all of a delta's changes that come near the bound of its memory. */
const BLOCKS_OF_LEVEL = 2;

export class StagingRoom {
  readonly #log: AllocLog;
  readonly #tree: Tree;
  #touchedLeaves = 0;
  /** Touched leaves that no change of staging's is known for. */
  #passingLeaves = 0;
  #addedBytes = 0;
  #heldBlocks = 0;

  constructor(log: AllocLog, tree: Tree) {
    this.#log = log;
    this.#tree = tree;
  }

  /** First half of a change that staging makes: its leaf becomes part of the open delta. May commit, and throws, as a put does. */
  touch(key: Uint8Array, isReclaiming: boolean): void {
    if (!this.#tree.touch(key, isReclaiming)) return;
    this.#touchedLeaves++;
    this.#hold();
  }

  /** As `touch`, for a change that is made at once and has its own room; nothing is set aside unless staging changes such leaves, too. */
  touchForNow(key: Uint8Array, isReclaiming: boolean): void {
    if (this.#tree.touch(key, isReclaiming)) this.#passingLeaves++;
  }

  /** First half: blocks that `add` would set aside. */
  blocksFor(addedBytes: number): number {
    return this.#wanted(this.#addedBytes + addedBytes) - this.#heldBlocks;
  }

  /** Second half: staging will add entries of so many bytes, keys and values, to touched leaves. */
  add(addedBytes: number): void {
    this.#touchedLeaves += this.#passingLeaves;
    this.#passingLeaves = 0;
    this.#addedBytes += addedBytes;
    this.#hold();
  }

  /** Everything is let go: staging begins. */
  release(): void {
    this.#log.unhold(this.#heldBlocks);
    this.#heldBlocks = 0;
    this.#touchedLeaves = 0;
    this.#passingLeaves = 0;
    this.#addedBytes = 0;
  }

  #hold(): void {
    const missing = this.#wanted(this.#addedBytes) - this.#heldBlocks;
    if (missing <= 0) return;
    this.#log.hold(missing);
    this.#heldBlocks += missing;
  }

  #wanted(addedBytes: number): number {
    const newLeaves = addedBytes / (this.#log.blockSize * FILL_AFTER_SPLIT);
    const levels = BLOCKS_OF_LEVEL * (this.#tree.height + 1);
    return Math.ceil(levels + this.#touchedLeaves * BLOCKS_OF_TOUCHED_LEAF + newLeaves * BLOCKS_OF_NEW_LEAF);
  }
}

/** Times that an operation begins again after the log has made room for it. */
const ATTEMPTS = 3;

/**
 * Runs both halves of an operation until it is done. `attempt` returns false when the log made room and everything has to be looked up again.
 *
 * On a volume that is nearly full, touching leaves may itself use up the room that was just made, again and again. So the last attempt runs in
 * a transaction, where the log makes no room: it lets the operation through or throws a `NoSpaceError`.
 */
export function untilDone(log: AllocLog, isReclaiming: boolean, attempt: () => boolean): void {
  for (let i = 0; i < ATTEMPTS; i++) {
    if (attempt()) return;
  }
  log.transact(() => {
    assert(attempt(), 'an operation in a transaction is let through or refused');
  }, isReclaiming);
}

/**
 * The state of one tree: its root reference, and what the log must be told about it when the open delta is closed.
 *
 * The root is always an index node, one without entries when the tree is empty, and reached like any other node: through a pointer, which
 * for the root is kept here and, as of the last checkpoint, in the catalogue. A tree of the store has a line in the catalogue; the
 * catalogue itself has none, and its leaves follow the rule of index nodes: provisional, written by checkpoints, never promised.
 */

import { isProvisional } from '@outwrite/alloc-log';
import { assert } from '@outwrite/blockdev';
import { LeafHistory } from './leaf-history.ts';
import type { StoreCore } from './store-core.ts';

export class TreeState {
  readonly core: StoreCore;
  /** 1 or more, never reused; 0 for the catalogue. */
  readonly id: number;
  rootBlock = 0;
  rootChecksum = 0;
  rootBirth = 0;
  /** Level of the root, 1 or more: the number of levels above the leaves. */
  level = 1;
  /** Counts up whenever anything that a cursor has found may have moved. */
  version = 0;
  /** The tree is being dropped; what is left of it is reclaimed step by step. */
  isDying = false;
  /** The last step has been made. */
  isGone = false;

  // What the log will be told when the open delta is closed.
  wasCreated = false;
  startedDying = false;
  readonly history: LeafHistory = new LeafHistory();
  /** Where the last new entry went, to tell entries that arrive in ascending order. */
  lastInsertBlock = 0;
  lastInsertPosition = -1;
  #changedDelta = 0;
  #changedEpoch = 0;

  constructor(core: StoreCore, id: number) {
    this.core = core;
    this.id = id;
  }

  /** Whether leaves follow the rule of index nodes. */
  get isCatalogue(): boolean {
    return this.id === 0;
  }

  /** Whether the node at this pointer must be redirected before it is changed. */
  needsRedirect(level: number, block: number, birth: number): boolean {
    if (level === 0 && !this.isCatalogue) return birth !== this.core.log.openDelta;
    return !isProvisional(block);
  }

  /** To be called with every change of the tree. */
  changed(): void {
    this.version++;
    const { log } = this.core;
    if (this.#changedDelta !== log.openDelta) {
      this.#changedDelta = log.openDelta;
      this.core.changedTrees.push(this);
      log.markChanged();
    }
  }

  /** The root reference has changed; the catalogue is told at the next checkpoint. */
  rootChanged(): void {
    if (this.#changedEpoch !== this.core.log.openEpoch && !this.isCatalogue) {
      this.#changedEpoch = this.core.log.openEpoch;
      this.core.movedTrees.push(this);
    }
  }

  /** A leaf has been made that begins at `separator`. */
  leafCreated(separator: Uint8Array, length: number): void {
    if (!this.isCatalogue) this.history.created(separatorText(separator, length));
  }

  /** The leaf that begins at `separator` has been given up. The next one begins at `next`, unless its length is -1: unknown. */
  leafGone(separator: Uint8Array, length: number, next: Uint8Array, nextLength: number): void {
    if (this.isCatalogue) return;
    this.history.gone(separatorText(separator, length), nextLength < 0 ? null : separatorText(next, nextLength));
  }

  /** A whole delta has been told to the log. */
  deltaTold(): void {
    this.wasCreated = false;
    this.startedDying = false;
    this.history.clear();
  }

  setRoot(block: number, checksum: number, birth: number, level: number): void {
    assert(level >= 1, 'a root is an index node');
    this.rootBlock = block;
    this.rootChecksum = checksum;
    this.rootBirth = birth;
    this.level = level;
  }
}

const CHUNK = 1024;

/** A separator as a string of one character a byte; such strings sort as the bytes do. */
export function separatorText(bytes: Uint8Array, length: number): string {
  if (length <= CHUNK) return String.fromCharCode.apply(null, bytes.subarray(0, length) as unknown as number[]);
  let text = '';
  for (let start = 0; start < length; start += CHUNK) {
    text += String.fromCharCode.apply(
      null,
      bytes.subarray(start, Math.min(start + CHUNK, length)) as unknown as number[],
    );
  }
  return text;
}

/** The bytes of `separatorText`. */
export function textSeparator(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * What the open delta has collected so far: allocations and frees, and the blocks it will write or has written already.
 *
 * Everything is kept as it came; the net result is computed once, when the delta is closed.
 */
import { assert } from '@outwrite/blockdev';
import type { Frame } from '@outwrite/buffer-cache';
import { appendExtent, type Extent, extentBalance } from './extent.ts';
import type { ListedKind, ListedWrite } from './log-record-format.ts';

export interface FrameWrite {
  block: number;
  frame: Frame;
  checksum: number;
  kind: ListedKind;
}

export class OpenDelta {
  readonly number: number;
  /** Something entered this delta, blocks or not. */
  changed = false;
  /** It holds blocks that were written asynchronously from a caller's memory. */
  wroteFromCaller = false;
  readonly frameWrites: FrameWrite[] = [];
  /** Blocks that are on the device already; their bytes are not in memory. */
  directWrites: ListedWrite[] = [];
  readonly #allocated: Extent[] = [];
  readonly #givenBack: Extent[] = [];
  readonly #freed: Extent[] = [];
  #netCount = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** Blocks allocated in this delta and not given back. */
  get allocatedCount(): number {
    return this.#netCount;
  }

  allocated(start: number, count: number): void {
    this.changed = true;
    this.#netCount += count;
    appendExtent(this.#allocated, start, count);
  }

  /** Blocks allocated in this very delta are not needed after all; whatever was written to them does not count. */
  gaveBack(start: number, count: number): void {
    this.changed = true;
    this.#netCount -= count;
    appendExtent(this.#givenBack, start, count);
    if (this.directWrites.length > 0) this.#cutDirectWrites(start, start + count);
  }

  freed(start: number, count: number): void {
    this.changed = true;
    appendExtent(this.#freed, start, count);
  }

  wroteDirectly(start: number, checksums: ArrayLike<number>, kind: ListedKind): void {
    this.changed = true;
    const last = this.directWrites[this.directWrites.length - 1];
    if (last !== undefined && last.kind === kind && last.start + last.checksums.length === start) {
      for (let i = 0; i < checksums.length; i++) last.checksums.push(checksums[i]!);
    } else {
      this.directWrites.push({ start, checksums: Array.from(checksums), kind });
    }
  }

  netAllocations(): Extent[] {
    return extentBalance(this.#allocated, this.#givenBack);
  }

  netFrees(): Extent[] {
    return extentBalance(this.#freed, []);
  }

  /** Everything that was written besides promised blocks, ascending, neighbours joined. */
  listedWrites(): ListedWrite[] {
    const all = this.directWrites.map(({ start, checksums, kind }) => ({ start, checksums: checksums.slice(), kind }));
    for (const { block, checksum, kind } of this.frameWrites) all.push({ start: block, checksums: [checksum], kind });
    all.sort((a, b) => a.start - b.start);
    const joined: ListedWrite[] = [];
    for (const write of all) {
      const last = joined[joined.length - 1];
      if (last !== undefined) assert(last.start + last.checksums.length <= write.start, 'a delta writes a block once');
      if (last !== undefined && last.kind === write.kind && last.start + last.checksums.length === write.start) {
        for (const checksum of write.checksums) last.checksums.push(checksum);
      } else {
        joined.push(write);
      }
    }
    return joined;
  }

  #cutDirectWrites(start: number, end: number): void {
    const kept: ListedWrite[] = [];
    for (const write of this.directWrites) {
      const writeEnd = write.start + write.checksums.length;
      if (writeEnd <= start || write.start >= end) {
        kept.push(write);
        continue;
      }
      if (write.start < start) kept.push({ ...write, checksums: write.checksums.slice(0, start - write.start) });
      if (writeEnd > end) kept.push({ ...write, start: end, checksums: write.checksums.slice(end - write.start) });
    }
    this.directWrites = kept;
  }
}

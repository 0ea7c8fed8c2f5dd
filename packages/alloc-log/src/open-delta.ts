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

/** Blocks of leaf content that are written besides promised ones, with their bytes as long as these wait for the commit's own write. */
export interface DirectWrite extends ListedWrite {
  /** The bytes of each block; null: they are on the device already. */
  readonly pieces: Uint8Array[] | null;
}

export class OpenDelta {
  readonly number: number;
  /** Something entered this delta, blocks or not. */
  changed = false;
  /** It holds blocks that were written asynchronously from a caller's memory. */
  wroteFromCaller = false;
  readonly frameWrites: FrameWrite[] = [];
  /** Blocks that do not pass through the cache. */
  directWrites: DirectWrite[] = [];
  /** Memory of those that wait. */
  waitingBytes = 0;
  /** How many of them are on the device: no memory is bound by their content. */
  onDeviceCount = 0;
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

  /** `pieces`: the bytes, one array a block, that the commit will write; null when they are on the device. */
  wroteDirectly(start: number, checksums: ArrayLike<number>, kind: ListedKind, pieces: Uint8Array[] | null): void {
    this.changed = true;
    if (pieces === null) this.onDeviceCount += checksums.length;
    else for (const { length } of pieces) this.waitingBytes += length;
    const last = this.directWrites[this.directWrites.length - 1];
    if (last !== undefined && last.kind === kind && last.start + last.checksums.length === start) {
      if ((last.pieces === null) === (pieces === null)) {
        for (let i = 0; i < checksums.length; i++) last.checksums.push(checksums[i]!);
        if (pieces !== null) last.pieces!.push(...pieces);
        return;
      }
    }
    const copied: number[] = [];
    for (let i = 0; i < checksums.length; i++) copied.push(checksums[i]!);
    this.directWrites.push({ start, checksums: copied, kind, pieces });
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
    const kept: DirectWrite[] = [];
    for (const write of this.directWrites) {
      const writeEnd = write.start + write.checksums.length;
      if (writeEnd <= start || write.start >= end) {
        kept.push(write);
        continue;
      }
      if (write.start < start) kept.push(partOf(write, 0, start - write.start));
      if (writeEnd > end) kept.push(partOf(write, end - write.start, write.checksums.length));
    }
    this.directWrites = kept;
    this.waitingBytes = 0;
    this.onDeviceCount = 0;
    for (const { checksums, pieces } of kept) {
      if (pieces === null) this.onDeviceCount += checksums.length;
      else for (const { length } of pieces) this.waitingBytes += length;
    }
  }
}

/** The blocks `[from, to)` of a write. */
function partOf({ start, checksums, kind, pieces }: DirectWrite, from: number, to: number): DirectWrite {
  return {
    start: start + from,
    checksums: checksums.slice(from, to),
    kind,
    pieces: pieces === null ? null : pieces.slice(from, to),
  };
}

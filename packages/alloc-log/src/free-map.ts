/**
 * The free map: where to allocate, and the image of it that a checkpoint stores.
 *
 * Three kinds of requests are served. Single blocks (log, leaves, index nodes) and short extents (data, values) each follow one another
 * through a *zone* of their own: a run of 64 blocks that a zone lays claim to, then the next one. So what a delta writes lands in two runs,
 * the blocks of a file that grows stand next to each other, and the space that short-lived blocks leave behind is long runs again. A zone
 * looks for a free long run first, takes fresh space at the end as long as little of the written space is free, and else takes the holes
 * from where it is, round and round. Long extents take a free long run if there is one, else fresh space. A claim binds nobody: it only
 * keeps the zones apart. No request looks at more than the summaries and the pages that it allocates from.
 *
 * The image contains its own allocations: pages and nodes get new places until doing so changes no further page (`writeImage`).
 */
import { assert, type BlockDevice, CorruptionError, NIL_BLOCK, xxh32 } from '@outwrite/blockdev';
import { type BlockPointer, nilPointer } from './block-pointer.ts';
import type { Extent } from './extent.ts';
import { decodeFreeMapNode, encodeFreeMapNode, type FreeMapEntry, nodeFanOut } from './free-map-format.ts';
import { LONG_RUN_BLOCKS, MapPages } from './map-pages.ts';

/** Root of a stored free map. */
export interface FreeMapRoot {
  pointer: BlockPointer;
  level: number;
  pageCount: number;
}

export interface FreeMapImage {
  root: FreeMapRoot;
  /** New blocks with their content, in the order in which they were allocated. */
  blocks: { block: number; bytes: Uint8Array }[];
  /** Blocks of the image before, which this one replaces. */
  retired: number[];
}

/** Zones take holes, rather than fresh space, when at least this part of the written space is free, and so many blocks. */
const GO_ROUND_PART = 4;
const GO_ROUND_BLOCKS = 2048;

/** Of holes that are taken by choice, and not because there is nothing else, those of so many blocks come first. */
const GOOD_HOLE_BLOCKS = 8;

/** Where small requests of one kind are served: at `next`, and undisturbed by the other kind up to `end`. */
interface Zone {
  next: number;
  end: number;
  /** The page in which no good hole was left when one was last looked for. */
  pageWithoutGoodHole: number;
}

export class FreeMap {
  readonly pages: MapPages;
  readonly #fanOut: number;
  /** `#nodes[i]` are the stored nodes of level i + 1; the last level has one node, the root. */
  #nodes: FreeMapEntry[][] = [];
  readonly #singles: Zone = { next: 0, end: 0, pageWithoutGoodHole: -1 };
  readonly #extents: Zone = { next: 0, end: 0, pageWithoutGoodHole: -1 };
  #longCursor = 0;
  /** What had been returned when a zone last found no long run. */
  #returnedAtFailure = -1;

  constructor(device: BlockDevice, options: { blockBytes: number; blockLimit: number }) {
    this.pages = new MapPages(device, options);
    this.#fanOut = nodeFanOut(options.blockBytes);
  }

  /** Blocks that can be allocated, those beyond the present end of the volume included. */
  get availableCount(): number {
    return this.pages.availableCount + this.pages.blockLimit - this.pages.sizeBlocks;
  }

  /** Blocks between the zone that is further on and the end of the space that was written before. */
  get aheadCount(): number {
    return this.pages.sizeBlocks - Math.max(this.#singles.next, this.#extents.next);
  }

  /** Whether zones would take holes rather than reach beyond the end. */
  get wouldGoRound(): boolean {
    const { availableCount, sizeBlocks } = this.pages;
    return availableCount * GO_ROUND_PART >= sizeBlocks && availableCount >= GO_ROUND_BLOCKS;
  }

  /** Finds one block, or -1 when none is left. The caller marks it used or held before it asks again. */
  findBlock(): number {
    const found = this.#findIn(this.#singles, this.#extents);
    if (found !== -1) this.#singles.next = found + 1;
    return found;
  }

  /** Finds 1 to `blockCount` consecutive blocks near `goal` (default: where the last ones were), or null when none is left. */
  findExtent(blockCount: number, goal?: number): Extent | null {
    const isLong = blockCount >= LONG_RUN_BLOCKS;
    let start = goal === undefined || contains(this.#singles, goal) ? -1 : this.#availableAt(goal);
    if (start === -1 && isLong) start = this.#findLong();
    if (start === -1) start = this.#findIn(this.#extents, this.#singles);
    if (start === -1) return null;
    const count =
      start < this.pages.sizeBlocks ? this.pages.runLength(start, blockCount) : this.#freshCount(start, blockCount);
    if (isLong) this.#longCursor = start + count;
    else if (start === goal && !contains(this.#extents, start)) moveTo(this.#extents, start + count);
    else this.#extents.next = start + count;
    return { start, count };
  }

  #availableAt(goal: number): number {
    if (goal >= this.pages.sizeBlocks)
      return goal === this.pages.sizeBlocks && goal < this.pages.blockLimit ? goal : -1;
    return this.pages.nextAvailable(goal) === goal ? goal : -1;
  }

  #freshCount(start: number, blockCount: number): number {
    return Math.min(blockCount, this.pages.blockLimit - start);
  }

  #findLong(): number {
    const { pages } = this;
    const ahead = pages.nextLongRun(this.#longCursor);
    if (ahead !== -1) return ahead;
    const found = pages.nextLongRun(0);
    if (found !== -1) return found;
    // Beside what the single blocks have a claim to, which would end up as holes between the data.
    const start = Math.max(pages.sizeBlocks, this.#singles.end);
    return start < pages.blockLimit ? start : -1;
  }

  /** The next block of a zone, which claims another run when the present one is used up. */
  #findIn(zone: Zone, other: Zone): number {
    const { pages } = this;
    if (zone.next < zone.end) {
      const ahead = zone.next < pages.sizeBlocks ? pages.nextAvailable(zone.next) : zone.next;
      if (ahead !== -1 && ahead < zone.end && ahead < pages.blockLimit) return ahead;
    }
    let start = -1;
    if (pages.returnedCount - this.#returnedAtFailure >= LONG_RUN_BLOCKS || this.#returnedAtFailure === -1) {
      start = this.#longRunBeside(other, zone.next);
      if (start === -1) start = this.#longRunBeside(other, 0);
      this.#returnedAtFailure = start === -1 ? pages.returnedCount : -1;
    }
    if (start === -1 && !this.wouldGoRound) {
      start = Math.max(pages.sizeBlocks, other.end);
      if (start >= pages.blockLimit) start = -1;
    }
    if (start !== -1) {
      zone.next = start;
      zone.end = start + LONG_RUN_BLOCKS;
      return start;
    }
    start = this.#holeFrom(zone);
    if (start === -1) {
      zone.pageWithoutGoodHole = -1;
      start = pages.nextAvailable(0);
    }
    if (start === -1 && pages.sizeBlocks < pages.blockLimit) start = pages.sizeBlocks;
    if (start !== -1) moveTo(zone, start);
    return start;
  }

  /** A hole from where the zone is: what is left of the present one, else a good one of the same page, else the next; or -1. */
  #holeFrom(zone: Zone): number {
    const { pages } = this;
    const next = pages.nextAvailable(zone.next);
    const page = pages.pageOf(zone.next);
    if (next === zone.next || next === -1 || page === zone.pageWithoutGoodHole || !this.wouldGoRound) return next;
    const good = pages.nextRunInPage(zone.next, GOOD_HOLE_BLOCKS);
    zone.pageWithoutGoodHole = good === -1 ? page : -1;
    return good === -1 ? next : good;
  }

  /** A free long run at `from` or after it that is not what the other zone claims, or -1. */
  #longRunBeside(other: Zone, from: number): number {
    const { pages } = this;
    const start = pages.nextLongRun(from);
    if (start === -1 || start + LONG_RUN_BLOCKS <= other.next || start >= other.end) return start;
    return pages.nextLongRun(other.end);
  }

  /** Upper bound of the blocks that `writeImage` would allocate now, with some pages more than are changed yet. */
  imageBlockBound(furtherPages: number = 4): number {
    const pageCount = Math.min(this.pages.changed.size + furtherPages, this.pages.pageCount + 1);
    let bound = pageCount;
    for (let nodeCount = this.pages.pageCount + 1; ; ) {
      nodeCount = Math.ceil(nodeCount / this.#fanOut);
      bound += Math.min(nodeCount, pageCount);
      if (nodeCount <= 1) return bound;
    }
  }

  /** Takes over a stored map: reads its nodes, no pages. Throws a `CorruptionError`. */
  load(root: FreeMapRoot, sizeBlocks: number, readNode: (pointer: BlockPointer) => Uint8Array): void {
    const { pageCount } = root;
    this.#nodes = this.#nodeCounts(pageCount).map((count) => Array.from({ length: count }, idleEntry));
    if (this.#nodes.length !== root.level) {
      throw new CorruptionError('superblock', 'the height of the free map does not fit its size', {
        expected: this.#nodes.length,
        actual: root.level,
      });
    }
    const pageEntries: FreeMapEntry[] = Array.from({ length: pageCount }, idleEntry);
    if (root.level > 0) {
      this.#nodes[root.level - 1]![0]!.pointer = root.pointer;
      this.#loadNode(root.level, 0, pageEntries, readNode);
    }
    for (const { pointer, usedCount } of pageEntries) this.pages.addStoredPage(pointer, usedCount);
    this.pages.extend(sizeBlocks);
  }

  /** Reads a node and those below it, down to the entries of pages; returns the number of used blocks. */
  #loadNode(
    level: number,
    index: number,
    pageEntries: FreeMapEntry[],
    readNode: (pointer: BlockPointer) => Uint8Array,
  ): number {
    const { pointer } = this.#nodes[level - 1]![index]!;
    if (pointer.block === NIL_BLOCK) return 0;
    const children = level === 1 ? pageEntries : this.#nodes[level - 2]!;
    const firstChild = index * this.#fanOut;
    const pagesPerEntry = this.#fanOut ** (level - 1);
    const entries = decodeFreeMapNode(readNode(pointer), {
      block: pointer.block,
      level,
      firstPage: firstChild * pagesPerEntry,
      entryCount: Math.min(this.#fanOut, children.length - firstChild),
      blockLimit: this.pages.blockLimit,
      pagesPerEntry,
    });
    let usedCount = 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      children[firstChild + i] = entry;
      if (level > 1 && this.#loadNode(level - 1, firstChild + i, pageEntries, readNode) !== entry.usedCount) {
        throw new CorruptionError('free-map node', 'a count of used blocks does not fit what lies below', {
          block: pointer.block,
          expected: entry.usedCount,
        });
      }
      usedCount += entry.usedCount;
    }
    return usedCount;
  }

  /** Nodes needed at each level, from level 1 up to the root. */
  #nodeCounts(pageCount: number): number[] {
    const counts: number[] = [];
    for (let count = pageCount; count > 0; ) {
      count = Math.ceil(count / this.#fanOut);
      counts.push(count);
      if (count === 1) break;
    }
    return counts;
  }

  /**
   * Makes the image of the map as it is now, with the blocks of the image itself in it and those of the image before taken out.
   * `allocate` marks a block as used and returns it; `retire` marks one as no longer used. Both may change further pages, which then
   * get new places too; that ends because there are finitely many and a page gets a place only once.
   */
  writeImage(delta: number, allocate: () => number, retire: (block: number) => void): FreeMapImage {
    const { pages } = this;
    const placed = new Map<number, number>();
    const placedNodes: Map<number, number>[] = [];
    const retired: number[] = [];
    const giveUp = (pointer: BlockPointer): void => {
      if (pointer.block === NIL_BLOCK) return;
      retired.push(pointer.block);
      retire(pointer.block);
    };
    for (let settled = false; !settled; ) {
      settled = true;
      for (const page of pages.changed) {
        const place = placed.get(page);
        if (place === undefined) {
          settled = false;
          giveUp(pages.pointers[page]!);
          placed.set(page, NIL_BLOCK);
        }
        if (placed.get(page) === NIL_BLOCK && pages.usedCountOf(page) > 0) {
          settled = false;
          placed.set(page, allocate());
        }
      }
      let below: Iterable<number> = pages.changed;
      for (let level = 0; level < this.#nodeCounts(pages.pageCount).length; level++) {
        const here = placedNodes[level] ?? new Map<number, number>();
        placedNodes[level] = here;
        for (const child of below) {
          const index = Math.floor(child / this.#fanOut);
          if (here.has(index)) continue;
          settled = false;
          giveUp(this.#nodes[level]?.[index]?.pointer ?? nilPointer());
          here.set(index, allocate());
        }
        below = here.keys();
      }
    }
    const blocks = [...this.#encodePages(delta, placed), ...this.#encodeNodes(delta, placedNodes)];
    return { root: this.#root(), blocks, retired };
  }

  #encodePages(delta: number, placed: Map<number, number>): { block: number; bytes: Uint8Array }[] {
    const { pages } = this;
    const blocks: { block: number; bytes: Uint8Array }[] = [];
    for (const [page, block] of placed) {
      if (block === NIL_BLOCK) {
        pages.pointers[page] = nilPointer();
        continue;
      }
      const bytes = new Uint8Array(pages.blockBytes);
      pages.copyUsed(page, bytes);
      pages.pointers[page] = { block, checksum: xxh32(bytes), birth: delta };
      blocks.push({ block, bytes });
    }
    pages.changed.clear();
    return blocks;
  }

  #encodeNodes(delta: number, placedNodes: Map<number, number>[]): { block: number; bytes: Uint8Array }[] {
    const { pages } = this;
    const blocks: { block: number; bytes: Uint8Array }[] = [];
    const nodeCounts = this.#nodeCounts(pages.pageCount);
    let childCount = pages.pageCount;
    let child = (page: number): FreeMapEntry => ({
      pointer: pages.pointers[page]!,
      usedCount: pages.usedCountOf(page),
    });
    for (let level = 0; level < nodeCounts.length; level++) {
      const nodes = this.#nodes[level] ?? [];
      this.#nodes[level] = nodes;
      while (nodes.length < nodeCounts[level]!) nodes.push(idleEntry());
      for (const [index, block] of placedNodes[level] ?? []) {
        const firstChild = index * this.#fanOut;
        const entries: FreeMapEntry[] = [];
        let usedCount = 0;
        for (let i = firstChild; i < Math.min(childCount, firstChild + this.#fanOut); i++) {
          const entry = child(i);
          usedCount += entry.usedCount;
          entries.push(entry);
        }
        const bytes = new Uint8Array(pages.blockBytes);
        encodeFreeMapNode(bytes, { level: level + 1, firstPage: firstChild * this.#fanOut ** level, entries });
        nodes[index] = { pointer: { block, checksum: xxh32(bytes), birth: delta }, usedCount };
        blocks.push({ block, bytes });
      }
      childCount = nodes.length;
      child = (index: number): FreeMapEntry => nodes[index]!;
    }
    this.#nodes.length = nodeCounts.length;
    return blocks;
  }

  #root(): FreeMapRoot {
    const level = this.#nodes.length;
    const pointer = level === 0 ? nilPointer() : this.#nodes[level - 1]![0]!.pointer;
    assert(level === 0 || this.#nodes[level - 1]!.length === 1, 'the free map has one root');
    return { pointer, level, pageCount: this.pages.pageCount };
  }

  /** The blocks that hold the stored map itself. */
  *ownBlocks(): Generator<number> {
    for (const pointer of this.pages.pointers) if (pointer.block !== NIL_BLOCK) yield pointer.block;
    for (const nodes of this.#nodes)
      for (const { pointer } of nodes) if (pointer.block !== NIL_BLOCK) yield pointer.block;
  }
}

function contains(zone: Zone, block: number): boolean {
  return block >= zone.next && block < zone.end;
}

/** Lets a zone go on at `block`, with no claim to what follows. */
function moveTo(zone: Zone, block: number): void {
  zone.next = block;
  zone.end = block;
}

function idleEntry(): FreeMapEntry {
  return { pointer: nilPointer(), usedCount: 0 };
}

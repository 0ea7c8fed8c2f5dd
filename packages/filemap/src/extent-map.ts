/**
 * The extents of files in the tree: finding the blocks behind a range, and giving a range other blocks.
 *
 * Entries are keyed by file and first block index and never overlap, so the entry that covers a block is the last one that begins at or
 * before it. Reading validates every entry that it passes (length, range, birth, overlap with the one before) and throws a
 * `CorruptionError` that names the file. `replace` is a second half: its caller has asked for the room (`regionRoom`) and runs it inside
 * `transact`, so that no delta boundary falls between the entries of one change.
 */
import type { AllocLog } from '@outwrite/alloc-log';
import { CorruptionError, NIL_BLOCK } from '@outwrite/blockdev';
import type { Tree } from '@outwrite/btree-cow';
import { ExtentCursor } from './extent-cursor.ts';
import {
  checkExtentValue,
  checksumAt,
  copyChecksums,
  decodeExtent,
  EXTENT_HEADER_BYTES,
  type Extent,
  type ExtentLimits,
  encodeExtent,
  encodeExtentInto,
  extentBirth,
  extentStart,
  extentValueBytes,
  maxExtentBlocks,
  maxValueBytes,
  setExtentHeader,
} from './extent-format.ts';
import { type ExtentChange, extentEnd, replaceRegion } from './extent-list.ts';
import { BLOCK_INDEX_LIMIT, FILE_KEY_BYTES, KIND_EXTENT, setFileKey } from './key-format.ts';
import type { StagingRoom } from './staging-room.ts';

/** Blocks `[blockIndex, blockIndex + blockCount)` of a file: consecutive blocks of the device, or a hole. */
export interface Segment {
  readonly blockIndex: number;
  readonly blockCount: number;
  /** First block on the device; `NIL_BLOCK` for a hole. */
  readonly block: number;
  /** Delta that wrote the blocks; 0 for a hole. */
  readonly birth: number;
  /** One a block; empty for a hole. */
  readonly checksums: Uint32Array;
}

/** What an operation asks `AllocLog.ensure` for. */
export interface Room {
  readonly blocks: number;
  readonly nodes: number;
}

export const NO_ROOM: Room = { blocks: 0, nodes: 0 };

/** Entries found by a walk that may not stop at damage. */
export interface ReclaimableExtents {
  readonly extents: Extent[];
  /** Block indexes of entries whose value makes no sense. */
  readonly damaged: number[];
  readonly errors: CorruptionError[];
  /** Whether the range holds further entries. */
  readonly more: boolean;
}

const NO_CHECKSUMS = new Uint32Array(0);

/** An entry of one block costs its leaf at most this: key, value, head, offset, lengths, alignment. */
const SMALLEST_ENTRY_COST_BYTES = 44;

/** Leaves that are filled in ascending order split in the middle at worst, so each ends at least this full. */
const FILL_AFTER_SPLIT = 0.4;

/** The leaves at both ends of a change, once touched, may be split, or merged with neighbours that are copied for that; */
const CHANGE_BLOCKS = 4;
/** and the nodes above them may be split. */
const CHANGE_NODES = 2;

/** An index node that is merged when it is a quarter full has at least so many leaves, each with an entry. */
const ENTRIES_A_NODE = 3;

/** How many deletions one by one are cheaper than deleting a range. */
const SINGLE_DELETES = 4;

export class ExtentMap {
  readonly blockSize: number;
  readonly maxBlocks: number;
  /** Of the block that `findBlock` found last. */
  foundChecksum = 0;
  readonly #log: AllocLog;
  readonly #tree: Tree;
  readonly #cursor: ExtentCursor;
  readonly #key: Uint8Array = new Uint8Array(FILE_KEY_BYTES);
  /** For values that are put at once. */
  readonly #value: Uint8Array;
  /** Where the entries end that were passed last while frees were prepared. */
  #reachedIndex = 0;

  constructor(log: AllocLog, tree: Tree) {
    this.#log = log;
    this.#tree = tree;
    this.#cursor = new ExtentCursor(log, tree);
    this.blockSize = log.blockSize;
    this.maxBlocks = maxExtentBlocks(log.blockSize);
    this.#value = new Uint8Array(maxValueBytes(log.blockSize));
  }

  /** The room for giving a region of `blockCount` blocks other blocks in the worst case, the blocks themselves not counted. */
  regionRoom(blockCount: number): Room {
    const put = this.#tree.putRoom(FILE_KEY_BYTES, maxValueBytes(this.blockSize));
    const newLeaves = this.#growth(blockCount);
    const newNodes = this.#growth(newLeaves);
    // All entries of the change are neighbours: what grows is counted, and its two ends may be in leaves that have to be copied and split.
    return { blocks: newLeaves + 2 * put.blocks, nodes: newNodes + 2 * put.nodes };
  }

  /**
   * First half of giving up what `reclaimable` found: touches the leaves at both ends, and makes ready what will be freed. Returns the room
   * that is needed for the rest: index nodes above all, since most leaves go as a whole. May commit, so the caller compares the open delta.
   */
  reserveReclaim(fileId: number, found: ReclaimableExtents, room: StagingRoom): Room {
    const { extents } = found;
    for (const extent of extents) this.#log.prepareFree(extent.start, extent.checksums.length);
    const last = extents[extents.length - 1];
    if (last !== undefined)
      this.#touchForNow(fileId, [extents[0]!.blockIndex, last.blockIndex, extentEnd(last)], room, true);
    const between = Math.max(0, extents.length + found.damaged.length - 2);
    return { blocks: CHANGE_BLOCKS, nodes: Math.floor(between / ENTRIES_A_NODE) + CHANGE_NODES };
  }

  /** The map of blocks `[fromIndex, toIndex)`, without gaps. Segments that continue each other on the device stay apart if births differ. */
  segments(fileId: number, fromIndex: number, toIndex: number): Segment[] {
    const segments: Segment[] = [];
    if (fromIndex >= toIndex) return segments;
    let at = fromIndex;
    let blockIndex = this.#cursor.seek(fileId, fromIndex, toIndex);
    while (blockIndex >= 0) {
      const value = this.#checkedValue(fileId, blockIndex);
      const blockCount = checkedCount(value, blockIndex, fileId, this.#limits());
      const end = blockIndex + blockCount;
      if (end > at) {
        // The first one found may begin before the range; every later one must begin where the one before ended, or after.
        if (blockIndex < at && at !== fromIndex) throw overlapError(fileId, blockIndex, at);
        if (blockIndex > at) segments.push(hole(at, blockIndex - at));
        const from = Math.max(blockIndex, fromIndex);
        const to = Math.min(end, toIndex);
        segments.push({
          blockIndex: from,
          blockCount: to - from,
          block: extentStart(value) + (from - blockIndex),
          birth: extentBirth(value),
          checksums: copyChecksums(value, from - blockIndex, to - from),
        });
        at = to;
      } else if (blockIndex >= fromIndex) {
        throw overlapError(fileId, blockIndex, at);
      }
      if (at === toIndex) return segments;
      blockIndex = this.#cursor.next();
    }
    if (at < toIndex) segments.push(hole(at, toIndex - at));
    return segments;
  }

  /** The block on the device behind one block of the file, with its checksum in `foundChecksum`; `NIL_BLOCK` for a hole. */
  findBlock(fileId: number, blockIndex: number): number {
    const firstIndex = this.#cursor.seek(fileId, blockIndex, blockIndex + 1);
    if (firstIndex < 0) return NIL_BLOCK;
    const value = this.#checkedValue(fileId, firstIndex);
    const skipped = blockIndex - firstIndex;
    if (skipped >= checkedCount(value, firstIndex, fileId, this.#limits())) return NIL_BLOCK;
    this.foundChecksum = checksumAt(value, skipped);
    return extentStart(value) + skipped;
  }

  /** Every entry that overlaps `[fromIndex, toIndex)` or touches its ends, whole and ascending. */
  entriesAround(fileId: number, fromIndex: number, toIndex: number): Extent[] {
    const entries: Extent[] = [];
    let reached = 0;
    let blockIndex = this.#cursor.seek(fileId, Math.max(0, fromIndex - 1), toIndex + 1);
    while (blockIndex >= 0) {
      const extent = this.#decode(fileId, blockIndex);
      if (blockIndex < reached) throw overlapError(fileId, blockIndex, reached);
      reached = extentEnd(extent);
      if (reached >= fromIndex) entries.push(extent);
      if (reached > toIndex) break;
      blockIndex = this.#cursor.next();
    }
    return entries;
  }

  /** Up to `limit` entries that overlap `[fromIndex, toIndex)`, for giving them up: an entry that makes no sense is listed, not thrown. */
  reclaimable(fileId: number, fromIndex: number, toIndex: number, limit: number): ReclaimableExtents {
    const extents: Extent[] = [];
    const damaged: number[] = [];
    const errors: CorruptionError[] = [];
    let reached = 0;
    let blockIndex = this.#cursor.seek(fileId, fromIndex, toIndex);
    while (blockIndex >= 0) {
      if (extents.length + damaged.length === limit) return { extents, damaged, errors, more: true };
      try {
        const extent = this.#decode(fileId, blockIndex);
        if (blockIndex < reached) throw overlapError(fileId, blockIndex, reached);
        if (extentEnd(extent) > fromIndex) extents.push(extent);
        reached = extentEnd(extent);
      } catch (error) {
        if (!(error instanceof CorruptionError) || blockIndex < fromIndex) throw error;
        damaged.push(blockIndex);
        errors.push(error);
      }
      blockIndex = this.#cursor.next();
    }
    return { extents, damaged, errors, more: false };
  }

  /** Whether the file has any entry, sound or not. */
  hasEntries(fileId: number): boolean {
    return this.#cursor.seek(fileId, 0, BLOCK_INDEX_LIMIT) >= 0;
  }

  /** The first block index from `fromIndex` on, and before `endIndex`, that has a block, or -1. */
  nextMapped(fileId: number, fromIndex: number, endIndex: number): number {
    if (fromIndex >= endIndex) return -1;
    let blockIndex = this.#cursor.seek(fileId, fromIndex, endIndex);
    while (blockIndex >= 0) {
      if (extentEnd(this.#decode(fileId, blockIndex)) > fromIndex) return Math.max(blockIndex, fromIndex);
      blockIndex = this.#cursor.next();
    }
    return -1;
  }

  /** The first block index from `fromIndex` on that has no block; `endIndex` or more if all before that have one. */
  nextUnmapped(fileId: number, fromIndex: number, endIndex: number): number {
    let at = fromIndex;
    if (at >= endIndex) return at;
    let blockIndex = this.#cursor.seek(fileId, fromIndex, endIndex);
    while (blockIndex >= 0 && blockIndex <= at) {
      at = Math.max(at, extentEnd(this.#decode(fileId, blockIndex)));
      if (at >= endIndex) break;
      blockIndex = this.#cursor.next();
    }
    return at;
  }

  /**
   * First half of giving `[fromIndex, toIndex)` other blocks now: touches the leaves at its ends, makes ready what will be freed, and returns
   * the room that is needed for the rest, the new blocks not counted. May commit, so the caller compares the open delta.
   */
  reserveRegion(fileId: number, fromIndex: number, toIndex: number, room: StagingRoom): Room {
    const entries = this.#prepareFrees(fileId, fromIndex, toIndex);
    const touched = [fromIndex, toIndex];
    if (entries.length > 0) touched.push(entries[0]!, entries[entries.length - 1]!);
    this.#touchForNow(fileId, touched, room, false);
    // In between, leaves go as a whole or are copied, one for each entry at worst.
    const newLeaves = this.#growth(toIndex - fromIndex);
    const between = Math.max(0, entries.length - 2);
    const nodes = Math.floor(between / ENTRIES_A_NODE) + this.#growth(newLeaves) + CHANGE_NODES;
    return { blocks: newLeaves + between + CHANGE_BLOCKS, nodes };
  }

  /**
   * First half of giving `[fromIndex, toIndex)` other blocks when the delta is closed: touches every leaf in which entries will change then, and
   * makes ready what will be freed. May commit, so the caller compares the open delta.
   */
  touchRegion(fileId: number, fromIndex: number, toIndex: number, room: StagingRoom, isReclaiming: boolean): void {
    const touched = this.#prepareFrees(fileId, fromIndex, toIndex);
    // Pieces may begin anywhere in the region: in the leaf of its first block, of an entry, or of its last block.
    touched.push(fromIndex);
    // What is left behind the region becomes an entry of its own, and one that begins there may join what is new.
    touched.push(this.#reachedIndex > toIndex ? toIndex : toIndex - 1);
    for (const blockIndex of touched) room.touch(setFileKey(this.#key, fileId, KIND_EXTENT, blockIndex), isReclaiming);
  }

  /** As `touchRegion`, where the file has no entry from `fromIndex` on. */
  touchPlace(fileId: number, fromIndex: number, toIndex: number, room: StagingRoom, isReclaiming: boolean): void {
    room.touch(setFileKey(this.#key, fileId, KIND_EXTENT, fromIndex), isReclaiming);
    if (toIndex - fromIndex > 1) room.touch(setFileKey(this.#key, fileId, KIND_EXTENT, toIndex - 1), isReclaiming);
  }

  #touchForNow(fileId: number, blockIndexes: readonly number[], room: StagingRoom, isReclaiming: boolean): void {
    for (const blockIndex of blockIndexes) {
      room.touchForNow(setFileKey(this.#key, fileId, KIND_EXTENT, blockIndex), isReclaiming);
    }
  }

  /**
   * Makes sure that the blocks of `[fromIndex, toIndex)` can be freed without reading anything then. Returns the entries that overlap it, and
   * leaves in `#reachedIndex` where the last of them ends, or the one that meets the end of the region.
   */
  #prepareFrees(fileId: number, fromIndex: number, toIndex: number): number[] {
    const entries: number[] = [];
    this.#reachedIndex = 0;
    let blockIndex = this.#cursor.seek(fileId, fromIndex, toIndex + 1);
    while (blockIndex >= 0) {
      if (blockIndex === toIndex) {
        this.#reachedIndex = toIndex + 1;
        break;
      }
      const value = this.#checkedValue(fileId, blockIndex);
      const end = blockIndex + checkedCount(value, blockIndex, fileId, this.#limits());
      this.#reachedIndex = end;
      if (end > fromIndex) {
        const from = Math.max(blockIndex, fromIndex);
        this.#log.prepareFree(extentStart(value) + (from - blockIndex), Math.min(end, toIndex) - from);
        entries.push(blockIndex);
      }
      if (end > toIndex) break;
      blockIndex = this.#cursor.next();
    }
    return entries;
  }

  /** How many blocks of the file are mapped, if no entry reaches beyond `endIndex`. Passes every entry. */
  mappedBlockCount(fileId: number, endIndex: number): number {
    let blockCount = 0;
    let blockIndex = endIndex === 0 ? -1 : this.#cursor.seek(fileId, 0, endIndex);
    while (blockIndex >= 0) {
      const count = checkedCount(this.#checkedValue(fileId, blockIndex), blockIndex, fileId, this.#limits());
      blockCount += count;
      blockIndex = blockIndex + count >= endIndex ? -1 : this.#cursor.next();
    }
    return blockCount;
  }

  /** Second half: blocks `[fromIndex, toIndex)` are now those of `pieces`; what they were is freed. Returns by how many blocks the map grew. */
  replace(fileId: number, fromIndex: number, toIndex: number, pieces: readonly Extent[]): number {
    const entries = this.entriesAround(fileId, fromIndex, toIndex);
    return this.apply(fileId, replaceRegion(entries, { fromIndex, toIndex }, pieces, this.maxBlocks), pieces);
  }

  /**
   * As `replace`, without lists, for the two changes that most are: one piece in the midst of one entry, or in a hole that it leaves at both
   * ends or that nothing follows. Returns -1, with nothing done, for all others.
   */
  replaceSimply(fileId: number, piece: Extent): number {
    const fromIndex = piece.blockIndex;
    const toIndex = extentEnd(piece);
    let blockIndex = this.#cursor.seek(fileId, fromIndex, toIndex + 1);
    if (blockIndex >= 0 && blockIndex <= fromIndex) {
      const value = this.#checkedValue(fileId, blockIndex);
      const end = blockIndex + checkedCount(value, blockIndex, fileId, this.#limits());
      // What was born in this delta may continue on the device, and then becomes one entry with the piece.
      if (end >= fromIndex && extentBirth(value) === piece.birth) return -1;
      if (end > fromIndex) {
        if (blockIndex === fromIndex || end <= toIndex) return -1;
        this.#splitEntry(fileId, blockIndex, value, piece);
        return 0;
      }
      blockIndex = this.#cursor.next();
    }
    if (blockIndex >= 0) return -1;
    return this.append(fileId, piece);
  }

  /** The entry at `blockIndex`, whose value is `value`, goes on before and after `piece`, and frees what lay between. */
  #splitEntry(fileId: number, blockIndex: number, value: Uint8Array, piece: Extent): void {
    const start = extentStart(value);
    const birth = extentBirth(value);
    const leftCount = piece.blockIndex - blockIndex;
    const rightFrom = leftCount + piece.checksums.length;
    // Both ends, before the leaf changes; the header of the right one takes the place of checksums that are no longer needed.
    const left = value.slice(0, extentValueBytes(leftCount));
    const right = value.slice(extentValueBytes(rightFrom) - EXTENT_HEADER_BYTES);
    setExtentHeader(right, 0, start + rightFrom, birth);
    this.#tree.put(setFileKey(this.#key, fileId, KIND_EXTENT, blockIndex), left);
    this.append(fileId, piece);
    this.#tree.put(setFileKey(this.#key, fileId, KIND_EXTENT, extentEnd(piece)), right);
    this.#log.free(start + leftCount, piece.checksums.length, birth);
  }

  /** As `replace`, for a piece in a hole, neither joined with others nor too long for an entry. */
  append(fileId: number, piece: Extent): number {
    const length = encodeExtentInto(this.#value, piece);
    this.#tree.put(setFileKey(this.#key, fileId, KIND_EXTENT, piece.blockIndex), this.#value.subarray(0, length));
    return piece.checksums.length;
  }

  /** Second half: puts, deletes and frees as `change` says; `pieces` are the blocks that are new in it. */
  apply(fileId: number, change: ExtentChange, pieces: readonly Extent[]): number {
    // Puts come first: a leaf that loses all its entries goes, and then what is put there would go to one that nobody has touched.
    for (const extent of change.stored) {
      this.#tree.put(setFileKey(this.#key, fileId, KIND_EXTENT, extent.blockIndex), encodeExtent(extent));
    }
    this.#deleteEntries(fileId, change);
    let grown = 0;
    for (const piece of pieces) grown += piece.checksums.length;
    for (const freed of change.freed) {
      this.#log.free(freed.start, freed.blockCount, freed.birth);
      grown -= freed.blockCount;
    }
    return grown;
  }

  /** Both lists ascend, and nothing that stays lies between two that are deleted but what is stored. */
  #deleteEntries(fileId: number, { deleted, stored }: ExtentChange): void {
    let place = 0;
    for (let from = 0; from < deleted.length; ) {
      while (place < stored.length && stored[place]!.blockIndex < deleted[from]!) place++;
      const stop = place < stored.length ? stored[place]!.blockIndex : BLOCK_INDEX_LIMIT;
      let to = from + 1;
      while (to < deleted.length && deleted[to]! < stop) to++;
      this.#deleteRun(fileId, deleted.slice(from, to));
      from = to;
    }
  }

  /** Deletes entries with none that stays between them. */
  #deleteRun(fileId: number, deleted: readonly number[]): void {
    if (deleted.length <= SINGLE_DELETES) {
      for (const blockIndex of deleted) this.deleteEntry(fileId, blockIndex);
      return;
    }
    const from = setFileKey(new Uint8Array(FILE_KEY_BYTES), fileId, KIND_EXTENT, deleted[0]!);
    // Right behind the last key: what comes after it may begin in a leaf that is not in memory, and is none of the range.
    const to = setFileKey(new Uint8Array(FILE_KEY_BYTES + 1), fileId, KIND_EXTENT, deleted[deleted.length - 1]!);
    this.#tree.deleteRange(from, to);
  }

  /** Second half: deletes one entry and leaves its blocks alone. */
  deleteEntry(fileId: number, blockIndex: number): void {
    this.#tree.delete(setFileKey(this.#key, fileId, KIND_EXTENT, blockIndex));
  }

  /** Nodes that are filled at most by so many new entries in a row, each for one block. */
  #growth(entryCount: number): number {
    return Math.ceil((entryCount * SMALLEST_ENTRY_COST_BYTES) / (this.blockSize * FILL_AFTER_SPLIT));
  }

  #limits(): ExtentLimits {
    return { maxBlocks: this.maxBlocks, openDelta: this.#log.openDelta };
  }

  #decode(fileId: number, blockIndex: number): Extent {
    const value = this.#checkedValue(fileId, blockIndex);
    try {
      return decodeExtent(value, blockIndex, this.#limits());
    } catch (error) {
      throw ofFile(error, fileId, blockIndex);
    }
  }

  /** The value at the cursor, once its length is known to be one that an extent can have. */
  #checkedValue(fileId: number, blockIndex: number): Uint8Array {
    const cursor = this.#cursor;
    if (cursor.valueLength > maxValueBytes(this.blockSize)) {
      throw ofFile(
        new CorruptionError('file map', 'an extent has an impossible length', { actual: cursor.valueLength }),
        fileId,
        blockIndex,
      );
    }
    return cursor.valueView();
  }
}

function checkedCount(value: Uint8Array, blockIndex: number, fileId: number, limits: ExtentLimits): number {
  try {
    return checkExtentValue(value, blockIndex, limits);
  } catch (error) {
    throw ofFile(error, fileId, blockIndex);
  }
}

function hole(blockIndex: number, blockCount: number): Segment {
  return { blockIndex, blockCount, block: NIL_BLOCK, birth: 0, checksums: NO_CHECKSUMS };
}

/** The same error, naming the file and the place in it; anything but a `CorruptionError` comes back as it is. */
export function ofFile(error: unknown, fileId: number, blockIndex: number): unknown {
  if (!(error instanceof CorruptionError)) return error;
  return new CorruptionError(error.structure, `block ${blockIndex} of file ${fileId}: ${error.message}`, {
    block: error.block,
    cause: error,
    ...(error.expected === undefined ? {} : { expected: error.expected }),
    ...(error.actual === undefined ? {} : { actual: error.actual }),
  });
}

function overlapError(fileId: number, blockIndex: number, reached: number): unknown {
  return ofFile(
    new CorruptionError('file map', 'an extent begins before the one before it ends', {
      expected: reached,
      actual: blockIndex,
    }),
    fileId,
    blockIndex,
  );
}

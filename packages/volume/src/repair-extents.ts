/**
 * The extents of files under repair: of each, the blocks that are sound and nobody else's.
 *
 * A block is cut out that has not its checksum, lies beyond the device or beyond the end of every file, or belongs to something else
 * already: to a node, to the volume, or to an extent that came before and has the right content there. Where two extents of a file cover the same
 * blocks of it, the younger one stays; of two of the same age the first. What is cut out reads as zeros.
 */
import { SpaceAudit, type SpaceFinding } from '@outwrite/alloc-log';
import { CorruptionError, OutwriteError, xxh32 } from '@outwrite/blockdev';
import { type Extent, encodeExtent } from '@outwrite/filemap';
import { contentRuns } from './content-runs.ts';
import { decodeKeyHead, KIND } from './key-format.ts';
import type { RepairState } from './repair-state.ts';

/** Data blocks read at once. */
const RUN_BLOCKS = 64;

/** The last extents of a file, as long as one that follows could overlap them. */
interface OpenExtent {
  readonly key: Uint8Array;
  readonly extent: Extent;
  kept: Extent[];
}

export class ExtentRepair {
  readonly #state: RepairState;
  readonly #claimed: SpaceAudit;
  readonly #whyDamaged: (block: number) => string;
  /** Where the last block ends that something refers to. */
  endBlock = 0;
  // Blocks that were read last.
  readonly #run: Uint8Array;
  #runStart = 0;
  #runEnd = 0;
  #inode = -1;
  #open: OpenExtent[] = [];

  /** `whyDamaged` may say more about a block without its checksum. */
  constructor(state: RepairState, whyDamaged: (block: number) => string) {
    this.#state = state;
    this.#claimed = new SpaceAudit(state.head.log);
    this.#whyDamaged = whyDamaged;
    this.#run = new Uint8Array(RUN_BLOCKS * state.head.log.blockSize);
  }

  /** Before any extent: what nodes and the volume itself have. Drops large values that have blocks of something else. */
  claimNodes(): void {
    const { log, store, tree } = this.#state.head;
    for (const { start, count } of log.systemExtents()) this.#reach(start, count, 'the volume');
    for (const block of log.chainBlocks()) this.#reach(block, 1, 'the log');
    let hasLargeValues = false;
    store.check({
      block: (start, count, kind) => {
        if (kind === 'overflow') hasLargeValues = true;
        else this.#reach(start, count, kind);
      },
      problem: (error, _treeId, key) => {
        if (key === undefined) throw error;
      },
    });
    if (!hasLargeValues) return;
    let conflict: CorruptionError | null = null;
    store.check({
      block: (start, count, kind) => {
        const problem = kind === 'overflow' ? this.#reach(start, count, 'a large value')[0] : undefined;
        if (problem === undefined) return;
        conflict = new CorruptionError('overflow extent', problem.message, { block: problem.block });
        throw conflict;
      },
      problem: (error, treeId, key) => {
        // What cannot be read is met again with all other entries.
        if (error !== conflict || key === undefined || treeId !== tree.id) return;
        this.#state.dropDamaged(key, 'entry-dropped', conflict, decodeKeyHead(key).inode);
      },
    });
  }

  add(inode: number, key: Uint8Array, extent: Extent): void {
    if (inode !== this.#inode) this.finish();
    this.#inode = inode;
    const { blockIndex } = extent;
    const added: OpenExtent = { key, extent, kept: this.#soundPieces(inode, extent) };
    const stays: OpenExtent[] = [];
    for (const open of this.#open) {
      if (open.extent.blockIndex + open.extent.checksums.length <= blockIndex) this.#close(open);
      else {
        this.#separate(open, added);
        stays.push(open);
      }
    }
    stays.push(added);
    this.#open = stays;
  }

  /** The file has no more extents. */
  finish(): void {
    for (const open of this.#open) this.#close(open);
    this.#open = [];
  }

  /** Cuts what two extents of one file have in common out of the older one. */
  #separate(first: OpenExtent, second: OpenExtent): void {
    const from = second.extent.blockIndex;
    const to = Math.min(endOf(first.extent), endOf(second.extent));
    const loser = second.extent.birth > first.extent.birth ? first : second;
    const kept = loser.kept.flatMap((piece) => without(piece, from, to));
    if (blockCountOf(kept) === blockCountOf(loser.kept)) return;
    loser.kept = kept;
    const message = `inode ${this.#inode}: blocks ${from} to ${to - 1} of the file stand in two extents; the older one, from block ${loser.extent.start} on, gives them up`;
    this.#state.tell('block-dropped', message, this.#inode);
  }

  #close({ key, extent, kept }: OpenExtent): void {
    const inode = this.#state.inode(this.#inode);
    for (const piece of kept) {
      inode.hasExtents = true;
      for (const { first, count } of contentRuns(piece, inode.reclaimed)) {
        inode.endBlockIndex = Math.max(inode.endBlockIndex, piece.blockIndex + first + count);
      }
    }
    if (kept.length === 1 && blockCountOf(kept) === extent.checksums.length) return;
    this.#state.delete(key);
    for (const piece of kept) {
      const pieceKey = this.#state.keys.numbered(this.#inode, KIND.extent, piece.blockIndex).slice();
      inode.pieces.push([pieceKey, encodeExtent(piece)]);
    }
  }

  #soundPieces(inode: number, extent: Extent): Extent[] {
    const { start, blockIndex, checksums } = extent;
    const { blockSize } = this.#state.head.log;
    const mostBlocks = Math.floor(Number.MAX_SAFE_INTEGER / blockSize);
    const pieces: Extent[] = [];
    const { reclaimed } = this.#state.inode(inode);
    let from = 0;
    for (let i = 0; i < checksums.length; i++) {
      const index = blockIndex + i;
      const isContent = reclaimed === null || index < reclaimed.fromIndex || index >= reclaimed.toIndex;
      const problem =
        index >= mostBlocks
          ? 'lies beyond the end of every file'
          : (this.#problemOf(start + i, isContent ? checksums[i]! : null, checksums.length - i) ??
            this.#reach(start + i, 1, `inode ${inode}`)[0]?.message);
      if (problem === undefined) continue;
      const message = `inode ${inode}: block ${index} of the file will read as zeros: block ${start + i} ${problem}`;
      this.#state.tell('block-dropped', message, inode);
      if (i > from) pieces.push(cut(extent, from, i));
      from = i + 1;
    }
    if (checksums.length > from) pieces.push(cut(extent, from, checksums.length));
    return pieces;
  }

  #reach(start: number, count: number, owner: string): SpaceFinding[] {
    const findings = this.#claimed.reach(start, count, owner);
    if (findings.length === 0) this.endBlock = Math.max(this.endBlock, start + count);
    return findings;
  }

  /** What is no content any more is given without its checksum: it only has to be on the device. */
  #problemOf(block: number, checksum: number | null, blocksLeft: number): string | undefined {
    const { device, blockSize } = this.#state.head.log;
    if ((block + 1) * blockSize > device.sizeBytes) return 'lies beyond the end of the device';
    if (checksum === null) return undefined;
    if (block < this.#runStart || block >= this.#runEnd) {
      const count = Math.min(RUN_BLOCKS, blocksLeft, Math.floor(device.sizeBytes / blockSize) - block);
      let problem = this.#readRun(block, count);
      if (problem !== null && count > 1) problem = this.#readRun(block, 1);
      if (problem !== null) return `cannot be read: ${problem}`;
    }
    const at = (block - this.#runStart) * blockSize;
    const isSound = xxh32(this.#run, at, at + blockSize, 0) === checksum;
    return isSound ? undefined : `does not have its checksum${this.#whyDamaged(block)}`;
  }

  /** Null, or why the device cannot read these blocks. */
  #readRun(start: number, count: number): string | null {
    const { device, blockSize } = this.#state.head.log;
    this.#runStart = start;
    this.#runEnd = start;
    try {
      device.readSync(start * blockSize, [this.#run.subarray(0, count * blockSize)]);
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      return error.message;
    }
    this.#runEnd = start + count;
    return null;
  }
}

function endOf({ blockIndex, checksums }: Extent): number {
  return blockIndex + checksums.length;
}

function blockCountOf(pieces: readonly Extent[]): number {
  return pieces.reduce((count, { checksums }) => count + checksums.length, 0);
}

/** Blocks `[from, to)` of an extent, counted within it. */
function cut(extent: Extent, from: number, to: number): Extent {
  const { start, blockIndex, checksums } = extent;
  return { ...extent, start: start + from, blockIndex: blockIndex + from, checksums: checksums.slice(from, to) };
}

/** A piece without the blocks `[from, to)` of the file. */
function without(piece: Extent, from: number, to: number): Extent[] {
  const begin = Math.max(0, Math.min(from - piece.blockIndex, piece.checksums.length));
  const end = Math.max(begin, Math.min(to - piece.blockIndex, piece.checksums.length));
  if (begin === end) return [piece];
  const rest: Extent[] = [];
  if (begin > 0) rest.push(cut(piece, 0, begin));
  if (end < piece.checksums.length) rest.push(cut(piece, end, piece.checksums.length));
  return rest;
}

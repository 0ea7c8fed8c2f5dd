/**
 * `mapRegion`, the redirect of data: which blocks of the device stand behind a region of a file, now or from now on.
 *
 * Three modes. `read` tells what is there. `write` gives blocks to the holes of a region and leaves alone what is mapped. `redirect` gives
 * every block of the region a new place: new blocks are allocated first, then the entries of the tree are changed, what was there is cut
 * (its other pieces keep birth and checksums) and given to the deferred frees with the birth that it had. The pages stay where they are in
 * the cache; whoever redirects also writes the content to the new place in the same delta.
 *
 * `write` and `redirect` are second halves: the caller has asked for the room of the region and its blocks, and runs them while staging or in
 * `transact`.
 */
import { assert, NIL_BLOCK } from '@outwrite/blockdev';
import { checkUnreadable } from './extent-cursor.ts';
import type { Extent } from './extent-format.ts';
import type { Segment } from './extent-map.ts';
import type { FileState } from './file-state.ts';
import { changeTree, giveBack } from './second-half.ts';
import { type TakenBlocks, takeBlocks } from './taken-blocks.ts';

export type MapMode = 'read' | 'write' | 'redirect';

/** Regions of at least this size are placed behind what comes before them in the file; smaller ones behind what the delta wrote last. */
const OWN_PLACE_BYTES = 64 * 1024;

/**
 * Maps blocks `[blockIndex, blockIndex + blockCount)`; the segments that come back cover them in order. `checksums` has those of the content
 * that the region will have, one a block, and is needed by `write` and `redirect`.
 */
export function mapRegion(
  state: FileState,
  blockIndex: number,
  blockCount: number,
  mode: MapMode,
  checksums?: Uint32Array,
): Segment[] {
  const toIndex = blockIndex + blockCount;
  if (mode === 'read') return state.segments(blockIndex, toIndex);
  assert(checksums !== undefined && checksums.length === blockCount, 'every block that is mapped has a checksum');
  if (mode === 'redirect') return mapAnew(state, blockIndex, checksums).map(segmentOf);
  const mapped: Segment[] = [];
  for (const segment of state.segments(blockIndex, toIndex)) {
    if (segment.block !== NIL_BLOCK) {
      mapped.push(segment);
      continue;
    }
    const from = segment.blockIndex - blockIndex;
    const pieces = mapAnew(state, segment.blockIndex, checksums.subarray(from, from + segment.blockCount));
    for (const piece of pieces) mapped.push(segmentOf(piece));
  }
  return mapped;
}

/** Gives new blocks to the blocks from `blockIndex` on that have these checksums. */
function mapAnew(state: FileState, blockIndex: number, checksums: Uint32Array): Extent[] {
  const pieces = allocate(state, blockIndex, checksums);
  changeTree(
    state.context,
    () => install(state, blockIndex, blockIndex + checksums.length, pieces),
    () => giveBack(state.context, pieces),
  );
  return pieces;
}

/** New blocks for content with these checksums: as few pieces as the free space allows, born in the open delta, in no file yet. */
export function allocate(state: FileState, blockIndex: number, checksums: Uint32Array): Extent[] {
  const { log, blockSize } = state.context;
  const birth = log.openDelta;
  let goal = checksums.length * blockSize >= OWN_PLACE_BYTES ? blockAfter(state, blockIndex) : undefined;
  const taken = takeBlocks(
    blockIndex,
    checksums,
    (blockCount) => {
      const run = log.allocateExtent(blockCount, goal);
      goal = run.start + run.count;
      return run;
    },
    (pieces) => giveBack(state.context, bornIn(birth, pieces)),
  );
  return bornIn(birth, taken);
}

/** Blocks that belong to a delta now. */
export function bornIn(birth: number, taken: readonly TakenBlocks[]): Extent[] {
  return taken.map(({ blockIndex, start, checksums }) => ({ blockIndex, start, birth, checksums }));
}

/** Puts allocated pieces in the place of what blocks `[fromIndex, toIndex)` of the file were. */
export function install(state: FileState, fromIndex: number, toIndex: number, pieces: readonly Extent[]): void {
  const { context } = state;
  const grown = replacePieces(state, fromIndex, toIndex, pieces);
  if (state.mappedBlockCount >= 0) state.mappedBlockCount += grown;
  state.mappedEndIndex = Math.max(state.mappedEndIndex, toIndex);
  state.installedDelta = context.log.openDelta;
  let blockCount = 0;
  for (const piece of pieces) blockCount += piece.checksums.length;
  context.mappedBlocks += blockCount;
  context.redirectedBlocks += blockCount - grown;
}

function replacePieces(state: FileState, fromIndex: number, toIndex: number, pieces: readonly Extent[]): number {
  const { extents } = state.context;
  const piece = pieces[0];
  if (pieces.length === 1 && piece!.checksums.length <= extents.maxBlocks) {
    // What was mapped earlier in this delta may continue on the device, and then becomes one entry with the piece.
    if (state.isBeyondMap(fromIndex) && state.installedDelta !== piece!.birth)
      return extents.append(state.fileId, piece!);
    const grown = extents.replaceSimply(state.fileId, piece!);
    if (grown >= 0) return grown;
  }
  return extents.replace(state.fileId, fromIndex, toIndex, pieces);
}

/** The block of the device that would continue the file's blocks before `blockIndex`. Only a wish, so what cannot be read does not matter. */
function blockAfter(state: FileState, blockIndex: number): number | undefined {
  if (blockIndex === 0) return undefined;
  try {
    const before = state.segments(blockIndex - 1, blockIndex)[0]!;
    return before.block === NIL_BLOCK ? undefined : before.block + 1;
  } catch (error) {
    checkUnreadable(error);
    return undefined;
  }
}

function segmentOf(extent: Extent): Segment {
  return {
    blockIndex: extent.blockIndex,
    blockCount: extent.checksums.length,
    block: extent.start,
    birth: extent.birth,
    checksums: extent.checksums,
  };
}

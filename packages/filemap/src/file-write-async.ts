/**
 * Writing without blocking the thread: long runs of whole blocks go from the caller's memory to the device by asynchronous writes.
 *
 * The blocks are taken first, and belong to no delta until the write has returned: then the operation takes place as any other (its first
 * half may commit, its second half changes the map), in the delta that is open by then. Until that moment readers see the old content, and
 * after a crash the blocks are free. What happens to the file meanwhile happens before the write.
 */
import { assert, ClosedError, NoSpaceError } from '@outwrite/blockdev';
import type { Extent } from './extent-format.ts';
import { finishReclaim } from './file-reclaim.ts';
import type { FileState } from './file-state.ts';
import { checksumBlocks, growDevice, planWrite, type WritePlan, writePiece, writePieces } from './file-write.ts';

/** Blocks on their way to the device, in the order of the file. */
interface DirectPiece {
  readonly blockIndex: number;
  readonly start: number;
  readonly checksums: Uint32Array;
}

/** As `writeFile`. `source` must not change before the promise settles. Each piece takes effect when its write has returned. */
export async function writeFileAsync(state: FileState, position: number, source: Uint8Array): Promise<void> {
  for (const piece of writePieces(position, source)) await writePieceAsync(state, piece.position, piece.bytes);
}

async function writePieceAsync(state: FileState, position: number, source: Uint8Array): Promise<void> {
  const { blockSize } = state.context;
  const plan = planWrite(position, position + source.length, blockSize);
  if (plan.directFrom === plan.directTo) {
    checkPresent(state);
    writePiece(state, position, source, null);
    return;
  }
  const from = plan.directFrom * blockSize - position;
  const pieces = takeBlocks(
    state,
    plan,
    checksumBlocks(source.subarray(from, from + (plan.directTo - plan.directFrom) * blockSize), blockSize),
  );
  await writeAll(state, pieces, source.subarray(from));
  let isEntered = false;
  try {
    checkPresent(state);
    writePiece(state, position, source, () => {
      isEntered = true;
      return enterDelta(state, pieces);
    });
  } catch (error) {
    if (!isEntered) abandon(state, pieces);
    throw error;
  }
}

function checkPresent(state: FileState): void {
  if (state.removed) throw new ClosedError(`file ${state.fileId}`);
}

/** Takes blocks for the direct part of a write. Throws a `NoSpaceError` with nothing taken. */
function takeBlocks(state: FileState, plan: WritePlan, checksums: Uint32Array): DirectPiece[] {
  const { log, extents } = state.context;
  const room = extents.regionRoom(checksums.length);
  do {
    checkPresent(state);
    state.resolve();
    finishReclaim(state);
  } while (!log.ensure(checksums.length + room.blocks, room.nodes, false));
  const pieces: DirectPiece[] = [];
  for (let taken = 0; taken < checksums.length; ) {
    const extent = log.startDirectWrite(checksums.length - taken);
    assert(extent.count > 0 && extent.count <= checksums.length - taken, 'an allocation gives some of what was asked');
    pieces.push({
      blockIndex: plan.directFrom + taken,
      start: extent.start,
      checksums: checksums.subarray(taken, taken + extent.count),
    });
    taken += extent.count;
  }
  return pieces;
}

/** Writes all pieces and waits for all of them, however they end. A failure of the device latches the log. */
async function writeAll(state: FileState, pieces: readonly DirectPiece[], source: Uint8Array): Promise<void> {
  const { log, blockSize } = state.context;
  try {
    growDevice(state, pieces);
  } catch (error) {
    abandon(state, pieces);
    throw error instanceof NoSpaceError ? error : log.latch(error);
  }
  state.asyncWriteCount++;
  const firstIndex = pieces[0]!.blockIndex;
  const results = await Promise.allSettled(
    pieces.map(({ blockIndex, start, checksums }) => {
      const from = (blockIndex - firstIndex) * blockSize;
      log.cache.discardRange(start, checksums.length);
      return log.device.write(start * blockSize, [source.subarray(from, from + checksums.length * blockSize)]);
    }),
  );
  state.asyncWriteCount--;
  for (const result of results) {
    if (result.status === 'rejected') throw log.latch(result.reason);
  }
}

/** The written blocks become part of the open delta. */
function enterDelta(state: FileState, pieces: readonly DirectPiece[]): Extent[] {
  const { log } = state.context;
  return pieces.map((piece) => {
    log.endDirectWrite(piece.start, piece.checksums, 'data');
    return { ...piece, birth: log.openDelta };
  });
}

function abandon(state: FileState, pieces: readonly DirectPiece[]): void {
  for (const piece of pieces) state.context.log.abandonDirectWrite(piece.start, piece.checksums.length);
}

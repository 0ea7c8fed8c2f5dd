/**
 * Writing without blocking the thread: long runs of whole blocks go from the caller's memory to the device by asynchronous writes.
 *
 * The blocks are taken first, and belong to no delta until the write has returned: then the operation takes place as any other (its first
 * half may commit, its second half changes the map), in the delta that is open by then. Until that moment readers see the old content, and
 * after a crash the blocks are free. What happens to the file meanwhile happens before the write. On a volume that is nearly full, writes
 * take turns (`direct-flights.ts`), and one that is refused in the end has given its blocks back.
 */
import { ClosedError, NoSpaceError } from '@outwrite/blockdev';
import type { Extent } from './extent-format.ts';
import { finishReclaim } from './file-reclaim.ts';
import type { FileState } from './file-state.ts';
import {
  checksumBlocks,
  growDevice,
  nodesToEnter,
  planWrite,
  type WritePiece,
  type WritePlan,
  writePiece,
  writePieces,
} from './file-write.ts';
import { bornIn } from './map-region.ts';
import { type TakenBlocks, takeBlocks } from './taken-blocks.ts';

/** A write begins and ends in the midst of a block at most. */
const PAGES_AT_ENDS = 2;

/** As `writeFile`. `source` must not change before the promise settles. Each piece takes effect when its write has returned. */
export async function writeFileAsync(state: FileState, position: number, source: Uint8Array): Promise<void> {
  for (const piece of writePieces(position, source)) await writePieceAsync(state, piece);
}

async function writePieceAsync(state: FileState, piece: WritePiece): Promise<void> {
  const { blockSize } = state.context;
  const { position, bytes: source } = piece;
  const plan = planWrite(position, position + source.length, blockSize);
  if (plan.directFrom === plan.directTo) {
    checkPresent(state);
    writePiece(state, position, source, null);
    return;
  }
  const from = plan.directFrom * blockSize - position;
  const direct = source.subarray(from, from + (plan.directTo - plan.directFrom) * blockSize);
  // The file must stay in memory meanwhile.
  state.asyncWriteCount++;
  try {
    const flight = await beginFlight(state, plan, checksumBlocks(direct, blockSize));
    await fly(state, flight, direct, piece);
  } finally {
    state.asyncWriteCount--;
  }
}

/** The write has returned, and becomes an operation. If that is refused, its blocks are free again. */
function enterFile(state: FileState, whole: WritePiece, pieces: readonly TakenBlocks[]): void {
  let isEntered = false;
  try {
    checkPresent(state);
    writePiece(state, whole.position, whole.bytes, () => {
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

/** A write whose blocks are taken. */
interface Flight {
  readonly pieces: readonly TakenBlocks[];
  /** What it will ask for when it returns, at most. */
  readonly claimedBlocks: number;
}

/** Takes blocks, and as long as there are none, but other writes are in flight, waits for what those leave or give back. */
async function beginFlight(state: FileState, plan: WritePlan, checksums: Uint32Array): Promise<Flight> {
  const { flights } = state.context;
  for (;;) {
    try {
      const pieces = takeRoom(state, plan, checksums);
      const flight = { pieces, claimedBlocks: blocksToEnter(state, checksums.length) };
      flights.begin(flight.claimedBlocks);
      flights.wakeNext();
      return flight;
    } catch (error) {
      if (!(error instanceof NoSpaceError) || flights.isEmpty) {
        flights.wakeNext();
        throw error;
      }
    }
    await flights.wait();
  }
}

/** Writes the blocks of a flight, `direct`, and then does all of the operation, `whole`. */
async function fly(
  state: FileState,
  { pieces, claimedBlocks }: Flight,
  direct: Uint8Array,
  whole: WritePiece,
): Promise<void> {
  const { flights } = state.context;
  try {
    await writeAll(state, pieces, direct).finally(() => flights.settle(claimedBlocks));
    enterFile(state, whole, pieces);
  } finally {
    flights.end();
  }
}

/** What a write in flight will ask for when it returns: the claims of its blocks, its entries, and the pages at its ends. */
function blocksToEnter(state: FileState, blockCount: number): number {
  const room = state.context.extents.regionRoom(blockCount);
  return room.blocks + 2 * (room.nodes + nodesToEnter(blockCount)) + PAGES_AT_ENDS;
}

/** Takes blocks for the direct part of a write. Throws a `NoSpaceError` with nothing taken. */
function takeRoom(state: FileState, plan: WritePlan, checksums: Uint32Array): TakenBlocks[] {
  const { log, extents, flights } = state.context;
  const blockCount = checksums.length;
  const room = extents.regionRoom(blockCount);
  do {
    checkPresent(state);
    state.resolve();
    finishReclaim(state);
  } while (!log.ensure(blockCount + room.blocks, room.nodes + Math.ceil(flights.claimedBlocks / 2), false));
  return takeBlocks(
    plan.directFrom,
    checksums,
    (count) => log.startDirectWrite(count),
    (pieces) => abandon(state, pieces),
  );
}

/** Writes all pieces and waits for all of them, however they end. A failure of the device latches the log. */
async function writeAll(state: FileState, pieces: readonly TakenBlocks[], source: Uint8Array): Promise<void> {
  const { log, blockSize } = state.context;
  try {
    growDevice(state, pieces);
  } catch (error) {
    abandon(state, pieces);
    throw error instanceof NoSpaceError ? error : log.latch(error);
  }
  const firstIndex = pieces[0]!.blockIndex;
  const results = await Promise.allSettled(
    // Async, so that a device that throws instead of rejecting leaves no other write behind.
    pieces.map(async ({ blockIndex, start, checksums }) => {
      const from = (blockIndex - firstIndex) * blockSize;
      log.cache.discardRange(start, checksums.length);
      await log.device.write(start * blockSize, [source.subarray(from, from + checksums.length * blockSize)]);
    }),
  );
  for (const result of results) {
    if (result.status === 'rejected') throw log.latch(result.reason);
  }
}

/** The written blocks become part of the open delta. Should that fail in the midst of them, the log latches. */
function enterDelta(state: FileState, pieces: readonly TakenBlocks[]): Extent[] {
  const { log } = state.context;
  try {
    for (const { start, checksums } of pieces) log.endDirectWrite(start, checksums, 'data');
    return bornIn(log.openDelta, pieces);
  } catch (error) {
    throw log.latch(error);
  }
}

function abandon(state: FileState, pieces: readonly TakenBlocks[]): void {
  for (const piece of pieces) state.context.log.abandonDirectWrite(piece.start, piece.checksums.length);
}

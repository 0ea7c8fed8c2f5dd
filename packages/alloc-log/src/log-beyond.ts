/**
 * What the log still holds behind the damage in its middle: for repair, which cuts it there, to say what is lost by that.
 *
 * Headers that survive lead on; where none does, a later block is looked for as it was when the damage was found. A delta behind the damage
 * can never be replayed, since what it builds on is not known; but as far as its records are whole they tell which blocks it had written to,
 * and those it may have overwritten: a block that was freed before the cut is free in the state at the cut, and one that a later delta freed
 * and a still later one reused is not what the cut state knows any more.
 */
import { type BlockDevice, CorruptionError, OutwriteError } from '@outwrite/blockdev';
import type { Extent } from './extent.ts';
import { decodeLogBlock, LOG_HEADER_BYTES, type LogHeader, sameLife, survivingLogHeaders } from './log-block-format.ts';
import { findLaterLogBlock, type LoggedDelta } from './log-reader.ts';
import { decodeRecords } from './log-record-format.ts';
import type { Superblock } from './superblock-format.ts';

/** The part of the log behind damage in its middle. */
export interface LogBeyond {
  /** Number of the last delta that is whole: the state at the cut. */
  readonly lastWholeDelta: number;
  /** Number of the last delta of which a log block is there. */
  readonly lastDelta: number;
  /** Log blocks behind the cut, damaged ones too, and the place where the next one would have come. */
  readonly logBlocks: readonly number[];
  /** What deltas behind the cut say that they took, as far as it can be read, with the number of the delta. */
  readonly allocations: readonly (Extent & { readonly delta: number })[];
}

/** Follows the chain behind the last of `deltas`. Never throws for what it finds. */
export function readBeyond(device: BlockDevice, superblock: Superblock, deltas: readonly LoggedDelta[]): LogBeyond {
  const { blockBytes, blockLimit, lifeId } = superblock;
  const last = deltas[deltas.length - 1];
  const lastWholeDelta = last?.delta ?? superblock.delta;
  let lastDelta = lastWholeDelta;
  const logBlocks: number[] = [];
  const allocations: (Extent & { delta: number })[] = [];
  const seen = new Set<number>();
  let pieces: Uint8Array[] = [];
  let block = last?.nextBlock ?? superblock.nextLogBlock;
  let number = last?.nextNumber ?? superblock.nextLogNumber;
  let previousChecksum = last?.checksum ?? superblock.previousLogChecksum;
  while (block < blockLimit && !seen.has(block)) {
    seen.add(block);
    logBlocks.push(block);
    const bytes = readQuietly(device, block, blockBytes);
    const whole = bytes === null ? null : decodeLogBlock(bytes);
    const surviving = bytes === null ? [] : survivingLogHeaders(bytes);
    const header: LogHeader | undefined = [...(whole === null ? [] : [whole]), ...surviving].find(
      (candidate) =>
        sameLife(candidate.lifeId, lifeId) &&
        candidate.number === number &&
        candidate.previousChecksum === previousChecksum,
    );
    if (bytes === null || header === undefined) {
      const read = (at: number): Uint8Array | null => readQuietly(device, at, blockBytes);
      const later = findLaterLogBlock(read, { block, number, delta: lastWholeDelta, lifeId, blockBytes });
      if (later === null) break;
      ({ block } = later);
      ({ number, previousChecksum } = later.header);
      pieces = [];
      continue;
    }
    lastDelta = Math.max(lastDelta, header.delta);
    if (header.index === 0) pieces = [];
    if (whole !== null && pieces.length === header.index) {
      pieces.push(bytes.subarray(LOG_HEADER_BYTES, LOG_HEADER_BYTES + header.payloadBytes));
      if (pieces.length === header.count) collectAllocations(header.delta, pieces, blockLimit, allocations);
    }
    ({ number, checksum: previousChecksum, nextBlock: block } = header);
    number++;
  }
  return { lastWholeDelta, lastDelta, logBlocks, allocations };
}

function collectAllocations(
  delta: number,
  pieces: readonly Uint8Array[],
  blockLimit: number,
  target: (Extent & { delta: number })[],
): void {
  const stream = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    stream.set(piece, at);
    at += piece.length;
  }
  try {
    for (const { start, count } of decodeRecords(delta, stream, blockLimit).allocations) {
      target.push({ start, count, delta });
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
  }
}

function readQuietly(device: BlockDevice, block: number, blockBytes: number): Uint8Array | null {
  if ((block + 1) * blockBytes > device.sizeBytes) return null;
  const bytes = new Uint8Array(blockBytes);
  try {
    device.readSync(block * blockBytes, [bytes]);
    return bytes;
  } catch (error) {
    if (!(error instanceof OutwriteError)) throw error;
    return null;
  }
}

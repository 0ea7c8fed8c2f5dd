/**
 * From a closed delta to its log blocks: the record stream, cut into blocks that are chained to what came before.
 */
import { LOG_FLAG_FLUSHED_FIRST, LOG_HEADER_BYTES, logPayloadBytes, sealLogBlock } from './log-block-format.ts';
import type { LogCore } from './log-core.ts';
import { type DeltaRecords, encodeRecords } from './log-record-format.ts';

/** A log block ready to be written. */
export interface EncodedLogBlock {
  block: number;
  bytes: Uint8Array;
}

/**
 * Encodes the records of `delta` into log blocks, the first at the place that the delta before reserved, and reserves the place of the
 * next delta's. The chain in `core` moves on.
 */
export function encodeDelta(
  core: LogCore,
  delta: number,
  records: DeltaRecords,
  flushedFirst: boolean,
): EncodedLogBlock[] {
  const writer = core.logBuffers.records();
  encodeRecords(delta, records, writer);
  const stream = writer.view();
  const payloadLimit = logPayloadBytes(core.blockBytes);
  const count = Math.ceil(stream.length / payloadLimit);
  const blocks: EncodedLogBlock[] = [];
  for (let index = 0; index < count; index++) {
    const block = core.nextLogBlock;
    core.chain[core.chain.length - 1]!.delta = delta;
    const nextBlock = core.takeHeldBlock();
    core.chain.push({ block: nextBlock, delta: delta + 1 });
    const bytes = core.logBuffers.takeBlock();
    const payload = stream.subarray(index * payloadLimit, (index + 1) * payloadLimit);
    bytes.set(payload, LOG_HEADER_BYTES);
    core.chainChecksum = sealLogBlock(bytes, {
      lifeId: core.superblock.lifeId,
      number: core.chainNumber,
      delta,
      index,
      count,
      flags: flushedFirst ? LOG_FLAG_FLUSHED_FIRST : 0,
      payloadBytes: payload.length,
      previousChecksum: core.chainChecksum,
      nextBlock,
      checksum: 0,
    });
    core.chainNumber++;
    blocks.push({ block, bytes });
  }
  return blocks;
}

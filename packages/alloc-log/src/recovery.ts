/**
 * Recovery: from what is on the device to the state in memory after the last delta that counts. Writes nothing.
 *
 * Order: free map of the checkpoint; then for each delta its allocations, then its frees; then all blocks of the chain and the reserved
 * place as held; then the promises. The last delta counts only if everything that it lists is there, unless it was flushed first; a
 * successor vouches for every other.
 */
import { assert, type BlockDevice, CorruptionError, DeviceError, xxh32 } from '@outwrite/blockdev';
import type { BlockPointer } from './block-pointer.ts';
import { type LogBeyond, readBeyond } from './log-beyond.ts';
import type { LogCore } from './log-core.ts';
import { chainBlocks, type LogChain, type LoggedDelta, readLogChain } from './log-reader.ts';
import type { RecoveryReport } from './log-stats.ts';
import { OpenDelta } from './open-delta.ts';
import type { Slots } from './slots.ts';
import type { Superblock } from './superblock-format.ts';

/** What the log says has happened since the checkpoint, with the end decided. */
export interface RecoveredLog {
  kept: LoggedDelta[];
  /** The last delta, if it was whole as a log and yet not all that it lists was there. */
  dropped: LoggedDelta | null;
  /** Log blocks of a delta that broke off. */
  unfinishedBlocks: number[];
  /** Other blocks that the opening must not touch: those of a stored free map that is being replaced. */
  sparedBlocks: number[];
  damage: CorruptionError | null;
  /** With damage: what is behind it. */
  beyond: LogBeyond | null;
  droppedDelta: number | null;
  /** The block at which following the log ended. */
  endBlock: number;
}

export function recoverLog(device: BlockDevice, superblock: Superblock, isRepairing: boolean): RecoveredLog {
  const chain: LogChain = readLogChain(device, superblock, isRepairing);
  const kept = chain.deltas;
  let dropped: LoggedDelta | null = null;
  const last = kept[kept.length - 1];
  // Later log blocks of any kind prove that the flush of this delta had returned.
  const isLast = chain.unfinished === null;
  if (
    last !== undefined &&
    isLast &&
    chain.damage === null &&
    !last.flushedFirst &&
    !isAllThere(device, superblock, last, isRepairing)
  ) {
    dropped = last;
    kept.pop();
  }
  return {
    kept,
    dropped,
    unfinishedBlocks: chain.unfinished?.blocks ?? [],
    sparedBlocks: [],
    damage: chain.damage,
    beyond: chain.damage === null ? null : readBeyond(device, superblock, kept),
    droppedDelta: dropped?.delta ?? chain.unfinished?.delta ?? null,
    endBlock: chain.endBlock,
  };
}

/**
 * Whether every block that the delta wrote holds what the delta says. With `isRepairing` one that cannot be read does not count: a crash
 * leaves no such thing, and a repair gives up that block and not the delta.
 */
function isAllThere(device: BlockDevice, superblock: Superblock, logged: LoggedDelta, isRepairing: boolean): boolean {
  const { blockBytes } = superblock;
  const bytes = new Uint8Array(blockBytes);
  const isThere = (block: number, checksum: number): boolean => {
    if ((block + 1) * blockBytes > device.sizeBytes) return false;
    try {
      device.readSync(block * blockBytes, [bytes]);
    } catch (error) {
      if (!isRepairing || !(error instanceof DeviceError)) throw error;
      return true;
    }
    return xxh32(bytes) === checksum;
  };
  for (const { pointer } of logged.records.at) {
    if (pointer.birth === logged.delta && !isThere(pointer.block, pointer.checksum)) return false;
  }
  for (const { start, checksums } of logged.records.writes) {
    for (let i = 0; i < checksums.length; i++) if (!isThere(start + i, checksums[i]!)) return false;
  }
  return true;
}

/** Loads the free map of the chosen checkpoint. */
export function loadFreeMap(core: LogCore): void {
  const { superblock, device, blockBytes, map } = core;
  map.load(
    { pointer: superblock.freeMapRoot, level: superblock.freeMapLevel, pageCount: superblock.freeMapPages },
    superblock.sizeBlocks,
    (pointer) => readVerified(device, blockBytes, pointer, 'free-map node'),
  );
}

/** Reads and verifies one block. Throws a `CorruptionError`. */
export function readVerified(
  device: BlockDevice,
  blockBytes: number,
  pointer: BlockPointer,
  structure: string,
): Uint8Array {
  if ((pointer.block + 1) * blockBytes > device.sizeBytes) {
    throw new CorruptionError(structure, 'it lies beyond the end of the device', { block: pointer.block });
  }
  const bytes = new Uint8Array(blockBytes);
  device.readSync(pointer.block * blockBytes, [bytes]);
  const actual = xxh32(bytes);
  if (actual !== pointer.checksum) {
    throw new CorruptionError(structure, 'the checksum does not fit', {
      block: pointer.block,
      expected: pointer.checksum,
      actual,
    });
  }
  return bytes;
}

/** Replays the kept deltas into the client and, unless it is made anew afterwards, the free map. */
export function replay(core: LogCore, recovered: RecoveredLog, intoFreeMap: boolean = true): void {
  const { map, client, superblock } = core;
  const { pages } = map;
  for (const { records, delta } of intoFreeMap ? recovered.kept : []) {
    for (const { start, count } of records.allocations) {
      requireState(pages, start, count, false, `delta ${delta} allocates a block that is in use`);
      pages.setUsed(start, count);
    }
    for (const { start, count } of records.frees) {
      requireState(pages, start, count, true, `delta ${delta} frees a block that is not in use`);
      pages.clearUsed(start, count);
    }
  }
  core.chain = chainBlocks(superblock, recovered.kept);
  for (const { block } of core.chain) {
    if (pages.isUsed(block)) throw new CorruptionError('log block', 'it lies on a block that is in use', { block });
    if (pages.isHeld(block)) throw new CorruptionError('log block', 'the chain goes through it twice', { block });
    pages.setHeld(block, 1);
  }
  for (const { records, delta } of recovered.kept) {
    core.open = new OpenDelta(delta);
    core.promiseCount += records.gone.length + records.at.length;
    for (const payload of records.gone) client.replayGone(payload, delta);
    for (const { payload, pointer } of records.at) client.replayAt(payload, pointer, delta);
  }
  const last = recovered.kept[recovered.kept.length - 1];
  if (last !== undefined) {
    core.durableDelta = last.delta;
    core.chainNumber = last.nextNumber;
    core.chainChecksum = last.checksum;
  }
  core.open = new OpenDelta(core.durableDelta + 1);
  assert(core.chain.length > 0, 'the place of the next log block is reserved');
}

function requireState(
  pages: LogCore['map']['pages'],
  start: number,
  count: number,
  used: boolean,
  problem: string,
): void {
  for (let block = start; block < start + count; block++) {
    if (pages.isUsed(block) !== used) throw new CorruptionError('log block', problem, { block });
  }
}

export function recoveryReport(slots: Slots, recovered: RecoveredLog, delta: number): RecoveryReport {
  let promiseCount = 0;
  for (const { records } of recovered.kept) promiseCount += records.gone.length + records.at.length;
  return {
    generation: slots.chosen.generation,
    bothSlotsValid: slots.bothValid,
    fromOlderSlot: slots.fromOlder,
    replayedDeltas: recovered.kept.length,
    replayedPromises: promiseCount,
    delta,
    droppedDelta: recovered.droppedDelta,
    damage: recovered.damage,
    beyond: recovered.beyond,
    relocatedBlocks: 0,
  };
}

/**
 * What every writable opening does before any other write, after a clean end as after a crash.
 *
 * What recovery has verified was read through the operating system's cache and need not be on the medium. So: (1) the chosen slot is
 * written again with the same bytes, flushed, and its content once more to the other slot as the next generation, flushed; now nothing
 * waits for an older slot. The only valid slot is never the one to be written first, since a torn write would leave none: where the
 * other slot is damaged it goes first, which is safe because it was being written when it tore, and that began only after the flush of
 * the chosen one had returned. With the first of them goes the block at which following the log ended, as it was read: a log block whose
 * write was reported as failed may still reach the medium, and would lead to blocks that this opening gives to others. (2) The opening
 * checkpoint is taken under a new life: after an unclean end it copies what the last kept delta wrote to new places, births stay; it
 * allocates only blocks that are free both before and after the last delta, kept or dropped, and touches no log block; flushed. Where a
 * dropped delta had filled the volume there may be no room for copies; then the same bytes go to the same places once more. (3) Both slots
 * get it, one after the other, each flushed. Until then nothing that it replaced is reusable. So no chain crosses a life.
 */
import type { BlockPointer } from './block-pointer.ts';
import { checkedFlush, checkedWrite } from './checked-calls.ts';
import { takeCheckpoint, writeSlot } from './checkpoint.ts';
import { appendExtent, type Extent } from './extent.ts';
import type { LogCore } from './log-core.ts';
import type { LoggedDelta } from './log-reader.ts';
import { OpenDelta } from './open-delta.ts';
import { type RecoveredLog, readVerified } from './recovery.ts';
import { type RepairDelta, writeAgain } from './repair-opening.ts';

/** Lists of pieces take at most this part of the blocks that they list. */
const LIST_PART = 16;

/** Makes the opening checkpoint and returns the number of blocks that were copied for it. */
export function openWritable(
  core: LogCore,
  recovered: RecoveredLog,
  options: { lifeId: Uint8Array; bothSlotsValid: boolean; repaired: RepairDelta | null },
): number {
  const { device } = core;
  const flush = (): void => {
    core.counters.flushes++;
    checkedFlush(device);
  };
  // Damage in the middle is told by what is left of the block there, and stays as it is until the repair is done.
  if (recovered.damage === null) writeBlockAgain(core, recovered.endBlock);
  const chosen = core.superblock;
  const successor = { ...chosen, generation: chosen.generation + 1 };
  for (const superblock of options.bothSlotsValid ? [chosen, successor] : [successor, chosen]) {
    writeSlot(core, superblock);
    flush();
  }
  core.superblock = successor;

  const spared = spareLastDelta(core, recovered);
  let relocatedCount = 0;
  const last = recovered.kept[recovered.kept.length - 1];
  const { repaired } = options;
  if (repaired !== null) {
    for (const { start, count } of repaired.spared) appendExtent(spared, start, count);
    if (last !== undefined) writeAgain(device, core.blockBytes, last);
  } else if (last !== undefined && !last.flushedFirst) {
    if (hasRoomForCopies(core, last)) relocatedCount = relocate(core, last, spared);
    else writeAgain(device, core.blockBytes, last);
  }

  const oldChain = core.chain;
  core.chainNumber = 0;
  core.chainChecksum = 0;
  core.chain = [{ block: core.takeHeldBlock(), delta: core.open.number }];
  for (const { block } of oldChain) appendExtent(spared, block, 1);
  const checkpoint = takeCheckpoint(core, core.durableDelta, options.lifeId);
  repaired?.blocks.writeSync();
  checkpoint.batch.writeSync();
  flush();
  checkpoint.writeSlot();
  flush();
  core.superblock = { ...core.superblock, generation: core.superblock.generation + 1 };
  writeSlot(core, core.superblock);
  flush();
  checkpoint.releaseFrames();
  repaired?.settle();
  for (const { start, count } of spared) core.map.pages.clearHeld(start, count);
  core.waiting.checkpointDurable(core.superblock.generation);
  core.counters.checkpoints++;
  // Whatever relocation did to nodes is in the checkpoint: there is nothing to commit yet.
  core.open = new OpenDelta(core.open.number);
  return relocatedCount;
}

/** Writes a block once more, with the bytes that it shows. */
function writeBlockAgain(core: LogCore, block: number): void {
  const position = block * core.blockBytes;
  if (position + core.blockBytes > core.device.sizeBytes) return;
  const bytes = new Uint8Array(core.blockBytes);
  core.device.readSync(position, [bytes]);
  checkedWrite(core.device, position, bytes);
}

/** Holds back every block that the state before the last delta used or that a dropped delta wrote; returns what it holds. */
export function spareLastDelta(core: LogCore, recovered: RecoveredLog): Extent[] {
  const { pages } = core.map;
  const spared: Extent[] = [];
  const spare = (start: number, count: number): void => {
    for (let block = start; block < start + count; block++) {
      if (block >= pages.blockLimit || pages.isUsed(block) || pages.isHeld(block)) continue;
      pages.setHeld(block, 1);
      appendExtent(spared, block, 1);
    }
  };
  const last = recovered.dropped ?? recovered.kept[recovered.kept.length - 1];
  for (const { start, count } of last?.records.frees ?? []) spare(start, count);
  if (recovered.dropped !== null) {
    for (const { start, count } of recovered.dropped.records.allocations) spare(start, count);
    for (const block of recovered.dropped.blocks) spare(block, 1);
    spare(recovered.dropped.nextBlock, 1);
  }
  for (const block of recovered.unfinishedBlocks) spare(block, 1);
  for (const block of recovered.sparedBlocks) spare(block, 1);
  return spared;
}

/** Has the client copy what `last` wrote. The copies belong to the opening checkpoint; the old places stay held until that is durable. */
function relocate(core: LogCore, last: LoggedDelta, spared: Extent[]): number {
  const { device, blockBytes } = core;
  const copies = new Map<number, number>();
  let relocatedCount = 0;
  const release = (block: number): void => {
    core.holdBack(block, 1);
    appendExtent(spared, block, 1);
  };
  const write = (block: number, bytes: Uint8Array): void => {
    device.grow((block + 1) * blockBytes);
    device.writeSync(block * blockBytes, [bytes]);
    relocatedCount++;
  };
  core.client.relocate(last.delta, {
    delta: last.delta,
    allocate: () => core.takeUsedBlock(),
    release,
    write,
    copyBlock: (old: BlockPointer, structure: string): number => {
      const known = copies.get(old.block);
      if (known !== undefined) return known;
      const bytes = readVerified(device, blockBytes, old, structure);
      const block = core.takeUsedBlock();
      copies.set(old.block, block);
      write(block, bytes);
      release(old.block);
      return block;
    },
    copyExtent: (start: number, checksums: ArrayLike<number>, birth: number, structure: string): number => {
      const place = findRun(core, checksums.length);
      const blocks: Uint8Array[] = [];
      for (let i = 0; i < checksums.length; i++) {
        blocks.push(readVerified(device, blockBytes, { block: start + i, checksum: checksums[i]!, birth }, structure));
      }
      if (place === -1) {
        // No room for a copy: the same bytes once more to the same places make them as durable. Torn, they are those of a delta that was
        // never acknowledged; and a sector that is durable survives its own bytes.
        for (let i = 0; i < blocks.length; i++) write(start + i, blocks[i]!);
        return -1;
      }
      core.map.pages.setUsed(place, blocks.length);
      for (let i = 0; i < blocks.length; i++) {
        write(place + i, blocks[i]!);
        release(start + i);
      }
      return place;
    },
  });
  return relocatedCount;
}

/**
 * Whether what `last` wrote can be copied and the checkpoint still be written. A commit leaves room for a copy of its own delta and not of
 * the one before it, which is the last again when it is dropped itself.
 */
function hasRoomForCopies(core: LogCore, last: LoggedDelta): boolean {
  let blockCount = 0;
  for (const { pointer } of last.records.at) if (pointer.birth === last.delta) blockCount++;
  for (const { checksums } of last.records.writes) blockCount += checksums.length;
  // A value that is copied in more pieces than it had needs lists of them; every block may change a page of its own, where it was and where it is.
  const copiedBlocks = blockCount + Math.ceil(blockCount / LIST_PART) + 1;
  const imageBlocks = core.provisional.count + core.map.imageBlockBound(2 * copiedBlocks + core.retired.length);
  return core.map.availableCount > copiedBlocks + imageBlocks;
}

/** The first of so many consecutive free blocks, near what was allocated last or else at the end; -1 if there are none in either place. */
function findRun(core: LogCore, blockCount: number): number {
  const near = core.map.findExtent(blockCount);
  if (near !== null && near.count === blockCount) return near.start;
  const fresh = core.map.findExtent(blockCount, core.map.pages.sizeBlocks);
  return fresh !== null && fresh.count === blockCount ? fresh.start : -1;
}

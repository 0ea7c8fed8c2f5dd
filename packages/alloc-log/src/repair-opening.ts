/**
 * An opening for repair: what it does between replay and the opening checkpoint, so that a repair is that one checkpoint.
 *
 * The stored free map is ignored and made anew from what the client reaches. The client's changes are a delta of their own, the one after
 * the last that was kept; it is never logged: its leaves are written with the opening checkpoint, whose superblock names it as its delta.
 * While they are made nothing is freed. Afterwards everything is reached once more, and what counts as used and is not reached any more
 * becomes free when the opening is durable. So a crash at any moment leaves either what was there before or the repaired state.
 *
 * Until the slots are written nothing that the state before refers to is touched, nor what is behind a cut of the log: a crash must not
 * make damage in its middle look like a torn end.
 */
import { type BlockDevice, NoSpaceError, OutwriteError, xxh32 } from '@outwrite/blockdev';
import { type Frame, WriteBatch } from '@outwrite/buffer-cache';
import { appendExtent, type Extent } from './extent.ts';
import { type ReachAll, rebuildFreeMap } from './free-map-rebuild.ts';
import type { LogCore } from './log-core.ts';
import type { LoggedDelta } from './log-reader.ts';
import { OpenDelta } from './open-delta.ts';
import { spareLastDelta } from './opening.ts';
import type { RecoveredLog } from './recovery.ts';
import { slotExtents } from './superblock-format.ts';

/** How to open a volume for repair. Such an opening goes on where the log breaks off in damage, at the last whole delta. */
export interface LogRepair {
  /** Reports every extent that the client's structures refer to, having mended them as far as that takes. Called twice when writable. */
  readonly reachAll: ReachAll;
  /** Changes the client's structures; `checkRoom` throws a `NoSpaceError` unless one more entry can be changed. Not when read-only. */
  readonly change: (checkRoom: () => void) => void;
}

/** The changes of a repair, ready to be written with the opening checkpoint. */
export interface RepairDelta {
  /** Held back until the opening is durable. */
  readonly spared: Extent[];
  /** Its leaves, and large values that it put. */
  readonly blocks: WriteBatch;
  /** It is durable. */
  settle(): void;
}

/** Free blocks that one changed entry and what comes after it may take besides nodes and free map. */
const SPARE_BLOCKS = 24;

/** Makes the free map anew and, when writable, the changes. Throws a `NoSpaceError` with nothing written. */
export function repairWhileOpening(core: LogCore, recovered: RecoveredLog, repair: LogRepair): RepairDelta | null {
  rebuildFreeMap(core, repair.reachAll);
  if (core.readOnly) return null;
  recovered.sparedBlocks.push(...(recovered.beyond?.logBlocks ?? []));
  const spared = spareLastDelta(core, recovered);
  core.freesNothing = true;
  repair.change(() => {
    if (core.map.availableCount < core.map.imageBlockBound() + core.provisional.count + SPARE_BLOCKS) {
      throw new NoSpaceError('too little space is free to write what a repair changes; remove something first');
    }
  });
  core.freesNothing = false;
  holdUnreached(core, repair.reachAll, spared);
  const delta = core.open.number;
  const blocks = new WriteBatch(core.device, core.blockBytes);
  const frames: Frame[] = [];
  core.client.seal({
    delta,
    gone: () => undefined,
    at: () => undefined,
    writeLeaf: (block, frame) => {
      core.cache.beginWrite(frame);
      frames.push(frame);
      blocks.add(block, core.cache.bytesOf(frame));
    },
  });
  core.counters.bytesWritten.leaf += blocks.sizeBytes;
  const { directWrites } = core.open;
  for (const { start, pieces } of directWrites) {
    if (pieces !== null) for (let i = 0; i < pieces.length; i++) blocks.add(start + i, pieces[i]!);
  }
  core.durableDelta = delta;
  core.open = new OpenDelta(delta + 1);
  return {
    spared,
    blocks,
    settle: () => {
      core.waitingBytes.written(directWrites);
      for (const frame of frames) core.cache.endWrite(frame, delta);
    },
  };
}

/** What counts as used and nothing refers to is free in the image to be written; it is not reused before that is durable. */
function holdUnreached(core: LogCore, reachAll: ReachAll, spared: Extent[]): void {
  const { pages } = core.map;
  const reached = new Uint32Array(Math.ceil(pages.sizeBlocks / 32));
  const reach = (start: number, count: number): void => {
    const end = Math.min(start + count, pages.sizeBlocks);
    for (let block = start; block < end; block++) reached[block >>> 5]! |= 1 << (block & 31);
  };
  for (const { start, count } of slotExtents(core.blockBytes)) reach(start, count);
  for (const block of core.retired) reach(block, 1);
  reachAll(reach);
  for (const { start, count } of [...pages.usedExtents()]) {
    for (let block = start; block < start + count; block++) {
      if ((reached[block >>> 5]! & (1 << (block & 31))) !== 0) continue;
      core.holdBack(block, 1);
      appendExtent(spared, block, 1);
    }
  }
}

/**
 * Writes the blocks of the last kept delta again, in place: only the cache of the operating system vouches for them, and a repair copies
 * nothing, since some of it may be damaged. A sector survives its own bytes; what is damaged stays as it is.
 */
export function writeAgain(device: BlockDevice, blockBytes: number, last: LoggedDelta): void {
  const bytes = new Uint8Array(blockBytes);
  const again = (block: number, checksum: number): void => {
    if ((block + 1) * blockBytes > device.sizeBytes) return;
    try {
      device.readSync(block * blockBytes, [bytes]);
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      return;
    }
    if (xxh32(bytes) !== checksum) return;
    device.writeSync(block * blockBytes, [bytes.slice()]);
  };
  for (const { pointer } of last.records.at) if (pointer.birth === last.delta) again(pointer.block, pointer.checksum);
  for (const { start, checksums } of last.records.writes) {
    for (let i = 0; i < checksums.length; i++) again(start + i, checksums[i]!);
  }
}

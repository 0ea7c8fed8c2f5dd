/**
 * Figures of a volume: what it holds, what it did since it was opened, and how full it is.
 */
import type { LogStats } from '@outwrite/alloc-log';
import type { BufferCache } from '@outwrite/buffer-cache';
import type { FileMapsStats } from '@outwrite/filemap';
import type { Head } from './head.ts';

export interface VolumeStats {
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** Inodes that exist: files, directories and links, those without a name included. */
  readonly inodeCount: number;
  readonly openDescriptors: number;
  /** Deltas that became durable, checkpoints and flushes, since opening. */
  readonly commits: number;
  readonly checkpoints: number;
  readonly flushes: number;
  /** Bytes written since opening, by the kind of block. */
  readonly bytesWritten: LogStats['bytesWritten'];
  /** The two kinds of redirect, since opening. */
  readonly redirects: {
    /** Blocks of files that were given a new place instead of being overwritten. */
    readonly dataBlocks: number;
    readonly treeLeaves: number;
    readonly treeIndexNodes: number;
  };
  readonly files: FileMapsStats;
  readonly cache: {
    readonly blocks: BufferCache['stats'];
    readonly inodes: number;
    readonly names: number;
    readonly inodeHits: number;
    readonly inodeMisses: number;
    /** Bytes of changed objects that wait for the next commit, about. */
    readonly dirtyBytes: number;
  };
  /** In blocks: used + free + waiting + reserved = limit. */
  readonly space: {
    readonly limitBlocks: number;
    readonly usedBlocks: number;
    readonly freeBlocks: number;
    readonly waitingBlocks: number;
    readonly reservedBlocks: number;
    /** Blocks up to the last that was ever given out. */
    readonly sizeBlocks: number;
  };
  /** Numbers of the delta that is open, and of the last that is durable. */
  readonly openDelta: number;
  readonly durableDelta: number;
  /** Blocks of the log since the last checkpoint: what an opening would replay. */
  readonly logBlocks: number;
  readonly latched: boolean;
  /** Damage that was met and passed over while space was being reclaimed, and orphans that could not be. */
  readonly damageCount: number;
}

export function collectStats(head: Head, volume: { openDescriptors: number; damage: number }): VolumeStats {
  const log = head.log.stats();
  const files = head.maps.stats();
  const redirects = head.store.stats();
  return {
    blockBytes: log.blockBytes,
    inodeCount: head.record.inodeCount,
    openDescriptors: volume.openDescriptors,
    commits: log.commits,
    checkpoints: log.checkpoints,
    flushes: log.flushes,
    bytesWritten: log.bytesWritten,
    redirects: {
      dataBlocks: files.redirectedBlocks,
      treeLeaves: redirects.redirectedLeaves,
      treeIndexNodes: redirects.redirectedIndexNodes,
    },
    files,
    cache: {
      blocks: head.log.cache.stats,
      inodes: head.cache.inodeCount,
      names: head.cache.nameCount,
      inodeHits: head.cache.hits,
      inodeMisses: head.cache.misses,
      dirtyBytes: head.staging.dirtyBytes,
    },
    space: {
      limitBlocks: log.limitBlocks,
      usedBlocks: log.usedBlocks,
      freeBlocks: log.freeBlocks,
      waitingBlocks: log.waitingBlocks,
      reservedBlocks: log.reservedBlocks,
      sizeBlocks: log.sizeBlocks,
    },
    openDelta: log.openDelta,
    durableDelta: log.durableDelta,
    logBlocks: log.logBlocks,
    latched: log.latched,
    damageCount: volume.damage + head.orphans.damagedCount,
  };
}

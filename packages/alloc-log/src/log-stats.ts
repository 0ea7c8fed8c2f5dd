/**
 * Counters of what the log has done, and the figures of its state.
 */
import type { LogBeyond } from './log-beyond.ts';

export type BlockKind = 'superblock' | 'log' | 'leaf' | 'data' | 'overflow' | 'index' | 'free-map' | 'zero';

export const BLOCK_KINDS: readonly BlockKind[] = [
  'superblock',
  'log',
  'leaf',
  'data',
  'overflow',
  'index',
  'free-map',
  'zero',
];

/** Counted since the volume was opened. */
export interface LogCounters {
  /** Deltas that became durable. */
  commits: number;
  checkpoints: number;
  flushes: number;
  /** Bytes written, by the kind of block. */
  bytesWritten: Record<BlockKind, number>;
}

export function newCounters(): LogCounters {
  const bytesWritten = Object.fromEntries(BLOCK_KINDS.map((kind) => [kind, 0])) as Record<BlockKind, number>;
  return { commits: 0, checkpoints: 0, flushes: 0, bytesWritten };
}

/** What opening found; null fields do not apply. */
export interface RecoveryReport {
  /** The generation that was chosen, and whether the other slot was valid too. */
  generation: number;
  bothSlotsValid: boolean;
  /** The newer slot could not be used, so the log was followed from the older one. */
  fromOlderSlot: boolean;
  /** Deltas of the log that were replayed. */
  replayedDeltas: number;
  replayedPromises: number;
  /** Number of the delta whose state this is. */
  delta: number;
  /** A delta that was begun and not finished when the volume was last used; it left no trace. */
  droppedDelta: number | null;
  /** The log ends in damage instead of a torn end (read-only openings only; others throw). */
  damage: Error | null;
  /** With damage: what the log holds behind it. */
  beyond: LogBeyond | null;
  /** Blocks copied to new places because only the cache of the operating system vouched for them. */
  relocatedBlocks: number;
}

export interface LogStats extends LogCounters {
  blockBytes: number;
  openDelta: number;
  durableDelta: number;
  generation: number;
  /** Log blocks since the last checkpoint. */
  logBlocks: number;
  /** Nodes that have no block yet. */
  provisionalNodes: number;
  /** All counts below are blocks; used + free + waiting + reserved = limit. */
  limitBlocks: number;
  usedBlocks: number;
  freeBlocks: number;
  /** Freed, and not to be reused yet. */
  waitingBlocks: number;
  /** Held by the log, by writes under way, and set aside for what is to be staged or checkpointed. */
  reservedBlocks: number;
  /** Blocks from the first to the last that was ever given out: the size of the file, about. */
  sizeBlocks: number;
  openViews: number;
  /** Age of the oldest view in milliseconds, 0 without one. */
  oldestViewAgeMs: number;
  latched: boolean;
  recovery: RecoveryReport | null;
}

/**
 * The figures of a log's present state: its counters, and where every block of the volume stands.
 */
import type { LogCore } from './log-core.ts';
import type { LogStats, RecoveryReport } from './log-stats.ts';
import { imageOverhead } from './space-accounting.ts';

export function logStats(core: LogCore, recovery: RecoveryReport | null): LogStats {
  const { pages } = core.map;
  const waitingBlocks = core.waiting.blockCount;
  const retired = core.retired.length;
  const spoken = Math.min(core.map.availableCount, core.heldCount + imageOverhead(core));
  const views = core.waiting.views;
  return {
    ...core.counters,
    bytesWritten: { ...core.counters.bytesWritten },
    blockBytes: core.blockBytes,
    openDelta: core.open.number,
    durableDelta: core.durableDelta,
    generation: core.superblock.generation,
    logBlocks: core.logBlockCount,
    provisionalNodes: core.provisional.count,
    limitBlocks: pages.blockLimit,
    usedBlocks: pages.usedCount - retired,
    freeBlocks: core.map.availableCount - spoken,
    waitingBlocks: waitingBlocks + retired,
    reservedBlocks: pages.heldCount - waitingBlocks + spoken,
    sizeBlocks: pages.sizeBlocks,
    openViews: views.length,
    oldestViewAgeMs: views.length === 0 ? 0 : Date.now() - Math.min(...views.map((view) => view.openedAt)),
    latched: core.latched !== null,
    recovery,
  };
}

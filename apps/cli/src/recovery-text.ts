/**
 * What opening a volume found, in words: which state it is, what was replayed to get there, and what did not count.
 */
import type { RecoveryReport } from '@outwrite/alloc-log';
import { formatCount, formatCounted } from './quantities.ts';

/** One line, for people; `null` is a volume that was just made. */
export function recoveryText(recovery: RecoveryReport | null): string {
  if (recovery === null) return 'a new volume';
  const parts: string[] = [`the state of delta ${formatCount(recovery.delta)}`];
  if (recovery.replayedDeltas === 0) parts.push('nothing to replay');
  else {
    const promises = formatCounted(recovery.replayedPromises, 'promise');
    parts.push(`${formatCounted(recovery.replayedDeltas, 'delta')} with ${promises} replayed from the log`);
  }
  if (recovery.droppedDelta !== null)
    parts.push(`the unfinished delta ${formatCount(recovery.droppedDelta)} dropped whole`);
  if (recovery.relocatedBlocks > 0)
    parts.push(`${formatCounted(recovery.relocatedBlocks, 'block')} of the last delta copied`);
  if (recovery.fromOlderSlot) parts.push('the newer superblock could not be used, the older one was');
  else if (!recovery.bothSlotsValid) parts.push('only one superblock is valid');
  if (recovery.damage !== null) parts.push(`the log breaks off: ${recovery.damage.message}`);
  return parts.join(', ');
}

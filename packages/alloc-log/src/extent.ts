/**
 * Extents: runs of consecutive blocks, and the arithmetic on lists of them that deltas and free lists need.
 */
export interface Extent {
  /** First block number. */
  start: number;
  /** Number of blocks, at least 1. */
  count: number;
}

export function extentBlockCount(extents: readonly Extent[]): number {
  let blockCount = 0;
  for (const extent of extents) blockCount += extent.count;
  return blockCount;
}

/** Appends `[start, start + count)`, joining it to the last extent of the list where it continues that. */
export function appendExtent(extents: Extent[], start: number, count: number): void {
  const last = extents[extents.length - 1];
  if (last !== undefined && last.start + last.count === start) last.count += count;
  else extents.push({ start, count });
}

/**
 * The blocks that occur more often in `added` than in `removed`, sorted and joined. Within a delta a block can be allocated, given back
 * and allocated again; what counts at its end is the balance, which is 0 or 1 for every block.
 */
export function extentBalance(added: readonly Extent[], removed: readonly Extent[]): Extent[] {
  if (removed.length === 0) return joinedExtents(added);
  const edges: { at: number; step: number }[] = [];
  for (const { start, count } of added) edges.push({ at: start, step: 1 }, { at: start + count, step: -1 });
  for (const { start, count } of removed) edges.push({ at: start, step: -1 }, { at: start + count, step: 1 });
  edges.sort((a, b) => a.at - b.at);
  const balance: Extent[] = [];
  let depth = 0;
  let since = 0;
  for (let i = 0; i < edges.length; ) {
    const at = edges[i]!.at;
    if (depth > 0 && at > since) appendExtent(balance, since, at - since);
    for (; i < edges.length && edges[i]!.at === at; i++) depth += edges[i]!.step;
    since = at;
  }
  return balance;
}

/** The same without anything removed, which is usual: sorted and joined. */
function joinedExtents(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  for (const { start, count } of extents.slice().sort((a, b) => a.start - b.start)) {
    const last = joined[joined.length - 1];
    if (last !== undefined && start <= last.start + last.count)
      last.count = Math.max(last.count, start + count - last.start);
    else joined.push({ start, count });
  }
  return joined;
}

/**
 * What becomes of a change whose second half fails.
 *
 * Second halves do not fail by design: there is room for them, and what they read was read in the first half. But that is not pinned, so in
 * a small cache it may have to be read again, and a device may fail to do that. Then either nothing has happened, or nothing more may.
 */
import type { Extent } from './extent-format.ts';
import type { FileContext } from './file-state.ts';

/**
 * Runs the second half of a change of the tree. An error before the tree has changed passes through, after `undo` has taken back what came
 * before it. One after that leaves in memory what is neither the old nor the new, so it latches the log, and the last commit stays.
 */
export function changeTree<T>(context: FileContext, change: () => T, undo: () => void = NOTHING): T {
  const { log, tree } = context;
  const { version } = tree;
  try {
    return change();
  } catch (error) {
    if (tree.version !== version) throw log.latch(error);
    if (log.latched === null) undo();
    throw error;
  }
}

const NOTHING = (): void => {};

/** Frees blocks of the open delta that did not come into any file. */
export function giveBack({ log }: FileContext, pieces: readonly Extent[]): void {
  for (const { start, checksums, birth } of pieces) log.free(start, checksums.length, birth);
}

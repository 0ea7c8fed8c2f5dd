/**
 * The one order in which trees are walked: a directory is entered, its entries follow in name order, then it is left.
 *
 * The sequence of steps depends on the tree alone, so the state after a number of steps is well defined: an import that was cut off can
 * be compared with it. The first path of a file with several links is a `file`, the others are `hard-link`s to it; likewise a `symlink`.
 * What cannot be read is a `problem` and the walk goes on.
 */
import { childPath, type Entry, type TreeSource } from './tree-source.ts';

export type Step =
  | { readonly kind: 'enter' | 'leave' | 'file' | 'special'; readonly path: string; readonly entry: Entry }
  | { readonly kind: 'symlink'; readonly path: string; readonly entry: Entry; readonly target: string }
  | { readonly kind: 'hard-link'; readonly path: string; readonly entry: Entry; readonly firstPath: string }
  | { readonly kind: 'problem'; readonly path: string; readonly error: unknown };

interface OpenDirectory {
  readonly path: string;
  readonly entry: Entry;
  readonly names: readonly string[];
  nextIndex: number;
}

/** Walks a tree whose root is a directory. */
export function* walkTree(source: TreeSource): Generator<Step, void, void> {
  const firstPaths = new Map<string, string>();
  const open: OpenDirectory[] = [];

  function* enter(path: string, entry: Entry): Generator<Step, void, void> {
    let listing: ReturnType<TreeSource['list']>;
    try {
      listing = source.list(path);
    } catch (error) {
      yield { kind: 'problem', path, error };
      listing = { names: [], unusable: [] };
    }
    yield { kind: 'enter', path, entry };
    for (const { shownName, reason } of listing.unusable) {
      yield { kind: 'problem', path: childPath(path, shownName), error: new Error(reason) };
    }
    open.push({ path, entry, names: listing.names, nextIndex: 0 });
  }

  function describe(path: string): Step {
    try {
      const entry = source.entry(path);
      if (entry.kind === 'special') return { kind: 'special', path, entry };
      if (entry.kind === 'directory') return { kind: 'enter', path, entry };
      if (entry.linkCount > 1) {
        const firstPath = firstPaths.get(entry.identity);
        if (firstPath !== undefined) return { kind: 'hard-link', path, entry, firstPath };
        firstPaths.set(entry.identity, path);
      }
      if (entry.kind === 'symlink') return { kind: 'symlink', path, entry, target: source.linkTarget(path) };
      return { kind: 'file', path, entry };
    } catch (error) {
      return { kind: 'problem', path, error };
    }
  }

  yield* enter('', source.entry(''));
  while (open.length > 0) {
    const directory = open[open.length - 1];
    if (directory.nextIndex === directory.names.length) {
      open.pop();
      yield { kind: 'leave', path: directory.path, entry: directory.entry };
      continue;
    }
    const step = describe(childPath(directory.path, directory.names[directory.nextIndex++]));
    if (step.kind === 'enter') yield* enter(step.path, step.entry);
    else yield step;
  }
}

/** What a walk will meet, for the progress of the work that follows. */
export interface TreeTotals {
  fileCount: number;
  directoryCount: number;
  symlinkCount: number;
  hardLinkCount: number;
  /** Content of files, each counted once. */
  sizeBytes: number;
  /** All entries with the root, as `itemCount` of a progress bar. */
  itemCount: number;
}

export function emptyTotals(): TreeTotals {
  return { fileCount: 0, directoryCount: 0, symlinkCount: 0, hardLinkCount: 0, sizeBytes: 0, itemCount: 0 };
}

/** Counts a step; leaving a directory and problems count nothing. */
export function countStep(totals: TreeTotals, step: Step): void {
  switch (step.kind) {
    case 'leave':
    case 'problem':
    case 'special':
      return;
    case 'enter':
      totals.directoryCount++;
      break;
    case 'symlink':
      totals.symlinkCount++;
      break;
    case 'hard-link':
      totals.hardLinkCount++;
      break;
    case 'file':
      totals.fileCount++;
      totals.sizeBytes += step.entry.sizeBytes;
      break;
  }
  totals.itemCount++;
}

/** Walks the tree once and counts. */
export function totalsOf(source: TreeSource): TreeTotals {
  const totals = emptyTotals();
  for (const step of walkTree(source)) countStep(totals, step);
  return totals;
}

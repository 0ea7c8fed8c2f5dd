/**
 * Comparison of two trees: every byte, kind, mode, time and link.
 *
 * Both are walked in the same order at the same time. Differences are reported as they are found, with the path and what differs; the
 * comparison never stops early. Access times are not compared, because reading changes them.
 */
import type { Entry, TreeSource } from './tree-source.ts';
import { childPath } from './tree-source.ts';

export interface Difference {
  readonly path: string;
  readonly problem: string;
}

export interface ComparisonOptions {
  /** How much two modification times may differ. */
  readonly timeToleranceNs: bigint;
  /** Called for each entry; the comparison of large trees takes a while. */
  readonly onEntry?: (sizeBytes: number) => void;
}

const PIECE_BYTES = 1024 * 1024;

interface Pair {
  readonly path: string;
  readonly expected: Entry;
  readonly actual: Entry;
}

/** Compares the tree `actual` with `expected`. */
export class TreeComparison {
  readonly #expected: TreeSource;
  readonly #actual: TreeSource;
  readonly #options: ComparisonOptions;
  readonly #expectedPiece = new Uint8Array(PIECE_BYTES);
  readonly #actualPiece = new Uint8Array(PIECE_BYTES);
  /** For each file or symbolic link with several links, the first path by which it was met. */
  readonly #expectedFirstPaths = new Map<string, string>();
  readonly #actualFirstPaths = new Map<string, string>();
  entryCount = 0;
  comparedBytes = 0;

  constructor(expected: TreeSource, actual: TreeSource, options: ComparisonOptions) {
    this.#expected = expected;
    this.#actual = actual;
    this.#options = options;
  }

  /** Walks both trees and yields what differs. */
  *differences(): Generator<Difference, void, void> {
    const open: Pair[] = [this.#pair('')];
    for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
      yield* this.#compareEntry(pair);
      if (pair.expected.kind !== 'directory' || pair.actual.kind !== 'directory') continue;
      const expectedNames = new Set(this.#expected.list(pair.path).names);
      const actualNames = this.#actual.list(pair.path).names;
      const common: string[] = [];
      for (const name of actualNames) {
        if (expectedNames.delete(name)) common.push(name);
        else yield { path: childPath(pair.path, name), problem: 'is there, but should not be' };
      }
      for (const name of expectedNames) yield { path: childPath(pair.path, name), problem: 'is missing' };
      // Reversed, because the last one is taken first: the first paths of links are those of the walk.
      for (const name of common.reverse()) open.push(this.#pair(childPath(pair.path, name)));
    }
  }

  /** What differs at one path, the content of directories left out. */
  *differencesAt(path: string): Generator<Difference, void, void> {
    yield* this.#compareEntry(this.#pair(path));
  }

  #pair(path: string): Pair {
    return { path, expected: this.#expected.entry(path), actual: this.#actual.entry(path) };
  }

  *#compareEntry({ path, expected, actual }: Pair): Generator<Difference, void, void> {
    this.entryCount++;
    this.#options.onEntry?.(expected.kind === 'file' ? expected.sizeBytes : 0);
    if (expected.kind !== actual.kind) {
      yield { path, problem: `is a ${actual.kind}, but should be a ${expected.kind}` };
      return;
    }
    if (expected.mode !== actual.mode) {
      yield { path, problem: `has mode ${actual.mode.toString(8)} instead of ${expected.mode.toString(8)}` };
    }
    const late = actual.mtimeNs - expected.mtimeNs;
    if (late > this.#options.timeToleranceNs || -late > this.#options.timeToleranceNs) {
      yield { path, problem: `has a modification time that is ${late} ns off` };
    }
    if (expected.kind === 'symlink') {
      const expectedTarget = this.#expected.linkTarget(path);
      const actualTarget = this.#actual.linkTarget(path);
      if (expectedTarget !== actualTarget)
        yield { path, problem: `points to ${actualTarget} instead of ${expectedTarget}` };
      yield* this.#compareLinks(path, expected, actual);
    }
    if (expected.kind === 'file') {
      if (expected.sizeBytes === actual.sizeBytes) yield* this.#compareContent(path);
      else yield { path, problem: `has ${actual.sizeBytes} bytes instead of ${expected.sizeBytes}` };
      yield* this.#compareLinks(path, expected, actual);
    }
  }

  *#compareLinks(path: string, expected: Entry, actual: Entry): Generator<Difference, void, void> {
    const expectedFirst = firstPathOf(this.#expectedFirstPaths, expected, path);
    const actualFirst = firstPathOf(this.#actualFirstPaths, actual, path);
    if (expectedFirst === actualFirst) return;
    if (expectedFirst === path)
      yield { path, problem: `is a link to ${actualFirst}, but should be a ${expected.kind} of its own` };
    else yield { path, problem: `should be a link to ${expectedFirst}` };
  }

  *#compareContent(path: string): Generator<Difference, void, void> {
    const expectedFile = this.#expected.open(path);
    try {
      const actualFile = this.#actual.open(path);
      try {
        for (let position = 0; ; position += PIECE_BYTES) {
          const expectedBytes = expectedFile.read(position, this.#expectedPiece);
          const actualBytes = actualFile.read(position, this.#actualPiece);
          const expected = this.#expectedPiece.subarray(0, expectedBytes);
          const actual = this.#actualPiece.subarray(0, actualBytes);
          if (Buffer.compare(expected, actual) !== 0) {
            yield { path, problem: `has other content from byte ${position + firstDifference(expected, actual)} on` };
            return;
          }
          this.comparedBytes += expectedBytes;
          if (expectedBytes < PIECE_BYTES) return;
        }
      } finally {
        actualFile.close();
      }
    } finally {
      expectedFile.close();
    }
  }
}

function firstPathOf(firstPaths: Map<string, string>, entry: Entry, path: string): string {
  if (entry.linkCount === 1) return path;
  const firstPath = firstPaths.get(entry.identity);
  if (firstPath !== undefined) return firstPath;
  firstPaths.set(entry.identity, path);
  return path;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  let index = 0;
  while (index < a.length && index < b.length && a[index] === b[index]) index++;
  return index;
}

/**
 * The table at the end of the demonstration: what each part of the work moved, and what that cost the device.
 *
 * The figures of a row are what the volume's own counters gained while it was done. The two kinds of redirect stand apart: blocks of
 * files that got a new place because they were overwritten, and tree nodes that got one because something in them changed.
 */
import { formatCount, formatDuration, formatRate, formatSize } from '../quantities.ts';
import { tableLines } from '../tables.ts';
import type { CliVolume } from '../volume-session.ts';

/** What was moved, as the worker counted it. */
export interface Work {
  readonly fileCount: number;
  readonly sizeBytes: number;
  readonly milliseconds: number;
}

interface DeviceCosts {
  readonly commits: number;
  readonly flushes: number;
  readonly writtenBytes: number;
  readonly dataRedirects: number;
  readonly treeRedirects: number;
}

const HEADINGS: readonly string[] = [
  'step',
  'files',
  'bytes',
  'time',
  'rate',
  'commits',
  'flushes',
  'written/byte',
  'data redirects',
  'node redirects',
];

function costsOf(volume: CliVolume): DeviceCosts {
  const { commits, flushes, bytesWritten, redirects } = volume.stats();
  return {
    commits,
    flushes,
    writtenBytes: Object.values(bytesWritten).reduce((sum, sizeBytes) => sum + sizeBytes, 0),
    dataRedirects: redirects.dataBlocks,
    treeRedirects: redirects.treeLeaves + redirects.treeIndexNodes,
  };
}

export class DemoTable {
  readonly #rows: string[][] = [];

  /** Does a part of the work on `volume` and adds a row of what it moved and cost. */
  async measure(name: string, volume: CliVolume, work: () => Promise<Work>): Promise<Work> {
    const before = costsOf(volume);
    const done = await work();
    const after = costsOf(volume);
    const writtenBytes = after.writtenBytes - before.writtenBytes;
    this.#rows.push([
      name,
      formatCount(done.fileCount),
      formatSize(done.sizeBytes),
      formatDuration(done.milliseconds),
      formatRate(done.sizeBytes, done.milliseconds),
      formatCount(after.commits - before.commits),
      formatCount(after.flushes - before.flushes),
      done.sizeBytes === 0 || writtenBytes === 0 ? '-' : (writtenBytes / done.sizeBytes).toFixed(2),
      formatCount(after.dataRedirects - before.dataRedirects),
      formatCount(after.treeRedirects - before.treeRedirects),
    ]);
    return done;
  }

  lines(): string[] {
    return tableLines(
      [HEADINGS, ...this.#rows],
      HEADINGS.map((_, column) => (column === 0 ? 'left' : 'right')),
    );
  }
}

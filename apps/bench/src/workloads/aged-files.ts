/**
 * An aged volume: filled to 80 % with files of 1 to 31 KiB, then every other file deleted and written again with another size, twice.
 *
 * What it leaves: free space in pieces, extents that are not contiguous, leaves partly full. Engines that know no capacity (`node:fs`, LMDB,
 * SQLite) are aged by the same operations but not filled: the disk below them has as much space as it has.
 */
import type { FilesOptions } from '../engine.ts';
import type { Scale } from '../scale.ts';
import type { Base } from '../workload.ts';
import { scramble } from './key-data.ts';

const FULLNESS = 0.8;
/** What a file of 16 KiB takes on the mean: half of its last block is empty. */
const MEAN_FILE_BYTES = 18 * 1024;
const LARGEST_FILE_KIB = 31;
const BATCH = 100;
const GENERATIONS = 2;
/** Below this what a volume sets aside for itself would be most of the fifth that is free. */
const SMALLEST_CAPACITY_BYTES = 24 * 1024 * 1024;

export function agedFilesOptions(cacheBytes: number, wantedBytes: number): FilesOptions {
  return { cacheBytes, capacityBytes: agedCapacityBytes(wantedBytes) };
}

/** The capacity at which a fifth of the volume holds `wantedBytes` twice over. */
export function agedCapacityBytes(wantedBytes: number): number {
  const needed = (wantedBytes * 2) / (1 - FULLNESS);
  return Math.max(SMALLEST_CAPACITY_BYTES, Math.ceil(needed / 4096) * 4096);
}

/** A base on which a workload that writes `wantedBytes` at most can run; nothing is made for an engine that has no files. */
export function agedFilesBase(name: string, wantedBytes: (scale: Scale) => number): Base {
  return {
    name,
    async make({ engine, folder, scale }) {
      if (engine.openFiles === undefined) return;
      const options = agedFilesOptions(scale.fileCacheBytes, wantedBytes(scale));
      const session = await engine.openFiles(folder, options);
      const fileCount = Math.floor((options.capacityBytes! * FULLNESS) / MEAN_FILE_BYTES);
      const content = Buffer.alloc(LARGEST_FILE_KIB * 1024, 0x5a);
      const pathOf = (index: number): string => `/old/filler-${index}`;
      const write = (index: number, generation: number): void => {
        const kib = 1 + (scramble(index + generation * 1_000_003) % LARGEST_FILE_KIB);
        session.create(pathOf(index), content.subarray(0, kib * 1024));
      };
      const inBatches = (count: number, change: (index: number) => void): void => {
        for (let first = 0; first < count; first += BATCH) {
          session.batch(Math.min(BATCH, count - first), (i) => change(first + i));
        }
      };
      session.batch(1, () => session.makeDirectory('/old'));
      inBatches(fileCount, (index) => write(index, 0));
      for (let generation = 1; generation <= GENERATIONS; generation++) {
        const everyOther = (i: number): number => 2 * i + (generation % 2);
        const otherCount = Math.floor(fileCount / 2);
        inBatches(otherCount, (i) => session.unlink(pathOf(everyOther(i))));
        inBatches(otherCount, (i) => write(everyOther(i), generation));
      }
      session.settle();
      await session.close();
    },
  };
}

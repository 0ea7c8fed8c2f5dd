/**
 * Putting the operating system's cache into a known state: written out before a measurement, dropped before a cold read.
 *
 * Both go through small programs of the system (`sync`, `dd`), as Node has no call for them and the bench asks for no privileges.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** `kept` where the system has no `dd` that can drop a file from the cache: a "cold" read is then a warm one. */
export type CacheDropping = 'dropped' | 'kept';

/** Small files are left in the cache: nothing that is measured cold is one, and an aged folder has many thousands. */
const SMALLEST_DROPPED_BYTES = 256 * 1024;

/** Writes out the files of a folder and drops them from the page cache (posix_fadvise, by way of GNU dd's `nocache` flag). */
export function dropFileCache(folder: string): CacheDropping {
  writeOutFileSystem(folder);
  let result: CacheDropping = 'dropped';
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if (statSync(path).size < SMALLEST_DROPPED_BYTES) continue;
    const run = spawnSync('dd', [`if=${path}`, 'of=/dev/null', 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
    if (run.status !== 0) result = 'kept';
  }
  return result;
}

/** Has the file system that holds `folder` write out all that is dirty, and waits for it. */
export function writeOutFileSystem(folder: string): void {
  const run = spawnSync('sync', ['-f', folder], { stdio: 'ignore' });
  // Systems whose `sync` has no option write out everything.
  if (run.status !== 0) spawnSync('sync', [], { stdio: 'ignore' });
}

/**
 * What the kernel counted as written: by this process, and by the device under a folder.
 *
 * The count of the device (`/proc/diskstats`) has all that reaches it, the file system's journal included, but also what other processes
 * write: it is worth something on a quiet machine only. The count of the process (`/proc/self/io`) is kept beside it as a second opinion and
 * not shown: it leaves out the journal, counts a page that is changed twice before it is written once, and on file systems with large
 * folios counts all of a folio of which one page was changed (seen: 32 times the bytes). Both are absent where there is no such file.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';

export interface IoCounters {
  readonly processWriteBytes: number | null;
  readonly deviceWriteBytes: number | null;
  readonly flushCount: number | null;
}

const SECTOR_BYTES = 512;
// Fields of a line of diskstats after major, minor and name (Linux: Documentation/admin-guide/iostats.rst), counted from 0.
const SECTORS_WRITTEN_FIELD = 6;
const FLUSHES_FIELD = 15;

/** Major and minor number of the device that holds `path`, as diskstats prints them; null where there is none. */
export function deviceOf(path: string): string | null {
  if (!existsSync('/proc/diskstats')) return null;
  // The encoding of glibc's makedev for numbers below 2^32.
  const device = statSync(path).dev;
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  const wanted = `${major}:${minor}`;
  return diskstatsFields(wanted) === null ? null : wanted;
}

function diskstatsFields(device: string): number[] | null {
  for (const line of readFileSync('/proc/diskstats', 'latin1').split('\n')) {
    const words = line.trim().split(/\s+/);
    if (`${words[0]}:${words[1]}` === device) return words.slice(3).map(Number);
  }
  return null;
}

function processWriteBytes(): number | null {
  try {
    const match = /^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'));
    return match === null ? null : Number(match[1]);
  } catch {
    // Not Linux, or a container that hides it.
    return null;
  }
}

export function readIoCounters(device: string | null): IoCounters {
  const fields = device === null ? null : diskstatsFields(device);
  return {
    processWriteBytes: processWriteBytes(),
    deviceWriteBytes: fields === null ? null : fields[SECTORS_WRITTEN_FIELD]! * SECTOR_BYTES,
    flushCount: fields?.[FLUSHES_FIELD] ?? null,
  };
}

function difference(after: number | null, before: number | null): number | null {
  return after === null || before === null ? null : after - before;
}

export function ioDifference(after: IoCounters, before: IoCounters): IoCounters {
  return {
    processWriteBytes: difference(after.processWriteBytes, before.processWriteBytes),
    deviceWriteBytes: difference(after.deviceWriteBytes, before.deviceWriteBytes),
    flushCount: difference(after.flushCount, before.flushCount),
  };
}

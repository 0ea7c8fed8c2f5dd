/**
 * The files that this process has open through locked devices, by identity, so that one process cannot open a file
 * twice.
 *
 * The lock file tells processes apart; this register tells openings within one apart, also while a device that is being
 * closed still waits for writes in flight: until they have returned they could land in the new life. It hangs on
 * `globalThis` because a program may load this module twice (its sources and its build, or two versions).
 */
import type { BigIntStats } from 'node:fs';
import { LockedError } from '../errors.ts';

interface OpenFile {
  readonly since: string;
  closing: boolean;
}

const REGISTER_KEY = Symbol.for('@outwrite/blockdev/open-files');

function register(): Map<string, OpenFile> {
  const holder = globalThis as { [REGISTER_KEY]?: Map<string, OpenFile> };
  holder[REGISTER_KEY] ??= new Map();
  return holder[REGISTER_KEY];
}

export interface OpenFileEntry {
  /** From now on a second opener is told that the file is still being closed. */
  markClosing(): void;
  /** The file may be opened again. Idempotent. */
  remove(): void;
}

/** Enters a file; throws a `LockedError` if this process has it open, whatever the path it was opened by. */
export function enterOpenFile(path: string, status: BigIntStats, host: string): OpenFileEntry {
  // A block device is the same under all its nodes; a file under all its links.
  const identity = status.isBlockDevice() ? `device:${status.rdev}` : `file:${status.dev}:${status.ino}`;
  const files = register();
  const other = files.get(identity);
  if (other !== undefined) {
    throw new LockedError(
      path,
      { pid: process.pid, host, since: other.since },
      other.closing
        ? 'this process is closing it and still waits for writes in flight; await that close() first'
        : 'this process has it open; close it first',
    );
  }
  const entry: OpenFile = { since: new Date().toISOString(), closing: false };
  files.set(identity, entry);
  return {
    markClosing: () => {
      entry.closing = true;
    },
    remove: () => {
      if (files.get(identity) === entry) files.delete(identity);
    },
  };
}

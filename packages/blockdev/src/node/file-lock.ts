/**
 * An exclusive lock on a file between processes, made of files alone: no native code, and no delay after a kill.
 *
 * The lock on `/a/volume` is the file `/a/volume.lock`; its content says who holds it (process, start time, boot,
 * thread, host). It is published by `link()` from a complete temporary file, so whoever sees it can read it. A lock whose
 * holder is dead (same host and boot, but the process is gone or its number is another's now; or the host has booted
 * since) is taken over at once.
 *
 * Taking over must leave exactly one of many racers as the holder. Every lock has a random token; the successor of
 * token T is whoever links its own file to `volume.lock.T` first:
 *
 * 1. Read `volume.lock`: token T. While the holder is dead, try to link `volume.lock.T`. If it exists, its content is
 *    the next holder to consider, with its own token: follow the chain. A living one anywhere on it holds the lock.
 * 2. After a link has succeeded, read `volume.lock` again: if it no longer names the token that the chain began with,
 *    somebody else finished a takeover and removed links; give the link up and begin again.
 * 3. Otherwise rename the temporary file over `volume.lock`, and only then remove the links of the chain.
 *
 * Links are removed only after step 3 has changed `volume.lock`, and tokens never come back. So a racer that passes
 * step 2 won a link that had never been there before: each token has one successor. A racer killed between the steps is
 * a dead holder on the chain. What else such a kill leaves beside the lock (a link of a finished chain, a
 * temporary file) is never looked at again.
 *
 * A worker thread that ends without closing leaves its lock to the process, which goes on. Its writes have returned by then: a thread waits
 * for them before it ends. So other threads of the process, and only those, look whether the thread is still there. Another process cannot
 * tell this from a process that is being killed while its writes are under way, and takes the lock to be held.
 *
 * Libraries that prove life by touching a file's time (`proper-lockfile`) keep a killed process's lock for seconds and
 * can lose a living one to a blocked event loop; long synchronous work is normal here. Where the platform tells neither
 * boot nor start time (other than Linux), only the process number is compared, and a reused one keeps the lock until
 * its file is removed by hand.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { DeviceError, LockedError } from '../errors.ts';

interface LockRecord {
  readonly format: 'outwrite-lock-1';
  readonly token: string;
  readonly pid: number;
  readonly host: string;
  readonly since: string;
  /** Identity of the boot, of the process's start in it and of the space its number is from; null where unknown. */
  readonly bootId: string | null;
  readonly startTime: string | null;
  readonly pidSpace: string | null;
  /** Number and start of the thread, as `number@start`; null where unknown. */
  readonly thread: string | null;
}

/** A dead lock without content: what a power cut leaves of a file that was never flushed. */
interface EmptyLock {
  readonly token: string;
  readonly empty: true;
}

const PLAUSIBLE_LOCK_BYTES = 4096;

/** After so many lost races something other than racing is wrong. */
const MAX_ATTEMPTS = 1000;

export interface FileLock {
  /** Gives the lock back; idempotent. Leaves a lock file that is no longer this lock's alone. */
  release(): void;
}

/**
 * Takes the lock of the file with the canonical path `realPath`, or throws a `LockedError` that names the holder.
 * Throws the platform's error if the directory does not allow it (`EACCES`, `EROFS`, ...).
 */
export function acquireFileLock(realPath: string): FileLock {
  const lockPath = `${realPath}.lock`;
  const mine = describeThisProcess();
  const temporaryPath = `${lockPath}.${mine.token}.new`;
  writeWhole(temporaryPath, `${JSON.stringify(mine)}\n`);
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (tryLink(temporaryPath, lockPath) || tryTakeOver({ realPath, lockPath, temporaryPath, mine })) {
        return new HeldFileLock(lockPath, mine.token);
      }
    }
    throw new DeviceError({ operation: 'open' }, `${lockPath} changes hands all the time; try again later`);
  } finally {
    removeIfThere(temporaryPath);
  }
}

/**
 * The lock of a file for those who cannot take it: a text that stays the same while nobody takes it. Throws a
 * `LockedError` while somebody holds it.
 */
export function observeFileLock(realPath: string): string {
  const lockPath = `${realPath}.lock`;
  const mine = describeThisProcess();
  let deadHolders = '';
  let path = lockPath;
  for (let holder = readLock(path); holder !== null; holder = readLock(path)) {
    refuseIfAlive(realPath, holder, mine);
    deadHolders += `${holder.token}\n`;
    path = `${lockPath}.${holder.token}`;
  }
  return deadHolders;
}

class HeldFileLock implements FileLock {
  readonly #lockPath: string;
  readonly #token: string;
  #held = true;

  constructor(lockPath: string, token: string) {
    this.#lockPath = lockPath;
    this.#token = token;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (readLock(this.#lockPath)?.token === this.#token) removeIfThere(this.#lockPath);
  }
}

/** One round of the protocol above. False: the situation changed meanwhile, begin again. */
function tryTakeOver(request: {
  realPath: string;
  lockPath: string;
  temporaryPath: string;
  mine: LockRecord;
}): boolean {
  const { realPath, lockPath, temporaryPath, mine } = request;
  const first = readLock(lockPath);
  if (first === null) return false;
  const chain: string[] = [];
  let holder: LockRecord | EmptyLock = first;
  for (;;) {
    refuseIfAlive(realPath, holder, mine);
    const linkPath = `${lockPath}.${holder.token}`;
    chain.push(linkPath);
    if (tryLink(temporaryPath, linkPath)) break;
    const next = readLock(linkPath);
    if (next === null) return false;
    holder = next;
  }
  if (readLock(lockPath)?.token !== first.token) {
    removeIfThere(chain.at(-1)!);
    return false;
  }
  renameSync(temporaryPath, lockPath);
  for (const linkPath of chain) removeIfThere(linkPath);
  return true;
}

function refuseIfAlive(realPath: string, holder: LockRecord | EmptyLock, mine: LockRecord): void {
  if ('empty' in holder || !mayBeAlive(holder, mine)) return;
  throw new LockedError(
    realPath,
    { pid: holder.pid, host: holder.host, since: holder.since },
    adviceAbout(holder, mine, `${realPath}.lock`),
  );
}

function adviceAbout(holder: LockRecord, mine: LockRecord, lockPath: string): string {
  if (!isOfThisProcess(holder, mine)) {
    return `close it there first, or, if you are certain that this process is gone, remove ${lockPath}`;
  }
  const advice = 'another thread of this process has it open; close it there first';
  return holder.thread !== null ? advice : `${advice}, or, if that thread has ended, remove ${lockPath}`;
}

/** Writes a new file, or leaves none: on a full disk one is made that stays empty. */
function writeWhole(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    try {
      unlinkSync(path);
    } catch {
      // None was made.
    }
    throw error;
  }
}

function tryLink(existingPath: string, newPath: string): boolean {
  try {
    linkSync(existingPath, newPath);
    return true;
  } catch (error) {
    if (platformCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (platformCode(error) !== 'ENOENT') throw error;
  }
}

/** The lock at `path`, or null if there is none. Throws if something else stands there: it is not ours to remove. */
function readLock(path: string): LockRecord | EmptyLock | null {
  let content: string;
  let emptyToken: string;
  try {
    const status = statSync(path);
    if (!status.isFile() || status.size > PLAUSIBLE_LOCK_BYTES) throw foreignLock(path);
    content = readFileSync(path, 'utf8');
    emptyToken = `empty-${status.ino}-${Math.floor(status.mtimeMs)}`;
  } catch (error) {
    if (platformCode(error) === 'ENOENT') return null;
    throw error;
  }
  if (/^\0*$/.test(content)) return { token: emptyToken, empty: true };
  let record: unknown;
  try {
    record = JSON.parse(content);
  } catch (error) {
    throw foreignLock(path, error);
  }
  if (!isLockRecord(record)) throw foreignLock(path);
  return record;
}

function foreignLock(path: string, cause?: unknown): DeviceError {
  return new DeviceError(
    { operation: 'open' },
    `${path} stands where a lock file belongs, but is none; move it out of the way`,
    cause === undefined ? {} : { cause },
  );
}

function isLockRecord(value: unknown): value is LockRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  const textOrNull = (field: unknown): boolean => field === null || typeof field === 'string';
  return (
    record.format === 'outwrite-lock-1' &&
    typeof record.token === 'string' &&
    /^[0-9a-f-]{36}$/.test(record.token) &&
    Number.isSafeInteger(record.pid) &&
    (record.pid as number) > 0 &&
    typeof record.host === 'string' &&
    typeof record.since === 'string' &&
    textOrNull(record.bootId) &&
    textOrNull(record.startTime) &&
    textOrNull(record.pidSpace) &&
    textOrNull(record.thread)
  );
}

function describeThisProcess(): LockRecord {
  return {
    format: 'outwrite-lock-1',
    token: randomUUID(),
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    bootId: readBootId(),
    startTime: readStartTime(process.pid),
    pidSpace: readPidSpace(),
    thread: readOwnThread(),
  };
}

/** Whether the process, or of this process the thread, that wrote `record` may still run; certain only when it says no. */
function mayBeAlive(record: LockRecord, mine: LockRecord): boolean {
  if (record.host !== mine.host) return true;
  if (record.bootId !== null && mine.bootId !== null && record.bootId !== mine.bootId) return false;
  // Process numbers of another container mean nothing here.
  if (record.pidSpace !== mine.pidSpace) return true;
  try {
    process.kill(record.pid, 0);
  } catch (error) {
    if (platformCode(error) === 'ESRCH') return false;
  }
  const startTime = readStartTime(record.pid);
  if (startTime !== null && record.startTime !== null && startTime !== record.startTime) return false;
  if (!isOfThisProcess(record, mine) || record.thread === null) return true;
  return readThread(record.thread.split('@')[0]!) === record.thread;
}

function isOfThisProcess(record: LockRecord, mine: LockRecord): boolean {
  return record.pid === mine.pid && record.host === mine.host && record.pidSpace === mine.pidSpace;
}

function readBootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}

/** What proc(5) says in `stat`, from field 3 on. The name in field 2 may contain spaces and parentheses. */
function readStatus(path: string): string[] {
  const status = readFileSync(path, 'utf8');
  return status.slice(status.lastIndexOf(')') + 2).split(' ');
}

/** Field 22, in clock ticks since the boot. */
function readStartTime(pid: number): string | null {
  try {
    const fields = readStatus(`/proc/${pid}/stat`);
    // A zombie has ended, though its parent has not asked yet, unless other threads of it (field 20) still wait for
    // their writes.
    if ((fields[0] === 'Z' || fields[0] === 'X') && Number(fields[17]) <= 1) return 'ended';
    return fields[19] ?? null;
  } catch {
    return null;
  }
}

/** The thread that runs this. The link reads `process/task/thread`. */
function readOwnThread(): string | null {
  try {
    return readThread(readlinkSync('/proc/thread-self').split('/')[2]!);
  } catch {
    return null;
  }
}

/** A thread of this process as locks name it; null if there is none of this number. */
function readThread(number: string): string | null {
  try {
    return `${number}@${readStatus(`/proc/self/task/${number}/stat`)[19]}`;
  } catch {
    return null;
  }
}

function readPidSpace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}

function platformCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

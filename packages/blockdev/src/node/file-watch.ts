/**
 * A file that is read without its lock, because none can be made beside it: nobody holds the lock when the watch
 * begins, and whether the file was changed since can be asked.
 *
 * It keeps nobody out. But who writes changes the file's times, and holds the lock as long as it may write; so if
 * neither differs after the last read, all reads saw one state of the file.
 */
import fs, { type BigIntStats } from 'node:fs';
import { LockedError } from '../errors.ts';
import { observeFileLock } from './file-lock.ts';

export class FileWatch {
  readonly #realPath: string;
  readonly #stamp: string;
  readonly #lock: string;

  /** `status` is that of the file, from before this call. Throws a `LockedError` while somebody holds the lock. */
  constructor(realPath: string, status: BigIntStats) {
    this.#realPath = realPath;
    this.#stamp = stampOf(status);
    this.#lock = observeFileLock(realPath);
  }

  /** Whether nobody has changed the file since the watch began, and nobody may be about to. */
  isUndisturbed(): boolean {
    try {
      if (observeFileLock(this.#realPath) !== this.#lock) return false;
    } catch (error) {
      if (error instanceof LockedError) return false;
      throw error;
    }
    const status = fs.statSync(this.#realPath, { bigint: true, throwIfNoEntry: false });
    return status !== undefined && stampOf(status) === this.#stamp;
  }
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

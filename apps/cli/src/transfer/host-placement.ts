/**
 * Putting files and links in their place on the host, whole or not at all.
 *
 * Everything is made under a temporary name in the directory where it belongs, given its mode and times, and then renamed, so no name
 * ever shows half a file, whenever the process ends. Names that are taken are replaced only when that was asked for, directories never.
 */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lchownSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandError } from '../failures.ts';
import { setFileTimes, setPathTimes } from './host-times.ts';
import { hostIdentity } from './host-tree.ts';
import { type Entry, entryOfStats, type OpenedFile } from './tree-source.ts';

export interface PlacementOptions {
  /** Whether files and links that are there already may be replaced. */
  readonly overwrite: boolean;
  /** The file of the volume that is read: it is not replaced in any case. */
  readonly volumeFile: string;
  /** Whether owner and group are restored, which takes privileges. */
  readonly restoreOwner: boolean;
  /** Whether each file is flushed to the disk. */
  readonly flushFiles: boolean;
  /** Called between two pieces of a large file, with the bytes done; may throw to stop. */
  readonly onPiece: (doneBytes: number) => Promise<void>;
}

const PIECE_BYTES = 4 * 1024 * 1024;

export class HostPlacement {
  readonly #options: PlacementOptions;
  readonly #volumeIdentity: string;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #temporaryNumber = 0;

  constructor(options: PlacementOptions) {
    this.#options = options;
    this.#volumeIdentity = hostIdentity(options.volumeFile);
  }

  async placeFile(file: OpenedFile, hostPath: string): Promise<void> {
    this.#checkFree(hostPath);
    const temporary = this.#temporaryPath(hostPath);
    try {
      const descriptor = openSync(temporary, 'wx', 0o600);
      try {
        await this.#writeContent(file, descriptor);
        const entry = file.entry();
        if (this.#options.restoreOwner) fchownSync(descriptor, entry.uid, entry.gid);
        fchmodSync(descriptor, entry.mode);
        setFileTimes(descriptor, entry);
        if (this.#options.flushFiles) fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, hostPath);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  placeSymlink(target: string, entry: Entry, hostPath: string): void {
    this.#place(hostPath, (temporary) => {
      symlinkSync(target, temporary);
      if (this.#options.restoreOwner) lchownSync(temporary, entry.uid, entry.gid);
      setPathTimes(temporary, entry);
    });
  }

  placeHardLink(existingHostPath: string, hostPath: string): void {
    this.#place(hostPath, (temporary) => linkSync(existingHostPath, temporary));
  }

  #place(hostPath: string, make: (temporary: string) => void): void {
    this.#checkFree(hostPath);
    const temporary = this.#temporaryPath(hostPath);
    try {
      make(temporary);
      renameSync(temporary, hostPath);
    } finally {
      // Also after a success: renaming one link of a file over another link of the same file does nothing at all.
      rmSync(temporary, { force: true });
    }
  }

  async #writeContent(file: OpenedFile, descriptor: number): Promise<void> {
    const { sizeBytes } = file.entry();
    let position = 0;
    while (position < sizeBytes) {
      const wantedBytes = Math.min(PIECE_BYTES, sizeBytes - position);
      const readBytes = file.read(position, this.#piece.subarray(0, wantedBytes));
      if (readBytes === 0) throw new CommandError(`ends after ${position} of ${sizeBytes} bytes`);
      let writtenBytes = 0;
      while (writtenBytes < readBytes) {
        writtenBytes += writeSync(descriptor, this.#piece, writtenBytes, readBytes - writtenBytes);
      }
      position += readBytes;
      if (position < sizeBytes) await this.#options.onPiece(position);
    }
  }

  #temporaryPath(hostPath: string): string {
    this.#temporaryNumber++;
    // Short, so that it can stand in for a name of the greatest length.
    return join(dirname(hostPath), `.outwrite-${process.pid}-${this.#temporaryNumber}`);
  }

  #checkFree(hostPath: string): void {
    const present = lstatSync(hostPath, { bigint: true, throwIfNoEntry: false });
    if (present === undefined) return;
    if (present.isDirectory()) throw new CommandError(`${hostPath} is a directory`);
    if (!this.#options.overwrite) throw new CommandError(`${hostPath} exists already; --overwrite replaces it`);
    if (entryOfStats(present).identity === this.#volumeIdentity) {
      throw new CommandError(`${hostPath} is the volume itself; choose another place for what comes out of it`);
    }
  }
}

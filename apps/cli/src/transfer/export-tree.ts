/**
 * Export: a directory tree of a volume onto the host's file system.
 *
 * Files and links appear whole or not at all (`host-placement.ts`). Directories get their modes and times when everything below them is done, because filling them changes
 * both. Hard links within the tree stay hard links. What the host refuses (a name that it cannot hold, a file in place of a
 * directory) and what is damaged in the volume is reported, and the rest goes on; a full disk ends the export.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CommandError, codeOf } from '../failures.ts';
import type { WorkAmount } from '../progress.ts';
import { HostPlacement } from './host-placement.ts';
import { setPathTimes } from './host-times.ts';
import { LeftOutTree } from './left-out-tree.ts';
import type { Entry, TreeSource } from './tree-source.ts';
import { countStep, emptyTotals, type Step, type TreeTotals, walkTree } from './tree-walk.ts';

export interface ExportRequest {
  readonly source: TreeSource;
  /** The host directory that becomes the root of the tree; its parent exists. */
  readonly target: string;
  /** Whether names that are there already may be replaced (files and links; directories are filled). */
  readonly overwrite: boolean;
  /** The file of the volume that is read. */
  readonly volumeFile: string;
  /** Whether owner and group are restored, which takes privileges. */
  readonly restoreOwner: boolean;
  /** Whether each file is flushed to the disk. */
  readonly flushFiles: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: ((done: WorkAmount) => void) | undefined;
  readonly onProblem?: ((path: string, error: unknown) => void) | undefined;
}

export interface ExportResult {
  readonly totals: TreeTotals;
  readonly problemCount: number;
  readonly milliseconds: number;
}

const YIELD_MILLISECONDS = 30;

/** Elsewhere a hard link to a symbolic link may become one to the file that it leads to. */
const CAN_LINK_SYMLINKS = process.platform === 'linux';

/** Failures after which nothing further would succeed. */
const ENDING_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'ECLOSED', 'ELATCHED', 'EMFILE']);

export async function exportTree(request: ExportRequest): Promise<ExportResult> {
  return await new Exporter(request).run();
}

class Exporter {
  readonly #request: ExportRequest;
  readonly #placement: HostPlacement;
  readonly #totals = emptyTotals();
  readonly #leftOut = new LeftOutTree();
  #problemCount = 0;
  #partialBytes = 0;
  #lastYieldTime = performance.now();

  constructor(request: ExportRequest) {
    this.#request = request;
    this.#placement = new HostPlacement({
      overwrite: request.overwrite,
      volumeFile: request.volumeFile,
      restoreOwner: request.restoreOwner,
      flushFiles: request.flushFiles,
      onPiece: async (doneBytes) => {
        this.#partialBytes = doneBytes;
        await this.#giveWay();
        request.signal.throwIfAborted();
      },
    });
  }

  async run(): Promise<ExportResult> {
    const startTime = performance.now();
    for (const step of walkTree(this.#request.source)) {
      await this.#takeStep(step);
      await this.#giveWay();
      this.#request.signal.throwIfAborted();
    }
    return { totals: this.#totals, problemCount: this.#problemCount, milliseconds: performance.now() - startTime };
  }

  async #takeStep(step: Step): Promise<void> {
    if (step.kind === 'problem') {
      this.#problem(step.path, step.error);
      return;
    }
    if (this.#leftOut.has(step.path)) return;
    try {
      await this.#apply(step);
      countStep(this.#totals, step);
    } catch (error) {
      const code = codeOf(error);
      // Without a code it is a fault of the program or the wish to stop, not a refusal.
      if (code === undefined && !(error instanceof CommandError)) throw error;
      if (code !== undefined && ENDING_CODES.has(code)) throw error;
      this.#problem(step.path, error);
      if (step.kind === 'enter') this.#leftOut.begin(step.path);
    }
  }

  #problem(path: string, error: unknown): void {
    this.#problemCount++;
    this.#request.onProblem?.(path, error);
  }

  #hostPath(path: string): string {
    return path === '' ? this.#request.target : join(this.#request.target, checkedPath(path));
  }

  async #apply(step: Exclude<Step, { kind: 'problem' }>): Promise<void> {
    const hostPath = this.#hostPath(step.path);
    switch (step.kind) {
      case 'enter':
        return makeDirectory(hostPath);
      case 'leave':
        return this.#finishDirectory(hostPath, step.entry);
      case 'symlink':
        return this.#placement.placeSymlink(step.target, step.entry, hostPath);
      case 'hard-link':
        return this.#makeHardLink(step, hostPath);
      case 'file':
        return await this.#copyFile(step.path, hostPath);
      case 'special':
        throw new CommandError('neither a file, a directory nor a symbolic link');
    }
  }

  #makeHardLink({ path, entry, firstPath }: Extract<Step, { kind: 'hard-link' }>, hostPath: string): void {
    if (entry.kind === 'symlink' && !CAN_LINK_SYMLINKS) {
      this.#placement.placeSymlink(this.#request.source.linkTarget(path), entry, hostPath);
    } else {
      this.#placement.placeHardLink(this.#hostPath(firstPath), hostPath);
    }
  }

  #finishDirectory(hostPath: string, entry: Entry): void {
    if (this.#request.restoreOwner) chownSync(hostPath, entry.uid, entry.gid);
    chmodSync(hostPath, entry.mode);
    setPathTimes(hostPath, entry);
  }

  async #copyFile(path: string, hostPath: string): Promise<void> {
    const file = this.#request.source.open(path);
    try {
      await this.#placement.placeFile(file, hostPath);
    } finally {
      this.#partialBytes = 0;
      file.close();
    }
  }

  async #giveWay(): Promise<void> {
    const now = performance.now();
    if (now - this.#lastYieldTime < YIELD_MILLISECONDS) return;
    this.#request.onProgress?.({
      sizeBytes: this.#totals.sizeBytes + this.#partialBytes,
      itemCount: this.#totals.itemCount,
    });
    await setImmediate();
    this.#lastYieldTime = performance.now();
  }
}

/** Makes a directory that only we can enter until it is complete; one that is there already is used. */
function makeDirectory(hostPath: string): void {
  try {
    mkdirSync(hostPath, { mode: 0o700 });
  } catch (error) {
    // A symbolic link to a directory does not count: what is exported stays below the target.
    if (codeOf(error) !== 'EEXIST' || !lstatSync(hostPath).isDirectory()) throw error;
  }
}

/** Refuses what would leave the target; a volume holds no such names, but a damaged one might seem to. */
function checkedPath(path: string): string {
  for (const name of path.split('/')) {
    if (
      name === '' ||
      name === '.' ||
      name === '..' ||
      name.includes('\0') ||
      (process.platform === 'win32' && name.includes('\\'))
    ) {
      throw new CommandError('has a name that cannot be exported');
    }
  }
  return path;
}

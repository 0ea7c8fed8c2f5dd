/**
 * Import: a directory tree of the host into a volume, with commits along the way.
 *
 * The tree is walked in the order of `tree-walk.ts` and each step is finished before the next begins. A file gets its content first and
 * its times last, so an entry whose size, mode and modification time agree with the source is complete: an import that was cut off is
 * finished by running it again, which skips those. What cannot be read, and names that the volume cannot hold, are reported and left
 * out; a failure of the volume itself (no space, a failed write) ends the import, and everything up to the last commit stays.
 *
 * A commit is started every so many bytes or steps; the walk goes on while it becomes durable, and waits for it before it starts the
 * next, so at most one is on its way.
 */
import { setImmediate } from 'node:timers/promises';
import { codeOf } from '../failures.ts';
import type { WorkAmount } from '../progress.ts';
import type { CliVolume } from '../volume-session.ts';
import type { ImportJournal } from './import-journal.ts';
import { LeftOutTree } from './left-out-tree.ts';
import type { Entry, OpenedFile, TreeSource } from './tree-source.ts';
import { countStep, emptyTotals, type Step, type TreeTotals, walkTree } from './tree-walk.ts';
import { volumeTree } from './volume-tree.ts';

export interface ImportRequest {
  readonly volume: CliVolume;
  readonly source: TreeSource;
  /** The directory of the volume that becomes the root of the tree; made when it is not there. */
  readonly target: string;
  /** A commit is started after this many bytes of content, ... */
  readonly commitBytes: number;
  /** ... or after this many entries that were not there already, whichever comes first. */
  readonly commitStepCount: number;
  readonly journal?: ImportJournal | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((done: WorkAmount) => void) | undefined;
  readonly onProblem?: ((path: string, error: unknown) => void) | undefined;
}

export interface ImportResult {
  /** What the volume now holds of the tree, old and new. */
  readonly totals: TreeTotals;
  /** Entries that were there already. */
  readonly skippedCount: number;
  /** Content copied by this run. */
  readonly copiedBytes: number;
  readonly problemCount: number;
  readonly commitCount: number;
  readonly milliseconds: number;
}

const PIECE_BYTES = 4 * 1024 * 1024;
const YIELD_MILLISECONDS = 30;

/** Failures that concern one entry; any other failure of the volume ends the import. */
const ENTRY_CODES: ReadonlySet<string> = new Set([
  'EEXIST',
  'EFBIG',
  'EINVAL',
  'EISDIR',
  'ELOOP',
  'EMLINK',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'ENOTEMPTY',
  'EPERM',
  'ETOOLARGE',
]);

/** The source could not be read; the volume is fine. */
class SourceError extends Error {}

export async function importTree(request: ImportRequest): Promise<ImportResult> {
  return await new Importer(request).run();
}

class Importer {
  readonly #request: ImportRequest;
  readonly #volume: CliVolume;
  readonly #target: TreeSource;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  readonly #totals = emptyTotals();
  readonly #leftOut = new LeftOutTree();
  #skippedCount = 0;
  #copiedBytes = 0;
  /** Of the file that is being copied. */
  #partialBytes = 0;
  #problemCount = 0;
  #commitCount = 0;
  #stepCount = 0;
  #bytesSinceCommit = 0;
  #stepsSinceCommit = 0;
  #durableDelta = 0;
  #commitUnderWay: Promise<void> | undefined;
  #lastYieldTime = performance.now();

  constructor(request: ImportRequest) {
    this.#request = request;
    this.#volume = request.volume;
    this.#target = volumeTree(request.volume, request.target);
  }

  async run(): Promise<ImportResult> {
    const startTime = performance.now();
    const { journal, source, target, signal } = this.#request;
    journal?.write({ event: 'start', source: source.fullPath(''), target, processId: process.pid });
    try {
      for (const step of walkTree(source)) {
        await this.#takeStep(step);
        signal.throwIfAborted();
      }
    } catch (error) {
      // What was done is kept, and acknowledged, if the volume can still do so; the first failure is the one to tell.
      await this.#lastCommit().catch(() => undefined);
      throw error;
    }
    await this.#lastCommit();
    journal?.write({ event: 'end', stepCount: this.#stepCount });
    return {
      totals: this.#totals,
      skippedCount: this.#skippedCount,
      copiedBytes: this.#copiedBytes,
      problemCount: this.#problemCount,
      commitCount: this.#commitCount,
      milliseconds: performance.now() - startTime,
    };
  }

  async #lastCommit(): Promise<void> {
    await this.#commit(null);
    await this.#commitUnderWay;
  }

  async #takeStep(step: Step): Promise<void> {
    if (step.kind === 'problem') {
      this.#problem(step.path, step.error);
    } else if (!this.#leftOut.has(step.path)) {
      try {
        const skippedBefore = this.#skippedCount;
        await this.#apply(step);
        countStep(this.#totals, step);
        if (step.kind !== 'leave' && this.#skippedCount === skippedBefore) this.#stepsSinceCommit++;
      } catch (error) {
        const isOfSource = error instanceof SourceError;
        if (!isOfSource && !ENTRY_CODES.has(codeOf(error) ?? '')) throw error;
        this.#problem(step.path, isOfSource ? error.cause : error);
        if (step.kind === 'enter') this.#leftOut.begin(step.path);
      }
    }
    this.#stepCount++;
    await this.#afterWork(null);
  }

  #problem(path: string, error: unknown): void {
    this.#problemCount++;
    this.#request.onProblem?.(path, error);
  }

  async #apply(step: Exclude<Step, { kind: 'problem' }>): Promise<void> {
    const existing = this.#existing(step.path);
    switch (step.kind) {
      case 'enter':
        return this.#makeDirectory(step.path, step.entry, existing);
      case 'leave':
        return this.#setTimes(step.path, step.entry, existing);
      case 'symlink':
        return this.#makeSymlink(step.path, step.entry, step.target, existing);
      case 'hard-link':
        return await this.#makeHardLink(step, existing);
      case 'file':
        return await this.#copyFile(step.path, step.entry, existing);
      case 'special':
        throw new SourceError('special', { cause: new Error('neither a file, a directory nor a symbolic link') });
    }
  }

  #existing(path: string): Entry | undefined {
    try {
      return this.#target.entry(path);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  #makeDirectory(path: string, entry: Entry, existing: Entry | undefined): void {
    const fullPath = this.#target.fullPath(path);
    if (existing === undefined) this.#volume.fs.mkdirSync(fullPath, { mode: entry.mode, recursive: path === '' });
    else if (existing.kind === 'directory') this.#skippedCount += path === '' ? 0 : 1;
    else this.#volume.fs.mkdirSync(fullPath);
    if (existing?.mode !== entry.mode) this.#volume.fs.chmodSync(fullPath, entry.mode);
    this.#setOwner(fullPath, entry, existing);
  }

  #setOwner(fullPath: string, entry: Entry, existing: Entry | undefined): void {
    if (existing !== undefined && existing.uid === entry.uid && existing.gid === entry.gid) return;
    this.#volume.fs.lchownSync(fullPath, entry.uid, entry.gid);
  }

  #setTimes(path: string, entry: Entry, existing: Entry | undefined): void {
    if (existing?.mtimeNs === entry.mtimeNs) return;
    this.#volume.fs.lutimesSync(this.#target.fullPath(path), entry.atimeNs, entry.mtimeNs);
  }

  #makeSymlink(path: string, entry: Entry, target: string, existing: Entry | undefined): void {
    const fullPath = this.#target.fullPath(path);
    if (existing?.kind === 'symlink' && this.#target.linkTarget(path) === target) {
      this.#skippedCount++;
    } else {
      if (existing !== undefined) this.#volume.fs.unlinkSync(fullPath);
      this.#volume.fs.symlinkSync(target, fullPath);
      this.#setOwner(fullPath, entry, undefined);
    }
    this.#setTimes(path, entry, existing);
  }

  async #makeHardLink(step: Extract<Step, { kind: 'hard-link' }>, existing: Entry | undefined): Promise<void> {
    const first = this.#existing(step.firstPath);
    // The first path could not be brought over; this one may be readable.
    if (first === undefined) return await this.#copyLinked(step.path, step.entry, existing);
    if (existing?.identity === first.identity) {
      this.#skippedCount++;
      return;
    }
    const fullPath = this.#target.fullPath(step.path);
    if (existing !== undefined) this.#volume.fs.unlinkSync(fullPath);
    this.#volume.fs.linkSync(this.#target.fullPath(step.firstPath), fullPath);
  }

  async #copyLinked(path: string, entry: Entry, existing: Entry | undefined): Promise<void> {
    if (entry.kind === 'file') return await this.#copyFile(path, entry, existing);
    const target = ofSource(() => this.#request.source.linkTarget(path));
    this.#makeSymlink(path, entry, target, existing);
  }

  async #copyFile(path: string, entry: Entry, existing: Entry | undefined): Promise<void> {
    if (existing?.kind === 'file' && isComplete(entry, existing)) {
      this.#skippedCount++;
      return;
    }
    const fullPath = this.#target.fullPath(path);
    // Other names of the old file, and whatever a link points to, are not to change.
    const isReplaced = existing !== undefined && (existing.kind !== 'file' || existing.linkCount > 1);
    const file = ofSource(() => this.#request.source.open(path));
    try {
      if (isReplaced) this.#volume.fs.unlinkSync(fullPath);
      const descriptor = this.#volume.fs.openSync(fullPath, 'w', entry.mode);
      try {
        await this.#copyContent(path, file, descriptor);
        const opened = ofSource(() => file.entry());
        this.#volume.fs.fchmodSync(descriptor, opened.mode);
        this.#volume.fs.fchownSync(descriptor, opened.uid, opened.gid);
        this.#volume.fs.futimesSync(descriptor, opened.atimeNs, opened.mtimeNs);
      } catch (error) {
        this.#discard(fullPath);
        throw error;
      } finally {
        this.#volume.fs.closeSync(descriptor);
      }
    } finally {
      this.#partialBytes = 0;
      file.close();
    }
  }

  /** Takes away a file that was not finished: a part of a file is worse than none. */
  #discard(fullPath: string): void {
    try {
      this.#volume.fs.unlinkSync(fullPath);
    } catch {
      // The volume fails, too: then its last commit decides, and the next run finds the file incomplete.
    }
  }

  async #copyContent(path: string, file: OpenedFile, descriptor: number): Promise<void> {
    const before = ofSource(() => file.entry());
    let position = 0;
    for (;;) {
      const wantedBytes = Math.min(PIECE_BYTES, before.sizeBytes - position);
      if (wantedBytes === 0) break;
      const piece = this.#piece.subarray(0, wantedBytes);
      const readBytes = ofSource(() => file.read(position, piece));
      if (readBytes === 0) break;
      this.#volume.fs.writeSync(descriptor, piece, 0, readBytes, position);
      position += readBytes;
      this.#copiedBytes += readBytes;
      this.#partialBytes = position;
      this.#bytesSinceCommit += readBytes;
      if (position < before.sizeBytes) {
        await this.#afterWork(path);
        this.#request.signal.throwIfAborted();
      }
    }
    const after = ofSource(() => file.entry());
    if (position !== before.sizeBytes || after.sizeBytes !== before.sizeBytes || after.mtimeNs !== before.mtimeNs) {
      throw new SourceError('changed', { cause: new Error('it changed while it was being read') });
    }
  }

  /** Between two pieces of work: starts a commit if one is due, and lets progress, signals and finished commits have their turn. */
  async #afterWork(partialPath: string | null): Promise<void> {
    const { commitBytes, commitStepCount, onProgress } = this.#request;
    if (this.#bytesSinceCommit >= commitBytes || this.#stepsSinceCommit >= commitStepCount) {
      await this.#commit(partialPath);
    }
    const now = performance.now();
    if (now - this.#lastYieldTime < YIELD_MILLISECONDS) return;
    onProgress?.({
      sizeBytes: this.#totals.sizeBytes + this.#partialBytes,
      itemCount: this.#totals.itemCount,
    });
    await setImmediate();
    this.#lastYieldTime = performance.now();
  }

  async #commit(partialPath: string | null): Promise<void> {
    await this.#commitUnderWay;
    const stepCount = this.#stepCount;
    const { journal } = this.#request;
    this.#bytesSinceCommit = 0;
    this.#stepsSinceCommit = 0;
    journal?.write({ event: 'committing', stepCount, partialPath });
    this.#commitUnderWay = this.#volume.commit().then((delta) => {
      if (delta !== this.#durableDelta) this.#commitCount++;
      this.#durableDelta = delta;
      journal?.write({ event: 'durable', stepCount, delta });
    });
    // It is awaited before the next commit and at the end; until then a failure is not an unhandled one.
    this.#commitUnderWay.catch(() => undefined);
  }
}

/** Whether the entry in the volume was finished by an earlier run. */
function isComplete(entry: Entry, existing: Entry): boolean {
  return existing.sizeBytes === entry.sizeBytes && existing.mtimeNs === entry.mtimeNs && existing.mode === entry.mode;
}

function ofSource<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new SourceError('source', { cause: error });
  }
}

/**
 * The course of the demonstration, step by step, each told in a line or two.
 *
 * 1. Import the tree with commits along the way, check.
 * 2. Import it into a second volume in a child process, kill that with SIGKILL at a random moment, reopen, say what was recovered, check,
 *    and hold the content against the journal that the child left: it must be exactly the state of an acknowledged commit or a later one.
 * 3. Finish the import. 4. Overwrite random ranges with the same bytes. 5. Compare the volume with the source, export it, compare that.
 *
 * Everything lies in one temporary directory, which is removed at the end.
 */
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVolume, openVolume } from '@outwrite/volume/node';
import { CommandError, messageOf } from '../failures.ts';
import type { Output } from '../output.ts';
import { Progress, type WorkAmount } from '../progress.ts';
import {
  formatCount,
  formatCounted,
  formatDuration,
  formatPercent,
  formatRate,
  formatSize,
  parseSize,
} from '../quantities.ts';
import { recoveryText } from '../recovery-text.ts';
import { exportTree } from '../transfer/export-tree.ts';
import { HOST_TIME_TOLERANCE_NS } from '../transfer/host-times.ts';
import { hostTree } from '../transfer/host-tree.ts';
import { acknowledgedStepCount, type JournalLine, readJournal } from '../transfer/import-journal.ts';
import { importTree } from '../transfer/import-tree.ts';
import { type Difference, TreeComparison } from '../transfer/tree-comparison.ts';
import type { TreeSource } from '../transfer/tree-source.ts';
import { type TreeTotals, totalsOf } from '../transfer/tree-walk.ts';
import { volumeTree } from '../transfer/volume-tree.ts';
import { type CliVolume, closeAfter } from '../volume-session.ts';
import { DemoTable, type Work } from './demo-table.ts';
import { importAndKill } from './importing-process.ts';
import { findPrefix } from './prefix-check.ts';
import { rewriteInPlace } from './rewrite-in-place.ts';
import { SeededRandom } from './seeded-random.ts';

export interface DemoRequest {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly signal: AbortSignal;
  readonly sourcePath: string;
  readonly seed: number;
  readonly killCount: number;
  readonly keepsFiles: boolean;
  /** Flags of Node for the importing process. */
  readonly nodeFlags: readonly string[];
}

const COMMIT_EVERY = '2M';
const COMMIT_BYTES: number = parseSize(COMMIT_EVERY);
const COMMIT_STEPS = 200;
/** Commits are asked for where the state makes sense, not by the clock or by size. */
const SESSION = { autoCommitMilliseconds: 0, autoCommitBytes: 0 } as const;
const REWRITTEN_RANGES = 2000;
const KILL_ATTEMPTS = 5;
const SHOWN_DIFFERENCES = 20;
/** Volume and exported tree, beside the volume of the first import while that is there. */
const SPACE_FACTOR = 2.5;

/** Runs the demonstration; whether everything was as it has to be. */
export async function runDemo(request: DemoRequest): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'outwrite-demo-'));
  try {
    return await new Demo(request, folder).run();
  } finally {
    if (request.keepsFiles) request.stdout.line(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

class Demo {
  readonly #request: DemoRequest;
  readonly #folder: string;
  readonly #secondFile: string;
  readonly #source: TreeSource;
  readonly #random: SeededRandom;
  readonly #table = new DemoTable();
  readonly #startNs = BigInt(Date.now()) * 1_000_000n;
  #totals!: TreeTotals;
  /** The journals of all killed imports, and what they promise. */
  readonly #journalLines: JournalLine[] = [];
  #acknowledgedSteps = 0;
  #failureCount = 0;
  #notComparedCount = 0;

  constructor(request: DemoRequest, folder: string) {
    this.#request = request;
    this.#folder = folder;
    this.#secondFile = join(folder, 'second.ow');
    this.#source = hostTree(request.sourcePath);
    this.#random = new SeededRandom(request.seed);
  }

  async run(): Promise<boolean> {
    const { seed, sourcePath, killCount } = this.#request;
    const startTime = performance.now();
    this.#totals = totalsOf(this.#source);
    const { fileCount, directoryCount, symlinkCount, sizeBytes } = this.#totals;
    this.#say(`Outwrite demo, seed ${seed} (the same again: npm run demo -- --seed ${seed})`);
    this.#tell(
      `source: ${sourcePath}: ${formatCounted(fileCount, 'file')}, ${formatCounted(directoryCount, 'directory', 'directories')}, ` +
        `${formatCounted(symlinkCount, 'symbolic link')}, ${formatSize(sizeBytes)}`,
    );
    this.#checkSpace();

    this.#say(`1. Import, with a commit every ${formatSize(COMMIT_BYTES)} or ${formatCount(COMMIT_STEPS)} entries`);
    const importMilliseconds = await this.#importAll();

    this.#say('2. Import again, into a second volume, in a process that is killed');
    await this.#killImports(importMilliseconds, killCount);

    this.#say('3. Run the same import again, to the end');
    await this.#withSecond((volume) => this.#importInto(volume, 'rest of import'));

    this.#say('4. Overwrite in the middle of files, with the same bytes');
    await this.#withSecond((volume) => this.#rewrite(volume));

    this.#say('5. Compare the volume with the source, export it, compare again');
    await this.#withSecond((volume) => this.#exportAndCompare(volume));

    this.#say('');
    for (const line of this.#table.lines()) this.#say(line);
    this.#say(
      'data redirects: blocks of files that got a new place instead of being overwritten; node redirects: tree nodes',
    );
    this.#say('');
    const elapsed = formatDuration(performance.now() - startTime);
    if (this.#failureCount === 0) this.#say(`No difference found; all of it took ${elapsed}.`);
    else
      this.#say(
        `FAILED: ${formatCounted(this.#failureCount, 'difference or finding', 'differences or findings')}; ${elapsed}.`,
      );
    return this.#failureCount === 0;
  }

  /** A heading. */
  #say(text: string): void {
    this.#request.stdout.line(text);
  }

  /** What was seen. */
  #tell(text: string): void {
    this.#request.stdout.line(`   ${text}`);
  }

  #fail(text: string): void {
    this.#failureCount++;
    if (this.#failureCount <= SHOWN_DIFFERENCES) this.#request.stdout.line(`   WRONG: ${text}`);
  }

  #checkSpace(): void {
    const { bavail, bsize } = statfsSync(this.#folder);
    const neededBytes = Math.ceil(this.#totals.sizeBytes * SPACE_FACTOR);
    if (bavail * bsize >= neededBytes) return;
    throw new CommandError(
      `the demo needs about ${formatSize(neededBytes)} in ${tmpdir()}, there are ${formatSize(bavail * bsize)}; ` +
        'set TMPDIR to a place with more, or take a smaller tree with --source',
    );
  }

  async #withSecond(use: (volume: CliVolume) => Promise<unknown>): Promise<void> {
    await closeAfter(await openVolume(this.#secondFile, SESSION), use);
  }

  async #importAll(): Promise<number> {
    const file = join(this.#folder, 'first.ow');
    const milliseconds = await closeAfter(await createVolume(file, SESSION), async (volume) => {
      const work = await this.#importInto(volume, 'import');
      this.#check(volume);
      return work.milliseconds;
    });
    if (!this.#request.keepsFiles) rmSync(file);
    return milliseconds;
  }

  async #importInto(volume: CliVolume, row: string): Promise<Work> {
    return await this.#table.measure(row, volume, async () => {
      const result = await this.#withProgress('import', (onProgress) =>
        importTree({
          volume,
          source: this.#source,
          target: '/',
          commitBytes: COMMIT_BYTES,
          commitStepCount: COMMIT_STEPS,
          signal: this.#request.signal,
          onProgress,
          onProblem: (path, error) => this.#fail(`${path}: ${messageOf(error)}`),
        }),
      );
      const { totals, copiedBytes, skippedCount, commitCount, milliseconds } = result;
      const skipped = skippedCount === 0 ? '' : `, ${formatCount(skippedCount)} entries were there already`;
      this.#tell(
        `${formatSize(copiedBytes)} in ${formatDuration(milliseconds)} (${formatRate(copiedBytes, milliseconds)}), ` +
          `${formatCounted(commitCount, 'commit')}${skipped}`,
      );
      return { fileCount: totals.fileCount, sizeBytes: copiedBytes, milliseconds };
    });
  }

  async #withProgress<T>(label: string, work: (onProgress: (done: WorkAmount) => void) => Promise<T>): Promise<T> {
    const progress = new Progress(this.#request.stderr, label, this.#totals);
    try {
      return await work((done) => progress.update(done));
    } finally {
      progress.finish();
    }
  }

  /** Kills `killCount` imports into the second volume, each going on from the one before. */
  async #killImports(importMilliseconds: number, killCount: number): Promise<void> {
    let leftMilliseconds = importMilliseconds;
    for (let kill = 1; kill <= killCount; kill++) {
      const journalFile = join(this.#folder, `journal-${kill}.jsonl`);
      if (!(await this.#importAndKill(journalFile, leftMilliseconds))) return;
      const completeFraction = await this.#lookAtTheRest(journalFile);
      leftMilliseconds = importMilliseconds * (1 - completeFraction);
    }
  }

  /**
   * Starts an import and kills it at a random moment of the time that it is expected to take. A process that was faster than that is no
   * use: then the volume is taken away and another one is killed earlier. False if none was slow enough.
   */
  async #importAndKill(journalFile: string, expectedMilliseconds: number): Promise<boolean> {
    let moment = expectedMilliseconds * (0.05 + 0.9 * this.#random.fraction());
    for (let attempt = 1; attempt <= KILL_ATTEMPTS; attempt++) {
      const end = await importAndKill(
        {
          volumeFile: this.#secondFile,
          sourcePath: this.#request.sourcePath,
          journalFile,
          commitEvery: COMMIT_EVERY,
          commitSteps: COMMIT_STEPS,
          nodeFlags: this.#request.nodeFlags,
        },
        moment,
      );
      this.#request.signal.throwIfAborted();
      if (end.kind === 'killed') {
        this.#tell(
          `SIGKILL ${formatDuration(moment)} after it began; it was expected to take ${formatDuration(expectedMilliseconds)}`,
        );
        return true;
      }
      if (end.exitCode !== 0) throw new CommandError(`the importing process ended with exit code ${end.exitCode}`);
      this.#tell(
        `it had ended before the kill at ${formatDuration(moment)}; once more, from nothing, with half the time`,
      );
      rmSync(this.#secondFile);
      rmSync(journalFile);
      moment /= 2;
    }
    this.#fail('no importing process could be killed in time');
    return false;
  }

  /** Opens what the killed process left, and returns the share of the import that it holds. */
  async #lookAtTheRest(journalFile: string): Promise<number> {
    const lines = readJournal(journalFile);
    const openTime = performance.now();
    return await closeAfter(openVolume(this.#secondFile, SESSION), (volume) => {
      this.#tell(`reopened in ${formatDuration(performance.now() - openTime)}: ${recoveryText(volume.recovery)}`);
      this.#check(volume);
      return this.#comparePrefix(volume, lines);
    });
  }

  #comparePrefix(volume: CliVolume, lines: readonly JournalLine[]): number {
    this.#journalLines.push(...lines);
    this.#acknowledgedSteps = Math.max(this.#acknowledgedSteps, acknowledgedStepCount(lines));
    const acknowledged = this.#acknowledgedSteps;
    const state = findPrefix(this.#source, volumeTree(volume, '/'), this.#startNs);
    for (const difference of state.differences) this.#difference(difference);
    const { completeSteps, totalSteps, partialPath, comparedBytes } = state;
    this.#tell(
      `acknowledged before the kill: ${formatCount(acknowledged)} of ${formatCount(totalSteps)} steps; ` +
        `found: ${formatCount(completeSteps)} (${formatPercent(completeSteps, totalSteps)}), ${formatSize(comparedBytes)} compared`,
    );
    if (completeSteps < acknowledged)
      this.#fail(`the volume holds ${completeSteps} steps, ${acknowledged} were acknowledged`);
    const isAsked = this.#journalLines.some((line) => line.event === 'committing' && line.stepCount === completeSteps);
    if (partialPath !== undefined) {
      this.#tell(`that is a commit in the middle of ${partialPath}, at or after the last acknowledged one`);
    } else if (completeSteps === acknowledged) {
      this.#tell('that is exactly the last acknowledged commit');
    } else if (isAsked) {
      this.#tell('that is a later commit, durable but not yet acknowledged when the process died');
    } else {
      this.#tell('that is a later commit, made by the volume itself to bound what is dirty');
    }
    return completeSteps / totalSteps;
  }

  #check(volume: CliVolume): void {
    let findingCount = 0;
    for (const finding of volume.check()) {
      if (finding.severity !== 'error') continue;
      findingCount++;
      this.#fail(`check: ${finding.message}`);
    }
    if (findingCount === 0) this.#tell('check: clean');
  }

  async #rewrite(volume: CliVolume): Promise<void> {
    await this.#table.measure('overwrite', volume, async () => {
      const result = await rewriteInPlace(volume, volumeTree(volume, '/'), this.#random, REWRITTEN_RANGES);
      const { rangeCount, fileCount, sizeBytes, commitCount, milliseconds } = result;
      this.#tell(
        `${formatCounted(rangeCount, 'range')} in ${formatCounted(fileCount, 'file')}, ${formatSize(sizeBytes)} in ` +
          `${formatDuration(milliseconds)}, ${formatCounted(commitCount, 'commit')}`,
      );
      return { fileCount, sizeBytes, milliseconds };
    });
    this.#check(volume);
  }

  async #exportAndCompare(volume: CliVolume): Promise<void> {
    const tree = volumeTree(volume, '/');
    this.#compare('volume and source agree in every byte, mode, link and nanosecond', tree, 0n);
    const target = join(this.#folder, 'exported');
    await this.#table.measure('export', volume, async () => {
      const { totals, milliseconds } = await this.#withProgress('export', (onProgress) =>
        exportTree({
          source: tree,
          target,
          volumeFile: this.#secondFile,
          overwrite: false,
          restoreOwner: false,
          flushFiles: false,
          signal: this.#request.signal,
          onProgress,
          onProblem: (path, error) => this.#fail(`${path}: ${messageOf(error)}`),
        }),
      );
      this.#tell(
        `exported ${formatSize(totals.sizeBytes)} in ${formatDuration(milliseconds)} (${formatRate(totals.sizeBytes, milliseconds)})`,
      );
      return { fileCount: totals.fileCount, sizeBytes: totals.sizeBytes, milliseconds };
    });
    this.#compare(
      'exported tree and source agree in every byte, mode, link and time (to the microsecond that Node can set)',
      hostTree(target),
      HOST_TIME_TOLERANCE_NS,
    );
  }

  #compare(agreement: string, actual: TreeSource, timeToleranceNs: bigint): void {
    const comparison = new TreeComparison(this.#source, actual, { timeToleranceNs });
    const failuresBefore = this.#failureCount;
    const notComparedBefore = this.#notComparedCount;
    for (const difference of comparison.differences()) this.#difference(difference);
    if (this.#failureCount > failuresBefore) return;
    const apart = this.#notComparedCount > notComparedBefore ? ' (apart from what the source has changed)' : '';
    this.#tell(
      `${agreement}${apart}: ${formatCount(comparison.entryCount)} entries, ${formatSize(comparison.comparedBytes)}`,
    );
  }

  /** A difference is wrong, unless it is the source that has changed since the demo began. */
  #difference({ path, problem }: Difference): void {
    const text = `${path === '' ? '/' : path} ${problem}`;
    if (!this.#hasChangedInSource(path)) {
      this.#fail(text);
      return;
    }
    this.#notComparedCount++;
    this.#tell(`not compared, the source has changed meanwhile: ${text}`);
  }

  #hasChangedInSource(path: string): boolean {
    try {
      return this.#source.entry(path).mtimeNs >= this.#startNs;
    } catch {
      // It is there no longer, or never was: then its directory tells whether names have changed.
      return path !== '' && this.#hasChangedInSource(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
    }
  }
}

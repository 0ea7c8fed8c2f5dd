/**
 * A run: rounds of workloads, in each of which the engines take turns.
 *
 * Who begins moves on by one each round, so that no engine is always the one that runs after a heavy neighbour. A failure (an engine that
 * throws, a process that dies, results that differ) is recorded and the run goes on.
 *
 * Lifecycle of its folders: one on the disk under test and one in memory, made at the start and removed at the end, whatever happens.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChildOptions, runInChild } from './child.ts';
import type { EngineDescription } from './engine.ts';
import { engineNamed } from './engines/registry.ts';
import { writeOutFileSystem } from './file-cache.ts';
import type { WorkJob } from './job.ts';
import { describeMachine, memoryFolder } from './machine.ts';
import { type EngineReport, type Failure, type Figure, RESULTS_VERSION, type Results } from './results.ts';
import type { ScaleName } from './scale.ts';
import { takesPart, type Workload } from './workload.ts';

export interface RunOptions {
  readonly workloads: readonly Workload[];
  readonly scale: ScaleName;
  readonly rounds: number;
  /** No further round is begun when the one before says that this would be exceeded. */
  readonly limitSeconds?: number;
  /** Engines to run; all when absent. */
  readonly engineIds?: readonly string[];
  /** Where the disk under test is; the system's folder for temporary files when absent. */
  readonly folder?: string;
  readonly child?: ChildOptions;
  /** Told before each measurement. */
  readonly progress?: (step: {
    round: number;
    workload: string;
    engineId: string;
    done: number;
    total: number;
  }) => void;
}

/** The engines of this machine, with the reason for each that does not work. */
export async function probeEngines(child: ChildOptions = {}): Promise<readonly EngineReport[]> {
  const result = await runInChild({ kind: 'probe' }, child);
  if (result.kind !== 'engines') throw new Error(result.kind === 'error' ? result.message : 'the probe gave no answer');
  return result.engines;
}

class Run {
  readonly #options: RunOptions;
  readonly #folders: { readonly disk: string; readonly memory: string | null };
  readonly #bases = new Map<string, string>();
  readonly figures: Figure[] = [];
  readonly failures: Failure[] = [];

  constructor(options: RunOptions) {
    this.#options = options;
    const inMemory = memoryFolder();
    this.#folders = {
      disk: mkdtempSync(join(options.folder ?? tmpdir(), 'outwrite-bench-')),
      memory: inMemory === null ? null : mkdtempSync(join(inMemory, 'outwrite-bench-')),
    };
  }

  get diskFolder(): string {
    return this.#folders.disk;
  }

  removeFolders(): void {
    rmSync(this.#folders.disk, { recursive: true, force: true });
    if (this.#folders.memory !== null) rmSync(this.#folders.memory, { recursive: true, force: true });
  }

  /** A base is made once for each engine, then copied for each measurement that starts from it. */
  async #baseFolder(workload: Workload, engine: EngineDescription): Promise<string> {
    const baseName = `${workload.base!.name}-${engine.id}`;
    const made = this.#bases.get(baseName);
    if (made !== undefined) return made;
    const folder = join(this.#placeOf(engine), `base-${baseName}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    await this.#work({ kind: 'base', ...this.#job(workload, engine, folder) });
    this.#bases.set(baseName, folder);
    return folder;
  }

  #placeOf(engine: EngineDescription): string {
    return engine.place === 'memory' ? this.#folders.memory! : this.#folders.disk;
  }

  #job(workload: Workload, engine: EngineDescription, folder: string): WorkJob {
    return { workload: workload.name, engineId: engine.id, scale: this.#options.scale, folder };
  }

  async #work(job: WorkJob & { kind: 'base' | 'crash' }): Promise<void> {
    const result = await runInChild(job, this.#options.child);
    if (result.kind === 'error') throw new Error(`${job.kind}: ${result.message}`);
  }

  /** One measurement from an empty folder to its figures. */
  async measure(workload: Workload, engine: EngineDescription, round: number): Promise<void> {
    const folder = join(this.#placeOf(engine), 'work');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    try {
      if (workload.base !== undefined) {
        cpSync(await this.#baseFolder(workload, engine), folder, { recursive: true });
      }
      if (workload.crash !== undefined) await this.#work({ kind: 'crash', ...this.#job(workload, engine, folder) });
      // What came before must not be written out on the time of what is measured.
      if (workload.base !== undefined && engine.place === 'disk') writeOutFileSystem(folder);
      const job = {
        kind: 'measure',
        round,
        checkResults: round === 1,
        ...this.#job(workload, engine, folder),
      } as const;
      const result = await runInChild(job, this.#options.child);
      if (result.kind === 'figures') this.figures.push(...result.figures);
      else this.#fail(workload.name, engine.id, round, result.kind === 'error' ? result.message : 'no figures');
    } catch (error) {
      this.#fail(workload.name, engine.id, round, error instanceof Error ? error.message : String(error));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  #fail(caseName: string, engineId: string, round: number, message: string): void {
    this.failures.push({ caseName, engineId, round, message });
  }
}

/** Engines whose result differs from that of most, for each case and round. */
export function differingResults(figures: readonly Figure[]): Failure[] {
  const groups = new Map<string, Figure[]>();
  for (const figure of figures) {
    if (figure.resultHash === null) continue;
    const group = `${figure.caseName} ${figure.round}`;
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [figure]);
    else members.push(figure);
  }
  const failures: Failure[] = [];
  for (const members of groups.values()) {
    const counts = new Map<string, number>();
    for (const { resultHash } of members) counts.set(resultHash!, (counts.get(resultHash!) ?? 0) + 1);
    if (counts.size < 2) continue;
    const usual = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
    for (const { caseName, engineId, round, resultHash } of members) {
      if (resultHash === usual) continue;
      failures.push({ caseName, engineId, round, message: `result ${resultHash} differs from ${usual} of the others` });
    }
  }
  return failures;
}

/** Runs the workloads and returns everything measured. */
export async function run(options: RunOptions): Promise<Results> {
  const startedAt = new Date();
  const engines = await probeEngines(options.child);
  const wanted = engines.filter((engine) => options.engineIds?.includes(engine.id) ?? true);
  const working = wanted.filter((engine) => engine.problem === null).map((engine) => engineNamed(engine.id));
  const state = new Run(options);
  const removeAndLeave = (): void => {
    state.removeFolders();
    process.exit(130);
  };
  process.once('SIGINT', removeAndLeave);
  try {
    const machine = describeMachine(state.diskFolder);
    const turns = options.workloads.flatMap((workload) => working.filter((engine) => takesPart(engine, workload)));
    const total = turns.length * options.rounds;
    let done = 0;
    let round = 1;
    for (; round <= options.rounds; round++) {
      if (round > 1 && isTooLate(startedAt, round, options.limitSeconds)) break;
      for (const workload of options.workloads) {
        const partners = working.filter((engine) => takesPart(engine, workload));
        for (let i = 0; i < partners.length; i++) {
          const engine = partners[(i + round - 1) % partners.length]!;
          options.progress?.({ round, workload: workload.name, engineId: engine.id, done, total });
          await state.measure(workload, engine, round);
          done++;
        }
      }
    }
    return {
      resultsVersion: RESULTS_VERSION,
      startedAt: startedAt.toISOString(),
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      scale: options.scale,
      rounds: round - 1,
      machine,
      engines: wanted,
      figures: inOrder(state.figures, options.workloads),
      failures: [...state.failures, ...differingResults(state.figures)],
    };
  } finally {
    process.removeListener('SIGINT', removeAndLeave);
    state.removeFolders();
  }
}

/** Whether another round, as long as those before on the average, would end after the limit. */
function isTooLate(startedAt: Date, round: number, limitSeconds: number | undefined): boolean {
  if (limitSeconds === undefined) return false;
  const elapsedSeconds = (Date.now() - startedAt.getTime()) / 1000;
  return elapsedSeconds + elapsedSeconds / (round - 1) > limitSeconds;
}

/** Sorted by workload, case and round, as a reader expects them. */
function inOrder(figures: readonly Figure[], workloads: readonly Workload[]): Figure[] {
  const order = new Map<string, number>();
  for (const workload of workloads) {
    for (const { name } of workload.cases) {
      order.set(name === '' ? workload.name : `${workload.name}/${name}`, order.size);
    }
  }
  return [...figures].sort((a, b) => order.get(a.caseName)! - order.get(b.caseName)! || a.round - b.round);
}

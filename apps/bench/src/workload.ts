/**
 * A workload: a piece of work that each engine does in a process of its own, with one figure for each of its cases.
 *
 * Lifecycle of one measurement: the parent makes a fresh folder; a *base*, if the workload names one, is copied into it (bases are made
 * once a run and engine); `crash`, if there is one, runs in a process that then kills itself; a new process does the whole workload at a small
 * size in a folder of its own, if it is one that warms up, and then `measure` takes the figures. All randomness comes from fixed seeds, so that every engine does the same, which the result hashes prove.
 */
import type { Engine, EngineDescription, Surface } from './engine.ts';
import type { Measurements } from './measure/measurements.ts';
import type { Unit } from './results.ts';
import type { Scale } from './scale.ts';

export interface Case {
  /** Last part of the name; empty where the workload has one case. */
  readonly name: string;
  readonly unit: Unit;
}

export interface Base {
  /** Unique among all bases. */
  readonly name: string;
  make(context: WorkloadContext): Promise<void>;
}

export interface WorkloadContext {
  readonly engine: Engine;
  readonly description: EngineDescription;
  readonly scale: Scale;
  /** An empty folder, or one with the base in it. */
  readonly folder: string;
  /** Whether the slow proof of equal results is wanted: in the first round only. */
  readonly checkResults: boolean;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly surface: Surface;
  readonly cases: readonly Case[];
  /** Part of a quick run that names no pattern. */
  readonly quick: boolean;
  /** Whether it is first done once at a small size in a folder of its own; not where a fresh process is what counts. */
  readonly warmsUp: boolean;
  /** Only for engines of these roles or ids, when present. */
  readonly runs?: (engine: EngineDescription) => boolean;
  readonly base?: Base;
  /** Leaves the folder as a process that was killed leaves it. */
  crash?(context: WorkloadContext): Promise<void>;
  measure(context: WorkloadContext, measurements: Measurements): Promise<void>;
}

export function fullCaseName(workload: Workload, workloadCase: Case): string {
  return workloadCase.name === '' ? workload.name : `${workload.name}/${workloadCase.name}`;
}

/** Whether the engine takes part in at least one case of the workload. */
export function takesPart(engine: EngineDescription, workload: Workload): boolean {
  if (!engine.surfaces.includes(workload.surface)) return false;
  if (workload.runs !== undefined && !workload.runs(engine)) return false;
  return engine.only === undefined || engine.only.test(workload.name);
}

/** All names that a pattern can be held against: those of the workloads and of their cases. */
function namesOf(workload: Workload): string[] {
  return [workload.name, ...workload.cases.map((workloadCase) => fullCaseName(workload, workloadCase))];
}

/**
 * A pattern as users type it: the whole of one of `names` stands for that alone, `*` for anything, and what has none matches as a part of a
 * name. Case does not count.
 */
export function patternMatcher(pattern: string, names: readonly string[] = []): (name: string) => boolean {
  if (names.includes(pattern)) return (name) => name === pattern;
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const source = pattern.includes('*') ? `^${escaped.join('.*')}$` : escaped.join('');
  const expression = new RegExp(source, 'i');
  return (name) => expression.test(name);
}

export interface Selection {
  readonly workloads: readonly Workload[];
  /** Whether the pattern asks for a case of theirs: of a workload whose own name matches, all. */
  readonly wants: (caseName: string) => boolean;
}

/** The workloads that have a case, or a name, which fits the pattern. */
export function select(workloads: readonly Workload[], pattern: string): Selection {
  const matches = patternMatcher(pattern, workloads.flatMap(namesOf));
  const selected = workloads.filter((workload) => namesOf(workload).some(matches));
  const wanted = new Set(
    selected.flatMap((workload) => {
      const names = workload.cases.map((workloadCase) => fullCaseName(workload, workloadCase));
      return matches(workload.name) ? names : names.filter(matches);
    }),
  );
  return { workloads: selected, wants: (caseName) => wanted.has(caseName) };
}

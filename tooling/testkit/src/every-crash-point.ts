/**
 * Runs a workload once on a simulated device, then checks what every crash of it could have left.
 *
 * The workload notes on the device what it was told is durable (`device.note`). At each crash point, the check gets a
 * device on each image that a crash there could leave, and the notes made until then: the state on that device may be
 * newer than the last note, never older. Few pending pieces are enumerated completely, many are sampled; every point
 * gets the two extremes and a process kill. A check may go on working on the device it gets (and note what is
 * acknowledged); with `rounds` above 1, crashes of that, of recovery first of all, are explored in turn.
 *
 * Every state has a name such as `31.4/7.0` (point 31, state 4, in it point 7, state 0). Randomness derives from the
 * seed and the name alone, so `only` repeats one state of a long run.
 */
import {
  type CrashKind,
  type CrashPoint,
  crashPoints,
  type Medium,
  SimulatedDevice,
  type SimulatedDeviceOptions,
  type SparseImage,
  type Trace,
} from '@outwrite/blockdev/testing';
import { Random } from './random.ts';

export interface CrashState {
  /** A device on what the crash left, recording. Its medium may be forked for a second look. */
  readonly device: SimulatedDevice;
  readonly kind: CrashKind;
  /** All notes made before the crash, those of earlier rounds first. */
  readonly notes: readonly unknown[];
  /** See the head of the module. */
  readonly name: string;
  readonly random: Random;
}

export interface CrashOptions {
  seed: number;
  /** Options of the first device: its size or image, limits, holds. */
  device?: SimulatedDeviceOptions;
  /** Options of the devices that checks get, besides the medium. */
  recoveryDevice?: Omit<SimulatedDeviceOptions, 'medium' | 'sizeBytes' | 'trace'>;
  /**
   * Pending writes are cut into pieces of this size (the volume's block size) where all combinations are tried. Default
   * 4096.
   */
  pieceBytes?: number;
  /** Up to so many pending pieces all combinations are tried. Default 4, that is 16 images. */
  maxPieces?: number;
  /**
   * Images drawn at random for a point with more pieces, and besides the combinations where sectors could tear. Default
   * 3.
   */
  samples?: number;
  /** Crashes within crashes: 1 (default) explores the workload, 2 also what the checks did, and so on. */
  rounds?: number;
  /** How many states of each further round are explored for one state of the round before. Default 2. */
  statesOfNextRound?: number;
  /**
   * An upper bound, roughly, for the states of the first round; points are then sampled. By default all points are
   * visited.
   */
  maxStates?: number;
  /** Points are drawn at even distances, the end of the trace among them, and not one by one: a few of those may all be early ones. */
  evenly?: boolean;
  /** Explore this state alone, as named by a violation. */
  only?: string;
}

export interface CrashReport {
  readonly seed: number;
  /** Crash points of the workload. */
  pointCount: number;
  /** States that were checked, all rounds together. */
  stateCount: number;
  readonly stateCountByKind: Partial<Record<CrashKind, number>>;
}

/** A state in which the check failed; `cause` is what it threw. */
export class CrashViolation extends Error {
  readonly stateName: string;
  readonly seed: number;

  constructor(state: CrashState, seed: number, cause: unknown) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(
      `crash state ${state.name} (${state.kind}, after ${state.notes.length} notes) violates the check: ${reason}\n` +
        `repeat with { seed: ${seed}, only: '${state.name}' }`,
      { cause },
    );
    this.name = 'CrashViolation';
    this.stateName = state.name;
    this.seed = seed;
  }
}

export type CrashWorkload = (device: SimulatedDevice) => void | Promise<void>;
export type CrashCheck = (state: CrashState) => void | Promise<void>;

/** Explores the crashes of `workload`; throws a `CrashViolation` at the first state that `check` throws for. */
export async function everyCrashPoint(
  workload: CrashWorkload,
  check: CrashCheck,
  options: CrashOptions,
): Promise<CrashReport> {
  const device = new SimulatedDevice(options.device);
  await workload(device);
  return crashPointsOf(device.trace, check, options);
}

/** As `everyCrashPoint`, for a workload that has already run. */
export async function crashPointsOf(trace: Trace, check: CrashCheck, options: CrashOptions): Promise<CrashReport> {
  const report: CrashReport = { seed: options.seed, pointCount: 0, stateCount: 0, stateCountByKind: {} };
  for (const _ of crashPoints(trace)) report.pointCount++;
  const only = options.only?.split('/').map((step) => step.split('.').map(Number) as [number, number]);
  const random = new Random(options.seed);
  const explorer: Explorer = { check, options, report, only };

  const statesAPoint = 3 + (options.samples ?? DEFAULT_SAMPLES);
  const share = Math.min(1, (options.maxStates ?? Number.POSITIVE_INFINITY) / (report.pointCount * statesAPoint));
  const offset = random.derive(report.pointCount).fraction();
  let passedCount = 0;
  for (const point of crashPoints(trace)) {
    const pointRandom = random.derive(point.pointIndex);
    const passedBefore = passedCount++;
    let isChosen: boolean;
    if (only !== undefined) isChosen = only[0]![0] === point.pointIndex;
    else if (options.evenly !== true) isChosen = pointRandom.chance(share);
    else {
      const isDue = Math.floor(passedCount * share + offset) > Math.floor(passedBefore * share + offset);
      isChosen = isDue || passedCount === report.pointCount;
    }
    if (!isChosen) continue;
    for (const [stateIndex, candidate] of candidates(point, options, pointRandom)) {
      if (only !== undefined && only[0]![1] !== stateIndex) continue;
      await explore(explorer, candidate, {
        name: `${point.pointIndex}.${stateIndex}`,
        notes: point.notes.slice(),
        round: 1,
      });
    }
  }
  return report;
}

const DEFAULT_PIECE_BYTES = 4096;
const DEFAULT_MAX_PIECES = 4;
const DEFAULT_SAMPLES = 3;
const DEFAULT_STATES_OF_NEXT_ROUND = 2;

interface Explorer {
  readonly check: CrashCheck;
  readonly options: CrashOptions;
  readonly report: CrashReport;
  readonly only: [number, number][] | undefined;
}

interface Candidate {
  readonly kind: CrashKind;
  readonly content: SparseImage | Medium;
}

/** The states of one point, numbered. Neither numbers nor contents depend on which of them are explored. */
function* candidates(point: CrashPoint, options: CrashOptions, random: Random): Generator<[number, Candidate]> {
  let stateIndex = 0;
  const numbered = (kind: CrashKind, content: SparseImage | Medium): [number, Candidate] => [
    stateIndex++,
    { kind, content },
  ];
  yield numbered('all kept', point.keepAll());
  if (!point.isUncertain) return;
  yield numbered('all lost', point.dropAll());
  const killRandom = random.derive(stateIndex);
  const killed = point.processKill(() => killRandom.chance(0.5));
  yield numbered('process kill', killed);
  const pieceBytes = options.pieceBytes ?? DEFAULT_PIECE_BYTES;
  const maxPieces = options.maxPieces ?? DEFAULT_MAX_PIECES;
  for (const { kind, image } of point.pieceSubsets({ pieceBytes, maxPieces })) {
    if (kind === 'subset') yield numbered(kind, image);
  }
  for (let i = 0; i < (options.samples ?? DEFAULT_SAMPLES); i++) {
    const { kind, image } = point.sample(random.derive(stateIndex).fraction);
    yield numbered(kind, image);
  }
}

async function explore(
  explorer: Explorer,
  candidate: Candidate,
  place: { name: string; notes: readonly unknown[]; round: number },
): Promise<void> {
  const { options, report, check } = explorer;
  const random = new Random(options.seed).derive(...place.name.split(/[./]/).map(Number));
  const state: CrashState = {
    device: new SimulatedDevice({ ...options.recoveryDevice, medium: candidate.content }),
    kind: candidate.kind,
    notes: place.notes,
    name: place.name,
    random,
  };
  report.stateCount++;
  report.stateCountByKind[candidate.kind] = (report.stateCountByKind[candidate.kind] ?? 0) + 1;
  try {
    await check(state);
  } catch (error) {
    throw new CrashViolation(state, options.seed, error);
  }
  if (place.round >= (options.rounds ?? 1)) return;
  await exploreNextRound(explorer, state, place.round + 1);
}

/** Explores some crashes of what the check did on its device: recovery first of all. */
async function exploreNextRound(explorer: Explorer, parent: CrashState, round: number): Promise<void> {
  const { options, only } = explorer;
  const trace = parent.device.trace;
  const chosen: Map<number, number[]> = new Map();
  const repeated = only?.[round - 1];
  if (only !== undefined) {
    if (repeated === undefined) return;
    chosen.set(repeated[0], [repeated[1]]);
  } else {
    const random = parent.random.derive(round);
    let pointCount = 0;
    for (const _ of crashPoints(trace)) pointCount++;
    const wanted = options.statesOfNextRound ?? DEFAULT_STATES_OF_NEXT_ROUND;
    for (let i = 0; i < wanted; i++) {
      const pointIndex = random.below(pointCount);
      const drawn = chosen.get(pointIndex) ?? [];
      drawn.push(random.u32());
      chosen.set(pointIndex, drawn);
    }
  }
  for (const point of crashPoints(trace)) {
    const draws = chosen.get(point.pointIndex);
    if (draws === undefined) continue;
    const pointRandom = new Random(options.seed).derive(
      ...parent.name.split(/[./]/).map(Number),
      point.pointIndex,
      round,
    );
    const all = [...candidates(point, options, pointRandom)];
    const stateIndexes = new Set(draws.map((draw) => (only === undefined ? draw % all.length : draw)));
    for (const [stateIndex, candidate] of all) {
      if (!stateIndexes.has(stateIndex)) continue;
      const name = `${parent.name}/${point.pointIndex}.${stateIndex}`;
      await explore(explorer, candidate, { name, notes: [...parent.notes, ...point.notes], round });
    }
  }
}

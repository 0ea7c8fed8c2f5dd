/**
 * One run of a scenario: the workload, then a sample of all states that crashes of it could leave, two crashes deep.
 */
import { setVerification } from '@outwrite/blockdev';
import { type CrashKind, SimulatedDevice } from '@outwrite/blockdev/testing';
import { type CrashReport, CrashViolation, crashPointsOf, Random, unevenHold } from '@outwrite/testkit';
import { checkState } from './check-state.ts';
import { FaultCount } from './fault-count.ts';
import type { Scenario } from './scenarios.ts';
import { runWorkload } from './workload.ts';

/** All there are. */
export const CRASH_KINDS: readonly CrashKind[] = [
  'all kept',
  'all lost',
  'cut short',
  'subset',
  'torn',
  'garbage',
  'reordered',
  'process kill',
];

export interface Exploration {
  readonly scenario: string;
  readonly seed: number;
  stateCount: number;
  stateCountByKind: Partial<Record<CrashKind, number>>;
  /** Faults besides crashes. */
  faultCountByKind: FaultCount['counts'];
  /** What was violated, with the way to repeat it; null when nothing was. */
  violation: string | null;
}

/** Runs `scenario` with `seed`. `only` names one state to check alone. */
export async function exploreScenario(scenario: Scenario, seed: number, only?: string): Promise<Exploration> {
  setVerification(true);
  const { layer, shape, statesPerRun } = scenario;
  const random = new Random(seed);
  const faults = new FaultCount();
  const exploration: Exploration = {
    scenario: scenario.name,
    seed,
    stateCount: 0,
    stateCountByKind: {},
    faultCountByKind: faults.counts,
    violation: null,
  };
  const hold = shape.holdTurns === 0 ? {} : { hold: unevenHold(random.derive(7), shape.holdTurns) };
  const device = new SimulatedDevice(hold);
  try {
    await runWorkload(layer, shape, random.derive(8), device, faults);
  } catch (error) {
    exploration.violation = `${scenario.name} seed ${seed}: the workload itself: ${messageOf(error)}`;
    return exploration;
  }
  let report: CrashReport | undefined;
  let checkedCount = 0;
  try {
    report = await crashPointsOf(
      device.trace,
      (state) => {
        checkedCount++;
        exploration.stateCountByKind[state.kind] = (exploration.stateCountByKind[state.kind] ?? 0) + 1;
        return checkState(layer, shape, state, faults);
      },
      {
        seed,
        pieceBytes: shape.settings.blockBytes,
        maxPieces: 3,
        samples: 4,
        rounds: 2,
        statesOfNextRound: 1,
        maxStates: statesPerRun / 2,
        ...(only === undefined ? {} : { only }),
      },
    );
  } catch (error) {
    const name = error instanceof CrashViolation ? error.stateName : '?';
    exploration.violation = `${scenario.name} seed ${seed} state ${name}: ${messageOf(error)}`;
  }
  exploration.stateCount = report?.stateCount ?? checkedCount;
  return exploration;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? `\n${error.cause.stack}` : `\n${error.stack}`;
  return `${error.message}${inner}`;
}

/**
 * Mixes of operations over trees, files and directories that fast-check generates as commands, and shrinks when one is found: each runs
 * against the model of its layer, then the states that crashes of it could leave are explored.
 */
import { setVerification } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { crashPointsOf, Random, unevenHold } from '@outwrite/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkState } from '../src/check-state.ts';
import { scenarios } from '../src/scenarios.ts';
import { PartReached, type StepKind, WorkloadRun, type WorkloadShape } from '../src/workload.ts';

setVerification(true);

/** The real system is the run; its models are its own. */
type Nothing = Record<string, never>;

class Step implements fc.AsyncCommand<Nothing, WorkloadRun> {
  readonly kind: StepKind;

  constructor(kind: StepKind) {
    this.kind = kind;
  }

  check(): boolean {
    return true;
  }

  async run(_model: Nothing, run: WorkloadRun): Promise<void> {
    await run.perform(this.kind);
  }

  toString(): string {
    return this.kind;
  }
}

/** A change that is the same whatever came before, so that a shorter list of commands still makes it. */
class Change extends Step {
  readonly seed: number;

  constructor(kind: 'change' | 'changeAsync', seed: number) {
    super(kind);
    this.seed = seed;
  }

  override async run(_model: Nothing, run: WorkloadRun): Promise<void> {
    run.random = new Random(this.seed);
    await run.perform(this.kind);
  }

  override toString(): string {
    return `${this.kind} ${this.seed}`;
  }
}

const others: readonly StepKind[] = [
  'commit',
  'commitSync',
  'checkpoint',
  'checkpointSync',
  'turns',
  'settle',
  'reopen',
  'kill',
  'probe',
];

const seed = fc.integer({ min: 0, max: 2 ** 31 });
const change = seed.map((value) => new Change('change', value));
const changeAsync = seed.map((value) => new Change('changeAsync', value));
const other = fc.constantFrom(...others).map((kind) => new Step(kind));

describe.each([
  ['trees', 'trees/concurrent', [change, change, other]],
  ['entries', 'entries/concurrent', [change, change, other]],
  ['files and directories', 'calls/concurrent', [change, changeAsync, other]],
] as const)('generated commands over %s', (_what, name, commands) => {
  const { layer, shape } = scenarios.find((scenario) => scenario.name === name)!;

  it('agree with the model, and crashes of them leave an acknowledged state or a later one', async () => {
    let stateCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.commands([...commands], { maxCommands: 40 }), seed, async (list, runSeed) => {
        stateCount += await runCommands(layer, shape, [...list], runSeed);
      }),
      { numRuns: 25 },
    );
    expect(stateCount).toBeGreaterThan(300);
  });
});

async function runCommands(
  layer: (typeof scenarios)[number]['layer'],
  shape: WorkloadShape,
  list: Iterable<fc.AsyncCommand<Nothing, WorkloadRun>>,
  runSeed: number,
): Promise<number> {
  const random = new Random(runSeed);
  const device = new SimulatedDevice({ hold: unevenHold(random.derive(7), shape.holdTurns) });
  const run = new WorkloadRun(layer, shape, random.derive(8), device);
  try {
    await fc.asyncModelRun(() => ({ model: {}, real: run }), list);
    await run.finish();
  } catch (error) {
    if (!(error instanceof PartReached)) throw error;
  }
  const { stateCount } = await crashPointsOf(device.trace, (state) => checkState(layer, shape, state), {
    seed: runSeed,
    pieceBytes: shape.settings.blockBytes,
    maxPieces: 3,
    rounds: 2,
    statesOfNextRound: 1,
    maxStates: 30,
  });
  return stateCount;
}

/**
 * The hunt for a mutant: runs scenarios on an engine with one fault in it until something is violated.
 */
import { bundleWorker } from './lab-bundle.ts';
import { LabThread, TIMED_OUT } from './lab-thread.ts';
import type { Mutant } from './mutation.ts';

export interface Catch {
  readonly mutant: Mutant;
  /** The scenario and seed that caught it; null when it got away. */
  readonly scenario: string | null;
  readonly seed: number;
  /** Crash states that were explored until then. */
  readonly stateCount: number;
  readonly violation: string;
}

export interface HuntOptions {
  /** First seed; others follow. */
  seed: number;
  /** Rounds through the mutant's scenarios before it counts as not caught. */
  rounds: number;
  /** Where it was caught before: looked at first. */
  known?: { readonly scenario: string; readonly seed: number } | undefined;
}

/** A run that takes longer has lost its way. */
const RUN_LIMIT_MS = 20_000;

export async function hunt(mutant: Mutant, options: HuntOptions): Promise<Catch> {
  const thread = new LabThread(await bundleWorker('lab-worker.ts', [mutant]));
  let stateCount = 0;
  try {
    for (const { scenario, seed } of runs(mutant, options)) {
      const { violation, stateCount: visited } = await thread.run({ scenario, seed }, RUN_LIMIT_MS);
      stateCount += visited;
      // A run that was given up on a busy machine proves nothing.
      if (violation !== null && !violation.includes(TIMED_OUT))
        return { mutant, scenario, seed, stateCount, violation };
    }
    return { mutant, scenario: null, seed: options.seed, stateCount, violation: '' };
  } finally {
    await thread.close();
  }
}

function* runs(mutant: Mutant, options: HuntOptions): Generator<{ scenario: string; seed: number }> {
  if (options.known !== undefined) yield options.known;
  for (let round = 0; round < options.rounds; round++) {
    for (const scenario of mutant.scenarios) yield { scenario, seed: options.seed + round };
  }
}

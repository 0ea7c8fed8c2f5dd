/**
 * Explores scenarios in turn, with seeds that count up, in as many threads as there are processors, until enough states were visited.
 */
import { availableParallelism } from 'node:os';
import { bundleWorker } from './lab-bundle.ts';
import { LabThread, TIMED_OUT } from './lab-thread.ts';

export interface CrashRunOptions {
  /** States to explore, about. */
  stateCount: number;
  /** First seed. */
  seed: number;
  scenarios: readonly string[];
  /** Told after each run. */
  progress?: (totals: CrashTotals) => void;
  threadCount?: number;
}

export interface CrashTotals {
  stateCount: number;
  /** By the kind of crash. */
  stateCountByKind: Record<string, number>;
  /** What was done to devices besides, see `FAULT_KINDS`. */
  faultCountByKind: Record<string, number>;
  runCount: number;
  violations: string[];
}

const RUN_LIMIT_MS = 120_000;

export async function crashRun(options: CrashRunOptions): Promise<CrashTotals> {
  const totals: CrashTotals = {
    stateCount: 0,
    stateCountByKind: {},
    faultCountByKind: {},
    runCount: 0,
    violations: [],
  };
  const bundle = await bundleWorker('lab-worker.ts');
  let nextRun = 0;
  const work = async (): Promise<void> => {
    const thread = new LabThread(bundle);
    try {
      while (totals.stateCount < options.stateCount) {
        const run = nextRun++;
        const scenario = options.scenarios[run % options.scenarios.length]!;
        const seed = options.seed + Math.floor(run / options.scenarios.length);
        let answer = await thread.run({ scenario, seed }, RUN_LIMIT_MS);
        // On a busy machine a run may have to wait for longer than it works. What really has no end has none the second time.
        if (answer.violation?.includes(TIMED_OUT)) answer = await thread.run({ scenario, seed }, 5 * RUN_LIMIT_MS);
        totals.runCount++;
        totals.stateCount += answer.stateCount;
        addCounts(totals.stateCountByKind, answer.stateCountByKind);
        addCounts(totals.faultCountByKind, answer.faultCountByKind);
        if (answer.violation !== null) totals.violations.push(answer.violation);
        options.progress?.(totals);
      }
    } finally {
      await thread.close();
    }
  };
  const threadCount = options.threadCount ?? Math.max(1, availableParallelism());
  await Promise.all(Array.from({ length: threadCount }, work));
  return totals;
}

function addCounts(totals: Record<string, number>, counts: Partial<Record<string, number>>): void {
  for (const [kind, count] of Object.entries(counts)) totals[kind] = (totals[kind] ?? 0) + (count ?? 0);
}

/**
 * Explores scenarios in turn, with seeds that count up, in as many threads as there are processors, until enough states were visited.
 */
import { availableParallelism } from 'node:os';
import { bundleWorker } from './lab-bundle.ts';
import { LabThread } from './lab-thread.ts';

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
  /** By the kind of crash or fault. */
  stateCountByKind: Record<string, number>;
  runCount: number;
  violations: string[];
}

const RUN_LIMIT_MS = 120_000;

export async function crashRun(options: CrashRunOptions): Promise<CrashTotals> {
  const totals: CrashTotals = { stateCount: 0, stateCountByKind: {}, runCount: 0, violations: [] };
  const bundle = await bundleWorker('lab-worker.ts');
  let nextRun = 0;
  const work = async (): Promise<void> => {
    const thread = new LabThread(bundle);
    try {
      while (totals.stateCount < options.stateCount) {
        const run = nextRun++;
        const scenario = options.scenarios[run % options.scenarios.length]!;
        const seed = options.seed + Math.floor(run / options.scenarios.length);
        const answer = await thread.run({ scenario, seed }, RUN_LIMIT_MS);
        totals.runCount++;
        totals.stateCount += answer.stateCount;
        for (const [kind, count] of Object.entries(answer.stateCountByKind)) {
          totals.stateCountByKind[kind] = (totals.stateCountByKind[kind] ?? 0) + count;
        }
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

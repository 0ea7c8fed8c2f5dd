/**
 * How long it takes from a killed process to the first answer: open a store whose log holds so many commits, and look one entry up.
 *
 * The commits are made by a process that then kills itself. `at-bound` looks for the longest log that the engine lets grow: it counts the commits
 * between two checkpoints and dies just before the next one. It is for engines that report their checkpoints.
 */
import type { KeyValueSession } from '../engine.ts';
import type { Workload, WorkloadContext } from '../workload.ts';
import { INTEGER_KEYS, RandomIndexes, ValueSource } from './key-data.ts';
import { keyValueOptions, loadedBase } from './key-value.ts';

const SEED = 51;
/** Share of the way to the next checkpoint at which the process dies. */
const BOUND_FRACTION = 0.95;
/** An engine that has made no checkpoint after so many commits has a log without a bound that matters here. */
const MOST_COMMITS = 200_000;

/** Commits one change each time it is called. */
function committer(session: KeyValueSession, entryCount: number): () => Promise<void> {
  const key = Buffer.alloc(INTEGER_KEYS.keyBytes);
  const value = new ValueSource();
  const indexes = new RandomIndexes(entryCount, SEED);
  let version = 1;
  return async () => {
    await session.batch(1, (changes) => {
      const index = indexes.next();
      INTEGER_KEYS.write(index, key);
      value.fill(index, version++);
      changes.put(key, value.bytes);
    });
  };
}

async function openStore({ engine, folder, scale }: WorkloadContext): Promise<KeyValueSession> {
  return engine.openKeyValue!(folder, keyValueOptions(INTEGER_KEYS, scale, false));
}

async function crashAfter(context: WorkloadContext, commitCount: number): Promise<void> {
  const commit = committer(await openStore(context), context.scale.entryCount);
  for (let i = 0; i < commitCount; i++) await commit();
}

async function crashAtBound(context: WorkloadContext): Promise<void> {
  const session = await openStore(context);
  const commit = committer(session, context.scale.entryCount);
  const commitsUntilCheckpoint = async (): Promise<number> => {
    const before = session.counters!()['checkpoints']!;
    for (let count = 1; count <= MOST_COMMITS; count++) {
      await commit();
      if (session.counters!()['checkpoints']! > before) return count;
    }
    return MOST_COMMITS;
  };
  await commitsUntilCheckpoint();
  const period = await commitsUntilCheckpoint();
  for (let i = 0; i < Math.floor(period * BOUND_FRACTION); i++) await commit();
}

function recoveryWorkload(
  name: string,
  title: string,
  options: Pick<Workload, 'runs' | 'quick'> & { crash: (context: WorkloadContext) => Promise<void> },
): Workload {
  return {
    name: `recovery/${name}`,
    title: `Opening after a killed process, ${title}`,
    surface: 'key-value',
    cases: [{ name: '', unit: 'ms' }],
    base: loadedBase(INTEGER_KEYS),
    // Recovery is what a new process does first.
    warmsUp: false,
    ...options,
    async measure(context, measurements) {
      const key = Buffer.alloc(INTEGER_KEYS.keyBytes);
      INTEGER_KEYS.write(new RandomIndexes(context.scale.entryCount, SEED).next(), key);
      const timer = measurements.start('', 0);
      const session = await openStore(context);
      const value = session.get(key);
      timer.stop();
      if (value === undefined) throw new Error('an entry that was put is missing after recovery');
      timer.finish({ operationCount: 1, resultHash: null, facts: session.gauges?.() ?? {} });
      await session.close();
    },
  };
}

function afterCommits(commitCount: number, quick: boolean): Workload {
  return recoveryWorkload(`${commitCount}`, `${commitCount.toLocaleString('en')} commits in the log`, {
    quick,
    // A variant of an engine recovers as the engine does, and the raw limit has nothing to recover.
    runs: (engine) => engine.role !== 'limit' && engine.only === undefined,
    crash: (context) => crashAfter(context, Math.ceil(commitCount / context.scale.recoveryDivisor)),
  });
}

export const RECOVERY_WORKLOADS: readonly Workload[] = [
  afterCommits(100, false),
  afterCommits(1_000, true),
  afterCommits(10_000, false),
  recoveryWorkload('at-bound', 'the log at its bound', {
    quick: true,
    runs: (engine) => engine.id === 'outwrite-store',
    crash: crashAtBound,
  }),
];

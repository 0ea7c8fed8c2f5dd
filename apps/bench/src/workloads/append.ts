/**
 * "How fast can we fsync": tasks that append blocks of 4 KiB, each block durable before its task goes on.
 *
 * One task comes in both calling styles. With ten and a hundred tasks each task waits for its own block only; engines that can commit
 * for several waiting tasks at once do so. The raw limit writes the blocks of all tasks in one call.
 */
import type { AppendSession, AppendStyle } from '../engine.ts';
import type { CaseTimer, Measurements } from '../measure/measurements.ts';
import { ResultHash } from '../measure/result-hash.ts';
import type { Scale } from '../scale.ts';
import type { Workload, WorkloadContext } from '../workload.ts';
import { agedCapacityBytes, agedFilesBase } from './aged-files.ts';
import { scramble } from './key-data.ts';

const BLOCK_BYTES = 4096;
/** Share of the appends that are made before the clock starts. */
const WARM_UP_FRACTION = 0.1;

/** A block that belongs to a task; every append stamps it with its number, so that no two are equal. */
function blockOf(task: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let at = 0; at < BLOCK_BYTES; at += 4) block.writeUInt32LE(scramble(task * BLOCK_BYTES + at), at);
  return block;
}

function stamp(block: Buffer, index: number): void {
  block.writeUInt32LE(index, 0);
}

function appendSync(
  session: AppendSession,
  blocks: readonly Buffer[],
  from: number,
  to: number,
  timer?: CaseTimer,
): void {
  for (let index = from; index < to; index++) {
    for (let task = 0; task < blocks.length; task++) stamp(blocks[task]!, index);
    const startMillis = performance.now();
    if (session.appendTogetherSync !== undefined) session.appendTogetherSync(blocks);
    else for (let task = 0; task < blocks.length; task++) session.appendSync!(task, blocks[task]!);
    timer?.latencies.add(startMillis);
  }
}

async function appendAsync(
  session: AppendSession,
  blocks: readonly Buffer[],
  from: number,
  to: number,
  timer?: CaseTimer,
): Promise<void> {
  const runTask = async (block: Buffer, task: number): Promise<void> => {
    for (let index = from; index < to; index++) {
      stamp(block, index);
      const startMillis = performance.now();
      await session.append!(task, block);
      timer?.latencies.add(startMillis);
    }
  };
  await Promise.all(blocks.map(runTask));
}

function hashAppended(session: AppendSession, taskCount: number, appendCount: number): string {
  const hash = new ResultHash();
  for (let task = 0; task < taskCount; task++) {
    for (let index = 0; index < appendCount; index++) hash.add(session.readBack(task, index));
  }
  return hash.digest();
}

async function measure(
  context: WorkloadContext,
  measurements: Measurements,
  taskCount: number,
  measuredCount: number,
  style: AppendStyle,
  isAged: boolean,
): Promise<void> {
  const warmUpCount = Math.ceil(measuredCount * WARM_UP_FRACTION);
  const appendCount = warmUpCount + measuredCount;
  const capacity = isAged ? { capacityBytes: agedCapacityBytes(wantedBytes(context.scale)) } : {};
  const options = { taskCount, appendCount, blockBytes: BLOCK_BYTES, ...capacity };
  const session = await context.engine.openAppend!(context.folder, options);
  const blocks = Array.from({ length: taskCount }, (_, task) => blockOf(task));
  const isSync = style === 'sync' || (style === 'tasks' && session.appendTogetherSync !== undefined);
  if (isSync) appendSync(session, blocks, 0, warmUpCount);
  else await appendAsync(session, blocks, 0, warmUpCount);

  const timer = measurements.start('', measuredCount * (isSync ? 1 : taskCount));
  if (isSync) appendSync(session, blocks, warmUpCount, appendCount, timer);
  else await appendAsync(session, blocks, warmUpCount, appendCount, timer);
  timer.stop();
  timer.finish({
    operationCount: measuredCount * taskCount,
    changedBytes: measuredCount * taskCount * BLOCK_BYTES,
    resultHash: hashAppended(session, taskCount, appendCount),
  });
  await session.close();
}

/** What the largest of the append workloads writes, for the size of the aged volume that all of them share. */
function wantedBytes({ appendCount }: Scale): number {
  const appends = Math.max(appendCount.one, appendCount.ten * 10, appendCount.hundred * 100);
  return Math.ceil(appends * (1 + WARM_UP_FRACTION)) * BLOCK_BYTES;
}

interface AppendPlan {
  readonly name: string;
  readonly title: string;
  readonly taskCount: number;
  readonly style: AppendStyle;
  readonly countOf: (scale: Scale) => number;
}

const PLANS: readonly AppendPlan[] = [
  {
    name: 'append-1-sync',
    title: '1 task, synchronous',
    taskCount: 1,
    style: 'sync',
    countOf: (s) => s.appendCount.one,
  },
  {
    name: 'append-1-async',
    title: '1 task, asynchronous',
    taskCount: 1,
    style: 'async',
    countOf: (s) => s.appendCount.one,
  },
  { name: 'append-10', title: '10 tasks', taskCount: 10, style: 'tasks', countOf: (s) => s.appendCount.ten },
  { name: 'append-100', title: '100 tasks', taskCount: 100, style: 'tasks', countOf: (s) => s.appendCount.hundred },
];

const AGED_BASE = agedFilesBase('append-aged', wantedBytes);

function appendWorkload(plan: AppendPlan, isAged: boolean): Workload {
  return {
    name: `${isAged ? 'aged/' : ''}${plan.name}`,
    title: `${isAged ? 'Aged volume, durable' : 'Durable'} append of 4 KiB, ${plan.title}`,
    surface: 'append',
    cases: [{ name: '', unit: 'ops/s' }],
    quick: !isAged,
    warmsUp: true,
    ...(isAged ? { base: AGED_BASE } : {}),
    // The aged volume is one of files: engines without files have nothing to append to there.
    runs: (engine) =>
      !engine.volatile &&
      (engine.appendStyles?.includes(plan.style) ?? true) &&
      (!isAged || engine.role === 'limit' || engine.surfaces.includes('files')),
    measure: (context, measurements) =>
      measure(context, measurements, plan.taskCount, plan.countOf(context.scale), plan.style, isAged),
  };
}

export const APPEND_WORKLOADS: readonly Workload[] = [
  ...PLANS.map((plan) => appendWorkload(plan, false)),
  ...PLANS.map((plan) => appendWorkload(plan, true)),
];

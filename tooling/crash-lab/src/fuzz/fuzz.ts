/**
 * The fuzzer: bad images by seed, tried in a thread that may die or hang without harm, until the time is over.
 */
import { Worker } from 'node:worker_threads';
import { bundleWorker } from '../lab-bundle.ts';
import type { FuzzMessage, FuzzTask } from './fuzz-worker.ts';
import { STEP_LIMIT_MS } from './image-trial.ts';

export interface FuzzReport {
  imageCount: number;
  /** Each with the image and what was done to it. */
  escapes: string[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  /** This image alone. */
  readonly only?: number;
  readonly progress?: (report: FuzzReport) => void;
}

/** Images that a thread is asked for at once. */
const BATCH_COUNT = 20;
/** A batch that takes longer hangs; the machine may be busy. */
const BATCH_LIMIT_MS: number = 3 * STEP_LIMIT_MS;
const MEMORY_MB = 512;

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = { imageCount: 0, escapes: [] };
  const bundle = await bundleWorker('fuzz/fuzz-worker.ts');
  const end = Date.now() + options.seconds * 1000;
  let worker: Worker | null = null;
  try {
    if (options.only !== undefined) {
      worker = startWorker(bundle);
      await runBatch(worker, { seed: options.seed, first: options.only, count: 1 }, report);
      return report;
    }
    // A batch that did not end is divided until the image that is to blame is found.
    const tasks: FuzzTask[] = [];
    for (let first = 0; Date.now() < end || tasks.length > 0; ) {
      let task = tasks.pop();
      if (task === undefined) {
        task = { seed: options.seed, first, count: BATCH_COUNT };
        first += BATCH_COUNT;
      }
      worker ??= startWorker(bundle);
      const problem = await runBatch(worker, task, report);
      options.progress?.(report);
      if (problem === null) continue;
      await worker.terminate();
      worker = null;
      const half = task.count >>> 1;
      if (half === 0) {
        report.imageCount++;
        report.escapes.push(`image ${task.first} of seed ${options.seed}: ${problem}`);
      } else {
        tasks.push({ ...task, first: task.first + half, count: task.count - half }, { ...task, count: half });
      }
    }
  } finally {
    await worker?.terminate();
  }
  return report;
}

function startWorker(bundle: string): Worker {
  return new Worker(bundle, { eval: true, resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB } });
}

/** Null when the batch came to its end, else how it did not; then nothing of it is counted. */
function runBatch(worker: Worker, task: FuzzTask, report: FuzzReport): Promise<string | null> {
  return new Promise((resolve) => {
    const escapes: string[] = [];
    const finish = (problem: string | null): void => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      worker.off('error', onError);
      worker.off('exit', onExit);
      if (problem === null) {
        report.imageCount += task.count;
        report.escapes.push(...escapes);
      }
      resolve(problem);
    };
    const onMessage = (message: FuzzMessage): void => {
      if (message.escape !== null) {
        escapes.push(`image ${message.index} of seed ${task.seed}: ${message.story}\n  ${message.escape}`);
      }
      if (message.done) finish(null);
    };
    const onError = (error: Error): void => finish(`the thread died: ${error.message}`);
    const onExit = (): void => finish('the thread ended');
    const timer = setTimeout(() => finish(`no end within ${BATCH_LIMIT_MS} ms`), BATCH_LIMIT_MS);
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.on('exit', onExit);
    worker.postMessage(task);
  });
}

/**
 * A worker thread of the lab, seen from outside: one task at a time, with a limit of time and memory.
 *
 * A task that takes too long (an engine with a fault in it may loop) or a thread that dies is an answer too: a violation.
 */
import { Worker } from 'node:worker_threads';
import type { LabAnswer, LabTask } from './lab-worker.ts';

const MEMORY_MB = 768;

/** What the violation of a run that was given up says. */
export const TIMED_OUT = 'no end within';

export class LabThread {
  readonly #bundle: string;
  #worker: Worker | null = null;
  /** Ends the task that the thread works on. */
  #answered: ((answer: LabAnswer | Error) => void) | null = null;

  constructor(bundle: string) {
    this.#bundle = bundle;
  }

  /** Explores one run. Never rejects. */
  run(task: LabTask, limitMs: number): Promise<LabAnswer> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answered?.(new Error(`${TIMED_OUT} ${limitMs} ms`)), limitMs);
      this.#answered = (answer) => {
        clearTimeout(timer);
        this.#answered = null;
        if (!(answer instanceof Error)) {
          resolve(answer);
          return;
        }
        void this.close();
        const violation = `${task.scenario} seed ${task.seed}: ${answer.message}`;
        resolve({ ...task, stateCount: 0, stateCountByKind: {}, faultCountByKind: {}, violation });
      };
      worker.postMessage(task);
    });
  }

  #start(): Worker {
    const worker = new Worker(this.#bundle, { eval: true, resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB } });
    worker.on('message', (answer: LabAnswer) => this.#answered?.(answer));
    worker.on('error', (error) => this.#answered?.(new Error(`the thread died: ${error.message}`)));
    return worker;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }
}

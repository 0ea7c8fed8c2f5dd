/**
 * One job of a child process: load the engines to see which are there, make a base, run to a crash, or measure.
 *
 * The messages between the parent and the child are here, so that both sides agree.
 */

import { mkdirSync, rmSync } from 'node:fs';
import type { EngineDescription } from './engine.ts';
import { ENGINES, engineNamed } from './engines/registry.ts';
import { memoryFolder } from './machine.ts';
import { Measurements } from './measure/measurements.ts';
import type { EngineReport, Figure } from './results.ts';
import { type ScaleName, scaleOf, WARM_UP } from './scale.ts';
import type { Workload, WorkloadContext } from './workload.ts';
import { workloadNamed } from './workloads/registry.ts';

export type Job =
  | { readonly kind: 'probe' }
  | (WorkJob & { readonly kind: 'base' | 'crash' })
  | (WorkJob & { readonly kind: 'measure'; readonly round: number; readonly checkResults: boolean });

export interface WorkJob {
  readonly workload: string;
  readonly engineId: string;
  readonly scale: ScaleName;
  readonly folder: string;
}

export type JobResult =
  | { readonly kind: 'engines'; readonly engines: readonly EngineReport[] }
  | { readonly kind: 'figures'; readonly figures: readonly Figure[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly message: string };

/** Loads every engine and says of each that it works, or why not. */
export async function probe(engines: readonly EngineDescription[]): Promise<EngineReport[]> {
  const reports: EngineReport[] = [];
  for (const description of engines) {
    const { id, title, role, volatile } = description;
    let version: string | null = null;
    let problem: string | null = null;
    if (description.place === 'memory' && memoryFolder() === null) {
      problem = 'there is no file system in memory here';
    } else {
      try {
        version = (await description.load()).version;
      } catch (error) {
        problem = error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
      }
    }
    reports.push({ id, title, role, volatile, version, problem });
  }
  return reports;
}

async function contextOf(job: WorkJob, checkResults: boolean): Promise<WorkloadContext> {
  const description = engineNamed(job.engineId);
  return {
    engine: await description.load(),
    description,
    scale: scaleOf(job.scale),
    folder: job.folder,
    checkResults,
  };
}

/**
 * The whole workload at a small size in a folder that is removed again, once and then until the scale's time is over; its figures are
 * dropped. Once is not enough for code that runs once a commit: the compiler waits for a function to be called often, and what has been
 * compiled for the first volume of a process is in part compiled once more for the second.
 */
async function warmUp(workload: Workload, context: WorkloadContext, job: WorkJob & { round: number }): Promise<void> {
  const folder = `${job.folder}-warm-up`;
  const small = { ...context, folder, scale: WARM_UP, checkResults: false };
  const endMillis = performance.now() + context.scale.warmUpSeconds * 1000;
  do {
    mkdirSync(folder);
    await workload.base?.make(small);
    await workload.measure(small, new Measurements(workload, { ...job, folder }));
    rmSync(folder, { recursive: true, force: true });
  } while (performance.now() < endMillis);
}

/** Does a job; rejects with what went wrong. A `crash` job returns with everything open: the caller kills the process. */
export async function doJob(job: Job): Promise<JobResult> {
  if (job.kind === 'probe') return { kind: 'engines', engines: await probe(ENGINES) };
  const workload = workloadNamed(job.workload);
  const context = await contextOf(job, job.kind === 'measure' && job.checkResults);
  switch (job.kind) {
    case 'base':
      await workload.base!.make(context);
      return { kind: 'done' };
    case 'crash':
      await workload.crash!(context);
      return { kind: 'done' };
    case 'measure': {
      // Made first: what the warm-up leaves behind counts as memory of the engine.
      const measurements = new Measurements(workload, job);
      if (workload.warmsUp && context.scale.warmUpSeconds > 0) await warmUp(workload, context, job);
      await workload.measure(context, measurements);
      return { kind: 'figures', figures: measurements.figures() };
    }
  }
}

/**
 * Entry of the child processes: takes one job as a message, does it, answers, ends.
 *
 * After a crash job it answers and kills itself, so that nothing of the engine gets a chance to close.
 */
import { doJob, type Job, type JobResult } from './job.ts';

function answer(result: JobResult): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(result, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

async function serve(job: Job): Promise<void> {
  try {
    await answer(await doJob(job));
  } catch (error) {
    await answer({ kind: 'error', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  if (job.kind === 'crash') process.kill(process.pid, 'SIGKILL');
  // Engines keep threads and timers of their own; the work is done and answered.
  process.exit(0);
}

process.once('message', (job) => void serve(job as Job));

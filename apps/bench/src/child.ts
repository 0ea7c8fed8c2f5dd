/**
 * The parent's side of a child process: start it, hand it a job, wait for the answer and for its end.
 */
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Job, JobResult } from './job.ts';

const ownPath = fileURLToPath(import.meta.url);
/** Beside this module, with its extension: children run from source when the parent does. */
const workerPath = ownPath.replace(/child\.(ts|js)$/, `worker${extname(ownPath)}`);

/** A job that takes longer is stuck. */
const JOB_LIMIT_MILLIS = 30 * 60 * 1000;

export interface ChildOptions {
  /** Options of Node for the child; those of this process by default. */
  readonly execArgv?: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one job in a process of its own. Resolves with an `error` result when the child fails, whatever way it does. */
export function runInChild(job: Job, options: ChildOptions = {}): Promise<JobResult> {
  return new Promise((resolve) => {
    const child = fork(workerPath, [], {
      execArgv: [...(options.execArgv ?? process.execArgv)],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: JOB_LIMIT_MILLIS,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...options.env },
    });
    let result: JobResult | null = null;
    let errorOutput = '';
    child.stderr!.setEncoding('utf8');
    child.stderr!.on('data', (text: string) => {
      errorOutput = (errorOutput + text).slice(-4_000);
    });
    child.on('message', (message) => {
      result = message as JobResult;
    });
    child.on('error', (error) => {
      result = { kind: 'error', message: error.message };
    });
    child.on('close', (code, signal) => {
      const end = signal === null ? `exit code ${code}` : `signal ${signal}`;
      resolve(result ?? { kind: 'error', message: `the process ended with ${end} ${errorOutput.trim()}`.trim() });
    });
    child.send(job, (error) => {
      if (error !== null) child.kill('SIGKILL');
    });
  });
}

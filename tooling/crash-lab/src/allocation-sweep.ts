/**
 * Denies each single request for space of a workload in turn, as a volume does that is full just then.
 *
 * Whoever is denied throws `ENOSPC` and has changed nothing (a large write may have written a part); the next operation goes on, nothing
 * has leaked, and what is committed then is there for the next process. Not denied are requests of operations that free space, which have
 * a reserve and must succeed, and those inside of a transaction: an operation that was let in asks again there for parts of what it has.
 */
import { AllocLog } from '@outwrite/alloc-log';
import { NoSpaceError } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { Random } from '@outwrite/testkit';
import { Journal, recordedChange, recordedChangeAsync } from './journal.ts';
import type { Layer, Settings, Subject } from './layer.ts';

const SETTINGS: Settings = {
  blockBytes: 512,
  maxBlocks: 16384,
  cacheBytes: 1 << 16,
  bounds: { zeroAheadBytes: 0, logBlocks: 6, promises: 30 },
  population: 12,
};

const STEP_COUNT = 60;

export interface AllocationReport {
  /** Requests for space that the workload makes. */
  requestCount: number;
  /** Those that were denied, one in each run. */
  deniedCount: number;
  /** Denials that somebody was told of. */
  errorCount: number;
}

/** Sweeps over every `stride`-th request. Throws an `Error` for what goes wrong, naming the request. */
export async function allocationSweep(
  layer: Layer,
  options: { seed: number; stride: number },
): Promise<AllocationReport> {
  const report: AllocationReport = { requestCount: 0, deniedCount: 0, errorCount: 0 };
  report.requestCount = (await runDenied(layer, options.seed, Number.POSITIVE_INFINITY)).requestCount;
  for (let nth = 1; nth <= report.requestCount; nth += options.stride) {
    try {
      const { errorCount } = await runDenied(layer, options.seed, nth);
      report.errorCount += errorCount;
      report.deniedCount++;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`request ${nth} of ${report.requestCount} was denied: ${reason}`, { cause: error });
    }
  }
  return report;
}

async function runDenied(
  layer: Layer,
  seed: number,
  nth: number,
): Promise<{ requestCount: number; errorCount: number }> {
  const random = new Random(seed);
  const device = new SimulatedDevice({ trace: false });
  let subject = layer.format(device, SETTINGS, random);
  const model = layer.newModel();
  const journal = new Journal();
  const life = journal.beginLife(subject.durableDelta, model);
  const counted = { requestCount: 0, errorCount: 0 };
  const { ensure, transact } = AllocLog.prototype;
  let transactionDepth = 0;
  AllocLog.prototype.transact = function (change, isReclaiming) {
    transactionDepth++;
    try {
      return transact.call(this, change, isReclaiming) as ReturnType<typeof change>;
    } finally {
      transactionDepth--;
    }
  };
  AllocLog.prototype.ensure = function (blocks, nodes, isReclaiming) {
    const isDeniable = !isReclaiming && !this.isStaging && transactionDepth === 0;
    if (isDeniable && ++counted.requestCount === nth) {
      counted.errorCount++;
      throw new NoSpaceError('space was denied');
    }
    return ensure.call(this, blocks, nodes, isReclaiming);
  };
  try {
    for (let step = 0; step < STEP_COUNT; step++) {
      const parts = { layer, subject, model, settings: SETTINGS, random };
      // An operation that is denied throws, and has changed nothing: this looks at all of the content.
      if (step % 2 === 1 && layer.changeAsync !== undefined) await recordedChangeAsync(journal, life, parts);
      else recordedChange(journal, life, parts);
      if (step % 5 === 1) subject.commitSync();
      if (step % 15 === 7) subject.checkpointSync();
    }
  } finally {
    AllocLog.prototype.ensure = ensure;
    AllocLog.prototype.transact = transact;
  }
  const expected = model.text();
  demandSound(subject, expected, 'at the end');
  subject.commitSync();
  subject = layer.open(device.kill({ trace: false }), SETTINGS, { readOnly: false, random });
  demandSound(subject, expected, 'after the next opening');
  return counted;
}

function demandSound(subject: Subject, expected: string, when: string): void {
  if (subject.content() !== expected) throw new Error(`${when} the content is another`);
  const findings = subject.audit();
  if (findings.length > 0) throw new Error(`${when}: ${findings.slice(0, 5).join('; ')}`);
}

/**
 * The end of an opening: what is changed is committed, the log is checkpointed so that the next opening has nothing to replay, and the device
 * is let go of. That happens in any case. A volume that is latched, or latches on the way, writes nothing more; since what was not
 * committed is lost then, closing ends with an error that says so, after everything was released.
 */
import { LatchedError } from '@outwrite/blockdev';
import type { Committer } from './committer.ts';
import type { LogCore } from './log-core.ts';

/** See `AllocLog.close`. */
export async function closeLog(core: LogCore, committer: Committer): Promise<void> {
  if (core.closed) return;
  let failure: unknown = null;
  try {
    if (!core.readOnly && core.latched === null) {
      await committer.commit();
      await committer.drain();
      if (core.latched === null && needsCheckpoint(core)) await committer.checkpoint();
      await committer.drain();
    }
  } catch (error) {
    failure = error;
  }
  try {
    core.closed = true;
    await core.device.close();
  } catch (error) {
    failure ??= error;
  }
  if (core.latched !== null) throw changesLost(core.latched);
  if (failure !== null) throw failure;
}

/** See `AllocLog.closeSync`. */
export function closeLogSync(core: LogCore, committer: Committer): void {
  if (core.closed) return;
  try {
    if (!core.readOnly && core.latched === null) {
      committer.commitSync();
      if (needsCheckpoint(core)) committer.checkpointSync();
    }
  } catch (error) {
    // A commit inside a transaction: nothing has failed, and the volume goes on.
    if (core.latched === null) throw error;
  }
  core.device.closeSync();
  core.closed = true;
  if (core.latched !== null) throw changesLost(core.latched);
}

function needsCheckpoint(core: LogCore): boolean {
  return core.logBlockCount > 0 || core.open.changed;
}

function changesLost(latched: LatchedError): LatchedError {
  const advice =
    'closed after a failed write or flush: changes that were not committed are lost; open the volume again';
  return new LatchedError(latched.cause, advice);
}

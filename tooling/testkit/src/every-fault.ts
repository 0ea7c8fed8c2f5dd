/**
 * Runs a workload again and again, each time with another single call of its device failing.
 *
 * First the workload runs without a fault and its calls are counted; then once for each call of the chosen operations.
 * The check gets what the workload threw, its notes, and the device as it was left: it opens the visible content (as
 * the next process would) and crash images of the trace, and judges. A workload that behaves differently each time must
 * be given its seed.
 */
import {
  type Fault,
  type FaultOperation,
  SimulatedDevice,
  type SimulatedDeviceOptions,
} from '@outwrite/blockdev/testing';

export interface FaultOutcome {
  readonly fault: Fault;
  /** What the workload threw or rejected with; undefined if it got through. */
  readonly error: unknown;
  readonly device: SimulatedDevice;
  readonly notes: readonly unknown[];
}

export interface FaultSweepOptions {
  device?: SimulatedDeviceOptions;
  /** Which operations fail in turn. Default: all. */
  operations?: readonly FaultOperation[];
  /** The fault for the n-th call of an operation; by default a plain error. */
  faultFor?: (operation: FaultOperation, nth: number) => Fault;
  /** Try every so-many-th call only. Default 1: each. */
  stride?: number;
}

export interface FaultReport {
  runCount: number;
  readonly runCountByOperation: Record<FaultOperation, number>;
}

/** Sweeps over all single faults of `workload`; passes on what `check` throws, naming the fault. */
export async function everyFault(
  workload: (device: SimulatedDevice) => void | Promise<void>,
  check: (outcome: FaultOutcome) => void | Promise<void>,
  options: FaultSweepOptions = {},
): Promise<FaultReport> {
  const operations = options.operations ?? ['read', 'write', 'flush', 'grow'];
  const faultFor = options.faultFor ?? ((operation, nth) => ({ operation, nth, effect: 'error' }));
  const healthy = new SimulatedDevice(options.device);
  await workload(healthy);
  const counts = healthy.operationCounts;
  const report: FaultReport = { runCount: 0, runCountByOperation: { read: 0, write: 0, flush: 0, grow: 0 } };
  for (const operation of operations) {
    for (let nth = 1; nth <= counts[operation]; nth += options.stride ?? 1) {
      const fault = faultFor(operation, nth);
      const device = new SimulatedDevice(options.device);
      const notes: unknown[] = [];
      device.medium.listen((event) => {
        if (event.kind === 'note') notes.push(event.value);
      });
      device.failAt(fault);
      let error: unknown;
      try {
        await workload(device);
      } catch (thrown) {
        error = thrown;
      }
      report.runCount++;
      report.runCountByOperation[operation]++;
      try {
        await check({ fault, error, device, notes });
      } catch (violation) {
        const reason = violation instanceof Error ? violation.message : String(violation);
        throw new Error(`after a fault of ${operation} ${nth} of ${counts[operation]}: ${reason}`, {
          cause: violation,
        });
      }
    }
  }
  return report;
}

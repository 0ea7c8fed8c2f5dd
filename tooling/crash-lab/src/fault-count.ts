/**
 * Counting what was done to the devices of a run beyond crashes: by workloads, which go on with the next life, and by the checks of crash
 * states, in copies of them.
 */
import type { Fault } from '@outwrite/blockdev/testing';

export const FAULT_KINDS = [
  'failed write',
  'failed flush',
  'failed growth',
  /** In flight when its process was killed or overtaken: it lands in a later life. */
  'late write',
  'flipped bits',
  'damaged slot',
  'damaged log block',
  'lost log block',
  'lost write',
  'misdirected write',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export class FaultCount {
  readonly counts: Partial<Record<FaultKind, number>> = {};

  add(kind: FaultKind, count: number = 1): void {
    if (count > 0) this.counts[kind] = (this.counts[kind] ?? 0) + count;
  }

  /** Faults that have struck a simulated device. */
  addStruck(faults: readonly Fault[]): void {
    for (const fault of faults) {
      if (fault.operation === 'flush') this.add('failed flush');
      else if (fault.operation === 'grow') this.add('failed growth');
      else if (fault.operation === 'read') this.add('flipped bits', fault.effect === 'flip' ? 1 : 0);
      else if (fault.effect === 'error') this.add('failed write');
      else this.add(fault.effect === 'lost' ? 'lost write' : 'misdirected write');
    }
  }
}

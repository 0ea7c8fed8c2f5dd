/**
 * Which calls of a simulated device fail, and how: faults are armed for the n-th call of an operation, counted from
 * their arming on.
 */
export type FaultOperation = 'read' | 'write' | 'flush' | 'grow';

export type Fault =
  /** The n-th read throws, or returns one flipped bit (`bit` counts from the first of the transfer). */
  | { readonly operation: 'read'; readonly nth: number; readonly effect: 'error' }
  | { readonly operation: 'read'; readonly nth: number; readonly effect: 'flip'; readonly bit?: number }
  /** The n-th write fails; `visible` says whether reads see it all the same. A power cut may keep any part of it. */
  | { readonly operation: 'write'; readonly nth: number; readonly effect: 'error'; readonly visible?: boolean }
  /** The n-th write seems to succeed and never happens. */
  | { readonly operation: 'write'; readonly nth: number; readonly effect: 'lost' }
  /**
   * The n-th write seems to succeed and goes `offsetBytes` (a multiple of 512) astray; the other way if that lies
   * outside.
   */
  | { readonly operation: 'write'; readonly nth: number; readonly effect: 'misdirected'; readonly offsetBytes: number }
  /** The n-th flush fails; what it covers stays visible and never becomes durable, and later flushes succeed. */
  | { readonly operation: 'flush'; readonly nth: number; readonly effect: 'error' }
  /** The n-th growth fails for want of space. */
  | { readonly operation: 'grow'; readonly nth: number; readonly effect: 'error' };

export type OperationCounts = Readonly<Record<FaultOperation, number>>;

export class FaultPlan {
  readonly #counts: Record<FaultOperation, number> = { read: 0, write: 0, flush: 0, grow: 0 };
  readonly #armed: { fault: Fault; at: number }[] = [];
  /** Faults that have happened. */
  readonly struck: Fault[] = [];

  add(fault: Fault): void {
    if (!Number.isInteger(fault.nth) || fault.nth < 1) throw new RangeError('nth counts calls from 1 on');
    this.#armed.push({ fault, at: this.#counts[fault.operation] + fault.nth });
  }

  /** Counts a call and returns the fault that is armed for it. */
  next<Operation extends FaultOperation>(operation: Operation): Extract<Fault, { operation: Operation }> | undefined {
    const at = ++this.#counts[operation];
    for (let i = 0; i < this.#armed.length; i++) {
      const { fault } = this.#armed[i]!;
      if (this.#armed[i]!.at === at && fault.operation === operation) {
        this.#armed.splice(i, 1);
        this.struck.push(fault);
        return fault as Extract<Fault, { operation: Operation }>;
      }
    }
    return undefined;
  }

  counts(): OperationCounts {
    return { ...this.#counts };
  }
}

/**
 * A device that remembers everything that happens to it, fails on demand, and can lose power or its process at any
 * moment.
 *
 * It writes to a `Medium` and records a `Trace`; `crash-images.ts` enumerates what crashes could leave. The faults, and
 * who has to answer for them:
 *
 * | fault | how | an engine must |
 * |---|---|---|
 * | power cut: any subset of unflushed sectors, torn, reordered, garbage under a write | `crashPoints` | survive: nothing acknowledged is lost |
 * | process kill: unflushed writes stay visible, a later power cut may lose them | `kill`, `CrashPoint.processKill` | survive |
 * | late writes of a dead process or closed life | `hold`, `kill` | survive |
 * | read, write, flush or grow error at the n-th call; torn failed write | `failAt` | report a typed error, latch, lose nothing acknowledged |
 * | failed flush whose writes stay visible and never become durable; the error goes to one of two overlapping flushes | `failAt` | latch; never acknowledge what it covered |
 * | short space | `maxSizeBytes`, `failAt` grow | report ENOSPC, change nothing |
 * | a buffer that changes while it is written | always checked | not do it: the write rejects with an `AssertionError` |
 * | lost write, misdirected write, bit flip, flipped bit in what is read | `failAt`, `flipBit` | detect: ECORRUPT, never wrong data |
 * | a flush that lies | not simulated | nothing: a medium that lies about flushes is outside of what is promised |
 *
 * Layer by layer, what must be survived (nothing acknowledged is lost, work goes on) and what must be detected (a typed
 * error; no wrong data, no acknowledgement):
 *
 * | layer | survives | detects |
 * |---|---|---|
 * | `buffer-cache` | writes that return late or in another order; changes meanwhile | flipped bits in what is read |
 * | `alloc-log` | power cuts, kills, late writes, torn slots and log blocks, short space | failed writes and flushes (it latches), one failed flush of two, damage in the middle of the log, flipped bits in slots, log and free map |
 * | `btree-cow` | as the log, with trees of several levels and values beyond a leaf; a failed read is an error and no change | flipped bits, lost and misdirected writes in nodes and values, by the checksum in the pointer |
 * | `filemap` | as the trees, with data that goes straight to the device, and returns late | the same in every block of data |
 * | `volume` | all of it, for names, links, attributes and contents alike; deletes when space is short | all of it, naming the file; other files stay readable |
 *
 * Lifecycle: several devices may follow each other on one medium (lives). Faults belong to a device; its trace goes on
 * with the medium.
 */
import { AssertionError } from '../assert.ts';
import { type BlockDevice, checkSize, checkTransfer, checkWrite } from '../block-device.ts';
import { ClosedError, DeviceError, NoSpaceError, ReadOnlyError } from '../errors.ts';
import { SharedFlush } from '../shared-flush.ts';
import { type Fault, FaultPlan, type OperationCounts } from './fault-plan.ts';
import { Medium } from './medium.ts';
import { SparseImage } from './sparse-image.ts';
import { Trace } from './trace.ts';

/** An asynchronous request that `hold` may delay. */
export interface HeldRequest {
  readonly operation: 'write' | 'flush';
  readonly position: number;
  readonly lengthBytes: number;
}

export interface SimulatedDeviceOptions {
  /**
   * What the device stands on: a medium with a past, or an image that is all durable. By default an empty one of
   * `sizeBytes`.
   */
  medium?: Medium | SparseImage | Uint8Array;
  sizeBytes?: number;
  maxSizeBytes?: number;
  readOnly?: boolean;
  /** Record a trace. Default true; without one there are no crash points. */
  trace?: boolean;
  /**
   * Called when an asynchronous write or flush begins; it takes effect when the promise resolves. By default after one
   * microtask.
   */
  hold?: (request: HeldRequest) => Promise<void> | undefined;
}

type WriteFault = Extract<Fault, { operation: 'write' }>;

export class SimulatedDevice implements BlockDevice {
  readonly medium: Medium;
  readonly maxSizeBytes: number;
  readonly readOnly: boolean;
  /** Writes whose buffers were changed before they returned; their rejections may have gone unheard. */
  changedBufferCount = 0;
  readonly #trace: Trace | null;
  readonly #hold: (request: HeldRequest) => Promise<void> | undefined;
  readonly #faults: FaultPlan = new FaultPlan();
  readonly #flushes: SharedFlush;
  #requestsInFlight = 0;
  #state: 'open' | 'closing' | 'closed' | 'dead' = 'open';
  #whenIdle: (() => void)[] = [];

  constructor(options: SimulatedDeviceOptions = {}) {
    this.medium = mediumOf(options);
    this.maxSizeBytes = options.maxSizeBytes ?? Math.max(2 ** 40, this.medium.sizeBytes);
    checkSize(this.maxSizeBytes);
    this.readOnly = options.readOnly ?? false;
    this.#trace = (options.trace ?? true) ? new Trace(this.medium) : null;
    this.#hold = options.hold ?? (() => undefined);
    this.#flushes = new SharedFlush(() => this.#flushOnce());
  }

  get sizeBytes(): number {
    return this.medium.sizeBytes;
  }

  /** Everything that happened to the medium since the device was made. */
  get trace(): Trace {
    if (this.#trace === null) throw new TypeError('this device was made with trace: false');
    return this.#trace;
  }

  /** Calls of each operation so far, failed ones included. */
  get operationCounts(): OperationCounts {
    return this.#faults.counts();
  }

  /** The faults that have happened on this device, in order. */
  get struckFaults(): readonly Fault[] {
    return this.#faults.struck;
  }

  /** Makes the n-th call of an operation from now on fail, in the way that the fault says. */
  failAt(fault: Fault): void {
    this.#faults.add(fault);
  }

  /**
   * Puts a remark of the workload into the trace, such as what was acknowledged; crash points show all remarks made
   * before them.
   */
  note(value: unknown): void {
    this.medium.note(value);
  }

  /** Inverts a bit on the medium, below everything. Not part of the trace. */
  flipBit(position: number, bit: number): void {
    this.medium.flipBit(position, bit);
  }

  /**
   * The process is killed: every later call on this device fails, and a new device on the same medium is returned for
   * the next process. Requests that `hold` still holds stay in flight and take effect when they are let go: late
   * writes.
   */
  kill(options: Omit<SimulatedDeviceOptions, 'medium' | 'sizeBytes'> = {}): SimulatedDevice {
    this.#state = 'dead';
    return new SimulatedDevice({ maxSizeBytes: this.maxSizeBytes, ...options, medium: this.medium });
  }

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkOpen();
    const lengthBytes = checkTransfer(this, position, buffers);
    const fault = this.#faults.next('read');
    if (fault?.effect === 'error') {
      throw new DeviceError({ operation: 'read', position, lengthBytes }, `simulated read error at ${position}`);
    }
    let at = position;
    for (const buffer of buffers) {
      this.medium.read(at, buffer);
      at += buffer.length;
    }
    if (fault?.effect === 'flip') flipBitOf(buffers, fault.bit ?? 0);
  }

  writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkOpen();
    const lengthBytes = checkWrite(this, position, buffers);
    const fault = this.#faults.next('write');
    if (lengthBytes === 0) return;
    const ordinal = this.medium.issue(this.#target(position, lengthBytes, fault), joined(buffers, lengthBytes));
    this.#complete(ordinal, fault, { position, lengthBytes });
  }

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen();
    const lengthBytes = checkWrite(this, position, buffers);
    const fault = this.#faults.next('write');
    if (lengthBytes === 0) return;
    const issuedBytes = joined(buffers, lengthBytes);
    const ordinal = this.medium.issue(this.#target(position, lengthBytes, fault), issuedBytes);
    this.#requestsInFlight++;
    try {
      await this.#hold({ operation: 'write', position, lengthBytes });
      if (!sameBytes(joined(buffers, lengthBytes), issuedBytes)) {
        this.medium.fail(ordinal);
        this.changedBufferCount++;
        throw new AssertionError(`a buffer of the write at ${position} was changed while it was being written`);
      }
      this.#complete(ordinal, fault, { position, lengthBytes });
    } finally {
      this.#requestsInFlight--;
      this.#noticeIdle();
    }
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    if (this.readOnly) return;
    this.#requestsInFlight++;
    try {
      await this.#flushes.request();
    } finally {
      this.#requestsInFlight--;
      this.#noticeIdle();
    }
  }

  flushSync(): void {
    this.#checkOpen();
    if (this.readOnly) return;
    this.#beginFlush()();
  }

  grow(sizeBytes: number): void {
    this.#checkOpen();
    if (this.readOnly) throw new ReadOnlyError('the device');
    checkSize(sizeBytes);
    if (sizeBytes <= this.sizeBytes) return;
    const fault = this.#faults.next('grow');
    if (sizeBytes > this.maxSizeBytes || fault !== undefined) {
      throw new NoSpaceError(`the device cannot grow to ${sizeBytes} bytes; its limit is ${this.maxSizeBytes} bytes`);
    }
    this.medium.grow(sizeBytes);
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    if (this.#requestsInFlight > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    if (this.#state === 'closing') this.#state = 'closed';
  }

  closeSync(): void {
    if (this.#state === 'closed' || this.#state === 'dead') return;
    if (this.#requestsInFlight > 0) {
      throw new DeviceError(
        { operation: 'close' },
        `the device has ${this.#requestsInFlight} writes and flushes in flight; await close() instead`,
      );
    }
    this.#state = 'closed';
  }

  #target(position: number, lengthBytes: number, fault: WriteFault | undefined): number {
    if (fault?.effect !== 'misdirected') return position;
    const moved = position + fault.offsetBytes;
    const last = this.sizeBytes - lengthBytes;
    return moved >= 0 && moved <= last ? moved : Math.min(Math.max(0, position - fault.offsetBytes), last);
  }

  #complete(ordinal: number, fault: WriteFault | undefined, request: { position: number; lengthBytes: number }): void {
    if (fault?.effect === 'lost') {
      this.medium.lose(ordinal);
      return;
    }
    if (fault?.effect === 'error') {
      if (fault.visible === true) this.medium.land(ordinal);
      this.medium.fail(ordinal);
      throw new DeviceError({ operation: 'write', ...request }, `simulated write error at ${request.position}`);
    }
    this.medium.land(ordinal);
    this.medium.return(ordinal);
  }

  async #flushOnce(): Promise<void> {
    const finish = this.#beginFlush();
    await this.#hold({ operation: 'flush', position: 0, lengthBytes: 0 });
    finish();
  }

  /**
   * Begins a flush and returns what ends it. A flush that is to fail does its harm at once, so no overlapping one can
   * mend it.
   */
  #beginFlush(): () => void {
    const fault = this.#faults.next('flush');
    const flush = this.medium.beginFlush();
    if (fault === undefined) return () => this.medium.endFlush(flush);
    this.medium.failFlush(flush);
    return () => {
      throw new DeviceError({ operation: 'flush' }, 'simulated flush error');
    };
  }

  #noticeIdle(): void {
    if (this.#requestsInFlight > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  #checkOpen(): void {
    if (this.#state === 'dead') throw new DeviceError({ operation: 'open' }, 'the simulated process was killed');
    if (this.#state !== 'open') throw new ClosedError('the device');
  }
}

function mediumOf(options: SimulatedDeviceOptions): Medium {
  const { medium } = options;
  if (medium instanceof Medium) return medium;
  if (medium instanceof SparseImage) return new Medium(medium.fork());
  if (medium !== undefined) return new Medium(SparseImage.from(medium));
  const sizeBytes = options.sizeBytes ?? 0;
  checkSize(sizeBytes);
  return new Medium(new SparseImage(sizeBytes));
}

function joined(buffers: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let at = 0;
  for (const buffer of buffers) {
    bytes.set(buffer, at);
    at += buffer.length;
  }
  return bytes;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function flipBitOf(buffers: readonly Uint8Array[], bit: number): void {
  let byteIndex = Math.floor(bit / 8);
  for (const buffer of buffers) {
    if (byteIndex < buffer.length) {
      buffer[byteIndex]! ^= 1 << (bit % 8);
      return;
    }
    byteIndex -= buffer.length;
  }
}

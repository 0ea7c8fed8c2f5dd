/**
 * A device that counts what passes through it to another device.
 *
 * Synchronous and asynchronous calls are counted apart, when they are made, whether they succeed or not (wrong use is
 * not counted). With `classify`, written (and read) bytes are also counted by kind. Counters are plain values: take one
 * before and one after, and subtract.
 */
import { type BlockDevice, checkTransfer, checkWrite, totalBytes } from './block-device.ts';
import { ForwardingDevice } from './forwarding-device.ts';

/** Transfers of one sort: how many calls, buffers and bytes. */
export interface TransferCount {
  readonly calls: number;
  readonly buffers: number;
  readonly bytes: number;
}

/** Bytes of one kind, in units as they were classified. */
export interface KindCount {
  readonly units: number;
  readonly bytes: number;
}

export interface DeviceCounters {
  readonly reads: TransferCount;
  readonly asyncWrites: TransferCount;
  readonly syncWrites: TransferCount;
  readonly asyncFlushes: number;
  readonly syncFlushes: number;
  readonly grows: number;
  readonly trims: number;
  /** What was written, by kind; empty without `classify`. */
  readonly written: Readonly<Record<string, KindCount>>;
  /** What was read, by kind; empty without `classify`, or without `classifyReads`. */
  readonly read: Readonly<Record<string, KindCount>>;
}

export interface MeteringOptions {
  /** Names the kind of the bytes that stand (or will stand) at `position`. Called once for each unit. */
  classify?: (position: number, bytes: Uint8Array) => string;
  /** Transfers are cut into units of this size before they are classified; by default each buffer is one unit. */
  unitBytes?: number;
  /** Classify what is read, too. */
  classifyReads?: boolean;
}

interface MutableCount {
  calls: number;
  buffers: number;
  bytes: number;
}

type MutableKinds = Map<string, { units: number; bytes: number }>;

export class MeteringDevice extends ForwardingDevice {
  readonly #classify: ((position: number, bytes: Uint8Array) => string) | undefined;
  readonly #unitBytes: number;
  readonly #classifyReads: boolean;
  readonly #reads: MutableCount = { calls: 0, buffers: 0, bytes: 0 };
  readonly #asyncWrites: MutableCount = { calls: 0, buffers: 0, bytes: 0 };
  readonly #syncWrites: MutableCount = { calls: 0, buffers: 0, bytes: 0 };
  readonly #written: MutableKinds = new Map();
  readonly #read: MutableKinds = new Map();
  #asyncFlushes = 0;
  #syncFlushes = 0;
  #grows = 0;
  #trims = 0;

  constructor(inner: BlockDevice, options: MeteringOptions = {}) {
    super(inner);
    this.#classify = options.classify;
    this.#unitBytes = options.unitBytes ?? Number.MAX_SAFE_INTEGER;
    this.#classifyReads = options.classifyReads ?? false;
    if (this.#unitBytes <= 0) throw new RangeError('unitBytes must be positive');
    if (inner.trim !== undefined) {
      this.trim = (position, lengthBytes) => {
        this.#trims++;
        inner.trim!(position, lengthBytes);
      };
    }
  }

  /** The counts since the device was made or `reset`, as a value that does not change. */
  counters(): DeviceCounters {
    return {
      reads: { ...this.#reads },
      asyncWrites: { ...this.#asyncWrites },
      syncWrites: { ...this.#syncWrites },
      asyncFlushes: this.#asyncFlushes,
      syncFlushes: this.#syncFlushes,
      grows: this.#grows,
      trims: this.#trims,
      written: kindCounts(this.#written),
      read: kindCounts(this.#read),
    };
  }

  /** What was counted since `earlier`, a value of `counters()`. */
  since(earlier: DeviceCounters): DeviceCounters {
    return subtractCounters(this.counters(), earlier);
  }

  reset(): void {
    for (const count of [this.#reads, this.#asyncWrites, this.#syncWrites]) {
      count.calls = 0;
      count.buffers = 0;
      count.bytes = 0;
    }
    this.#written.clear();
    this.#read.clear();
    this.#asyncFlushes = 0;
    this.#syncFlushes = 0;
    this.#grows = 0;
    this.#trims = 0;
  }

  override readSync(position: number, buffers: readonly Uint8Array[]): void {
    checkTransfer(this, position, buffers);
    count(this.#reads, buffers);
    this.inner.readSync(position, buffers);
    if (this.#classifyReads) this.#countKinds(this.#read, position, buffers);
  }

  override writeSync(position: number, buffers: readonly Uint8Array[]): void {
    checkWrite(this, position, buffers);
    count(this.#syncWrites, buffers);
    this.#countKinds(this.#written, position, buffers);
    this.inner.writeSync(position, buffers);
  }

  override async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    checkWrite(this, position, buffers);
    count(this.#asyncWrites, buffers);
    this.#countKinds(this.#written, position, buffers);
    await this.inner.write(position, buffers);
  }

  override flush(): Promise<void> {
    this.#asyncFlushes++;
    return this.inner.flush();
  }

  override flushSync(): void {
    this.#syncFlushes++;
    this.inner.flushSync();
  }

  override grow(sizeBytes: number): void {
    this.#grows++;
    this.inner.grow(sizeBytes);
  }

  #countKinds(kinds: MutableKinds, position: number, buffers: readonly Uint8Array[]): void {
    const classify = this.#classify;
    if (classify === undefined) return;
    let at = position;
    for (const buffer of buffers) {
      for (let start = 0; start < buffer.length; ) {
        const end = Math.min(buffer.length, start + this.#unitBytes);
        const kind = classify(at + start, buffer.subarray(start, end));
        let entry = kinds.get(kind);
        if (entry === undefined) {
          entry = { units: 0, bytes: 0 };
          kinds.set(kind, entry);
        }
        entry.units++;
        entry.bytes += end - start;
        start = end;
      }
      at += buffer.length;
    }
  }
}

/** `later - earlier`, field by field; kinds without a difference are left out. */
export function subtractCounters(later: DeviceCounters, earlier: DeviceCounters): DeviceCounters {
  return {
    reads: subtractTransfers(later.reads, earlier.reads),
    asyncWrites: subtractTransfers(later.asyncWrites, earlier.asyncWrites),
    syncWrites: subtractTransfers(later.syncWrites, earlier.syncWrites),
    asyncFlushes: later.asyncFlushes - earlier.asyncFlushes,
    syncFlushes: later.syncFlushes - earlier.syncFlushes,
    grows: later.grows - earlier.grows,
    trims: later.trims - earlier.trims,
    written: subtractKinds(later.written, earlier.written),
    read: subtractKinds(later.read, earlier.read),
  };
}

function count(target: MutableCount, buffers: readonly Uint8Array[]): void {
  target.calls++;
  target.buffers += buffers.length;
  target.bytes += totalBytes(buffers);
}

function kindCounts(kinds: MutableKinds): Record<string, KindCount> {
  const result: Record<string, KindCount> = {};
  for (const [kind, entry] of kinds) result[kind] = { ...entry };
  return result;
}

function subtractTransfers(later: TransferCount, earlier: TransferCount): TransferCount {
  return {
    calls: later.calls - earlier.calls,
    buffers: later.buffers - earlier.buffers,
    bytes: later.bytes - earlier.bytes,
  };
}

function subtractKinds(
  later: Readonly<Record<string, KindCount>>,
  earlier: Readonly<Record<string, KindCount>>,
): Record<string, KindCount> {
  const result: Record<string, KindCount> = {};
  for (const [kind, entry] of Object.entries(later)) {
    const before = earlier[kind];
    const units = entry.units - (before?.units ?? 0);
    if (units !== 0) result[kind] = { units, bytes: entry.bytes - (before?.bytes ?? 0) };
  }
  return result;
}

/**
 * What a simulated device writes to: the visible content, the durable content, and every write that lies between the
 * two.
 *
 * A write is *issued*, *lands* (reads see it), and *returns* or *fails*; a flush covers the writes that had returned
 * when it began and makes them durable when it ends. Until then a write is pending, and a power cut decides its fate
 * for each sector: the new bytes, the old ones, the bytes of another pending write to the same place, or garbage. A
 * failed write or flush leaves its writes pending for good: visible, never made durable by a later flush, and yet
 * possibly on the medium. A process kill loses nothing that has landed; writes in flight land or do not.
 *
 * The size is durable like a write: a power cut leaves any size between the durable and the visible one that holds what
 * is kept.
 *
 * Every change is told to listeners as a `MediumEvent`; the same events applied to a fork taken before give the same
 * state.
 */
import { assert } from '../assert.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import type { SparseImage } from './sparse-image.ts';

export type PendingState = 'in flight' | 'returned' | 'failed';

/** A write that is not known to be durable. */
export interface PendingWrite {
  /** Counts the writes of a medium from 1 on, in the order in which they were issued. */
  readonly ordinal: number;
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly state: PendingState;
  /** Whether reads see it. */
  readonly landed: boolean;
  /** Indexes of its sectors that a later write has replaced durably. */
  readonly superseded: ReadonlySet<number>;
}

interface MutablePendingWrite extends PendingWrite {
  state: PendingState;
  landed: boolean;
  superseded: Set<number>;
}

/** A flush in flight, as returned by `beginFlush`: the ordinals of the writes that it makes durable, and the size. */
export interface FlushInFlight {
  readonly covered: ReadonlySet<number>;
  readonly sizeBytes: number;
}

/** A change of a medium, or a remark of whoever uses it. */
export type MediumEvent =
  | { readonly kind: 'issue'; readonly ordinal: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'land' | 'return' | 'fail' | 'lose'; readonly ordinal: number }
  | { readonly kind: 'flush begin' | 'flush end' | 'flush fail'; readonly flush: FlushInFlight }
  | { readonly kind: 'grow'; readonly sizeBytes: number }
  | { readonly kind: 'note'; readonly value: unknown };

/** What becomes of one sector of a pending write in a power cut. 'drop': what was there before it. */
export type SectorFate = 'keep' | 'drop' | 'garbage';

export interface PowerCut {
  /**
   * The fate of sector `sectorIndex` (from 0) of `write`. Asked for each write in `order`; the last 'keep' or 'garbage'
   * of a sector stays.
   */
  fate: (write: PendingWrite, sectorIndex: number) => SectorFate;
  /** The order in which pending writes reach the medium; by default that in which they landed. */
  order?: readonly PendingWrite[];
  /** Whether the visible size survived. Otherwise the durable one, or what the kept sectors need. Default false. */
  keepSize?: boolean;
  /** Source of garbage: a number in [0, 1). By default garbage is the byte 0xa5. */
  random?: () => number;
}

const NO_SECTORS: Set<number> = new Set();

export class Medium {
  readonly #durable: SparseImage;
  #visible: SparseImage;
  /** Writes that have landed or failed, in that order; then those still in flight, in the order of issue. */
  #pending: MutablePendingWrite[] = [];
  #writeCount = 0;
  readonly #listeners: ((event: MediumEvent) => void)[] = [];

  /** Starts with `image`, all of it durable; the image is the medium's from now on. */
  constructor(image: SparseImage) {
    this.#durable = image;
    this.#visible = image.fork();
  }

  get sizeBytes(): number {
    return this.#visible.sizeBytes;
  }

  get durableSizeBytes(): number {
    return this.#durable.sizeBytes;
  }

  /** Writes that a power cut could still lose, in the order in which they landed; valid until the next change. */
  get pending(): readonly PendingWrite[] {
    return this.#pending;
  }

  /** Writes issued so far, those of media that this one was forked from included. */
  get writeCount(): number {
    return this.#writeCount;
  }

  read(position: number, target: Uint8Array): void {
    this.#visible.read(position, target);
  }

  /** Calls `listener` for every later event, after it has taken effect. Forks have no listeners. */
  listen(listener: (event: MediumEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** Puts a remark among the events. */
  note(value: unknown): void {
    this.#tell({ kind: 'note', value });
  }

  grow(sizeBytes: number): void {
    assert(sizeBytes >= this.#visible.sizeBytes, 'a medium only grows');
    this.#visible.resize(sizeBytes);
    this.#tell({ kind: 'grow', sizeBytes });
  }

  /** `bytes` becomes the medium's: it must not change any more. Returns the ordinal. */
  issue(position: number, bytes: Uint8Array): number {
    const ordinal = ++this.#writeCount;
    this.#pending.push({ ordinal, position, bytes, state: 'in flight', landed: false, superseded: NO_SECTORS });
    this.#tell({ kind: 'issue', ordinal, position, bytes });
    return ordinal;
  }

  /** Makes a write in flight visible. */
  land(ordinal: number): void {
    const write = this.#write(ordinal);
    assert(!write.landed && write.state === 'in flight', 'a write lands once, and before it returns');
    write.landed = true;
    this.#visible.write(write.position, write.bytes);
    this.#settle(write);
    this.#tell({ kind: 'land', ordinal });
  }

  /** A landed write returns: the next flush covers it. */
  return(ordinal: number): void {
    const write = this.#write(ordinal);
    assert(write.landed && write.state === 'in flight', 'a write returns after it has landed');
    write.state = 'returned';
    this.#tell({ kind: 'return', ordinal });
  }

  /** A write fails, landed or not: no flush covers it, and yet it may be on the medium. */
  fail(ordinal: number): void {
    const write = this.#write(ordinal);
    assert(write.state === 'in flight', 'only a write in flight fails');
    write.state = 'failed';
    if (!write.landed) this.#settle(write);
    this.#tell({ kind: 'fail', ordinal });
  }

  /** Takes a write back as if it had never been issued: the device lost it. */
  lose(ordinal: number): void {
    const write = this.#write(ordinal);
    assert(!write.landed, 'a landed write cannot be lost');
    this.#pending.splice(this.#pending.indexOf(write), 1);
    this.#tell({ kind: 'lose', ordinal });
  }

  beginFlush(): FlushInFlight {
    const covered: Set<number> = new Set();
    for (const write of this.#pending) if (write.state === 'returned') covered.add(write.ordinal);
    const flush: FlushInFlight = { covered, sizeBytes: this.sizeBytes };
    this.#tell({ kind: 'flush begin', flush });
    return flush;
  }

  /** What the flush covers becomes durable, except what another flush has failed or made durable meanwhile. */
  endFlush(flush: FlushInFlight): void {
    this.#durable.resize(Math.max(this.#durable.sizeBytes, flush.sizeBytes));
    const remaining: MutablePendingWrite[] = [];
    for (const write of this.#pending) {
      if (write.state !== 'returned' || !flush.covered.has(write.ordinal)) {
        remaining.push(write);
        continue;
      }
      this.#applyUnlessSuperseded(this.#durable, write);
      for (const older of remaining) if (isSettled(older)) supersede(older, write);
    }
    this.#pending = remaining;
    this.#tell({ kind: 'flush end', flush });
  }

  /** What the flush covers will never become durable by a flush; those that follow may succeed nevertheless. */
  failFlush(flush: FlushInFlight): void {
    for (const write of this.#pending) {
      if (write.state === 'returned' && flush.covered.has(write.ordinal)) write.state = 'failed';
    }
    this.#tell({ kind: 'flush fail', flush });
  }

  /** Applies an event that another medium told its listeners. */
  apply(event: MediumEvent): void {
    switch (event.kind) {
      case 'issue': {
        const ordinal = this.issue(event.position, event.bytes);
        assert(ordinal === event.ordinal, 'a replay issues the writes that were recorded');
        return;
      }
      case 'land':
        this.land(event.ordinal);
        return;
      case 'return':
        this.return(event.ordinal);
        return;
      case 'fail':
        this.fail(event.ordinal);
        return;
      case 'lose':
        this.lose(event.ordinal);
        return;
      case 'flush begin':
        return;
      case 'flush end':
        this.endFlush(event.flush);
        return;
      case 'flush fail':
        this.failFlush(event.flush);
        return;
      case 'grow':
        this.grow(event.sizeBytes);
        return;
      case 'note':
        this.note(event.value);
    }
  }

  /** Inverts a bit of the visible and of the durable content, as ageing media do. */
  flipBit(position: number, bit: number): void {
    this.#visible.flipBit(position, bit);
    if (position < this.#durable.sizeBytes) this.#durable.flipBit(position, bit);
  }

  /** An independent medium in the same state; writes keep their ordinals. */
  fork(): Medium {
    const copy = new Medium(this.#durable.fork());
    copy.#visible = this.#visible.fork();
    copy.#pending = this.#pending.map((write) => ({
      ...write,
      superseded: write.superseded.size === 0 ? NO_SECTORS : new Set(write.superseded),
    }));
    copy.#writeCount = this.#writeCount;
    return copy;
  }

  /** The content that a reader sees now. */
  visibleImage(): SparseImage {
    return this.#visible.fork();
  }

  /** The content that every power cut keeps: nothing pending survives. */
  durableImage(): SparseImage {
    return this.#durable.fork();
  }

  /** The content after a power cut. */
  powerCut(cut: PowerCut): SparseImage {
    const image = this.#durable.fork();
    if (cut.keepSize) image.resize(Math.max(image.sizeBytes, this.sizeBytes));
    for (const write of cut.order ?? this.#pending) {
      const sectorCount = write.bytes.length / SECTOR_BYTES;
      for (let sectorIndex = 0; sectorIndex < sectorCount; sectorIndex++) {
        if (write.superseded.has(sectorIndex)) continue;
        const fate = cut.fate(write, sectorIndex);
        const start = sectorIndex * SECTOR_BYTES;
        if (fate === 'drop' || (fate === 'garbage' && this.#rewritesDurably(write, start))) continue;
        const end = write.position + start + SECTOR_BYTES;
        if (end > image.sizeBytes) image.resize(end);
        const sector = fate === 'keep' ? write.bytes.subarray(start, start + SECTOR_BYTES) : garbage(cut.random);
        image.write(write.position + start, sector);
      }
    }
    return image;
  }

  /**
   * The medium as the next process finds it after a kill: what has landed is visible and still pending; a write in
   * flight has landed or not, as `lands` says (default: none has).
   */
  processKill(lands: (write: PendingWrite) => boolean = () => false): Medium {
    const next = this.fork();
    for (const write of next.#pending.slice()) {
      if (write.state !== 'in flight') continue;
      if (!write.landed) {
        if (!lands(write)) {
          next.lose(write.ordinal);
          continue;
        }
        next.land(write.ordinal);
      }
      next.return(write.ordinal);
    }
    return next;
  }

  /** Moves a write that has landed or failed before those that may still land after it. */
  #settle(write: MutablePendingWrite): void {
    this.#pending.splice(this.#pending.indexOf(write), 1);
    const target = this.#pending.findIndex((other) => !isSettled(other));
    this.#pending.splice(target === -1 ? this.#pending.length : target, 0, write);
  }

  #write(ordinal: number): MutablePendingWrite {
    const write = this.#pending.find((candidate) => candidate.ordinal === ordinal);
    assert(write !== undefined, 'a write is pending on this medium');
    return write;
  }

  #tell(event: MediumEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /**
   * Whether a sector holds durably what `write` puts there. That a sector survives being written over with its own bytes
   * is assumed of the medium: a commit that overtakes an asynchronous one issues the same writes twice.
   */
  #rewritesDurably(write: PendingWrite, start: number): boolean {
    const position = write.position + start;
    if (position + SECTOR_BYTES > this.#durable.sizeBytes) return false;
    const sector = new Uint8Array(SECTOR_BYTES);
    this.#durable.read(position, sector);
    for (let i = 0; i < SECTOR_BYTES; i++) if (sector[i] !== write.bytes[start + i]) return false;
    return true;
  }

  #applyUnlessSuperseded(image: SparseImage, write: PendingWrite): void {
    if (write.position + write.bytes.length > image.sizeBytes) image.resize(write.position + write.bytes.length);
    if (write.superseded.size === 0) {
      image.write(write.position, write.bytes);
      return;
    }
    for (let start = 0; start < write.bytes.length; start += SECTOR_BYTES) {
      if (write.superseded.has(start / SECTOR_BYTES)) continue;
      image.write(write.position + start, write.bytes.subarray(start, start + SECTOR_BYTES));
    }
  }
}

function isSettled(write: PendingWrite): boolean {
  return write.landed || write.state === 'failed';
}

function supersede(older: MutablePendingWrite, newer: PendingWrite): void {
  const start = Math.max(older.position, newer.position);
  const end = Math.min(older.position + older.bytes.length, newer.position + newer.bytes.length);
  for (let at = start; at < end; at += SECTOR_BYTES) {
    if (newer.superseded.has((at - newer.position) / SECTOR_BYTES)) continue;
    if (older.superseded === NO_SECTORS) older.superseded = new Set();
    older.superseded.add((at - older.position) / SECTOR_BYTES);
  }
}

function garbage(random: (() => number) | undefined): Uint8Array {
  const sector = new Uint8Array(SECTOR_BYTES).fill(0xa5);
  if (random !== undefined) for (let i = 0; i < SECTOR_BYTES; i++) sector[i] = Math.floor(random() * 256);
  return sector;
}

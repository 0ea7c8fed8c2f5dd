/**
 * The images that a crash could leave at every moment of a trace.
 *
 * A crash point stands before each event that changes what a crash can leave, and at the end of the trace, so it shows
 * every note that was made in that state: the strictest demand on each set of images. `dropAll` and `keepAll` are the
 * two extremes, `pieceSubsets` goes through all combinations of whole pieces, and `sample` draws from everything in
 * between with a random source.
 */
import { SECTOR_BYTES } from '../block-device.ts';
import type { Medium, PendingWrite, PowerCut, SectorFate } from './medium.ts';
import type { SparseImage } from './sparse-image.ts';
import type { Trace } from './trace.ts';

/** The sort of crash that left an image; harnesses count by it. */
export type CrashKind =
  | 'all kept'
  | 'all lost'
  | 'cut short'
  | 'subset'
  | 'torn'
  | 'garbage'
  | 'reordered'
  | 'process kill';

export interface CrashImage {
  readonly kind: CrashKind;
  readonly image: SparseImage;
}

export class CrashPoint {
  /** Counts the crash points of a trace from 0 on. */
  readonly pointIndex: number;
  /** Events of the trace before the crash. */
  readonly eventIndex: number;
  /** Notes that the workload had made. */
  readonly notes: readonly unknown[];
  readonly #medium: Medium;

  constructor(place: { pointIndex: number; eventIndex: number }, notes: readonly unknown[], medium: Medium) {
    this.pointIndex = place.pointIndex;
    this.eventIndex = place.eventIndex;
    this.notes = notes;
    this.#medium = medium;
  }

  /** Writes that the crash may lose. Valid, like all methods, until the next point is asked for. */
  get pending(): readonly PendingWrite[] {
    return this.#medium.pending;
  }

  /** Whether a power cut here could leave different images. */
  get isUncertain(): boolean {
    return this.pending.length > 0 || this.#medium.sizeBytes !== this.#medium.durableSizeBytes;
  }

  /** Every write issued so far is on the medium. */
  keepAll(): SparseImage {
    return this.#medium.powerCut({ fate: () => 'keep', keepSize: true });
  }

  /** Everything since the last completed flush is gone. */
  dropAll(): SparseImage {
    return this.#medium.durableImage();
  }

  image(cut: PowerCut): SparseImage {
    return this.#medium.powerCut(cut);
  }

  /** The medium that the next process finds when this one is killed here. */
  processKill(lands?: (write: PendingWrite) => boolean): Medium {
    return this.#medium.processKill(lands);
  }

  /**
   * One image for each combination of kept and lost pieces, where each pending write is cut into pieces of
   * `pieceBytes`; none if there are more than `maxPieces` pieces (2^maxPieces images).
   */
  *pieceSubsets(options: { pieceBytes: number; maxPieces: number }): Generator<CrashImage> {
    const { pieceBytes, maxPieces } = options;
    const firstPiece: Map<PendingWrite, number> = new Map();
    let pieceCount = 0;
    for (const write of this.pending) {
      firstPiece.set(write, pieceCount);
      pieceCount += Math.ceil(write.bytes.length / pieceBytes);
    }
    if (pieceCount > maxPieces) return;
    for (let kept = 0; kept < 2 ** pieceCount; kept++) {
      const fate = (write: PendingWrite, sectorIndex: number): SectorFate => {
        const piece = firstPiece.get(write)! + Math.floor((sectorIndex * SECTOR_BYTES) / pieceBytes);
        return Math.floor(kept / 2 ** piece) % 2 === 1 ? 'keep' : 'drop';
      };
      const kind: CrashKind = kept === 0 ? 'all lost' : kept === 2 ** pieceCount - 1 ? 'all kept' : 'subset';
      yield { kind, image: this.image({ fate, keepSize: kept % 2 === 1 }) };
    }
  }

  /** One image drawn at random: `random` returns numbers in [0, 1), so equal sequences give equal images. */
  sample(random: () => number): CrashImage {
    const pending = this.pending;
    const keepSize = random() < 0.5;
    const below = (limit: number): number => Math.floor(random() * limit);
    const cut = (kind: CrashKind, fate: PowerCut['fate'], order: readonly PendingWrite[] = pending): CrashImage => ({
      kind,
      image: this.image({ fate, order, keepSize, random }),
    });
    if (pending.length === 0) return { kind: 'all lost', image: this.image({ fate: () => 'drop', keepSize }) };
    switch (below(6)) {
      case 0: {
        // The first so many writes, the last of them up to some sector.
        const cutIndex = below(pending.length);
        const sectors = below(pending[cutIndex]!.bytes.length / SECTOR_BYTES + 1);
        return cut('cut short', (write, sectorIndex) => {
          const index = pending.indexOf(write);
          return index < cutIndex || (index === cutIndex && sectorIndex < sectors) ? 'keep' : 'drop';
        });
      }
      case 1: {
        // Some whole writes.
        const keptWrites = chosenWrites(pending, random);
        return cut('subset', (write) => (keptWrites.has(write) ? 'keep' : 'drop'));
      }
      case 2: {
        // Any sectors, few or many of them.
        const keepShare = random();
        return cut('torn', () => (random() < keepShare ? 'keep' : 'drop'));
      }
      case 3: {
        // All but one sector, or one sector alone.
        const victim = pending[below(pending.length)]!;
        const victimSector = below(victim.bytes.length / SECTOR_BYTES);
        const others: SectorFate = random() < 0.5 ? 'keep' : 'drop';
        const itself: SectorFate = others === 'keep' ? 'drop' : 'keep';
        return cut('torn', (write, sectorIndex) =>
          write === victim && sectorIndex === victimSector ? itself : others,
        );
      }
      case 4: {
        // Some writes, one of them with garbage in some sectors.
        const keptWrites = chosenWrites(pending, random);
        const victim = pending[below(pending.length)]!;
        const garbageShare = random();
        return cut('garbage', (write) => {
          if (write === victim && random() < garbageShare) return 'garbage';
          return keptWrites.has(write) ? 'keep' : 'drop';
        });
      }
      default: {
        // In another order: what overlaps may leave the older bytes.
        const keptWrites = chosenWrites(pending, random);
        const order = pending.slice();
        for (let i = order.length - 1; i > 0; i--) {
          const j = below(i + 1);
          [order[i], order[j]] = [order[j]!, order[i]!];
        }
        return cut('reordered', (write) => (keptWrites.has(write) ? 'keep' : 'drop'), order);
      }
    }
  }
}

/** Every crash point of a trace, first to last. A point is valid until the next one is asked for. */
export function* crashPoints(trace: Trace): Generator<CrashPoint> {
  const replay = trace.replay();
  let pointIndex = 0;
  const point = (): CrashPoint =>
    new CrashPoint({ pointIndex: pointIndex++, eventIndex: replay.eventIndex }, replay.notes, replay.medium);
  for (let event = replay.next; event !== undefined; event = replay.next) {
    const changes =
      event.kind === 'issue' ||
      event.kind === 'lose' ||
      event.kind === 'grow' ||
      event.kind === 'flush end' ||
      event.kind === 'flush fail';
    if (changes) yield point();
    replay.step();
  }
  yield point();
}

/**
 * The two extreme images at every crash point: all that was written so far kept, and all since the last completed flush
 * dropped. Where both are the same, one.
 */
export function* imagesBetweenWrites(trace: Trace): Generator<CrashImage & { point: CrashPoint }> {
  for (const point of crashPoints(trace)) {
    yield { point, kind: 'all kept', image: point.keepAll() };
    if (point.isUncertain) yield { point, kind: 'all lost', image: point.dropAll() };
  }
}

function chosenWrites(pending: readonly PendingWrite[], random: () => number): Set<PendingWrite> {
  const share = random();
  return new Set(pending.filter(() => random() < share));
}

/**
 * What the lab asks of a layer under test: to be made, opened, changed at random together with a model, shown, and audited.
 *
 * The runner (`workload.ts`) and the checks (`check-state.ts`) know nothing else of a layer. A model is the naive twin of the content; both
 * show themselves as the same text.
 */
import type { LogBounds, LogView, RecoveryReport } from '@outwrite/alloc-log';
import type { BlockDevice } from '@outwrite/blockdev';
import type { Random } from '@outwrite/testkit';

export interface Model {
  /** The whole content, canonically. */
  text(): string;
  clone(): Model;
}

/** Sizes and bounds, small so that every kind of work happens often. */
export interface Settings {
  blockBytes: number;
  /** The volume never has more blocks than this. */
  maxBlocks: number;
  cacheBytes: number;
  bounds: Partial<LogBounds>;
  /** How many different things (registers, keys, names) a workload uses. */
  population: number;
  /**
   * Requests stay in flight over many commits. What they may still write to is not reusable, and a synchronous call cannot wait for them:
   * then even a delete may run out of space.
   */
  lateWrites?: true;
}

/** A layer on a device, open. */
export interface Subject {
  readonly openDelta: number;
  readonly durableDelta: number;
  /** How it was found; null after formatting. */
  readonly recovery: RecoveryReport | null;
  readonly latched: boolean;
  /** The whole content as `Model.text` shows it, read through the layer. */
  content(): string;
  /** Violations of invariants 4, 5 and 9; empty when all is well. */
  audit(): string[];
  commit(): Promise<number>;
  commitSync(): number;
  checkpoint(): Promise<void>;
  checkpointSync(): void;
  close(): Promise<void>;
  /** Throws while anything is in flight, and stays open. */
  closeSync(): void;
  openView(): LogView;
  balance(): Balance;
}

/** Where every block of a volume stands: the first four make the last. */
export interface Balance {
  readonly usedBlocks: number;
  readonly freeBlocks: number;
  readonly waitingBlocks: number;
  readonly reservedBlocks: number;
  readonly limitBlocks: number;
}

export interface Layer {
  readonly name: string;
  /** Some of its operations are done in steps, which a commit may divide. */
  readonly changesInSteps: boolean;
  newModel(): Model;
  format(device: BlockDevice, settings: Settings, random: Random): Subject;
  open(device: BlockDevice, settings: Settings, options: { readOnly: boolean; random: Random }): Subject;
  /**
   * One random operation on both. Throws what the layer throws, with both unchanged. True for an operation in steps, which a commit may
   * divide.
   */
  change(subject: Subject, model: Model, settings: Settings, random: Random): boolean;
  /** As `change`, through what waits. */
  changeAsync?(subject: Subject, model: Model, settings: Settings, random: Random): Promise<boolean>;
  /**
   * Reads something at random and compares it with the model (which is for the state that is visible now). Throws an `Error` for a
   * difference.
   */
  probe(subject: Subject, model: Model, settings: Settings, random: Random): void;
  /** Remembers where the content of the last closed delta is; the returned function throws if any of it was changed on the device. */
  watch?(subject: Subject): () => void;
}

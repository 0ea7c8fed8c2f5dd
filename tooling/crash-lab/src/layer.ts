/**
 * What the lab asks of a layer under test: to be made, opened, changed at random together with a model, shown, and audited.
 *
 * The runner (`workload.ts`) and the checks (`check-state.ts`) know nothing else of a layer. A model is the naive twin of the content; both
 * show themselves as the same text.
 */
import type { LogBounds, LogStats, LogView, RecoveryReport } from '@outwrite/alloc-log';
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
}

/** A layer on a device, open. */
export interface Subject {
  readonly openDelta: number;
  readonly durableDelta: number;
  /** How it was found; null after formatting. */
  readonly recovery: RecoveryReport | null;
  /** The whole content as `Model.text` shows it, read through the layer. */
  content(): string;
  /** Violations of invariants 4, 5 and 9; empty when all is well. */
  audit(): string[];
  commit(): Promise<number>;
  commitSync(): number;
  checkpoint(): Promise<void>;
  checkpointSync(): void;
  close(): Promise<void>;
  openView(): LogView;
  stats(): LogStats;
}

export interface Layer {
  readonly name: string;
  newModel(): Model;
  format(device: BlockDevice, settings: Settings, random: Random): Subject;
  open(device: BlockDevice, settings: Settings, options: { readOnly: boolean; random: Random }): Subject;
  /** One random operation on both. Throws what the layer throws, with both unchanged. */
  change(subject: Subject, model: Model, settings: Settings, random: Random): void;
  /**
   * Reads something at random and compares it with the model (which is for the state that is visible now). Throws an `Error` for a
   * difference.
   */
  probe(subject: Subject, model: Model, settings: Settings, random: Random): void;
  /** Remembers where the content of the last closed delta is; the returned function throws if any of it was changed on the device. */
  watch?(subject: Subject): () => void;
}

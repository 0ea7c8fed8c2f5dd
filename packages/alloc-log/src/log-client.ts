/**
 * The two faces between the log and what is built on it: what the log asks of its client, and what it hands the client to do it with.
 *
 * One client per log (in Outwrite the tree store). The log calls it at fixed points and nowhere else: `load` and the replay calls while
 * opening, `relocate` before the opening checkpoint, `seal` and `checkpoint` in the one synchronous turn that closes a delta. None of
 * them may wait, none may call back into `commit` or `checkpoint`.
 */
import type { Frame } from '@outwrite/buffer-cache';
import type { AllocLog } from './alloc-log.ts';
import type { BlockPointer } from './block-pointer.ts';

/** Root of everything the client stores, as the superblock keeps it. The block is nil when there is nothing. */
export interface ClientRoot {
  pointer: BlockPointer;
  /** Height of the client's root structure, 0 to 64; the client's own business. */
  level: number;
}

export interface LogClient {
  /** The state of the last checkpoint, or null on a fresh volume. Called once, before anything is replayed. */
  load(log: AllocLog, root: ClientRoot | null): void;
  /** A promise "gone" of the delta that is being replayed; within a delta these come first. Throws a `CorruptionError` for nonsense. */
  replayGone(payload: Uint8Array, delta: number): void;
  /** A promise "is at" of the delta that is being replayed. */
  replayAt(payload: Uint8Array, pointer: BlockPointer, delta: number): void;
  /** Copy every block born in `delta` that the client owns to a new place; births stay. Called after an unclean end, see `Relocator`. */
  relocate(delta: number, relocator: Relocator): void;
  /** Compute the checksums of what changed in this delta, promise it and hand it over. Allocates nothing and changes nothing else. */
  seal(sealer: DeltaSealer): void;
  /** Give every node of the open epoch a block, children before parents, hand them over, and return the root. */
  checkpoint(writer: CheckpointWriter): ClientRoot;
  /** `delta` and all before it are durable. */
  durable?(delta: number): void;
}

/** Handed to `LogClient.seal`. */
export interface DeltaSealer {
  /** Number of the delta that is being closed. */
  readonly delta: number;
  /** Promises that what `payload` names exists no longer. Each payload at most once a delta. */
  gone(payload: Uint8Array): void;
  /** Promises that what `payload` names is at `pointer` now. Each payload at most once a delta. */
  at(payload: Uint8Array, pointer: BlockPointer): void;
  /** Writes a promised block with this delta. Its frame must not change before the delta is durable (it is marked as being written). */
  writeLeaf(block: number, frame: Frame): void;
}

/** Handed to `LogClient.checkpoint`. */
export interface CheckpointWriter {
  /** The checkpoint is the state at the end of this delta. */
  readonly delta: number;
  /** A new block for a node. */
  allocate(): number;
  /** Writes a node with this checkpoint; its frame must be final (it is marked as being written until the checkpoint is durable). */
  writeNode(block: number, frame: Frame): void;
}

/** Handed to `LogClient.relocate`: allocation that spares whatever the state before the last delta might still need. */
export interface Relocator {
  /** The last kept delta; what was born in it is to be copied. */
  readonly delta: number;
  /** A new block, used from now on. */
  allocate(): number;
  /** The old place is no longer used; it becomes reusable when the opening is complete. */
  release(block: number): void;
  /** Writes one block of bytes at a new place. */
  write(block: number, bytes: Uint8Array): void;
  /** Reads `old`, verifies it, writes it to a new place, releases the old one, and returns the new block: once for all owners. */
  copyBlock(old: BlockPointer, structure: string): number;
  /**
   * As `copyBlock` for consecutive blocks from `start` on, which get consecutive new places: returns the first of those, or -1 with nothing
   * done if no free run is long enough. One checksum a block.
   */
  copyExtent(start: number, checksums: ArrayLike<number>, birth: number, structure: string): number;
}

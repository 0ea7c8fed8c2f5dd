/** `@outwrite/alloc-log`: space, the log of promises, deltas that are there whole or not at all, checkpoints, recovery. */
export { AllocLog, type FormatOptions, type OpenOptions } from './alloc-log.ts';
export { type BlockPointer, decodePointer, encodePointer, nilPointer, POINTER_BYTES } from './block-pointer.ts';
export type { Stager } from './delta-flight.ts';
export type { Extent } from './extent.ts';
export type { ReachAll } from './free-map-rebuild.ts';
export type { LogBeyond } from './log-beyond.ts';
export type { CheckpointWriter, ClientRoot, DeltaSealer, LogClient, Relocator } from './log-client.ts';
export type { LogBounds } from './log-core.ts';
export { type LogChain, type LoggedDelta, readLogChain } from './log-reader.ts';
export type { AtPromise, DeltaRecords, ListedKind, ListedWrite } from './log-record-format.ts';
export { BLOCK_KINDS, type BlockKind, type LogCounters, type LogStats, type RecoveryReport } from './log-stats.ts';
export type { LogTuning } from './log-tuning.ts';
export { isProvisional } from './provisional-numbers.ts';
export type { LogRepair } from './repair-opening.ts';
export { readSlots, type Slots } from './slots.ts';
export { SpaceAudit, type SpaceFinding } from './space-audit.ts';
export {
  isBlockSize,
  MAX_BLOCK_BYTES,
  MIN_BLOCK_BYTES,
  SLOT_BYTES,
  SLOT_POSITIONS,
  type Superblock,
} from './superblock-format.ts';
export type { LogView } from './waiting-list.ts';

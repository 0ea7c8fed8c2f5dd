/** `@outwrite/btree-cow`: trees of byte-string keys and values on any block device, redirected on write. */
export type { ComingChange } from './batch-ready.ts';
export type { TreeCursor as Cursor } from './cursor.ts';
export type { EntryVisitor, ValuePlace } from './entry-place.ts';
export type { EntryRange } from './entry-range.ts';
export { maxInlineBytes, maxKeyBytes } from './node-format.ts';
export { type BatchOperation, OrderedStore } from './ordered-store.ts';
export { MAX_VALUE_BYTES } from './overflow-format.ts';
export { decodeAt, decodeGone, type GonePromise } from './promise-format.ts';
export type { RelocateValue } from './relocation.ts';
export type { BlocksOf, StoreEdit, StoreRepair } from './store-repair.ts';
export type { PutRoom, Tree } from './tree.ts';
export type { TreeAppender } from './tree-append.ts';
export type { CheckSink } from './tree-check.ts';
export type { LostRange } from './tree-salvage.ts';
export {
  TreeStore,
  type TreeStoreExtension,
  type TreeStoreFormatOptions,
  type TreeStoreOpenOptions,
  type TreeStoreStats,
} from './tree-store.ts';

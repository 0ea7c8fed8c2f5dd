/**
 * `@outwrite/buffer-cache`: blocks in memory, mapped by block number or by page of a file, and their coalesced
 * write-back.
 */
export { BufferCache, type BufferCacheOptions, type BufferCacheStats } from './buffer-cache.ts';
export { Slab } from './frame-arena.ts';
export { type Frame, NO_FRAME } from './frame-table.ts';
export { PageSpace } from './page-space.ts';
export { WriteBatch } from './write-batch.ts';

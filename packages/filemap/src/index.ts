/**
 * `@outwrite/filemap`: the bytes of files, kept as checksummed extents (or one value, when small) in a tree.
 */
export {
  decodeExtent,
  decodeReclaim,
  EXTENT_HEADER_BYTES,
  type Extent,
  encodeExtent,
  encodeReclaim,
  maxExtentBlocks,
  maxValueBytes,
  RECLAIM_BYTES,
  type ReclaimRange,
} from './extent-format.ts';
export type { Segment } from './extent-map.ts';
export { decodeFileEntry, type FileCheckSink, type FileEntry } from './file-check.ts';
export { FileMap } from './file-map.ts';
export { FileMaps, type FileMapsOptions, type FileMapsStats, type OpenFileOptions } from './file-maps.ts';
export { MAX_FILE_BYTES } from './file-state.ts';
export { DIRECT_WRITE_BYTES } from './file-write.ts';
export {
  BLOCK_INDEX_LIMIT,
  decodeFileKey,
  FILE_ID_LIMIT,
  FILE_KEY_BYTES,
  type FileKey,
  fileKey,
  KIND_EXTENT,
  KIND_INLINE,
  KIND_RECLAIM,
} from './key-format.ts';
export type { MapMode } from './map-region.ts';
export { relocateFileEntry } from './relocation.ts';

/** `@outwrite/volume`: files, directories and links in one device, through an API shaped like `node:fs`. */

// Types of the layers below that the declarations of this package name, for programs that install it alone.
export type { BlockKind, LogBounds, LogStats, RecoveryReport } from '@outwrite/alloc-log';
export type { BlockDevice } from '@outwrite/blockdev';
export type { FileMapsStats } from '@outwrite/filemap';
export type { AbortOption, AbortState } from './abort-signal.ts';
export { FileHandle, type ReadOptions } from './file-handle.ts';
export type { StatOptions, TransferOptions } from './fs-descriptors.ts';
export type { BufferEncodingOption, DataLike, EncodingOption, PathLike } from './fs-encoding.ts';
export { FsError, type PosixCode } from './fs-errors.ts';
export { fsConstants, type OpenFlags } from './fs-flags.ts';
export type { MkdirOptions, ReaddirOptions, RmdirOptions, RmOptions } from './fs-paths.ts';
export { FsPromises } from './fs-promises.ts';
export { BigIntStats, Dirent, Stats, type StatsFs } from './fs-stats.ts';
export { type OpendirOptions, type ReadFileOptions, SyncFs, type WriteFileOptions } from './fs-sync.ts';
export {
  INODE_RECORD_BYTES,
  SHORT_TARGET_BYTES,
  TARGET_BYTES_LIMIT,
  VOLUME_RECORD_BYTES,
  VOLUME_RECORD_VERSION,
} from './inode-format.ts';
export { KIND, maxNameBytes, RECORD_KEY_BYTES, ROOT_INODE, VOLUME_INODE } from './key-format.ts';
export { Dir } from './open-directory.ts';
export { LINK_LIMIT, PATH_BYTES_LIMIT } from './path-walk.ts';
export type { RepairChange } from './repair-state.ts';
export type { TimeLike } from './timestamp.ts';
export { type CreateOptions, Volume, type VolumeOpenOptions, type VolumeTuning } from './volume.ts';
export type { CheckOptions, Finding } from './volume-check.ts';
export { VolumeFs } from './volume-fs.ts';
export type { RepairOptions, RepairReport } from './volume-repair.ts';
export type { DamagedInode, ScrubOptions, ScrubProgress, ScrubReport } from './volume-scrub.ts';
export type { VolumeStats } from './volume-stats.ts';
export { XATTR_BYTES_LIMIT, type XattrMode } from './xattrs.ts';

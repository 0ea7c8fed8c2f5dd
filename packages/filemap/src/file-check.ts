/**
 * Walking what the tree holds of a file, for checking, scrubbing and copying: every extent, and everything that is wrong, to a sink.
 *
 * Never throws for a bad image: what cannot be believed is a problem and the walk goes on with the next entry, as far as the tree itself can
 * be read. It sees the tree, so what waits in memory to be staged is not part of it.
 */
import { CorruptionError, compareBytes } from '@outwrite/blockdev';
import {
  decodeExtent,
  decodeReclaim,
  type Extent,
  maxExtentBlocks,
  maxValueBytes,
  type ReclaimRange,
} from './extent-format.ts';
import { ofFile } from './extent-map.ts';
import { readVerified } from './file-read.ts';
import type { FileContext } from './file-state.ts';
import { BLOCK_INDEX_LIMIT, decodeFileKey, fileKey, KIND_EXTENT, KIND_INLINE, KIND_RECLAIM } from './key-format.ts';

/** Where the findings of a walk go. */
export interface FileCheckSink {
  /** An extent that makes sense, in the order of the file. */
  extent?(extent: Extent): void;
  /** A value that is the whole content. */
  inline?(lengthBytes: number): void;
  /** A range that is being given up: its extents are reported and belong to no content. */
  reclaiming?(range: ReclaimRange): void;
  problem(error: CorruptionError): void;
}

/** What an owner's walk over the whole tree finds under a key of this package. */
export type FileEntry =
  | { readonly kind: 'inline'; readonly fileId: number; readonly lengthBytes: number }
  | { readonly kind: 'reclaim'; readonly fileId: number; readonly range: ReclaimRange }
  | { readonly kind: 'extent'; readonly fileId: number; readonly extent: Extent };

/** Decodes any entry of this package; null if the key belongs to somebody else. Throws a `CorruptionError` for nonsense. */
export function decodeFileEntry(
  key: Uint8Array,
  value: Uint8Array,
  limits: { readonly blockSize: number; readonly openDelta: number },
): FileEntry | null {
  const decoded = decodeFileKey(key);
  if (decoded === null) return null;
  const { fileId, kind, blockIndex } = decoded;
  try {
    if (kind === KIND_EXTENT) {
      const maxBlocks = maxExtentBlocks(limits.blockSize);
      return {
        kind: 'extent',
        fileId,
        extent: decodeExtent(value, blockIndex, { maxBlocks, openDelta: limits.openDelta }),
      };
    }
    if (kind === KIND_RECLAIM) return { kind: 'reclaim', fileId, range: decodeReclaim(value) };
  } catch (error) {
    throw ofFile(error, fileId, blockIndex);
  }
  if (value.length === 0 || value.length > maxValueBytes(limits.blockSize)) {
    const problem = new CorruptionError('file map', 'an inline content has an impossible length', {
      actual: value.length,
    });
    throw ofFile(problem, fileId, 0);
  }
  return { kind: 'inline', fileId, lengthBytes: value.length };
}

/**
 * Walks all entries of the file `fileId`, of `sizeBytes` bytes, and reports them and whatever is wrong with them: entries that cannot be
 * decoded, extents that overlap, lie beyond the end of the file or of the device, an inline content beside extents or of another length.
 */
export function checkFile(context: FileContext, fileId: number, sizeBytes: number, sink: FileCheckSink): void {
  const { blockSize, log, tree } = context;
  const limits = { blockSize, openDelta: log.openDelta };
  const blockCount = Math.ceil(sizeBytes / blockSize);
  const deviceBlocks = Math.floor(log.device.sizeBytes / blockSize);
  const problem = (
    text: string,
    detail: { block?: number; blockIndex: number; expected?: number; actual?: number },
  ): void => {
    const { blockIndex, ...rest } = detail;
    sink.problem(ofFile(new CorruptionError('file map', text, rest), fileId, blockIndex) as CorruptionError);
  };
  let inlineBytes = -1;
  let range: ReclaimRange = { fromIndex: BLOCK_INDEX_LIMIT, toIndex: BLOCK_INDEX_LIMIT };
  let reached = 0;
  const cursor = tree.cursor();
  const end = fileKey(fileId, KIND_EXTENT, BLOCK_INDEX_LIMIT);
  try {
    cursor.seek(fileKey(fileId, KIND_INLINE, 0));
    for (; cursor.valid; cursor.next()) {
      const key = cursor.key();
      if (compareKeys(key, end) >= 0) break;
      let entry: FileEntry | null;
      try {
        if (cursor.valueLength > maxValueBytes(blockSize)) {
          throw ofFile(
            new CorruptionError('file map', 'a value has an impossible length', { actual: cursor.valueLength }),
            fileId,
            0,
          );
        }
        entry = decodeFileEntry(key, cursor.value(), limits);
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        sink.problem(error);
        continue;
      }
      if (entry === null) continue;
      if (entry.kind === 'inline') {
        inlineBytes = entry.lengthBytes;
        if (inlineBytes !== sizeBytes) {
          problem('an inline content has another length than the file', {
            blockIndex: 0,
            expected: sizeBytes,
            actual: inlineBytes,
          });
        }
        sink.inline?.(inlineBytes);
      } else if (entry.kind === 'reclaim') {
        range = entry.range;
        sink.reclaiming?.(range);
      } else {
        const { extent } = entry;
        const at = extent.blockIndex;
        const extentEnd = at + extent.checksums.length;
        const place = { blockIndex: at, block: extent.start };
        if (inlineBytes >= 0) problem('a file has an inline content and extents', place);
        if (at < reached)
          problem('an extent begins before the one before it ends', { ...place, expected: reached, actual: at });
        if (extentEnd > blockCount && (extentEnd > range.toIndex || Math.max(at, blockCount) < range.fromIndex)) {
          problem('an extent reaches beyond the end of the file', {
            ...place,
            expected: blockCount,
            actual: extentEnd,
          });
        }
        if (extent.start + extent.checksums.length > deviceBlocks) {
          problem('an extent reaches beyond the end of the device', { ...place, expected: deviceBlocks });
        } else {
          sink.extent?.(extent);
        }
        reached = Math.max(reached, extentEnd);
      }
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    sink.problem(error);
  }
}

/** Reads every block of an extent from the device and reports those whose content does not have its checksum. */
export function verifyExtent(
  context: FileContext,
  fileId: number,
  extent: Extent,
  sink: Pick<FileCheckSink, 'problem'>,
): void {
  const bytes = new Uint8Array(context.blockSize);
  for (let i = 0; i < extent.checksums.length; i++) {
    const block = {
      blockIndex: extent.blockIndex + i,
      blockCount: 1,
      block: extent.start + i,
      birth: extent.birth,
      checksums: extent.checksums.subarray(i, i + 1),
    };
    try {
      readVerified({ context, fileId }, block, bytes);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      sink.problem(error);
    }
  }
}

function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

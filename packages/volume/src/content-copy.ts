/**
 * Copies the content of one open file to another one.
 */
import { assert } from '@outwrite/blockdev';
import { contentSize, dataFrom, holeFrom, readContent, resizeContent, writeContent } from './file-content.ts';
import type { Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import type { Inode } from './inode.ts';

/** Bytes moved at once. */
const COPY_BYTES = 1 << 20;

/**
 * Copies what `source` holds to `target`, which is empty. Holes stay holes, as a sparse file may be larger than the volume. Both files are
 * open, so that the objects of their inodes stay theirs. What was copied before an error stays in `target`.
 */
export function copyContent(head: Head, operation: Operation, source: Inode, target: Inode): void {
  const sizeBytes = contentSize(source);
  const buffer = new Uint8Array(Math.min(COPY_BYTES, sizeBytes));
  for (let at = dataFrom(head, source, 0); at !== -1; at = dataFrom(head, source, at)) {
    for (const end = holeFrom(head, source, at); at < end; ) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
      const byteCount = readContent(head, source, at, piece);
      assert(byteCount === piece.length, 'data between holes stands before the end of the file');
      writeContent(head, operation, target, at, piece);
      at += byteCount;
    }
  }
  if (contentSize(target) < sizeBytes) resizeContent(head, operation, target, sizeBytes);
}

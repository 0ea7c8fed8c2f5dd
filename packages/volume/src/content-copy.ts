/**
 * Copies the content of one open file to another one.
 */
import { assert } from '@outwrite/blockdev';
import { contentSize, dataFrom, holeFrom, resizeContent } from './file-content.ts';
import type { Operation } from './fs-errors.ts';
import type { Head } from './head.ts';
import type { OpenFile } from './open-file.ts';

/** Bytes moved at once. */
const COPY_BYTES = 1 << 20;

/**
 * Copies what `source` holds to `target`, which is empty. Holes stay holes, as a sparse file may be larger than the volume. What was copied
 * before an error stays in `target`.
 */
export function copyContent(head: Head, operation: Operation, source: OpenFile, target: OpenFile): void {
  const { inode } = source;
  const sizeBytes = contentSize(inode);
  const buffer = new Uint8Array(Math.min(COPY_BYTES, sizeBytes));
  for (let at = dataFrom(head, inode, 0); at !== -1; at = dataFrom(head, inode, at)) {
    for (const end = holeFrom(head, inode, at); at < end; ) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
      const byteCount = source.read(operation, piece, at);
      assert(byteCount === piece.length, 'data between holes stands before the end of the file');
      target.write(operation, piece, at);
      at += byteCount;
    }
  }
  if (contentSize(target.inode) < sizeBytes) resizeContent(head, operation, target.inode, sizeBytes);
}

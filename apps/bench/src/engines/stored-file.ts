/**
 * How the engines that know only blobs keep a file: what `stat` answers (mode, modification time) in a header before the content.
 */
const MODE_OFFSET = 0;
const MODIFIED_OFFSET = MODE_OFFSET + 4;
const HEADER_BYTES = MODIFIED_OFFSET + 8;
const FILE_MODE = 0o100644;

export function encodeStoredFile(content: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(HEADER_BYTES + content.length);
  stored.writeUInt32LE(FILE_MODE, MODE_OFFSET);
  stored.writeDoubleLE(Date.now(), MODIFIED_OFFSET);
  stored.set(content, HEADER_BYTES);
  return stored;
}

export function storedFileSize(stored: Uint8Array): number {
  return stored.length - HEADER_BYTES;
}

export function decodeStoredFile(stored: Buffer): Buffer {
  return stored.subarray(HEADER_BYTES);
}

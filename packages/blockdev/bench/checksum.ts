/** XXH32 by words and by bytes, beside the native CRC-32 where the platform has one. */
import * as zlib from 'node:zlib';
import { xxh32, xxh32Blocks, xxh32Words } from '../src/index.ts';
import { type Effort, type Measurement, measure } from './measure.ts';

const SLAB_BYTES = 4 * 1024 * 1024;

export function benchChecksum(effort: Effort): Measurement[] {
  const slab = new ArrayBuffer(SLAB_BYTES);
  const bytes = new Uint8Array(slab);
  const words = new Uint32Array(slab);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i, 0x9e3779b1) >>> 24;
  const results: Measurement[] = [];
  // Node 20.15 and later; the type is older.
  const crc32 = (zlib as { crc32?: (data: Uint8Array) => number }).crc32;
  for (const size of [64, 512, 4096, 16384]) {
    let at = 0;
    const next = (): number => {
      at = at + 2 * size > SLAB_BYTES ? 0 : at + size;
      return at;
    };
    results.push(
      measure(`xxh32Words, ${size} bytes`, size, effort, () => xxh32Words(words, next() >>> 2, size >>> 2)),
      measure(`xxh32, ${size} bytes, aligned`, size, effort, () => xxh32(bytes, next(), at + size)),
    );
  }
  results.push(measure('xxh32, 4096 bytes, unaligned', 4096, effort, () => xxh32(bytes, 1, 4097)));
  const checksums = new Uint32Array(256);
  results.push(
    measure('xxh32Blocks, 256 blocks of 4096 bytes', 256 * 4096, effort, () => {
      xxh32Blocks(bytes, 4096, 4096, checksums);
      return checksums[0]!;
    }),
  );
  if (crc32 !== undefined) {
    const block = bytes.subarray(0, 4096);
    results.push(measure('zlib.crc32, 4096 bytes', 4096, effort, () => crc32(block)));
  }
  return results;
}

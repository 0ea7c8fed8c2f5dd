/**
 * What formatting is asked for, checked before anything is written: the device may hold a volume that is to stay if the request is none.
 */
import { BLOCK_NUMBER_LIMIT, type BlockDevice } from '@outwrite/blockdev';
import { isBlockSize, minimalBlockCount } from './superblock-format.ts';

const DEFAULT_BLOCK_BYTES = 4096;

/** The block size and the limit in blocks. Throws a `TypeError` for what is no number and a `RangeError` for sizes that are impossible. */
export function formatSizes(
  device: BlockDevice,
  options: { readonly blockSize?: number; readonly maxBytes?: number },
): { blockBytes: number; blockLimit: number } {
  const blockBytes = options.blockSize ?? DEFAULT_BLOCK_BYTES;
  checkNumber('the block size', blockBytes);
  if (!isBlockSize(blockBytes)) throw new RangeError(`block size ${blockBytes} is no power of two from 512 to 16384`);
  const wantedBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
  checkNumber('maxBytes', wantedBytes);
  const maxBytes = Math.min(wantedBytes, device.maxSizeBytes);
  const blockLimit = Math.min(Math.floor(maxBytes / blockBytes), BLOCK_NUMBER_LIMIT);
  if (blockLimit < minimalBlockCount(blockBytes)) {
    const leastBytes = minimalBlockCount(blockBytes) * blockBytes;
    throw new RangeError(
      `${maxBytes} bytes are too few for a volume; at least ${leastBytes} are needed with blocks of ${blockBytes} bytes`,
    );
  }
  return { blockBytes, blockLimit };
}

function checkNumber(what: string, value: unknown): void {
  if (typeof value !== 'number') throw new TypeError(`${what} is a number of bytes, not a ${typeof value}`);
  if (Number.isNaN(value)) throw new RangeError(`${what} is a number of bytes, not NaN`);
}

/** A device whose every block has content of its own, and the checksums that pointers to those blocks would carry. */
import assert from 'node:assert/strict';
import { type BlockDevice, MemoryDevice, xxh32 } from '@outwrite/blockdev';

export interface PatternedDevice {
  readonly device: MemoryDevice;
  /** By block number. */
  readonly checksums: number[];
}

/** The content that `seed` stands for. */
export function pattern(blockSize: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(blockSize);
  for (let i = 0; i < blockSize; i++) bytes[i] = (seed * 31 + i * (1 + (seed & 7))) & 0xff;
  bytes[0] = seed & 0xff;
  bytes[1] = (seed >>> 8) & 0xff;
  bytes[2] = (seed >>> 16) & 0xff;
  return bytes;
}

/** Block `n` holds `pattern(blockSize, n)`. */
export function patternedDevice(blockSize: number, blockCount: number): PatternedDevice {
  const device = new MemoryDevice({ sizeBytes: blockSize * blockCount });
  const checksums: number[] = [];
  for (let block = 0; block < blockCount; block++) {
    const bytes = pattern(blockSize, block);
    device.writeSync(block * blockSize, [bytes]);
    checksums.push(xxh32(bytes));
  }
  return { device, checksums };
}

/** Compares bytes; a comparison by element, as the test runner makes it, takes a hundred times as long. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array, what?: string): void {
  if (Buffer.compare(actual, expected) !== 0) assert.deepEqual(actual, expected, what);
}

/** Some blocks as they are on the device. */
export function readBlocks(device: BlockDevice, blockSize: number, block: number, blockCount = 1): Uint8Array {
  const bytes = new Uint8Array(blockSize * blockCount);
  device.readSync(block * blockSize, [bytes]);
  return bytes;
}

/** A device whose every block has content of its own, and the checksums that pointers to those blocks would carry. */
import { MemoryDevice, xxh32 } from '@outwrite/blockdev';

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

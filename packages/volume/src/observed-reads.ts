/**
 * A view of somebody else's device for reading: counts what is read, refuses to write, and closing it does nothing.
 */
import { type BlockDevice, ReadOnlyError } from '@outwrite/blockdev';

export class ObservedReads implements BlockDevice {
  readonly #device: BlockDevice;
  readonly readOnly = true;
  readBytes = 0;

  constructor(device: BlockDevice) {
    this.#device = device;
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes;
  }

  get maxSizeBytes(): number {
    return this.#device.maxSizeBytes;
  }

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#device.readSync(position, buffers);
    for (const buffer of buffers) this.readBytes += buffer.length;
  }

  async write(): Promise<void> {
    this.writeSync();
  }

  writeSync(): void {
    throw new ReadOnlyError('the device');
  }

  async flush(): Promise<void> {}

  flushSync(): void {}

  grow(): void {
    throw new ReadOnlyError('the device');
  }

  async close(): Promise<void> {}

  closeSync(): void {}
}

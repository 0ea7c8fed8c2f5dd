/**
 * Somebody else's device, lent: counts what is read, and closing it does nothing. Read-only if it is lent so.
 */
import { type BlockDevice, ReadOnlyError } from '@outwrite/blockdev';

export class BorrowedDevice implements BlockDevice {
  readonly #device: BlockDevice;
  readonly readOnly: boolean;
  readBytes = 0;

  constructor(device: BlockDevice, options: { readonly readOnly: boolean }) {
    this.#device = device;
    this.readOnly = options.readOnly || device.readOnly;
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

  async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkWritable();
    await this.#device.write(position, buffers);
  }

  writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkWritable();
    this.#device.writeSync(position, buffers);
  }

  async flush(): Promise<void> {
    this.#checkWritable();
    await this.#device.flush();
  }

  flushSync(): void {
    this.#checkWritable();
    this.#device.flushSync();
  }

  grow(sizeBytes: number): void {
    this.#checkWritable();
    this.#device.grow(sizeBytes);
  }

  async close(): Promise<void> {}

  closeSync(): void {}

  #checkWritable(): void {
    if (this.readOnly) throw new ReadOnlyError('the device');
  }
}

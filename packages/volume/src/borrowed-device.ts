/**
 * Somebody else's device, lent: counts what is read, and closing it does nothing. Read-only if it is lent so.
 */
import { type BlockDevice, ForwardingDevice, ReadOnlyError, totalBytes } from '@outwrite/blockdev';

export class BorrowedDevice extends ForwardingDevice {
  readonly #readOnly: boolean;
  readBytes = 0;

  constructor(device: BlockDevice, options: { readonly readOnly: boolean }) {
    super(device);
    this.#readOnly = options.readOnly || device.readOnly;
    if (this.#readOnly) delete this.trim;
  }

  override get readOnly(): boolean {
    return this.#readOnly;
  }

  override readSync(position: number, buffers: readonly Uint8Array[]): void {
    super.readSync(position, buffers);
    this.readBytes += totalBytes(buffers);
  }

  override async write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#checkWritable();
    await super.write(position, buffers);
  }

  override writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#checkWritable();
    super.writeSync(position, buffers);
  }

  override async flush(): Promise<void> {
    this.#checkWritable();
    await super.flush();
  }

  override flushSync(): void {
    this.#checkWritable();
    super.flushSync();
  }

  override grow(sizeBytes: number): void {
    this.#checkWritable();
    super.grow(sizeBytes);
  }

  override async close(): Promise<void> {}

  override closeSync(): void {}

  #checkWritable(): void {
    if (this.readOnly) throw new ReadOnlyError('the device');
  }
}

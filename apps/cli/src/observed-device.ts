/**
 * A device that tells how much is read through it: what progress of long reading is made of.
 *
 * Checking a volume is one synchronous walk that speaks only when it finds something; how far it is shows in what it has read.
 */
import type { BlockDevice } from '@outwrite/blockdev';

export class ObservedDevice implements BlockDevice {
  readonly #device: BlockDevice;
  /** Called after each read, with all bytes read so far. */
  onRead: ((readBytes: number) => void) | undefined;
  #readBytes = 0;

  constructor(device: BlockDevice) {
    this.#device = device;
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes;
  }

  get maxSizeBytes(): number {
    return this.#device.maxSizeBytes;
  }

  get readOnly(): boolean {
    return this.#device.readOnly;
  }

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#device.readSync(position, buffers);
    for (const buffer of buffers) this.#readBytes += buffer.length;
    this.onRead?.(this.#readBytes);
  }

  write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    return this.#device.write(position, buffers);
  }

  writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.#device.writeSync(position, buffers);
  }

  flush(): Promise<void> {
    return this.#device.flush();
  }

  flushSync(): void {
    this.#device.flushSync();
  }

  grow(sizeBytes: number): void {
    this.#device.grow(sizeBytes);
  }

  close(): Promise<void> {
    return this.#device.close();
  }

  closeSync(): void {
    this.#device.closeSync();
  }
}

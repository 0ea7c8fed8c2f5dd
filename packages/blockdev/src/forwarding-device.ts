/**
 * A device that hands everything on to another one: the base of devices that count, watch or forbid something on the way.
 */
import type { BlockDevice } from './block-device.ts';

export class ForwardingDevice implements BlockDevice {
  /** The device that gets the calls. */
  readonly inner: BlockDevice;
  /** Present if and only if the inner device has it. */
  trim?: (position: number, lengthBytes: number) => void;

  constructor(inner: BlockDevice) {
    this.inner = inner;
    if (inner.trim !== undefined) this.trim = (position, lengthBytes) => inner.trim!(position, lengthBytes);
  }

  get name(): string | undefined {
    return this.inner.name;
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes;
  }

  get maxSizeBytes(): number {
    return this.inner.maxSizeBytes;
  }

  get readOnly(): boolean {
    return this.inner.readOnly;
  }

  readSync(position: number, buffers: readonly Uint8Array[]): void {
    this.inner.readSync(position, buffers);
  }

  writeSync(position: number, buffers: readonly Uint8Array[]): void {
    this.inner.writeSync(position, buffers);
  }

  write(position: number, buffers: readonly Uint8Array[]): Promise<void> {
    return this.inner.write(position, buffers);
  }

  flush(): Promise<void> {
    return this.inner.flush();
  }

  flushSync(): void {
    this.inner.flushSync();
  }

  grow(sizeBytes: number): void {
    this.inner.grow(sizeBytes);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  closeSync(): void {
    this.inner.closeSync();
  }
}

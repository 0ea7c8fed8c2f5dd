/**
 * A device that tells how much is read through it: what progress of long reading is made of.
 *
 * Checking a volume is one synchronous walk that speaks only when it finds something; how far it is shows in what it has read.
 */
import { ForwardingDevice, totalBytes } from '@outwrite/blockdev';

export class ObservedDevice extends ForwardingDevice {
  /** Called after each read, with all bytes read so far. */
  onRead: ((readBytes: number) => void) | undefined;
  #readBytes = 0;

  override readSync(position: number, buffers: readonly Uint8Array[]): void {
    super.readSync(position, buffers);
    this.#readBytes += totalBytes(buffers);
    this.onRead?.(this.#readBytes);
  }
}

/**
 * A device that is shorter than its superblock says, as a copy that broke off is: for repair it is as long as it should be, and what is behind
 * its end cannot be read. What is written there makes it longer.
 */
import { readSlots } from '@outwrite/alloc-log';
import { type BlockDevice, DeviceError, TruncatedError, totalBytes } from '@outwrite/blockdev';
import { BorrowedDevice } from './borrowed-device.ts';

/** `device`, or if it is cut short one that is not. Throws what `readSlots` throws otherwise. */
export function withoutCut(device: BlockDevice): { readonly whole: BlockDevice; readonly cut: TruncatedError | null } {
  try {
    readSlots(device);
    return { whole: device, cut: null };
  } catch (error) {
    if (!(error instanceof TruncatedError)) throw error;
    return { whole: new LengthenedDevice(device, error.expectedBytes), cut: error };
  }
}

class LengthenedDevice extends BorrowedDevice {
  readonly #leastBytes: number;

  constructor(device: BlockDevice, leastBytes: number) {
    super(device, { readOnly: device.readOnly });
    this.#leastBytes = leastBytes;
  }

  override get sizeBytes(): number {
    return Math.max(this.inner.sizeBytes, this.#leastBytes);
  }

  override readSync(position: number, buffers: readonly Uint8Array[]): void {
    const lengthBytes = totalBytes(buffers);
    if (position + lengthBytes > this.inner.sizeBytes) {
      throw new DeviceError({ operation: 'read', position, lengthBytes }, 'the device ends before it');
    }
    super.readSync(position, buffers);
  }

  override writeSync(position: number, buffers: readonly Uint8Array[]): void {
    const end = position + totalBytes(buffers);
    if (end > this.inner.sizeBytes) this.grow(end);
    super.writeSync(position, buffers);
  }
}

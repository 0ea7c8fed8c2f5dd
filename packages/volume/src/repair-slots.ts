/**
 * A volume as its older superblock shows it: for repair, when nodes that the newer checkpoint has written cannot be read.
 *
 * Within a life either slot alone leads to the same last state: the log does not restart at a checkpoint, and what a checkpoint retires is
 * not reused before the next one but one. So the older slot and the log behind it may still lead past the damage. The newer slot is hidden
 * until it is written; the opening for repair writes it with the content of the older one before anything else.
 */
import { readLogChain, readSlots, SLOT_BYTES, SLOT_POSITIONS } from '@outwrite/alloc-log';
import type { BlockDevice } from '@outwrite/blockdev';
import { BorrowedDevice } from './borrowed-device.ts';

/** The device without its newer slot; null if the other one is not valid or is no different. */
export function withoutNewerSlot(device: BlockDevice, options: { readonly readOnly: boolean }): OlderSlotDevice | null {
  const { chosen, bothValid } = readSlots(device);
  if (!bothValid) return null;
  return new OlderSlotDevice(device, SLOT_POSITIONS[chosen.generation % 2]!, options);
}

/** The number of the last delta that the log names, whole or not. */
export function lastLoggedDelta(device: BlockDevice): number {
  const { chosen } = readSlots(device);
  const { deltas, unfinished } = readLogChain(device, chosen);
  return unfinished?.delta ?? deltas[deltas.length - 1]?.delta ?? chosen.delta;
}

export class OlderSlotDevice extends BorrowedDevice {
  readonly #position: number;
  #isHidden = true;

  constructor(device: BlockDevice, position: number, options: { readonly readOnly: boolean }) {
    super(device, options);
    this.#position = position;
  }

  override readSync(position: number, buffers: readonly Uint8Array[]): void {
    super.readSync(position, buffers);
    if (!this.#isHidden) return;
    let at = position;
    for (const buffer of buffers) {
      const from = Math.max(0, this.#position - at);
      const to = Math.min(buffer.length, this.#position + SLOT_BYTES - at);
      if (from < to) buffer.fill(0, from, to);
      at += buffer.length;
    }
  }

  override writeSync(position: number, buffers: readonly Uint8Array[]): void {
    super.writeSync(position, buffers);
    if (position === this.#position) this.#isHidden = false;
  }
}

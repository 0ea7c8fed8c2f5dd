/**
 * Calls to a device that are seen to have finished when they return (`checkSynchronous`). Formatting and opening make them; what holds for
 * one call of a method holds for all, so later ones are not looked at.
 */
import { type BlockDevice, checkSynchronous } from '@outwrite/blockdev';

export function checkedRead(device: BlockDevice, position: number, bytes: Uint8Array): void {
  checkSynchronous<unknown>(device.readSync(position, [bytes]), "the device's readSync");
}

export function checkedWrite(device: BlockDevice, position: number, bytes: Uint8Array): void {
  checkSynchronous<unknown>(device.writeSync(position, [bytes]), "the device's writeSync");
}

export function checkedFlush(device: BlockDevice): void {
  checkSynchronous<unknown>(device.flushSync(), "the device's flushSync");
}

export function checkedGrow(device: BlockDevice, sizeBytes: number): void {
  checkSynchronous<unknown>(device.grow(sizeBytes), "the device's grow");
}

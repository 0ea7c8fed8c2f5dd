import { MemoryDevice } from '@outwrite/blockdev';

/** A device in memory that outlives its owner: closing it does nothing, so that the next volume can be opened on it. */
export class LastingDevice extends MemoryDevice {
  override async close(): Promise<void> {}

  override closeSync(): void {}
}

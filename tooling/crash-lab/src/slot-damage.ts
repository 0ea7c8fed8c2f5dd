/**
 * Which of the two superblock slots is the newer, where both are valid.
 */
import { readSlots } from '@outwrite/alloc-log';
import { type BlockDevice, MemoryDevice } from '@outwrite/blockdev';

const SLOT_POSITIONS: readonly number[] = [0, 131072];
const SLOT_BYTES = 4096;
/** The fields of a slot, from its beginning; behind them are zeros and, at the end, the checksum. */
export const SLOT_FIELD_BYTES = 128;

export interface SlotPair {
  /** Byte position of the newer slot. */
  newerPosition: number;
  sameLife: boolean;
}

/** The slots of a device; null unless both are valid. A slot lies at the place of its generation: they take turns. */
export function slotPair(device: BlockDevice): SlotPair | null {
  const { bothValid, chosen } = readSlots(device);
  if (!bothValid) return null;
  const newerPosition = SLOT_POSITIONS[chosen.generation % 2]!;
  const olderPosition = SLOT_POSITIONS[(chosen.generation + 1) % 2]!;
  // The older one alone, on a device large enough for what it says.
  const alone = new MemoryDevice({ sizeBytes: device.sizeBytes });
  const bytes = new Uint8Array(SLOT_BYTES);
  device.readSync(olderPosition, [bytes]);
  alone.writeSync(olderPosition, [bytes]);
  const older = readSlots(alone).chosen;
  return { newerPosition, sameLife: older.lifeId.every((value, i) => value === chosen.lifeId[i]) };
}

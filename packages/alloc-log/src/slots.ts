/**
 * Reading the two superblock slots: which are valid, and which one counts.
 *
 * A slot is valid by its own checksum, magic and version. Damage below a valid slot is never a reason to take the other one.
 */
import {
  type BlockDevice,
  CorruptionError,
  DeviceError,
  deviceName,
  NotAVolumeError,
  type OutwriteError,
  TruncatedError,
  UnsupportedError,
} from '@outwrite/blockdev';
import { checkedRead } from './checked-calls.ts';
import {
  decodeSuperblock,
  hasSuperblockMagic,
  SLOT_BYTES,
  SLOT_POSITIONS,
  type Superblock,
} from './superblock-format.ts';

export interface Slots {
  /** The valid slot of the highest generation. */
  chosen: Superblock;
  bothValid: boolean;
  /** The other slot could not be read or decoded, although something of a volume stands there. */
  fromOlder: boolean;
}

/**
 * Chooses the superblock of a device. Throws a `NotAVolumeError` where nothing looks like one, an `UnsupportedError` for a volume of
 * another version, a `TruncatedError` for a device too short to hold one, a `CorruptionError` when both slots are damaged.
 */
export function readSlots(device: BlockDevice): Slots {
  const valid: Superblock[] = [];
  let firstProblem: OutwriteError | null = null;
  let unsupported: UnsupportedError | null = null;
  let magicSeen = false;
  for (const position of SLOT_POSITIONS) {
    const bytes = new Uint8Array(SLOT_BYTES);
    if (position + SLOT_BYTES > device.sizeBytes) continue;
    try {
      checkedRead(device, position, bytes);
      if (!hasSuperblockMagic(bytes)) continue;
      magicSeen = true;
      valid.push(decodeSuperblock(bytes));
    } catch (error) {
      if (error instanceof UnsupportedError) unsupported ??= error;
      else if (error instanceof CorruptionError || error instanceof DeviceError) firstProblem ??= error;
      else throw error;
    }
  }
  // A slot of a newer version may be the newer slot; going on from the other one would undo what that version did.
  if (unsupported !== null) throw unsupported;
  valid.sort((a, b) => b.generation - a.generation);
  const chosen = valid[0];
  if (chosen === undefined) {
    if (firstProblem !== null) throw firstProblem;
    if (magicSeen) throw new CorruptionError('superblock', 'neither slot is valid');
    throw new NotAVolumeError(
      `${deviceName(device)} is no Outwrite volume: neither superblock place holds one; create a volume first, or check the path`,
    );
  }
  if (valid.length === 2 && !valid[1]!.volumeId.every((value, i) => value === chosen.volumeId[i])) {
    throw new CorruptionError('superblock', 'the two slots belong to different volumes');
  }
  const expectedBytes = chosen.sizeBlocks * chosen.blockBytes;
  if (device.sizeBytes < expectedBytes) {
    throw new TruncatedError(device.name ?? 'the volume', { expectedBytes, actualBytes: device.sizeBytes });
  }
  return { chosen, bothValid: valid.length === 2, fromOlder: valid.length === 1 && magicSeen && firstProblem !== null };
}

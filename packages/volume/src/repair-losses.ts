/**
 * What a repair has to say of what it could not read: ranges of keys that are gone with a node, and deltas behind a cut of the log.
 */
import type { LogBeyond } from '@outwrite/alloc-log';
import type { LostRange } from '@outwrite/btree-cow';
import { KIND_RECLAIM } from '@outwrite/filemap';
import { decodeUtf8 } from './host.ts';
import { KIND, NUMBERED_KEY_BYTES, REST_OFFSET, readU48BigEndian, VOLUME_INODE } from './key-format.ts';
import type { RepairState } from './repair-state.ts';

const INODE_BYTES = 6;

/** Lists the ranges of keys that could not be read. */
export function tellLostRanges(state: RepairState, lost: readonly LostRange[], whyDamaged: WhyDamaged): void {
  for (const { from, to, isIndex, error } of lost) {
    const block = 'block' in error && typeof error.block === 'number' ? error.block : undefined;
    const more = block === undefined ? '' : whyDamaged(block);
    const what = isIndex ? ', unless the log names them' : '';
    const begin = from.length === 0 ? 'the first' : textOf(from);
    const end = to === null ? 'the last' : textOf(to);
    const inode = from.length === 0 ? undefined : inodeOf(from);
    const isOfInode = inode !== undefined && inode !== VOLUME_INODE;
    state.tell(
      'range-lost',
      `entries from ${begin} to before ${end} are lost${what}: ${error.message}${more}`,
      isOfInode ? inode : undefined,
    );
  }
}

/** More about why a block may be damaged; empty if nothing is known. */
export type WhyDamaged = (block: number) => string;

export function whyDamaged(beyond: LogBeyond | null): WhyDamaged {
  return (block) => {
    const by = beyond?.allocations.find(({ start, count }) => block >= start && block < start + count);
    return by === undefined ? '' : ` (delta ${by.delta}, which is given up, had written over it)`;
  };
}

export function tellCut(state: RepairState, beyond: LogBeyond, damage: Error): void {
  const { lastWholeDelta, lastDelta } = beyond;
  const count = Math.max(0, lastDelta - lastWholeDelta);
  const lost =
    count === 0
      ? 'what came after it is lost'
      : `${count} later delta${count === 1 ? ' is' : 's are'} lost, the last of them ${lastDelta}`;
  state.tell(
    'log-cut',
    `the log is cut behind delta ${lastWholeDelta}, the last whole one; ${lost}: ${damage.message}`,
  );
}

function inodeOf(separator: Uint8Array): number {
  const padded = new Uint8Array(INODE_BYTES);
  padded.set(separator.subarray(0, INODE_BYTES));
  return readU48BigEndian(padded, 0);
}

/** What a separator, which may be a key cut short, stands for. */
function textOf(separator: Uint8Array): string {
  const inode = `inode ${inodeOf(separator)}`;
  const kind = separator[INODE_BYTES];
  if (kind === undefined) return inode;
  const number = separator.length === NUMBERED_KEY_BYTES ? ` ${readU48BigEndian(separator, REST_OFFSET)}` : '';
  if (kind === KIND.name) return `${inode}, name "${decodeUtf8(separator, REST_OFFSET, separator.length) ?? '?'}"`;
  if (kind === KIND.extent) return `${inode}, extent${number}`;
  if (kind === KIND.orphan) return `${inode}, orphan${number}`;
  if (kind === KIND.record) return `${inode}, record`;
  if (kind === KIND.symlink) return `${inode}, link target`;
  if (kind === KIND.xattr)
    return `${inode}, attribute "${decodeUtf8(separator, REST_OFFSET, separator.length) ?? '?'}"`;
  if (kind === KIND.inline || kind === KIND_RECLAIM) return `${inode}, content`;
  return `${inode}, kind 0x${kind.toString(16)}`;
}

/**
 * Relocation: in the opening after an unclean end, everything that was born in the last kept delta is copied to new places.
 *
 * What recovery has read may be in the cache of the operating system only. Leaves born in the delta are found by the births on the way down;
 * values in them may point to blocks born in it too: overflow extents, which are ours, and whatever the layers above have in theirs. Births
 * stay; checksums change up the path, whose index nodes are redirected.
 */
import { isProvisional, type Relocator } from '@outwrite/alloc-log';
import { assert } from '@outwrite/blockdev';
import { NO_FRAME, type Slab } from '@outwrite/buffer-cache';
import { childBirth, childBlock, copySeparator, setChildBlock, setChildChecksum } from './index-page.ts';
import {
  copyLeafKey,
  leafCellOffset,
  leafRestLength,
  leafValueIsOverflow,
  leafValueLength,
  leafValueStart,
} from './leaf-page.ts';
import { HEAD_BYTES, LEAF_CELL_HEADER_BYTES, leafCellBytes, maxKeyBytes, OVERFLOW_VALUE_FLAG } from './node-format.ts';
import { addFreedBytes, entryCount, zeroUnused } from './node-header.ts';
import { relocateOverflow } from './overflow.ts';
import { descriptorBirth } from './overflow-format.ts';
import { prepareRedirect, redirectPath } from './redirect.ts';
import type { StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

/** Rewrites block pointers born in the delta inside a value: null if there are none, else a value of the same length. */
export type RelocateValue = (
  treeId: number,
  key: Uint8Array,
  value: Uint8Array,
  relocator: Relocator,
) => Uint8Array | null;

/** Copies all leaves of a tree that were born in the relocator's delta. */
export function relocateTree(state: TreeState, relocator: Relocator, relocateValue: RelocateValue | null): void {
  const { core } = state;
  const { path } = core;
  if (state.rootBirth < relocator.delta) return;
  const separators: Uint8Array[] = [];
  collectBorn(core, state.rootBlock, state.level, NOTHING, relocator.delta, separators);
  core.relocatedDelta = relocator.delta;
  for (const separator of separators) {
    path.seek(state, separator, separator.length, 0);
    try {
      prepareRedirect(state, path, 1);
      redirectPath(state, path, 1);
      state.version++;
      relocateLeaf(state, relocator, relocateValue);
    } finally {
      core.releasePaths();
    }
  }
  core.relocatedDelta = 0;
}

const NOTHING = new Uint8Array(0);

/**
 * The separators of all leaves born in `delta` below an index node that begins at `separator`. Replay has redirected every index node above
 * such a leaf, so one with a block has none below it, even if its birth is that of the delta: the opening before this one wrote it when
 * that delta was the open one.
 */
function collectBorn(
  core: StoreCore,
  number: number,
  level: number,
  separator: Uint8Array,
  delta: number,
  target: Uint8Array[],
): void {
  if (!isProvisional(number)) return;
  const { cache, blockSize } = core;
  const frame = cache.find(number);
  assert(frame !== NO_FRAME, 'index nodes above what was replayed are in memory');
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  const scratch = new Uint8Array(maxKeyBytes(blockSize));
  for (let i = 0, count = entryCount(slab, base); i < count; i++) {
    const birth = childBirth(slab, base, i);
    if (level > 1 ? birth < delta : birth !== delta) continue;
    const own = i === 0 ? separator : scratch.slice(0, copySeparator(slab, base, blockSize, i, scratch));
    if (level === 1) target.push(own);
    else collectBorn(core, childBlock(slab, base, i), level - 1, own, delta, target);
  }
}

/** Moves the leaf of the path to a new block, with what its values point to. */
function relocateLeaf(state: TreeState, relocator: Relocator, relocateValue: RelocateValue | null): void {
  const { core } = state;
  const { cache, blockSize, path } = core;
  const oldBlock = path.numbers[0]!;
  const block = relocator.allocate();
  const frame = cache.redirect(path.frames[0]!, block, 1);
  path.frames[0] = frame;
  path.numbers[0] = block;
  const slab = cache.slabOf(frame);
  const base = cache.baseOf(frame);
  const key = new Uint8Array(maxKeyBytes(blockSize));
  for (let i = 0, count = entryCount(slab, base); i < count; i++) {
    const start = leafValueStart(slab, base, i);
    const length = leafValueLength(slab, base, i);
    if (leafValueIsOverflow(slab, base, i)) {
      if (descriptorBirth(slab.u8, start) !== relocator.delta) continue;
      const newLength = relocateOverflow(core, slab.u8, start, start + length, relocator);
      if (newLength < length) shortenValue(slab, base, i, newLength);
    } else if (relocateValue !== null) {
      const keyLength = copyLeafKey(slab, base, blockSize, i, key);
      const value = relocateValue(state.id, key.slice(0, keyLength), slab.u8.slice(start, start + length), relocator);
      if (value === null) continue;
      assert(value.length === length, 'a relocated value keeps its length');
      slab.u8.set(value, start);
    }
  }
  zeroUnused(slab, base, blockSize);
  const checksum = cache.checksumOf(frame);
  relocator.write(block, cache.bytesOf(frame));
  cache.markClean(frame);
  relocator.release(oldBlock);
  const parent = path.frames[1]!;
  const parentSlab = cache.slabOf(parent);
  const parentBase = cache.baseOf(parent);
  setChildBlock(parentSlab, parentBase, path.positions[1]!, block);
  setChildChecksum(parentSlab, parentBase, path.positions[1]!, checksum);
}

/** The value of entry `position` has become shorter in place: its tail moves up, and what its cell no longer needs is a hole. */
function shortenValue(slab: Slab, base: number, position: number, newLength: number): void {
  const cell = base + leafCellOffset(slab, base, position);
  const oldLength = leafValueLength(slab, base, position);
  const restLength = leafRestLength(slab, base, position);
  const oldSize = leafCellBytes(oldLength, restLength);
  const newSize = leafCellBytes(newLength, restLength);
  const valueStart = cell + LEAF_CELL_HEADER_BYTES;
  slab.u8.copyWithin(valueStart + newLength, valueStart + oldLength, cell + oldSize);
  slab.u8.fill(0, valueStart + newLength + Math.max(0, restLength - HEAD_BYTES), cell + oldSize);
  slab.u16[cell >>> 1] = newLength | OVERFLOW_VALUE_FLAG;
  addFreedBytes(slab, base, oldSize - newSize);
}

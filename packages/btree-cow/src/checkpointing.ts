/**
 * The part of a checkpoint that concerns nodes: every node of the open epoch gets a block.
 *
 * Blocks are given out from a node to its children, in key order, so that addresses rise as keys do; checksums are computed the other way
 * round, because that of a child stands in its parent. The line of each tree in the catalogue is its root's parent, and was redirected
 * with the root, so storing the final reference there changes nothing but those bytes.
 */
import type { CheckpointWriter, ClientRoot } from '@outwrite/alloc-log';
import { isProvisional } from '@outwrite/alloc-log';
import { assert } from '@outwrite/blockdev';
import { NO_FRAME } from '@outwrite/buffer-cache';
import { CATALOGUE_KEY_BYTES, encodeCatalogueKey, encodeTreeLine } from './catalogue-format.ts';
import { childBirth, childBlock, setChildBirth, setChildBlock, setChildChecksum } from './index-page.ts';
import { leafValueStart } from './leaf-page.ts';
import { entryCount, zeroUnused } from './node-header.ts';
import { childPosition, searchLeaf } from './page-search.ts';
import type { StoreCore } from './store-core.ts';
import type { TreeState } from './tree-state.ts';

/** Writes the index nodes of all trees that have moved, then the catalogue, and returns its root. */
export function checkpointTrees(core: StoreCore, writer: CheckpointWriter): ClientRoot {
  const catalogue = core.catalogue!;
  const nodes = new NodeWriter(core, writer);
  const trees = core.movedTrees.filter((state) => !state.isGone).sort((a, b) => a.id - b.id);
  core.movedTrees = [];
  for (const state of trees) {
    nodes.writeTree(state);
    storeLine(core, state, writer.delta);
  }
  nodes.writeTree(catalogue);
  return {
    pointer: { block: catalogue.rootBlock, checksum: catalogue.rootChecksum, birth: catalogue.rootBirth },
    level: catalogue.level,
  };
}

const lineKey = new Uint8Array(CATALOGUE_KEY_BYTES);

/** Stores the root reference of a tree in its line, in place, and sees to it that no pointer above is older. */
function storeLine(core: StoreCore, state: TreeState, delta: number): void {
  const { cache, blockSize } = core;
  const catalogue = core.catalogue!;
  encodeCatalogueKey(lineKey, state.id);
  catalogue.rootBirth = Math.max(catalogue.rootBirth, delta);
  let number = catalogue.rootBlock;
  for (let level = catalogue.level; ; level--) {
    assert(isProvisional(number), 'the way to the line of a tree that has moved is of the open epoch');
    const frame = cache.find(number);
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    if (level === 0) {
      const position = searchLeaf(slab, base, blockSize, lineKey, CATALOGUE_KEY_BYTES);
      assert(position >= 0, 'a tree has a line in the catalogue');
      encodeTreeLine(slab.u8, leafValueStart(slab, base, position), state);
      return;
    }
    const position = childPosition(slab, base, blockSize, lineKey, CATALOGUE_KEY_BYTES);
    setChildBirth(slab, base, position, Math.max(childBirth(slab, base, position), delta));
    number = childBlock(slab, base, position);
  }
}

class NodeWriter {
  readonly #core: StoreCore;
  readonly #writer: CheckpointWriter;
  // Of the node written last.
  #block = 0;
  #checksum = 0;

  constructor(core: StoreCore, writer: CheckpointWriter) {
    this.#core = core;
    this.#writer = writer;
  }

  /** Writes the nodes of a tree that have no block yet. */
  writeTree(state: TreeState): void {
    if (!isProvisional(state.rootBlock)) return;
    this.#writeNode(state.rootBlock, state.level, state.isCatalogue ? 0 : 1);
    state.setRoot(this.#block, this.#checksum, state.rootBirth, state.level);
    // Numbers have changed: cursors must look again.
    state.version++;
  }

  #writeNode(number: number, level: number, lowestLevel: number): void {
    const { cache, blockSize, log } = this.#core;
    const frame = cache.find(number);
    assert(frame !== NO_FRAME, 'a node of the open epoch is in memory');
    const block = this.#writer.allocate();
    cache.move(frame, block);
    log.releaseProvisional(number);
    const slab = cache.slabOf(frame);
    const base = cache.baseOf(frame);
    if (level > lowestLevel) {
      const count = entryCount(slab, base);
      for (let i = 0; i < count; i++) {
        const child = childBlock(slab, base, i);
        if (!isProvisional(child)) continue;
        this.#writeNode(child, level - 1, lowestLevel);
        setChildBlock(slab, base, i, this.#block);
        setChildChecksum(slab, base, i, this.#checksum);
      }
    }
    zeroUnused(slab, base, blockSize);
    this.#checksum = cache.checksumOf(frame);
    this.#block = block;
    this.#writer.writeNode(block, frame);
  }
}

/**
 * The tree store as the log sees it: sealing, checkpoints, replay, relocation, each handed to the module that does it.
 */
import type {
  AllocLog,
  BlockPointer,
  CheckpointWriter,
  ClientRoot,
  DeltaSealer,
  LogClient,
  Relocator,
} from '@outwrite/alloc-log';
import { assert, CorruptionError, NIL_BLOCK } from '@outwrite/blockdev';
import { Catalogue } from './catalogue.ts';
import { checkpointTrees } from './checkpointing.ts';
import { MAX_LEVEL } from './node-format.ts';
import { type RelocateValue, relocateTree } from './relocation.ts';
import { replayAt, replayGone } from './replay.ts';
import { TreeSealer } from './sealing.ts';
import { StoreCore } from './store-core.ts';
import type { TreeSalvage } from './tree-salvage.ts';

export class StoreClient implements LogClient {
  readonly relocateValue: RelocateValue | null;
  readonly salvage: TreeSalvage | null;
  #catalogue: Catalogue | null = null;
  #treeSealer: TreeSealer | null = null;

  constructor(relocateValue: RelocateValue | null, salvage: TreeSalvage | null = null) {
    this.relocateValue = relocateValue;
    this.salvage = salvage;
  }

  /** There is one as soon as the log has called `load`. */
  get catalogue(): Catalogue {
    assert(this.#catalogue !== null, 'the log loads its client before anything else');
    return this.#catalogue;
  }

  load(log: AllocLog, root: ClientRoot | null): void {
    const core = new StoreCore(log);
    const catalogue = new Catalogue(core);
    this.#catalogue = catalogue;
    core.isReplaying = true;
    if (root === null) {
      catalogue.makeEmpty();
      return;
    }
    const { pointer, level } = root;
    if (pointer.block === NIL_BLOCK || level < 1 || level > MAX_LEVEL) {
      throw new CorruptionError('superblock', 'the root of the catalogue cannot be', {
        block: pointer.block,
        actual: level,
      });
    }
    if (this.salvage === null) catalogue.load(pointer, level);
    else this.salvage.load(catalogue, { pointer, level });
  }

  /** Opening is complete: what was replayed needs no telling, and from now on the log is asked for room. */
  opened(): void {
    const { core } = this.catalogue;
    for (const state of core.changedTrees) state.deltaTold();
    core.changedTrees = [];
    core.isReplaying = false;
  }

  replayGone(payload: Uint8Array): void {
    replayGone(this.catalogue, payload, this.salvage !== null);
  }

  replayAt(payload: Uint8Array, pointer: BlockPointer): void {
    replayAt(this.catalogue, payload, pointer);
  }

  relocate(_delta: number, relocator: Relocator): void {
    for (const id of this.catalogue.ids(true)) relocateTree(this.catalogue.stateOf(id)!, relocator, this.relocateValue);
  }

  seal(sealer: DeltaSealer): void {
    const { core } = this.catalogue;
    const trees = core.changedTrees.sort((a, b) => a.id - b.id);
    core.changedTrees = [];
    this.#treeSealer ??= new TreeSealer(core);
    this.#treeSealer.sealAll(trees, sealer);
  }

  checkpoint(writer: CheckpointWriter): ClientRoot {
    return checkpointTrees(this.catalogue.core, writer);
  }
}

/**
 * Making room: what happens when an operation asks for space or memory that is not there.
 *
 * Space: commit, then checkpoint twice (what the first retires is reusable after the second), then give up with nothing changed. Memory:
 * what is dirty cannot leave the cache, so past a bound a commit or checkpoint is made before the operation goes on. Either way the
 * caller begins again, because what it had looked up may have moved.
 */
import { NoSpaceError } from '@outwrite/blockdev';
import type { Committer } from './committer.ts';
import type { LogCore } from './log-core.ts';
import { availableBlocks } from './space-accounting.ts';

/** What is on the device already binds only its checksums until the commit: so many blocks of it count as a dirty one. */
const WRITTEN_BLOCKS_A_DIRTY_ONE = 16;

export class Room {
  readonly #core: LogCore;
  readonly #committer: Committer;
  /** Dirty memory in blocks that the last commit for the sake of memory left: another one could not get rid of that either. */
  #dirtyAfterRelief = 0;

  constructor(core: LogCore, committer: Committer) {
    this.#core = core;
    this.#committer = committer;
  }

  /** See `AllocLog.ensure`. */
  ensure(blocks: number, nodes: number, isReclaiming: boolean): boolean {
    const needed = blocks + 2 * nodes;
    const core = this.#core;
    const reclaiming = isReclaiming || core.reclaimingDepth > 0;
    if (core.staging) return true;
    core.check();
    const tight = availableBlocks(core, reclaiming, blocks) < needed;
    if (!tight && !this.#memoryIsShort()) return true;
    if (core.transactionDepth > 0) {
      if (tight) throw this.#noSpace(blocks, needed, reclaiming);
      return true;
    }
    if (!tight) {
      this.#relieve();
      return false;
    }
    this.#committer.commitSync();
    for (let i = 0; i < 2 && availableBlocks(core, reclaiming, blocks) < needed; i++) this.#committer.checkpointSync();
    if (availableBlocks(core, reclaiming, blocks) < needed) throw this.#noSpace(blocks, needed, reclaiming);
    return false;
  }

  /** Memory in blocks that cannot be dropped before a commit or checkpoint. */
  #dirtyBlocks(): number {
    const core = this.#core;
    const { allocatedCount, onDeviceCount } = core.open;
    const written = Math.ceil(onDeviceCount / WRITTEN_BLOCKS_A_DIRTY_ONE);
    return allocatedCount - onDeviceCount + written + core.heldCount + core.provisional.count;
  }

  #memoryIsShort(): boolean {
    return this.#dirtyBlocks() - this.#dirtyAfterRelief > this.#core.bounds.dirtyBlocks;
  }

  #relieve(): void {
    const core = this.#core;
    if (core.provisional.count * 2 > core.bounds.dirtyBlocks) this.#committer.checkpointSync();
    else this.#committer.commitSync();
    this.#dirtyAfterRelief = this.#dirtyBlocks();
  }

  #noSpace(blocks: number, needed: number, reclaiming: boolean): NoSpaceError {
    const core = this.#core;
    const free = Math.max(0, availableBlocks(core, reclaiming, blocks)) * core.blockBytes;
    const views = core.waiting.views.length;
    const advice =
      views > 0 ? `close the ${views} open views, which keep freed space, or delete something` : 'delete something';
    return new NoSpaceError(
      `the volume is full: ${needed * core.blockBytes} bytes are needed and ${free} of ${core.superblock.blockLimit * core.blockBytes} are free; ${advice}`,
    );
  }
}

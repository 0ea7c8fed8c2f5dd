/**
 * Checks invariants 4 and 5 from outside: every used block is reached exactly once, every reached block is used, nothing leaks.
 *
 * The caller walks its structures and reports each block it reaches; `finish` compares with the free map. Findings come one by one as
 * they are found, so that a damaged volume of any size can be reported in bounded memory (one bit a block, in pages made on demand).
 */

import { OutwriteError } from '@outwrite/blockdev';
import type { AllocLog } from './alloc-log.ts';

export interface SpaceFinding {
  code: 'reached-twice' | 'reached-but-free' | 'used-but-unreached' | 'free-map-damaged' | 'beyond-limit';
  message: string;
  block: number;
  blockCount: number;
}

const PAGE_BLOCKS = 32768;

export class SpaceAudit {
  readonly #log: AllocLog;
  readonly #pages: Map<number, Uint32Array> = new Map();

  constructor(log: AllocLog) {
    this.#log = log;
  }

  /** Reports that `[start, start + count)` belongs to `owner`; returns what is wrong with that. */
  reach(start: number, count: number, owner: string): SpaceFinding[] {
    const findings: SpaceFinding[] = [];
    if (start + count > this.#log.blockLimit) {
      return [
        {
          code: 'beyond-limit',
          message: `${owner} refers to blocks beyond the volume`,
          block: start,
          blockCount: count,
        },
      ];
    }
    for (let block = start; block < start + count; block++) {
      if (!this.#mark(block)) continue;
      const last = findings[findings.length - 1];
      if (last !== undefined && last.block + last.blockCount === block) last.blockCount++;
      else
        findings.push({
          code: 'reached-twice',
          message: `${owner} refers to a block that belongs to something else too`,
          block,
          blockCount: 1,
        });
    }
    return findings;
  }

  /** Compares what was reached with the free map. Call it once, when everything has been reported. */
  *finish(): Generator<SpaceFinding> {
    const log = this.#log;
    for (const { start, count } of log.systemExtents()) yield* this.reach(start, count, 'the volume itself');
    // Still counted as used, by design, until the next checkpoint.
    for (const block of log.retiredBlocks()) yield* this.reach(block, 1, 'a retired node');
    let expected = 0;
    try {
      for (const { start, count } of log.usedExtents()) {
        yield* this.#runs(expected, start, true);
        yield* this.#runs(start, start + count, false);
        expected = start + count;
      }
      yield* this.#runs(expected, log.blockLimit, true);
    } catch (error) {
      if (!(error instanceof OutwriteError)) throw error;
      yield { code: 'free-map-damaged', message: error.message, block: expected, blockCount: 0 };
    }
  }

  /** Runs in `[from, to)` whose blocks are reached (or are not) and should be the other. */
  *#runs(from: number, to: number, reached: boolean): Generator<SpaceFinding> {
    let runStart = -1;
    for (let block = from; block < to; ) {
      const page = this.#pages.get(Math.floor(block / PAGE_BLOCKS));
      const pageEnd = Math.min(to, (Math.floor(block / PAGE_BLOCKS) + 1) * PAGE_BLOCKS);
      if (page === undefined) {
        // Nothing of this page was reached.
        if (reached) {
          if (runStart !== -1) yield finding(runStart, block, reached);
          runStart = -1;
        } else if (runStart === -1) {
          runStart = block;
        }
        block = pageEnd;
        continue;
      }
      for (; block < pageEnd; block++) {
        const bit = (page[(block % PAGE_BLOCKS) >>> 5]! & (1 << (block & 31))) !== 0;
        if (bit === reached && runStart === -1) runStart = block;
        if (bit !== reached && runStart !== -1) {
          yield finding(runStart, block, reached);
          runStart = -1;
        }
      }
    }
    if (runStart !== -1) yield finding(runStart, to, reached);
  }

  /** Marks a block as reached; true if it was so already. */
  #mark(block: number): boolean {
    const index = Math.floor(block / PAGE_BLOCKS);
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = new Uint32Array(PAGE_BLOCKS / 32);
      this.#pages.set(index, page);
    }
    const word = (block % PAGE_BLOCKS) >>> 5;
    const mask = 1 << (block & 31);
    const before = (page[word]! & mask) !== 0;
    page[word]! |= mask;
    return before;
  }
}

function finding(start: number, end: number, reached: boolean): SpaceFinding {
  return reached
    ? {
        code: 'reached-but-free',
        message: 'the free map counts blocks as free that are in use',
        block: start,
        blockCount: end - start,
      }
    : {
        code: 'used-but-unreached',
        message: 'the free map counts blocks as used that nothing refers to',
        block: start,
        blockCount: end - start,
      };
}

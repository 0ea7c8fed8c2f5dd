/**
 * Following the log chain: which deltas are there, and is its end a torn end or damage.
 *
 * A block continues the chain if it is whole and its life, number and predecessor checksum fit. The first that does not is the end,
 * unless a header survives in it that would fit and leads to a block that is whole by itself, of the same life, with the next number and
 * naming this one's checksum as its predecessor's: a successor proves that its predecessor was flushed, so that is damage. Where no header
 * survives, as after a lost write, a block of a later delta among those that follow on the device proves the same. The log is read in runs,
 * since a chain of small commits lies in one piece with what it wrote.
 */
import { type BlockDevice, ByteWriter, CorruptionError, DeviceError, OutwriteError } from '@outwrite/blockdev';
import {
  decodeLogBlock,
  LOG_FLAG_FLUSHED_FIRST,
  LOG_HEADER_BYTES,
  type LogHeader,
  sameLife,
  survivingLogHeaders,
} from './log-block-format.ts';
import type { ChainBlock } from './log-core.ts';
import { type DeltaRecords, decodeRecords } from './log-record-format.ts';
import type { Superblock } from './superblock-format.ts';

/** Blocks read at once while following the chain. */
const RUN_BLOCKS = 64;
/** How far behind a block of which nothing is left a later one is looked for: log and leaves are allocated near to one another. */
const SEARCH_BYTES = 256 * 1024;

/** One delta of the log, complete. */
export interface LoggedDelta {
  delta: number;
  flushedFirst: boolean;
  records: DeltaRecords;
  /** Log blocks that carry it. */
  blocks: number[];
  /** Checksum of its last log block, and place and number of the one after it: what an end of the chain here would look like. */
  checksum: number;
  nextBlock: number;
  nextNumber: number;
}

export interface LogChain {
  deltas: LoggedDelta[];
  /** A delta whose first log blocks are there and whose last ones are not. */
  unfinished: { delta: number; blocks: number[] } | null;
  /** Set where the chain breaks off although it went on. */
  damage: CorruptionError | null;
  /** The block at which following it ended: what would continue it lies there, if anything does. */
  endBlock: number;
}

const NOTHING: Uint8Array = new Uint8Array(0);

class ChainSource {
  readonly #device: BlockDevice;
  readonly #blockBytes: number;
  #runStart = 0;
  #memory: Uint8Array | null = null;
  #run: Uint8Array = NOTHING;

  constructor(device: BlockDevice, blockBytes: number) {
    this.#device = device;
    this.#blockBytes = blockBytes;
  }

  /** The bytes of a block, or null where the device ends before it. The view is good until the next call. */
  read(block: number): Uint8Array | null {
    const blockBytes = this.#blockBytes;
    const deviceBlocks = Math.floor(this.#device.sizeBytes / blockBytes);
    if (block >= deviceBlocks) return null;
    const runBlocks = this.#run.length / blockBytes;
    if (block < this.#runStart || block >= this.#runStart + runBlocks) {
      const count = Math.min(RUN_BLOCKS, deviceBlocks - block);
      try {
        this.#readRun(block, count);
      } catch (error) {
        // A sector that cannot be read keeps nobody from the blocks before it.
        if (count === 1 || !(error instanceof DeviceError)) throw error;
        this.#readRun(block, 1);
      }
    }
    const offset = (block - this.#runStart) * blockBytes;
    return this.#run.subarray(offset, offset + blockBytes);
  }

  /** Whether a block still has these bytes on the device. */
  isStill(block: number, bytes: Uint8Array): boolean {
    this.#run = NOTHING;
    return this.read(block)?.every((byte, i) => byte === bytes[i]) === true;
  }

  #readRun(block: number, count: number): void {
    this.#memory ??= new Uint8Array(RUN_BLOCKS * this.#blockBytes);
    const run = this.#memory.subarray(0, count * this.#blockBytes);
    this.#run = NOTHING;
    this.#device.readSync(block * this.#blockBytes, [run]);
    this.#run = run;
    this.#runStart = block;
  }
}

/**
 * Follows the chain that begins where `superblock` says. Never throws for what it finds in the chain; device errors pass through, unless
 * `isRepairing`: then a block that cannot be read is damage like any other.
 */
export function readLogChain(device: BlockDevice, superblock: Superblock, isRepairing: boolean = false): LogChain {
  const source = new ChainSource(device, superblock.blockBytes);
  const chain: LogChain = { deltas: [], unfinished: null, damage: null, endBlock: superblock.nextLogBlock };
  const seen = new Set<number>();
  let block = superblock.nextLogBlock;
  let number = superblock.nextLogNumber;
  let previousChecksum = superblock.previousLogChecksum;
  let delta = superblock.delta + 1;
  const stream = new ByteWriter();
  let blocks: number[] = [];
  for (;;) {
    let bytes: Uint8Array | null = null;
    chain.endBlock = block;
    try {
      if (block < superblock.blockLimit && !seen.has(block)) bytes = source.read(block);
    } catch (error) {
      if (!isRepairing || !(error instanceof DeviceError)) throw error;
      chain.damage = new CorruptionError('log block', `it cannot be read: ${error.message}`, { block, cause: error });
    }
    const header = bytes === null ? null : decodeLogBlock(bytes);
    const fits =
      header !== null &&
      continues(header, { lifeId: superblock.lifeId, number, previousChecksum }) &&
      header.delta === delta &&
      header.index === blocks.length;
    if (!fits || bytes === null || header === null) {
      if (bytes !== null) {
        const atEnd = bytes.slice();
        const damage = damageAt(source, atEnd, { block, number, delta, previousChecksum, superblock });
        // Who reads beside a writer may see the log grow.
        if (damage !== null && source.isStill(block, atEnd)) chain.damage = damage;
      }
      if (blocks.length > 0) chain.unfinished = { delta, blocks };
      return chain;
    }
    seen.add(block);
    blocks.push(block);
    stream.append(bytes, LOG_HEADER_BYTES, LOG_HEADER_BYTES + header.payloadBytes);
    previousChecksum = header.checksum;
    number++;
    block = header.nextBlock;
    if (header.index < header.count - 1) continue;
    if (block >= superblock.blockLimit) {
      const [first] = blocks;
      chain.damage = new CorruptionError('log block', 'the log leads beyond the volume', {
        block: first,
        actual: block,
      });
      return chain;
    }
    try {
      chain.deltas.push({
        delta,
        flushedFirst: (header.flags & LOG_FLAG_FLUSHED_FIRST) !== 0,
        records: decodeRecords(delta, stream.view(), superblock.blockLimit),
        blocks,
        checksum: previousChecksum,
        nextBlock: block,
        nextNumber: number,
      });
    } catch (error) {
      // Whole by its checksum and yet no log: only an image made by hand, or a fault of ours, looks like this.
      if (!(error instanceof CorruptionError)) throw error;
      chain.damage = error;
      return chain;
    }
    stream.reset();
    blocks = [];
    delta++;
  }
}

interface ChainPosition {
  lifeId: Uint8Array;
  number: number;
  previousChecksum: number;
}

function continues(header: LogHeader, expected: ChainPosition): boolean {
  return (
    sameLife(header.lifeId, expected.lifeId) &&
    header.number === expected.number &&
    header.previousChecksum === expected.previousChecksum
  );
}

/**
 * The end of the chain is at `bytes`: damage if something later proves that this block was once whole, null if it may be a torn end.
 * Blocks of one delta are written together, so only a whole block of a *later* delta proves anything; surviving headers lead there, and
 * where there are none it is looked for.
 */
function damageAt(
  source: ChainSource,
  bytes: Uint8Array,
  end: { block: number; number: number; delta: number; previousChecksum: number; superblock: Superblock },
): CorruptionError | null {
  const { lifeId, blockLimit, blockBytes } = end.superblock;
  const message = 'it is damaged in the middle of the log, later deltas are there';
  for (const first of survivingLogHeaders(bytes)) {
    if (!continues(first, { lifeId, number: end.number, previousChecksum: end.previousChecksum })) continue;
    let header: LogHeader | undefined = first;
    for (let steps = first.count - first.index; header !== undefined && steps > 0; steps--) {
      const next: Uint8Array | null = header.nextBlock < blockLimit ? readQuietly(source, header.nextBlock) : null;
      if (next === null) break;
      const expected: ChainPosition = { lifeId, number: header.number + 1, previousChecksum: header.checksum };
      const successor = decodeLogBlock(next);
      if (successor !== null && successor.delta > first.delta && continues(successor, expected)) {
        return new CorruptionError('log block', message, { block: end.block });
      }
      header = survivingLogHeaders(next).find((candidate) => continues(candidate, expected));
    }
  }
  const later = findLaterLogBlock((block) => readQuietly(source, block), { ...end, lifeId, blockBytes });
  return later === null ? null : new CorruptionError('log block', message, { block: end.block });
}

/**
 * The log block of the same life and a later delta that comes first in the chain, among the whole ones that stand soon behind `end`; null
 * if there is none. Nothing of a delta is written before the one before it is durable, so no crash leaves such a block behind a torn one.
 */
export function findLaterLogBlock(
  read: (block: number) => Uint8Array | null,
  end: { block: number; number: number; delta: number; lifeId: Uint8Array; blockBytes: number },
): { readonly block: number; readonly header: LogHeader } | null {
  let found: { block: number; header: LogHeader } | null = null;
  const lastBlock = end.block + SEARCH_BYTES / end.blockBytes;
  for (let at = end.block + 1; at <= lastBlock; at++) {
    const bytes = read(at);
    const header = bytes === null ? null : decodeLogBlock(bytes);
    if (header === null || !sameLife(header.lifeId, end.lifeId)) continue;
    if (header.number <= end.number || header.delta <= end.delta) continue;
    if (found === null || header.number < found.header.number) found = { block: at, header };
  }
  return found;
}

function readQuietly(source: ChainSource, block: number): Uint8Array | null {
  try {
    return source.read(block);
  } catch (error) {
    if (!(error instanceof OutwriteError)) throw error;
    return null;
  }
}

/** Every block that the chain occupies, with the reserved place after its last whole delta. */
export function chainBlocks(superblock: Superblock, deltas: readonly LoggedDelta[]): ChainBlock[] {
  const entries: ChainBlock[] = [];
  for (const { blocks, delta } of deltas) for (const block of blocks) entries.push({ block, delta });
  const last = deltas[deltas.length - 1];
  entries.push({ block: last?.nextBlock ?? superblock.nextLogBlock, delta: (last?.delta ?? superblock.delta) + 1 });
  return entries;
}

/**
 * Every single flipped bit of anything live is found by a scrub.
 *
 * The image has every kind of structure. What is live is taken from the free map and the log, not from what the scrub walks: each used block,
 * each block of the log that leads to the present state, both superblock slots, and what the older one of them leads to. A volume is open on the device and sound; below its caches
 * one bit is flipped, scrubbed, and flipped back.
 *
 * By default each live block gets some flips, drawn by seed. `OUTWRITE_BIT_FLIPS=bytes:I/N` takes every live byte instead, each with a bit drawn
 * by seed, and of that the I-th of N parts; `bits:I/N` every bit. Blocks that hide nothing else, data and leaves, are damaged all
 * at once, and every one of them has to be named.
 */
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { TreeStore } from '@outwrite/btree-cow';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type Finding, Volume } from '../src/index.ts';
import { withoutNewerSlot } from '../src/repair-slots.ts';
import { LastingDevice } from './lasting-device.ts';

const SLOT_POSITIONS = [0, 131072];
const SLOT_BYTES = 4096;
/** Flips that are drawn by default: of each slot, of each other live block, and of all that are damaged at once. */
const SLOT_FLIPS = 24;
const BLOCK_FLIPS = 2;
const GROUP_FLIPS = 30;
/** A slot has its fields here, and zeros behind them. */
const SLOT_FIELD_BYTES = 136;
const GROUPED = ['data', 'leaf'];

const tuning = {
  autoCommitMilliseconds: 0,
  cacheBytes: 1 << 18,
  bounds: { zeroAheadBytes: 0, flushFirstBytes: 1 << 16 },
};

/** What a live byte belongs to, and where it is. */
interface Live {
  readonly kind: string;
  readonly position: number;
  readonly lengthBytes: number;
}

function content(length: number, salt: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => (index * 31 + (index >>> 8) + salt) & 0xff);
}

/** A small volume with everything, ending in a log of several deltas. */
function make(blockSize: number): { device: LastingDevice; volume: Volume } {
  const device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize, maxBytes: 420 * blockSize });
  const { fs } = volume;
  fs.mkdirSync('/a/b', { recursive: true });
  // Leaves enough for index nodes above them.
  const fileCount = blockSize === 512 ? 60 : 500;
  for (let i = 0; i < fileCount; i++) fs.writeFileSync(`/a/b/file-${i}`, `content ${i}`.repeat(i % 4));
  fs.symlinkSync('t'.repeat(300), '/a/long-link');
  // Space in single blocks, so that a large value has more extents than fit beside its key, and a list of them in blocks of its own.
  for (let i = 0; i < 120; i++) fs.writeFileSync(`/a/block-${i}`, content(blockSize, i));
  for (let i = 0; i < 120; i += 2) fs.rmSync(`/a/block-${i}`);
  volume.checkpointSync();
  volume.checkpointSync();
  fs.setxattrSync('/a', 'user.large', content(40 * blockSize < 65536 ? 40 * blockSize : 65536, 5));
  for (let i = 1; i < 110; i += 2) fs.rmSync(`/a/block-${i}`);
  fs.writeFileSync('/a/large', content(45 * blockSize, 1));
  fs.writeFileSync('/a/lost', content(3 * blockSize, 2));
  fs.openSync('/a/lost', 'r');
  fs.rmSync('/a/lost');
  volume.checkpointSync();
  fs.writeFileSync('/a/b/file-2', 'between two checkpoints');
  volume.commitSync();
  fs.writeFileSync(`/a/b/file-${fileCount - 1}`, 'between two checkpoints');
  volume.checkpointSync();
  // Deltas: small, with data, of several log blocks.
  fs.writeFileSync('/a/b/file-1', 'changed');
  volume.commitSync();
  fs.writeFileSync('/a/other', content(2 * blockSize, 3));
  volume.commitSync();
  for (let i = 0; i < fileCount; i++) fs.writeFileSync(`/a/b/file-${i}`, content(60, i));
  volume.commitSync();
  fs.mkdirSync('/late');
  volume.commitSync();
  return { device, volume };
}

function liveRanges(device: LastingDevice): Live[] {
  const image = LastingDevice.fromImage(device.snapshot());
  const store = TreeStore.open(image, { readOnly: true });
  const { blockSize } = store.log;
  const kinds = new Map<number, string>();
  const name = (start: number, count: number, kind: string): void => {
    for (let block = start; block < start + count; block++) kinds.set(block, kind);
  };
  for (const { start, count } of store.log.systemExtents()) name(start, count, 'free map');
  // What the checkpoint has and the log has replaced in memory: the next opening reads it again.
  for (const block of store.log.retiredBlocks()) name(block, 1, 'index, replaced by the log');
  let isFirstSeen = false;
  store.check({
    block(start, count, kind, treeId) {
      // Without the record of the volume, which comes first, nothing else is looked at.
      const isFirst = kind === 'leaf' && !isFirstSeen;
      isFirstSeen ||= isFirst;
      name(start, count, isFirst ? 'first leaf' : treeId === 1 ? kind : `${kind} of the catalogue`);
    },
    problem(error) {
      throw error;
    },
  });
  const { deltas } = readLogChain(image, readSlots(image).chosen);
  const { at, writes } = deltas.at(-1)?.records ?? { at: [], writes: [] };
  for (const { pointer } of at) name(pointer.block, 1, 'listed by the last delta');
  for (const { start, checksums } of writes) name(start, checksums.length, 'listed by the last delta');
  const live: Live[] = SLOT_POSITIONS.map((position) => ({ kind: 'superblock', position, lengthBytes: SLOT_BYTES }));
  const inSlot = (block: number): boolean =>
    SLOT_POSITIONS.some((at) => block * blockSize < at + SLOT_BYTES && at < (block + 1) * blockSize);
  const add = (block: number, kind: string): void => {
    if (!inSlot(block)) live.push({ kind, position: block * blockSize, lengthBytes: blockSize });
  };
  for (const { start, count } of store.log.usedExtents()) {
    for (let block = start; block < start + count; block++) {
      add(block, kinds.get(block) ?? 'data');
    }
  }
  for (const { blocks } of deltas) {
    for (const block of blocks) add(block, blocks.length === 1 ? 'log' : 'log, of several blocks');
  }
  // What only the other slot leads to: recovery takes it when the newer one is damaged.
  const known = new Set(live.map(({ position }) => position));
  for (const block of blocksBehindTheOlderSlot(image)) {
    if (!known.has(block * blockSize)) add(block, 'behind the older superblock');
  }
  return live;
}

/** Used blocks, replaced nodes and log of the state that the older slot leads to. */
function blocksBehindTheOlderSlot(image: LastingDevice): Set<number> {
  const older = withoutNewerSlot(image, { readOnly: true })!;
  const { log } = TreeStore.open(older, { readOnly: true });
  const blocks = new Set<number>(log.retiredBlocks());
  for (const extents of [log.usedExtents(), log.systemExtents()]) {
    for (const { start, count } of extents) for (let i = 0; i < count; i++) blocks.add(start + i);
  }
  for (const delta of readLogChain(older, readSlots(older).chosen).deltas)
    for (const block of delta.blocks) blocks.add(block);
  return blocks;
}

function flip(device: LastingDevice, position: number, bit: number): void {
  const sector = new Uint8Array(512);
  const start = position - (position % 512);
  device.readSync(start, [sector]);
  sector[position % 512] ^= 1 << bit;
  device.writeSync(start, [sector]);
}

/** One bit in each of some places of the same length; all of them are to be found. */
interface Flips {
  readonly places: readonly Live[];
  readonly offset: number;
  readonly bit: number;
}

function* plannedFlips(live: readonly Live[], random: Random): Generator<Flips> {
  const groups = live.filter(({ kind }) => !GROUPED.includes(kind)).map((place) => [place]);
  groups.push(live.filter(({ kind }) => GROUPED.includes(kind)));
  const enumerated = /^(bytes|bits):(\d+)\/(\d+)$/.exec(process.env.OUTWRITE_BIT_FLIPS ?? '');
  let counter = 0;
  for (const places of groups) {
    const [{ kind, lengthBytes }] = places as [Live];
    if (enumerated === null) {
      const count = places.length > 1 ? GROUP_FLIPS : kind === 'superblock' ? SLOT_FLIPS : BLOCK_FLIPS;
      for (let i = 0; i < count; i++) {
        const limit = kind === 'superblock' && i % 2 === 0 ? SLOT_FIELD_BYTES : lengthBytes;
        yield { places, offset: random.below(limit), bit: random.below(8) };
      }
      continue;
    }
    const [, unit, part, parts] = enumerated;
    for (let offset = 0; offset < lengthBytes; offset++) {
      if (counter++ % Number(parts) !== Number(part) - 1) continue;
      const bits = unit === 'bits' ? [0, 1, 2, 3, 4, 5, 6, 7] : [random.below(8)];
      for (const bit of bits) yield { places, offset, bit };
    }
  }
}

const ALWAYS = ['behind the older superblock', 'data', 'free map', 'leaf', 'overflow', 'superblock'];

describe.each([512, 4096])('blocks of %i bytes: every flipped bit of every live block is found', (blockSize) => {
  async function flipAll(device: LastingDevice, volume: Volume, kindsOfState: string[]): Promise<void> {
    expect(await volume.scrub()).toMatchObject({ errorCount: 0, warningCount: 0, complete: true });
    const live = liveRanges(device);
    expect([...new Set(live.map(({ kind }) => kind))].sort()).toEqual([...ALWAYS, ...kindsOfState].sort());
    const random = new Random(testSeed('bit flips'));
    let flipCount = 0;
    for (const { places, offset, bit } of plannedFlips(live, random)) {
      const findings: Finding[] = [];
      for (const { position } of places) flip(device, position + offset, bit);
      await volume.scrub({ onFinding: (finding) => findings.push(finding) });
      for (const { position } of places) flip(device, position + offset, bit);
      const errors = findings.filter(({ severity }) => severity === 'error');
      const named = new Set(errors.map(({ block }) => block));
      for (const { kind, position } of places) {
        flipCount++;
        if (errors.length > 0 && (places.length === 1 || named.has(position / blockSize))) continue;
        expect.fail(`bit ${bit} of byte ${offset} of a ${kind} at ${position} is not found`);
      }
    }
    expect(flipCount).toBeGreaterThan(live.length);
    expect((await volume.scrub()).errorCount).toBe(0);
    console.log(`${flipCount} flips in ${live.length} places`);
  }

  it('below an open volume with a log', { timeout: 3_600_000 }, async () => {
    const { device, volume } = make(blockSize);
    const log = blockSize === 512 ? ['log', 'log, of several blocks'] : ['log'];
    await flipAll(device, volume, ['index, replaced by the log', 'listed by the last delta', ...log]);
  });

  it('at rest', { timeout: 3_600_000 }, async () => {
    const { device, volume } = make(blockSize);
    volume.closeSync();
    const closed = Volume.open(device, { ...tuning, readOnly: true });
    await flipAll(device, closed, ['first leaf', 'index', 'index of the catalogue']);
  });
});

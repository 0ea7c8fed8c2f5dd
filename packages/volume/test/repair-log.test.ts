/**
 * Damage in the middle of the log: nobody goes past it but a repair that was asked for, which goes back to the last whole delta, says how
 * many later ones that costs, and lists what they had written over.
 */
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type RepairReport, Volume } from '../src/index.ts';
import { withoutNewerSlot } from '../src/repair-slots.ts';
import { LastingDevice } from './lasting-device.ts';
import { nodesOf } from './repair-comparison.ts';
import { lasting, tuning } from './repair-harness.ts';

const FILE_COUNT = 12;
/** In a log block, behind the first header. */
const PAYLOAD_AT = 60;

interface Worked {
  readonly image: Uint8Array;
  readonly blockSize: number;
  /** By delta: what each file held. */
  readonly states: ReadonlyMap<number, ReadonlyMap<string, Uint8Array>>;
}

/** A small volume that is rewritten over and over, killed with a long log. */
function work(blockSize: number): Worked {
  const random = new Random(testSeed('cut log'));
  const device = new LastingDevice({ maxSizeBytes: 700 * blockSize });
  const volume = Volume.create(device, { ...tuning, blockSize, bounds: { zeroAheadBytes: 0 } });
  const contents = new Map<string, Uint8Array>();
  const states = new Map<number, ReadonlyMap<string, Uint8Array>>();
  for (let round = 0; round < 90; round++) {
    for (let i = round === 0 ? FILE_COUNT : 2; i > 0; i--) {
      const path = `/file-${round === 0 ? i - 1 : random.below(FILE_COUNT)}`;
      contents.set(path, random.bytes(random.between(1, 9 * blockSize)));
      volume.fs.writeFileSync(path, contents.get(path)!);
    }
    states.set(volume.commitSync(), new Map(contents));
  }
  return { image: device.snapshot(), blockSize, states };
}

/** Damages the log where delta `index` begins, and says which the last delta before that is, and the last of all. */
function damageDelta(
  { image, blockSize }: Worked,
  index: number,
): { damaged: LastingDevice; before: number; last: number } {
  const device = lasting(image);
  const { deltas } = readLogChain(device, readSlots(device).chosen);
  const copy = image.slice();
  copy[deltas[index]!.blocks[0]! * blockSize + PAYLOAD_AT] ^= 0x10;
  return { damaged: lasting(copy), before: deltas[index]!.delta - 1, last: deltas[deltas.length - 1]!.delta };
}

function logLength({ image }: Worked): number {
  const device = lasting(image);
  return readLogChain(device, readSlots(device).chosen).deltas.length;
}

/** Blocks of a file that a report says read as zeros. */
function droppedBlocks(report: RepairReport, path: string): number[] {
  return report.changes
    .filter((change) => change.code === 'block-dropped' && change.path === path)
    .map(({ message }) => Number(/block (\d+) of the file/.exec(message)![1]));
}

describe.each([512, 4096])('damage in the middle of the log, blocks of %i bytes', (blockSize) => {
  const worked = work(blockSize);

  it('is nothing that an ordinary opening goes past', () => {
    const { damaged } = damageDelta(worked, logLength(worked) - 3);
    const before = damaged.snapshot();
    expect(() => Volume.open(damaged, tuning)).toThrow(/in the middle of the log/);
    const reader = Volume.open(damaged, { ...tuning, readOnly: true });
    expect([...reader.check()].map(({ structure }) => structure)).toContain('log block');
    expect(Buffer.compare(damaged.snapshot(), before)).toBe(0);
  });

  it('is cut by a repair, which says what that costs and keeps all that was not written over', () => {
    const length = logLength(worked);
    expect(length).toBeGreaterThan(20);
    let overwrittenCount = 0;
    let sameCount = 0;
    for (let index = length - 2; index >= 0; index -= 3) {
      const { damaged, before, last } = damageDelta(worked, index);
      const image = damaged.snapshot();
      const dry = Volume.repair(damaged, { dryRun: true });
      expect(Buffer.compare(damaged.snapshot(), image)).toBe(0);
      expect(dry.changes[0]).toMatchObject({ code: 'log-cut' });
      const lost = last - before;
      expect(dry.changes[0]!.message).toContain(
        `behind delta ${before}, the last whole one; ${lost} later ${lost === 1 ? 'delta is' : 'deltas are'} lost`,
      );
      const report = Volume.repair(damaged);
      expect(report).toEqual({ ...dry, remaining: [] });
      const volume = Volume.open(damaged, tuning);
      expect(volume.recovery).toMatchObject({ damage: null });
      expect([...volume.check()]).toEqual([]);
      const named = new Set(report.changes.map(({ path }) => path));
      const state = worked.states.get(before);
      if (state === undefined) continue;
      const isRangeLost = report.changes.some(({ code }) => code === 'range-lost');
      for (const [path, content] of state) {
        const zeroed = droppedBlocks(report, path);
        if (isRangeLost && (named.has(path) || !volume.fs.existsSync(path))) continue;
        const expected = content.slice();
        for (const at of zeroed) expected.fill(0, at * blockSize, (at + 1) * blockSize);
        expect(Buffer.compare(volume.fs.readFileSync(path), expected), `${path} behind delta ${before}`).toBe(0);
        if (zeroed.length === 0) sameCount++;
      }
      overwrittenCount += report.changes.filter(({ message }) => message.includes('had written over it')).length;
      volume.fs.writeFileSync('/after', 'after');
      volume.closeSync();
    }
    expect(sameCount).toBeGreaterThan(10);
    expect(overwrittenCount).toBeGreaterThan(5);
  });
});

it('a delta that breaks off behind the older superblock is not given up for leaves that the newer one leads to', () => {
  const device = new LastingDevice({ maxSizeBytes: 16 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize: 512, bounds: { zeroAheadBytes: 0 } });
  const pathOf = (i: number): string => `/a file with a long name, so that there are many leaves ${i}`;
  for (let i = 0; i < 300; i++) volume.fs.writeFileSync(pathOf(i), `content ${i}`);
  volume.commitSync();
  volume.checkpointSync();
  const older = withoutNewerSlot(device, { readOnly: true })!;
  const { blocks } = readLogChain(older, readSlots(older).chosen).deltas.at(-1)!;
  expect(blocks.length).toBeGreaterThan(2);
  const leaves = nodesOf(device).filter(({ kind, treeId }) => kind === 'leaf' && treeId > 0);
  const image = device.snapshot();
  for (const block of [blocks[1]!, leaves[leaves.length >>> 1]!.block]) image.fill(0, block * 512, (block + 1) * 512);
  const damaged = lasting(image);
  const { changes } = Volume.repair(damaged);
  expect(changes.map(({ code }) => code)).toContain('range-lost');
  expect(Volume.open(damaged, tuning).fs.readFileSync(pathOf(0), 'utf8')).toBe('content 0');
});

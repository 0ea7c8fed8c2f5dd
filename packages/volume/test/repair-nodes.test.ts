/**
 * Repair of trees whose nodes cannot be read: what is lost is what stood there and no more, the report names it, and all else is as it was.
 */
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { DeviceError } from '@outwrite/blockdev';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';
import { BLOCK, contentOf, everything, expectRestAsItWas, makeLarge, nodesOf } from './repair-comparison.ts';
import { lasting, repair, tuning } from './repair-harness.ts';

function flip(device: LastingDevice, ...blocks: number[]): LastingDevice {
  const image = device.snapshot();
  for (const block of blocks) image[block * BLOCK + 40] ^= 1;
  return lasting(image);
}

/** A block of it cannot be read before it is written again. */
class FailingDevice extends LastingDevice {
  #position: number;

  constructor(image: Uint8Array, position: number) {
    super({ sizeBytes: image.length });
    this.#position = -BLOCK;
    this.writeSync(0, [image]);
    this.#position = position;
  }

  override readSync(position: number, buffers: readonly Uint8Array[]): void {
    if (this.#hits(position, buffers)) throw new DeviceError({ operation: 'read', position }, 'a sector is unreadable');
    super.readSync(position, buffers);
  }

  override writeSync(position: number, buffers: readonly Uint8Array[]): void {
    if (this.#hits(position, buffers)) this.#position = -BLOCK;
    super.writeSync(position, buffers);
  }

  #hits(position: number, buffers: readonly Uint8Array[]): boolean {
    const end = buffers.reduce((at, { length }) => at + length, position);
    return position < this.#position + BLOCK && end > this.#position;
  }
}

describe('repair of tree nodes', () => {
  it('a leaf that cannot be read costs what stood in it, and no more', () => {
    const sound = makeLarge();
    const leaves = nodesOf(sound).filter(({ kind, treeId }) => kind === 'leaf' && treeId === 1);
    expect(leaves.length).toBeGreaterThan(50);
    for (let i = 0; i < leaves.length; i += 6) {
      const damaged = flip(sound, leaves[i]!.block);
      const { volume, codes, report } = repair(lasting(damaged.snapshot()));
      expect(codes).toContain('range-lost');
      const told = report.changes.filter(({ code }) => code === 'range-lost');
      expect(told).toHaveLength(1);
      expect(told[0]!.message).toMatch(
        /^entries from (the first|inode \d+.*) to before (the last|inode \d+.*) are lost: .*leaf/,
      );
      expectRestAsItWas(sound, damaged, { volume, report });
      volume.closeSync();
    }
  });

  it('so do several leaves, next to one another, the first and the last among them', () => {
    const sound = makeLarge();
    const leaves = nodesOf(sound).filter(({ kind, treeId }) => kind === 'leaf' && treeId === 1);
    const last = leaves.length - 1;
    for (const chosen of [[0], [0, 1, 2], [last], [last - 1, last], [10, 11, 12, 13], [0, 5, 20, last]]) {
      const damaged = flip(sound, ...chosen.map((index) => leaves[index]!.block));
      const { volume, report } = repair(lasting(damaged.snapshot()));
      expectRestAsItWas(sound, damaged, { volume, report });
      volume.closeSync();
    }
  });

  it('an index node that cannot be read costs what stood below it, and no more', () => {
    const sound = makeLarge();
    const nodes = nodesOf(sound).filter(({ kind, treeId }) => kind === 'index' && treeId === 1);
    expect(nodes.length).toBeGreaterThan(4);
    for (const { block } of nodes.slice(1)) {
      const damaged = flip(sound, block);
      const { volume, report } = repair(lasting(damaged.snapshot()));
      expect(report.changes.find(({ code }) => code === 'range-lost')!.message).toContain('unless the log names them');
      expectRestAsItWas(sound, damaged, { volume, report });
      volume.closeSync();
    }
  });

  it('the list of trees that cannot be read is in the way, and nothing is changed', () => {
    const sound = makeLarge();
    const nodes = nodesOf(sound).filter(({ treeId }) => treeId === 0);
    expect(nodes.length).toBeGreaterThan(1);
    for (const { block } of nodes) {
      const damaged = flip(sound, block);
      const before = damaged.snapshot();
      for (const acceptRootLoss of [false, true]) {
        const report = Volume.repair(damaged, { acceptRootLoss });
        expect(report).toMatchObject({ changes: [], obstacle: expect.stringMatching(/catalogue|index node|leaf/) });
        expect(Buffer.compare(damaged.snapshot(), before)).toBe(0);
      }
    }
  });

  it('a root that cannot be read is in the way, unless its loss is accepted', () => {
    const sound = makeLarge();
    const root = nodesOf(sound).find(({ kind, treeId }) => kind === 'index' && treeId === 1)!;
    const damaged = flip(sound, root.block);
    const before = damaged.snapshot();
    expect(Volume.repair(damaged)).toMatchObject({ changes: [], obstacle: expect.stringContaining('the root of') });
    expect(Buffer.compare(damaged.snapshot(), before)).toBe(0);
    const report = Volume.repair(damaged, { acceptRootLoss: true });
    expect(report).toMatchObject({ obstacle: null, remaining: [] });
    const volume = Volume.open(damaged, tuning);
    expect(volume.fs.readdirSync('/')).toEqual([]);
    volume.fs.writeFileSync('/new', 'new');
    expect([...volume.check()]).toEqual([]);
    volume.closeSync();
  });

  it('what the log names is kept although the index above it is lost', () => {
    const device = makeLarge();
    const nodes = nodesOf(device).filter(({ kind, treeId }) => kind === 'index' && treeId === 1);
    const volume = Volume.open(device, tuning);
    const contents = new Map<number, Uint8Array>();
    for (let d = 0; d < 12; d++) {
      volume.fs.writeFileSync(`/directory-${d}/file-${d}`, contentOf(d, 11 - d));
      contents.set(volume.fs.statSync(`/directory-${d}/file-${d}`).ino, contentOf(d, 11 - d));
    }
    volume.commitSync();
    for (const { block } of nodes) {
      const damaged = flip(device, block);
      const report = Volume.repair(damaged, { acceptRootLoss: true });
      expect(report).toMatchObject({ obstacle: null, remaining: [] });
      expect(report.changes.map(({ code }) => code)).toContain('range-lost');
      const repaired = Volume.open(damaged, { ...tuning, readOnly: true });
      const found = new Map([...everything(repaired).values()].map(({ inode, content }) => [inode, content]));
      for (const [inode, content] of contents) expect(Buffer.compare(found.get(inode)!, content)).toBe(0);
    }
  });

  it('nodes that only the newer superblock leads to cost nothing', () => {
    const sound = makeLarge();
    const volume = Volume.open(sound, tuning);
    volume.fs.writeFileSync('/directory-3/late', 'late');
    volume.fs.rmSync('/directory-7/file-2');
    volume.closeSync();
    const newer = new Set(nodesOf(sound).map(({ block }) => block));
    const image = sound.snapshot();
    const { chosen } = readSlots(sound);
    image[(chosen.generation % 2) * 131072 + 30] ^= 1;
    for (const { block } of nodesOf(lasting(image))) newer.delete(block);
    expect(newer.size).toBeGreaterThan(3);
    const expected = everything(Volume.open(LastingDevice.fromImage(sound.snapshot()), { ...tuning, readOnly: true }));
    for (const block of newer) {
      const { volume: repaired, codes } = repair(flip(sound, block));
      expect(codes).toEqual(['superblock']);
      expect(everything(repaired)).toEqual(expected);
      repaired.closeSync();
    }
  });

  it('so is one in the log: the log is cut there; or in what the last delta wrote', () => {
    const device = makeLarge();
    const volume = Volume.open(device, tuning);
    for (let i = 0; i < 4; i++) {
      volume.fs.writeFileSync(`/late-${i}`, new Uint8Array(3 * BLOCK).fill(0xa0 + i));
      volume.commitSync();
    }
    const image = device.snapshot();
    const { deltas } = readLogChain(device, readSlots(device).chosen);
    const inLog = new FailingDevice(image, deltas[2]!.blocks[0]! * BLOCK);
    expect(() => Volume.open(inLog, tuning)).toThrow(DeviceError);
    const cut = Volume.repair(inLog);
    expect(cut).toMatchObject({ obstacle: null, remaining: [], changes: [{ code: 'log-cut' }] });
    const names = Volume.open(inLog, { ...tuning, readOnly: true }).fs.readdirSync('/');
    expect(names.filter((name) => name.startsWith('late'))).toEqual(['late-0', 'late-1']);
    const last = deltas[3]!.records.writes.find(({ kind }) => kind === 'data')!;
    const inData = new FailingDevice(image, (last.start + 1) * BLOCK);
    const mended = Volume.repair(inData);
    expect(mended).toMatchObject({
      obstacle: null,
      remaining: [],
      changes: [{ code: 'block-dropped', path: '/late-3' }],
    });
    const content = new Uint8Array(3 * BLOCK).fill(0xa3);
    content.fill(0, BLOCK, 2 * BLOCK);
    const after = Volume.open(inData, { ...tuning, readOnly: true }).fs.readFileSync('/late-3');
    expect(Buffer.compare(after, content)).toBe(0);
  });

  it('a sector that the device cannot read is as lost as one that holds something else', () => {
    const sound = makeLarge();
    const random = new Random(testSeed('unreadable'));
    const leaves = nodesOf(sound)
      .filter(({ treeId }) => treeId === 1)
      .slice(1);
    for (let i = 0; i < 5; i++) {
      const { block } = leaves[random.below(leaves.length)]!;
      const device = new FailingDevice(sound.snapshot(), block * BLOCK);
      const report = Volume.repair(device);
      expect(report).toMatchObject({ obstacle: null, remaining: [] });
      expect(report.changes.map(({ code }) => code)).toContain('range-lost');
    }
  });
});

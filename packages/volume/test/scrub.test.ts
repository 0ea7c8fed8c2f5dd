/**
 * The scrub verifies every checksum against the device: each flipped bit of anything live is found, and files that are hit are named.
 */
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { TreeStore } from '@outwrite/btree-cow';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type Finding, Volume, type VolumeFs } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };
const SIZES = [512, 4096, 16384];

function make(blockSize: number): { device: LastingDevice; volume: Volume } {
  const device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize });
  volume.fs.mkdirSync('/a/b', { recursive: true });
  for (let i = 0; i < 200; i++) volume.fs.writeFileSync(`/a/b/file-${i}`, `content ${i} `.repeat(i % 7));
  volume.fs.writeFileSync('/a/large', content(40 * blockSize));
  volume.fs.writeFileSync('/a/other', new Uint8Array(3 * blockSize).fill(9));
  volume.fs.setxattrSync('/a', 'user.x', 'y'.repeat(blockSize));
  return { device, volume };
}

function content(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => (index * 31 + (index >>> 8)) & 0xff);
}

/** Blocks of everything live but the log, by kind. */
function liveBlocks(device: LastingDevice): Map<string, number[]> {
  const blocks = new Map<string, number[]>();
  const add = (kind: string, block: number): void => {
    const list = blocks.get(kind) ?? [];
    list.push(block);
    blocks.set(kind, list);
  };
  const store = TreeStore.open(LastingDevice.fromImage(device.snapshot()), { readOnly: true });
  const used = new Set<number>();
  for (const { start, count } of store.log.usedExtents()) for (let i = 0; i < count; i++) used.add(start + i);
  store.check({
    block(start, count, kind) {
      for (let i = start; i < start + count; i++) {
        add(kind, i);
        used.delete(i);
      }
    },
    problem(error) {
      throw error;
    },
  });
  const slotBlocks = new Set<number>();
  for (const position of [0, 131072]) {
    for (let at = position; at < position + 4096; at += store.log.blockSize)
      slotBlocks.add(Math.floor(at / store.log.blockSize));
  }
  for (const { start, count } of store.log.systemExtents()) {
    for (let i = start; i < start + count; i++) {
      if (!slotBlocks.has(i)) add('free map', i);
      used.delete(i);
    }
  }
  for (const block of used) add('data', block);
  return blocks;
}

function flipBit(device: LastingDevice, position: number): void {
  const sector = new Uint8Array(512);
  device.readSync(position - (position % 512), [sector]);
  sector[position % 512] ^= 1;
  device.writeSync(position - (position % 512), [sector]);
}

function renew(fs: VolumeFs, path: string, bytes: Uint8Array): void {
  fs.rmSync(path, { force: true });
  fs.writeFileSync(path, bytes);
}

function writeAt(fs: VolumeFs, path: string, position: number): void {
  const descriptor = fs.openSync(path, 'r+');
  fs.writeSync(descriptor, content(2000), 0, 2000, position);
  fs.closeSync(descriptor);
}

async function scrub(image: Uint8Array): Promise<{ findings: Finding[]; paths: (string | undefined)[] } | null> {
  const findings: Finding[] = [];
  let volume: Volume;
  try {
    volume = Volume.open(LastingDevice.fromImage(image), { ...tuning, readOnly: true, cacheBytes: 1 << 20 });
  } catch {
    return null;
  }
  const report = await volume.scrub({ onFinding: (finding) => findings.push(finding) });
  expect(report.complete).toBe(true);
  expect(report.errorCount + report.warningCount).toBe(findings.length);
  return { findings, paths: report.damaged.map(({ path }) => path) };
}

describe.each(SIZES)('scrub, blocks of %i bytes', (blockSize) => {
  it('finds nothing in a sound volume, open or closed, and reads all of it', async () => {
    const { device, volume } = make(blockSize);
    const open = await volume.scrub();
    expect(open).toMatchObject({ complete: true, errorCount: 0, warningCount: 0, damaged: [] });
    volume.closeSync();
    const findings = await scrub(device.snapshot());
    expect(findings).toEqual({ findings: [], paths: [] });
    expect(open.verifiedBytes).toBeGreaterThan(43 * blockSize);
  });

  it('finds a flipped bit in every kind of structure', async () => {
    const random = new Random(testSeed('scrub bits'));
    const { device, volume } = make(blockSize);
    volume.closeSync();
    const sound = device.snapshot();
    const kinds = liveBlocks(device);
    expect([...kinds.keys()].sort()).toEqual(expect.arrayContaining(['data', 'free map', 'index', 'leaf']));
    for (const [kind, blocks] of kinds) {
      for (let round = 0; round < 6; round++) {
        const block = blocks[random.below(blocks.length)] as number;
        const image = sound.slice();
        image[block * blockSize + random.below(blockSize)] ^= 1 << random.below(8);
        const result = await scrub(image);
        // What cannot be opened is not missed either.
        if (result === null) continue;
        expect(
          result.findings.some(({ severity }) => severity === 'error'),
          `${kind}, block ${block}`,
        ).toBe(true);
        if (kind === 'data') expect(['/a/large', '/a/other']).toContain(result.paths[0]);
      }
    }
    for (const position of [0, 131072]) {
      const image = sound.slice();
      image[position + random.below(4096)] ^= 1 << random.below(8);
      const result = await scrub(image);
      if (result !== null) expect(result.findings[0]).toMatchObject({ severity: 'error', structure: 'superblock' });
    }
  });

  it('sees damage below an open volume whose caches hold the sound bytes', async () => {
    const { device, volume } = make(blockSize);
    volume.checkpointSync();
    expect((await volume.scrub()).errorCount).toBe(0);
    const kinds = liveBlocks(device);
    for (const kind of ['leaf', 'index']) {
      const block = (kinds.get(kind) as number[]).at(-1) as number;
      const sound = new Uint8Array(blockSize);
      device.readSync(block * blockSize, [sound]);
      device.writeSync(block * blockSize, [sound.map((byte, i) => (i === 100 ? byte ^ 4 : byte))]);
      expect((await volume.scrub()).errorCount, kind).toBeGreaterThan(0);
      device.writeSync(block * blockSize, [sound]);
    }
    expect((await volume.scrub()).errorCount).toBe(0);
  });

  it('sees that the log on the device has lost what was committed', async () => {
    const { device, volume } = make(blockSize);
    volume.checkpointSync();
    volume.fs.writeFileSync('/late', 'late');
    volume.commitSync();
    const { chosen } = readSlots(device);
    device.writeSync(chosen.nextLogBlock * blockSize, [new Uint8Array(blockSize)]);
    const findings: Finding[] = [];
    await volume.scrub({ onFinding: (finding) => findings.push(finding) });
    expect(findings[0]).toMatchObject({ severity: 'error', structure: 'log block' });
  });
});

describe('scrub', () => {
  /** A small volume whose blocks are reused, with a log of some deltas of one leaf and a block of data each. */
  function reusing(): { device: LastingDevice; volume: Volume; find(options?: object): Promise<Finding[]> } {
    const device = new LastingDevice({ maxSizeBytes: 300 * 512 });
    const volume = Volume.create(device, { ...tuning, blockSize: 512, bounds: { zeroAheadBytes: 0 } });
    for (let i = 0; i < 8; i++) volume.fs.writeFileSync(`/file-${i}`, content(700 + i));
    volume.checkpointSync();
    for (let i = 0; i < 40; i++) {
      volume.fs.writeFileSync(`/file-${i % 8}`, content(700 + i));
      volume.commitSync();
    }
    const find = async (): Promise<Finding[]> => {
      const findings: Finding[] = [];
      const report = await volume.scrub({ onFinding: (finding) => findings.push(finding) });
      expect(report).toMatchObject({ complete: true, damaged: [] });
      return findings;
    };
    return { device, volume, find };
  }

  it('of a volume whose log is damaged blames nothing that a state before it refers to', async () => {
    const { device, find } = reusing();
    expect(await find()).toEqual([]);
    const { deltas } = readLogChain(device, readSlots(device).chosen);
    expect(deltas.length).toBeGreaterThan(10);
    for (const delta of [deltas[1]!, deltas.at(-3)!, deltas.at(-1)!]) {
      flipBit(device, delta.blocks[0]! * 512 + 300);
      const findings = await find();
      expect(findings.filter(({ severity }) => severity === 'error')).toMatchObject([{ structure: 'log block' }]);
      expect(findings.at(-1)).toMatchObject({ severity: 'warning', code: 'incomplete' });
      flipBit(device, delta.blocks[0]! * 512 + 300);
    }
    expect(await find()).toEqual([]);
  });

  it('names the block that the last delta has written and that is not whole', async () => {
    const { device, find } = reusing();
    const { at, writes } = readLogChain(device, readSlots(device).chosen).deltas.at(-1)!.records;
    const leaf = at[0]!.pointer.block;
    flipBit(device, leaf * 512 + 100);
    expect((await find())[0]).toMatchObject({ severity: 'error', structure: 'leaf', block: leaf });
    flipBit(device, leaf * 512 + 100);
    expect(writes.length).toBe(1);
  });

  it('keeps to the rate, tells progress, and can be stopped', async () => {
    const { volume } = make(4096);
    volume.commitSync();
    const startTime = Date.now();
    const signal = { aborted: false };
    const seen: number[] = [];
    const slow = await volume.scrub({
      bytesPerSecond: 2 << 20,
      onProgress: ({ verifiedBytes }) => seen.push(verifiedBytes),
    });
    expect(Date.now() - startTime).toBeGreaterThan((slow.verifiedBytes / (2 << 20)) * 1000 - 50);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.length).toBeGreaterThan(1);
    signal.aborted = true;
    expect(await volume.scrub({ signal })).toMatchObject({ complete: false });
    await expect(volume.scrub({ bytesPerSecond: 0 })).rejects.toThrow(RangeError);
  });

  it('goes on beside changes, commits and checkpoints', async () => {
    const { volume } = make(512);
    const findings: Finding[] = [];
    let running = true;
    const scrubbing = volume
      .scrub({ bytesPerSecond: 200_000, onFinding: (finding) => findings.push(finding) })
      .finally(() => {
        running = false;
      });
    for (let i = 0; running; i++) {
      volume.fs.writeFileSync(`/a/large`, content((i % 40) * 512 + 1));
      volume.fs.rmSync('/a/other', { force: true });
      volume.fs.writeFileSync('/a/other', content(5000 + i));
      if (i % 5 === 0) await volume.checkpoint();
      else await volume.commit();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(await scrubbing).toMatchObject({ complete: true, errorCount: 0, damaged: [] });
    expect(findings).toEqual([]);
  });

  // Found in a run that never ended: what a writer made ahead of the scrub was verified too, and each step let the writer make more.
  it.each([
    ['makes files', (fs: VolumeFs, i: number) => fs.writeFileSync(`/a/new-${i}`, content(3000))],
    ['makes a file anew', (fs: VolumeFs, i: number) => renew(fs, '/a/other', content(3000 + i))],
    ['appends', (fs: VolumeFs) => fs.appendFileSync('/a/large', content(2000))],
    ['writes behind holes', (fs: VolumeFs, i: number) => writeAt(fs, '/a/large', 100_000 + i * 5000)],
    ['writes what it wrote', (fs: VolumeFs) => fs.writeFileSync('/a/large', content(40 * 512))],
  ])('ends although a writer %s before each of its steps', async (_what, change) => {
    const { volume } = make(512);
    const before = (await volume.scrub()).verifiedBytes;
    const signal = { aborted: false };
    let steps = 0;
    const report = await volume.scrub({
      signal,
      onProgress() {
        signal.aborted = steps > 500;
        change(volume.fs, steps++);
        volume.commitSync();
      },
    });
    expect(report).toMatchObject({ complete: true, errorCount: 0, damaged: [] });
    expect(report.verifiedBytes).toBeLessThanOrEqual(before);
  });

  it('leaves out what is written meanwhile, and nothing else', async () => {
    const { volume } = make(512);
    volume.commitSync();
    const all = (await volume.scrub()).verifiedBytes;
    let steps = 0;
    const beside = await volume.scrub({
      onProgress() {
        // The first two steps are the metadata, of which there is more then.
        if (++steps < 3) return;
        volume.fs.writeFileSync(`/a/new-${steps}`, content(3000));
        volume.commitSync();
      },
    });
    expect(beside.verifiedBytes).toBe(all);
  });

  it('ends with an error when the volume is closed meanwhile', async () => {
    const { volume } = make(512);
    const scrubbing = volume.scrub({ bytesPerSecond: 50_000 });
    const failed = expect(scrubbing).rejects.toMatchObject({ code: 'ECLOSED' });
    await volume.close();
    await failed;
  });
});

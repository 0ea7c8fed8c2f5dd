/**
 * A crash in the middle of a repair, at any point, leaves the volume as it was or repaired, and nothing in between.
 */
import { readSlots } from '@outwrite/alloc-log';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { crashPointsOf, everyFault, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { KIND, Volume } from '../src/index.ts';
import { volumeText } from './compare.ts';
import { BLOCK, makeLarge, nodesOf } from './repair-comparison.ts';
import { findBytes, harmTree, keys, lasting, make, SIZES, tuning } from './repair-harness.ts';

/** A volume with harm of many kinds, and work in its log that no checkpoint holds. */
function harmed(blockSize: number, isCut: boolean): Uint8Array {
  const device = make(blockSize);
  harmTree(device, (tree) => {
    tree.delete(keys.plain(7, KIND.record));
    tree.delete(keys.named(2, KIND.name, 'other'));
    tree.delete(keys.named(2, KIND.name, 'b'));
    tree.put(keys.plain(5, 0x77), new Uint8Array(3));
  });
  const volume = Volume.open(device, tuning);
  for (let i = 0; i < 4; i++) {
    volume.fs.writeFileSync(`/late-${i}`, new Uint8Array(3 * blockSize + i).fill(0x70 + i));
    if (i === 1) volume.fs.rmSync('/a/large');
    volume.commitSync();
  }
  const image = device.snapshot();
  image[findBytes(image, new Uint8Array(200).fill(9)) + 7] ^= 0x40;
  if (isCut) damageLog(image, blockSize);
  return image;
}

/** Damages the log block of the second delta behind the checkpoint, its payload, so that its header leads on. */
function damageLog(image: Uint8Array, blockSize: number): void {
  const magic = new Uint8Array([0x4f, 0x57, 0x6c, 0x67]);
  const starts: number[] = [];
  for (let block = 0; block < image.length / blockSize; block++) {
    const at = block * blockSize;
    if (magic.every((byte, i) => image[at + i] === byte)) starts.push(at);
  }
  const view = new DataView(image.buffer, image.byteOffset);
  const deltas = starts.map((at) => ({ at, delta: view.getUint32(at + 18, true) })).sort((a, b) => a.delta - b.delta);
  image[deltas[deltas.length - 3]!.at + 70] ^= 1;
}

describe.each(SIZES)('crashes in a repair, blocks of %i bytes', (blockSize) => {
  it.each([false, true])('leave the old state or the repaired one; a cut of the log: %s', async (isCut) => {
    const seed = testSeed('crash in repair');
    const image = harmed(blockSize, isCut);
    const before = Volume.repair(lasting(image), { dryRun: true });
    expect(before.changes.length).toBeGreaterThan(5);
    expect(before.changes.some(({ code }) => code === 'log-cut')).toBe(isCut);
    const device = new SimulatedDevice({ medium: image, maxSizeBytes: 64 << 20 });
    expect(Volume.repair(device)).toMatchObject({ obstacle: null, remaining: [] });
    const repaired = volumeText(Volume.open(device.kill({ trace: false }), { ...tuning, readOnly: true }));
    let oldCount = 0;
    let repairedCount = 0;
    await crashPointsOf(
      device.trace,
      (state) => {
        const found = Volume.repair(state.device, { dryRun: true });
        if (found.changes.some(({ code }) => code !== 'superblock')) {
          oldCount++;
          expect(found.changes.filter(({ code }) => code !== 'superblock')).toEqual(
            before.changes.filter(({ code }) => code !== 'superblock'),
          );
        } else {
          repairedCount++;
          expect(volumeText(Volume.open(state.device, { ...tuning, readOnly: true }))).toBe(repaired);
        }
        // Without a repair that was asked for, no crash makes an ordinary opening take the cut state.
        if (isCut && found.changes.length > 1)
          expect(() => Volume.open(state.device, tuning)).toThrow(/middle of the log/);
        expect(Volume.repair(state.device)).toMatchObject({ obstacle: null, remaining: [] });
        expect(volumeText(Volume.open(state.device, { ...tuning, readOnly: true }))).toBe(repaired);
      },
      {
        seed,
        pieceBytes: blockSize,
        device: { maxSizeBytes: 64 << 20 },
        rounds: 2,
        statesOfNextRound: 1,
        maxStates: 40,
        evenly: true,
      },
    );
    expect(oldCount).toBeGreaterThan(0);
    expect(repairedCount).toBeGreaterThan(0);
  });
});

describe('a repair after a crash', () => {
  it.each(SIZES)('makes durable what it shows, blocks of %i bytes', async (blockSize) => {
    const seed = testSeed('repair after a crash');
    const base = make(blockSize);
    harmTree(base, (tree) => tree.put(keys.plain(5, 0x77), new Uint8Array(3)));
    const states: string[] = [];
    const device = new SimulatedDevice({ medium: base.snapshot(), maxSizeBytes: 64 << 20 });
    const volume = Volume.open(device, tuning);
    for (let i = 0; i < 5; i++) {
      volume.fs.writeFileSync(`/file-${i % 2}`, new Uint8Array(5 * blockSize + i).fill(0x50 + i));
      states.push(volumeText(volume));
      volume.commitSync();
      device.note(states.length - 1);
    }
    let repairCount = 0;
    await crashPointsOf(
      device.trace,
      (state) => {
        const acknowledged = state.notes.filter((note): note is number => typeof note === 'number');
        if (acknowledged.length === 0) return;
        const report = Volume.repair(state.device);
        expect(report).toMatchObject({ obstacle: null, remaining: [] });
        if (report.changes.length > 0) repairCount++;
        const text = volumeText(Volume.open(state.device, { ...tuning, readOnly: true }));
        const before = state.notes.findLast((note): note is string => typeof note === 'string');
        if (before !== undefined) expect(text).toBe(before);
        else expect(states.indexOf(text)).toBeGreaterThanOrEqual(Math.max(...acknowledged));
        state.device.note(text);
      },
      {
        seed,
        pieceBytes: blockSize,
        device: { maxSizeBytes: 64 << 20 },
        rounds: 2,
        statesOfNextRound: 3,
        maxStates: 120,
      },
    );
    expect(repairCount).toBeGreaterThan(0);
  });

  it('does so for what a flush that failed left visible', async () => {
    const base = make(512);
    harmTree(base, (tree) => tree.put(keys.plain(5, 0x77), new Uint8Array(3)));
    let newerCount = 0;
    const { runCount } = await everyFault(
      (device) => {
        const volume = Volume.open(device, tuning);
        for (let i = 0; i < 5; i++) {
          volume.fs.writeFileSync('/file', new Uint8Array(900 + i).fill(0x50 + i));
          volume.commitSync();
          device.note(i);
        }
      },
      ({ device, notes }) => {
        const killed = device.kill({ trace: false });
        expect(Volume.repair(killed)).toMatchObject({ obstacle: null, remaining: [] });
        const text = volumeText(Volume.open(killed, { ...tuning, readOnly: true }));
        const acknowledged = Math.max(-1, ...(notes as number[]));
        if (text.includes(`${900 + acknowledged + 1}:`)) newerCount++;
        const cut = new SimulatedDevice({ medium: killed.medium.durableImage(), maxSizeBytes: 64 << 20 });
        expect(volumeText(Volume.open(cut, { ...tuning, readOnly: true }))).toBe(text);
        expect(Volume.repair(cut)).toEqual({ changes: [], obstacle: null, remaining: [] });
      },
      { device: { medium: base.snapshot(), maxSizeBytes: 64 << 20 }, operations: ['flush'] },
    );
    expect(runCount).toBeGreaterThan(5);
    expect(newerCount).toBeGreaterThan(1);
  });

  it('that takes the older superblock loses nothing at any point either', async () => {
    const sound = makeLarge();
    const volume = Volume.open(sound, tuning);
    volume.fs.writeFileSync('/directory-3/late', 'late');
    volume.fs.rmSync('/directory-7/file-2');
    volume.closeSync();
    const expected = volumeText(Volume.open(lasting(sound.snapshot()), { ...tuning, readOnly: true }));
    const image = sound.snapshot();
    const older = sound.snapshot();
    older[(readSlots(sound).chosen.generation % 2) * 131072 + 30] ^= 1;
    const shared = new Set(nodesOf(lasting(older)).map(({ block }) => block));
    const newer = nodesOf(sound).find(
      ({ block, kind, treeId }) => !shared.has(block) && kind === 'index' && treeId === 1,
    )!;
    image[newer.block * BLOCK + 40] ^= 1;
    const device = new SimulatedDevice({ medium: image, maxSizeBytes: 64 << 20 });
    expect(Volume.repair(device)).toMatchObject({ remaining: [], changes: [{ code: 'superblock' }] });
    const { stateCount } = await crashPointsOf(
      device.trace,
      (state) => {
        expect(Volume.repair(state.device)).toMatchObject({ obstacle: null, remaining: [] });
        expect(volumeText(Volume.open(state.device, { ...tuning, readOnly: true }))).toBe(expected);
      },
      {
        seed: testSeed('older superblock'),
        pieceBytes: BLOCK,
        device: { maxSizeBytes: 64 << 20 },
        rounds: 2,
        maxStates: 60,
      },
    );
    expect(stateCount).toBeGreaterThan(10);
  });
});

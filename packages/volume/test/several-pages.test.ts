/**
 * Power cuts of volumes of many pages of free map, with nodes of two levels above them: large files come and go, so that deltas and
 * checkpoints change pages here and there. What a crash leaves opens, read-only and to be written, holds an acknowledged state or a later one
 * as a whole, and is worked with until the next crash.
 */
import { xxh32 } from '@outwrite/blockdev';
import { SimulatedDevice, type SparseImage } from '@outwrite/blockdev/testing';
import { crashPointsOf, Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const BLOCK_BYTES = 512;
const MIB = 1024 * 1024;
/** A page stands for 2 MiB, and a node for 24 pages. */
const FILES_BEFORE = 13;
const FILE_BYTES = 4 * MIB;
const tuning = { autoCommitMilliseconds: 0, cacheBytes: 32 * MIB };

/** What is in files, by path. */
type Contents = Map<string, Uint8Array>;

/** What a check notes once it has opened what a crash left: the state, and the one that its next commit will make. */
interface Opened {
  readonly text: string;
  readonly next: string;
}

function textOf(contents: Contents): string {
  const lines = [...contents].map(([path, bytes]) => `${path} ${bytes.length} ${xxh32(bytes, 0, bytes.length)}`);
  return lines.sort().join('\n');
}

function contentsOf(volume: Volume): Contents {
  return new Map(volume.fs.readdirSync('/').map((name) => [`/${name}`, volume.fs.readFileSync(`/${name}`)]));
}

function content(random: Random, limitBytes: number): Uint8Array {
  const bytes = new Uint8Array(random.below(random.below(limitBytes) + 1)).fill(random.below(256));
  for (let i = 0; i < bytes.length; i += 8192) bytes[i] = random.below(256);
  return bytes;
}

/** A volume of more pages than a node holds, of which every other large file is gone. */
function prepared(): { image: SparseImage; contents: Contents } {
  const device = new SimulatedDevice({ trace: false });
  const volume = Volume.create(device, { ...tuning, blockSize: BLOCK_BYTES });
  for (let i = 0; i < FILES_BEFORE; i++) volume.fs.writeFileSync(`/f${i}`, new Uint8Array(FILE_BYTES).fill(i));
  volume.commitSync();
  for (let i = 0; i < FILES_BEFORE - 1; i++) {
    if (i % 4 === 0) volume.fs.truncateSync(`/f${i}`, 100_000);
    else volume.fs.unlinkSync(`/f${i}`);
  }
  const contents = contentsOf(volume);
  expect(volume.stats().space.sizeBlocks).toBeGreaterThan(24 * 8 * BLOCK_BYTES);
  volume.closeSync();
  return { image: device.medium.visibleImage(), contents };
}

function changeOne(volume: Volume, contents: Contents, random: Random): void {
  const { fs } = volume;
  const path = `/f${random.below(FILES_BEFORE)}`;
  const known = contents.get(path);
  const draw = random.below(10);
  if (known === undefined || draw < 3) {
    const bytes = content(random, 3 * MIB);
    fs.writeFileSync(path, bytes);
    contents.set(path, bytes);
  } else if (draw < 5) {
    fs.unlinkSync(path);
    contents.delete(path);
  } else if (draw < 7) {
    const sizeBytes = random.below(known.length + 1);
    fs.truncateSync(path, sizeBytes);
    contents.set(path, known.slice(0, sizeBytes));
  } else {
    const bytes = content(random, MIB);
    const position = random.below(known.length + 1);
    const descriptor = fs.openSync(path, 'r+');
    if (bytes.length > 0) fs.writeSync(descriptor, bytes, 0, bytes.length, position);
    fs.closeSync(descriptor);
    const changed = new Uint8Array(Math.max(known.length, bytes.length === 0 ? 0 : position + bytes.length));
    changed.set(known);
    if (bytes.length > 0) changed.set(bytes, position);
    contents.set(path, changed);
  }
}

/** Changes, commits and checkpoints of all kinds, and openings; notes on the device which states are durable. Returns all states. */
async function work(first: SimulatedDevice, before: Contents, random: Random, stepCount: number): Promise<string[]> {
  let device = first;
  let volume = Volume.open(device, tuning);
  const contents = new Map(before);
  const states = [textOf(contents)];
  device.note(0);
  for (let step = 0; step < stepCount; step++) {
    const draw = random.below(12);
    if (draw < 7) {
      changeOne(volume, contents, random);
      states.push(textOf(contents));
      continue;
    }
    const index = states.length - 1;
    if (draw === 7) void volume.commit().then(() => device.note(index));
    else if (draw === 8) volume.commitSync();
    else if (draw === 9) volume.checkpointSync();
    else if (draw === 10) await volume.checkpoint();
    else {
      await volume.close();
      device = device.kill();
      volume = Volume.open(device, tuning);
    }
    if (draw !== 7) device.note(index);
  }
  await volume.close();
  device.note(states.length - 1);
  return states;
}

function checkState(
  device: SimulatedDevice,
  notes: readonly unknown[],
  states: readonly string[],
  random: Random,
): void {
  const reader = Volume.open(device, { ...tuning, readOnly: true });
  const contents = contentsOf(reader);
  const seen = textOf(contents);
  expect(device.operationCounts.write, 'a read-only opening writes nothing').toBe(0);
  const opened = notes.findLast((note): note is Opened => typeof note === 'object');
  if (opened !== undefined) expect([opened.text, opened.next]).toContain(seen);
  else expect(states.lastIndexOf(seen)).toBeGreaterThanOrEqual(Math.max(...(notes as number[])));
  const volume = Volume.open(device, tuning);
  expect(textOf(contentsOf(volume))).toBe(seen);
  expect([...volume.check()]).toEqual([]);
  device.note({ text: seen, next: seen } satisfies Opened);
  for (let i = 0; i < 3; i++) changeOne(volume, contents, random);
  const next = textOf(contents);
  device.note({ text: seen, next } satisfies Opened);
  if (random.chance(0.5)) volume.commitSync();
  else volume.checkpointSync();
  device.note({ text: next, next } satisfies Opened);
  expect(textOf(contentsOf(volume))).toBe(next);
  expect([...volume.check({ data: false })]).toEqual([]);
  const { space } = volume.stats();
  expect(space.usedBlocks + space.freeBlocks + space.waitingBlocks + space.reservedBlocks).toBe(space.limitBlocks);
}

describe('a volume of many pages of free map', () => {
  const seed = testSeed('several pages');

  it('holds an acknowledged state or a later one after every power cut, and after one in the opening that follows', async () => {
    const { image, contents } = prepared();
    const device = new SimulatedDevice({ medium: image });
    const random = new Random(seed);
    const states = await work(device, contents, random, 40);
    const report = await crashPointsOf(
      device.trace,
      (state) => {
        if (state.notes.length > 0) checkState(state.device, state.notes, states, state.random);
      },
      { seed, pieceBytes: BLOCK_BYTES, maxStates: 24, evenly: true, rounds: 2, statesOfNextRound: 1 },
    );
    expect(report.stateCount).toBeGreaterThan(5);
  });
});

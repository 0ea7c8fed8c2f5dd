/**
 * Fails each single read, write, flush and growth of a workload in turn, opening and work alike, and judges what is left.
 *
 * Whatever comes out of the failing call is a typed error or none. What was acknowledged is there for the next process, which sees what was
 * written, and after a power cut right then, which may have lost all that no flush has covered.
 */
import { readSlots } from '@outwrite/alloc-log';
import { OutwriteError } from '@outwrite/blockdev';
import { SimulatedDevice, type SparseImage } from '@outwrite/blockdev/testing';
import { type CrashState, everyFault, type FaultOutcome, type FaultReport, Random } from '@outwrite/testkit';
import { checkState } from './check-state.ts';
import { type AckNote, Journal, lastAck, recordedChange } from './journal.ts';
import type { Layer, Model, Settings, Subject } from './layer.ts';
import type { WorkloadShape } from './workload.ts';

const SETTINGS: Settings = {
  blockBytes: 512,
  maxBlocks: 2048,
  // As few frames as there may be, so that there are reads.
  cacheBytes: 1 << 13,
  bounds: { zeroAheadBytes: 0, logBlocks: 6, promises: 30 },
  population: 16,
};

const SHAPE: WorkloadShape = { stepCount: 0, holdTurns: 0, settings: SETTINGS, weights: { failWrite: 1 } };
const STEP_COUNT = 24;

export interface SweepOptions {
  seed: number;
  /** Try every so-many-th call only. */
  stride?: number;
}

/** Sweeps over a life that begins with formatting, and over one that begins with opening what that left. */
export async function faultSweep(layer: Layer, options: SweepOptions): Promise<FaultReport[]> {
  const { seed, stride } = options;
  const journal = new Journal();
  let life = 0;
  const format = async (device: SimulatedDevice): Promise<void> => {
    const random = new Random(seed);
    const model = layer.newModel();
    const subject = layer.format(device, SETTINGS, random);
    life = journal.beginLife(subject.durableDelta, model);
    await work({ layer, device, journal, life, subject, model, random });
  };
  const source = new SimulatedDevice();
  await format(source);
  const image: SparseImage = source.medium.visibleImage();
  const lifeBefore = life;
  const modelBefore = journal.modelAt(lifeBefore, Number.MAX_SAFE_INTEGER)!;
  const open = async (device: SimulatedDevice): Promise<void> => {
    const random = new Random(seed + 1);
    // What the life before left is found again, opening or not; and what it had before, where a flipped bit hits the newer slot.
    const before: AckNote = { journal, life: lifeBefore, delta: readSlots(device).chosen.delta };
    device.note(before);
    const model = modelBefore.clone();
    const subject = layer.open(device, SETTINGS, { readOnly: false, random });
    life = journal.beginLife(subject.recovery!.delta, model);
    await work({ layer, device, journal, life, subject, model, random });
  };
  const check = (outcome: FaultOutcome): Promise<void> => checkOutcome(layer, outcome, seed);
  const sweep = stride === undefined ? {} : { stride };
  return [
    await everyFault(format, check, sweep),
    await everyFault(open, check, { ...sweep, device: { medium: image } }),
  ];
}

async function work(parts: {
  layer: Layer;
  device: SimulatedDevice;
  journal: Journal;
  life: number;
  subject: Subject;
  model: Model;
  random: Random;
}): Promise<void> {
  const { layer, device, journal, life, subject, model, random } = parts;
  const acknowledge = (delta: number): void => {
    const note: AckNote = { journal, life, delta };
    device.note(note);
  };
  acknowledge(subject.durableDelta);
  for (let step = 0; step < STEP_COUNT; step++) {
    recordedChange(journal, life, { layer, subject, model, settings: SETTINGS, random });
    layer.probe(subject, model, SETTINGS, random);
    if (step % 4 === 1) acknowledge(subject.commitSync());
    else if (step % 4 === 3) acknowledge(await subject.commit());
    if (step % 8 === 6) await subject.checkpoint();
    if (step % 8 === 7) subject.checkpointSync();
  }
  await subject.close();
}

async function checkOutcome(layer: Layer, outcome: FaultOutcome, seed: number): Promise<void> {
  const { device, error, notes } = outcome;
  if (error !== undefined && !(error instanceof OutwriteError)) throw error;
  const { medium } = device;
  const images = [medium.fork(), medium.durableImage()];
  for (const image of images) {
    const state: CrashState = {
      device: new SimulatedDevice({ medium: image }),
      kind: 'process kill',
      notes: lastAck(notes) === undefined ? [] : notes,
      name: `${outcome.fault.operation} ${outcome.fault.nth}`,
      random: new Random(seed).derive(outcome.fault.nth),
    };
    await checkState(layer, SHAPE, state);
  }
}

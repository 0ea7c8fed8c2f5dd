/**
 * What is demanded of every state that a crash can leave.
 *
 * It opens read-only, which writes nothing; finds exactly the content of the delta that it claims to have recovered, not older than the
 * acknowledged one; finds it again, writable, and from either slot alone; is audited; and goes on working: changes, commits, a
 * checkpoint, each noted, so that crashes of that can be explored in turn.
 */
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { CorruptionError, NotAVolumeError, OutwriteError } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import type { CrashState, Random } from '@outwrite/testkit';
import { FaultCount } from './fault-count.ts';
import { type AckNote, Journal, judge, lastAck, recordedChange } from './journal.ts';
import type { Layer, Model, Settings, Subject } from './layer.ts';
import { SLOT_FIELD_BYTES, slotPair } from './slot-damage.ts';
import { isFaulty, type WorkloadShape } from './workload.ts';

/** How far behind a lost log block a later one proves that it was there. */
const LOST_BLOCK_SEARCH_BYTES = 256 * 1024;

export async function checkState(
  layer: Layer,
  shape: WorkloadShape,
  state: CrashState,
  faults: FaultCount = new FaultCount(),
): Promise<void> {
  const { settings } = shape;
  const { device, random } = state;
  const ack = lastAck(state.notes);
  if (ack === undefined) {
    checkUnformatted(layer, settings, state);
    return;
  }
  const before = device.operationCounts;
  const readOnly = layer.open(device, settings, { readOnly: true, random });
  const text = readOnly.content();
  const { delta } = readOnly.recovery!;
  const after = device.operationCounts;
  if (after.write !== before.write || after.flush !== before.flush || after.grow !== before.grow) {
    throw new Error('a read-only opening has written');
  }
  const judged = judge(ack, delta, text);
  if (readOnly.recovery!.damage !== null) throw readOnly.recovery!.damage;
  const slotCheck: SlotCheck = { layer, shape, state, ack, text, faults };
  if (random.chance(0.3)) checkOlderSlot(slotCheck);
  if (random.chance(0.15)) checkMiddleDamage(layer, shape, state, faults);
  checkLostLogBlock(layer, shape, state, faults);
  if (random.chance(0.2)) checkSlotDamage(slotCheck);
  if (random.chance(0.15)) checkBitFlip(layer, shape, state, ack, faults);
  if (judged !== null && random.chance(0.1)) checkLostWrite({ layer, shape, state, ack, faults, model: judged, delta });

  const begun: AckNote = { ...ack, opening: { delta, model: judged } };
  device.note(begun);
  const subject = layer.open(device, settings, { readOnly: false, random: random.derive(1) });
  if (subject.recovery!.delta !== delta || subject.content() !== text) {
    throw new Error('recovery twice gives different states');
  }
  checkAudit(subject, 'after opening');
  // In the middle of an operation in steps: no model to go on with.
  if (judged === null) return;
  const model = judged.clone();
  const journal = new Journal();
  const life = journal.beginLife(delta, model);
  const acknowledge = (acked: number): void => {
    const note: AckNote = { journal, life, delta: acked };
    device.note(note);
  };
  acknowledge(delta);
  const stepCount = random.between(1, 4);
  for (let i = 0; i < stepCount; i++) {
    recordedChange(journal, life, { layer, subject, model, settings, random });
    if (random.chance(0.4)) acknowledge(random.chance(0.5) ? subject.commitSync() : await subject.commit());
  }
  if (random.chance(0.3)) {
    subject.checkpointSync();
    acknowledge(subject.durableDelta);
  }
  acknowledge(subject.commitSync());
  if (subject.content() !== model.text()) throw new Error('work after recovery goes wrong');
  checkAudit(subject, 'after more work');
}

/** Before formatting has returned there is an empty volume, or none and an error that says so. */
function checkUnformatted(layer: Layer, settings: Settings, state: CrashState): void {
  let subject: Subject;
  try {
    subject = layer.open(state.device, settings, { readOnly: true, random: state.random });
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === 'ENOTVOLUME' || code === 'ETRUNCATED' || error instanceof CorruptionError) return;
    throw error;
  }
  if (subject.content() !== layer.newModel().text()) throw new Error('a volume that is being formatted is not empty');
}

/**
 * Within a life either slot alone leads to the same last state. While an opening is under way the older one still belongs to the life
 * before. It leads to an acknowledged state or a later one, and mostly to the same; but a delta that was dropped because the device had
 * been cut short within zeros that it lists is whole again once the opening has grown the device. And a write that failed in the life
 * before may still come true: then the newer slot, which is durable, is what rules it out.
 */
function checkOlderSlot(parts: SlotCheck): void {
  const { state } = parts;
  const device = visibleCopy(state);
  const pair = slotPair(device);
  if (pair === null || (isFaulty(parts.shape) && !pair.sameLife)) return;
  parts.faults.add('damaged slot');
  device.writeSync(pair.newerPosition, [new Uint8Array(512).fill(0xa5)]);
  checkOtherSlot(device, pair.sameLife, parts, 'the older slot leads to another state');
}

/** A flipped bit in a slot makes it invalid, and the other one leads to the same state. */
function checkSlotDamage(parts: SlotCheck): void {
  const { state } = parts;
  const device = visibleCopy(state);
  const pair = slotPair(device);
  if (pair === null || (isFaulty(parts.shape) && !pair.sameLife)) return;
  parts.faults.add('damaged slot');
  device.flipBit(pair.newerPosition + state.random.below(SLOT_FIELD_BYTES), state.random.below(8));
  checkOtherSlot(device, pair.sameLife, parts, 'a damaged slot leads to another state');
}

interface SlotCheck {
  readonly layer: Layer;
  readonly shape: WorkloadShape;
  readonly state: CrashState;
  readonly ack: AckNote;
  readonly text: string;
  readonly faults: FaultCount;
}

function checkOtherSlot(device: SimulatedDevice, sameLife: boolean, parts: SlotCheck, problem: string): void {
  const { layer, shape, state, ack, text } = parts;
  const subject = layer.open(device, shape.settings, { readOnly: true, random: state.random });
  const found = subject.content();
  if (found === text) return;
  if (sameLife) throw new Error(problem);
  judge(ack, subject.recovery!.delta, found);
}

function visibleCopy(state: CrashState): SimulatedDevice {
  return new SimulatedDevice({ medium: state.device.medium.visibleImage(), trace: false });
}

/** Damage in the middle of the log is no end of it: a writable opening refuses, a read-only one says so. */
function checkMiddleDamage(layer: Layer, shape: WorkloadShape, state: CrashState, faults: FaultCount): void {
  const { random } = state;
  const device = visibleCopy(state);
  const { chosen } = readSlots(device);
  const { deltas } = readLogChain(device, chosen);
  if (deltas.length < 2) return;
  const { blocks } = random.pick(deltas.slice(0, -1));
  faults.add('damaged log block');
  // The first header, the payload, or the last header.
  const place = random.pick([16, Math.floor(chosen.blockBytes / 2), chosen.blockBytes - 20]);
  device.flipBit(random.pick(blocks) * chosen.blockBytes + place, random.below(8));
  expectMiddleDamage(layer, shape, device, random);
}

/** A log block of which nothing is left is damage, too, if one of a later delta stands soon behind it. */
function checkLostLogBlock(layer: Layer, shape: WorkloadShape, state: CrashState, faults: FaultCount): void {
  const random = state.random.derive(3);
  if (!random.chance(0.15)) return;
  const device = visibleCopy(state);
  const { chosen } = readSlots(device);
  const { deltas } = readLogChain(device, chosen);
  const searchBlocks = LOST_BLOCK_SEARCH_BYTES / chosen.blockBytes;
  const provenBlocks = deltas.flatMap(({ blocks }, i) => {
    const laterBlocks = deltas.slice(i + 1).flatMap((later) => later.blocks);
    return blocks.filter((block) => laterBlocks.some((later) => later > block && later <= block + searchBlocks));
  });
  if (provenBlocks.length === 0) return;
  faults.add('lost log block');
  const content = new Uint8Array(chosen.blockBytes).fill(random.pick([0, 0xa5]));
  device.writeSync(random.pick(provenBlocks) * chosen.blockBytes, [content]);
  expectMiddleDamage(layer, shape, device, random);
}

function expectMiddleDamage(layer: Layer, shape: WorkloadShape, device: SimulatedDevice, random: Random): void {
  let refused = false;
  try {
    layer.open(device, shape.settings, { readOnly: false, random });
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    refused = true;
  }
  if (!refused) throw new Error('damage in the middle of the log was taken for its end');
  try {
    const subject = layer.open(device, shape.settings, { readOnly: true, random });
    if (subject.recovery!.damage === null) throw new Error('a read-only opening is silent about damage in the log');
  } catch (error) {
    // What is before the damage may refer to blocks that later deltas have overwritten.
    if (!(error instanceof CorruptionError)) throw error;
  }
}

/** A flipped bit is reported or of no consequence; in the last delta it looks like a tear, and leads to a state of before. */
function checkBitFlip(layer: Layer, shape: WorkloadShape, state: CrashState, ack: AckNote, faults: FaultCount): void {
  const { random } = state;
  const device = visibleCopy(state);
  const { sizeBlocks, blockBytes } = readSlots(device).chosen;
  faults.add('flipped bits');
  for (let i = 0; i < 8; i++)
    device.flipBit(random.below(sizeBlocks) * blockBytes + random.below(blockBytes), random.below(8));
  try {
    const subject = layer.open(device, shape.settings, { readOnly: true, random });
    const text = subject.content();
    judge({ ...ack, delta: 0 }, subject.recovery!.delta, text);
  } catch (error) {
    // Without its log a volume may be what it was before it was made.
    if (!(error instanceof CorruptionError || error instanceof NotAVolumeError)) throw error;
  }
}

/**
 * A write that was lost, or went elsewhere, seems to have succeeded. Whoever opens or reads meets a typed error, or the content of some
 * delta as a whole: a lost log block with nothing behind it looks like the end of the log. Never anything else.
 */
function checkLostWrite(parts: {
  layer: Layer;
  shape: WorkloadShape;
  state: CrashState;
  ack: AckNote;
  faults: FaultCount;
  /** What the state holds, at the end of `delta`. */
  model: Model;
  delta: number;
}): void {
  const { layer, state, ack, faults, delta } = parts;
  const { settings } = parts.shape;
  const random = state.random.derive(2);
  const device = visibleCopy(state);
  const nth = random.between(1, 12);
  if (random.chance(0.5)) device.failAt({ operation: 'write', nth, effect: 'lost' });
  else {
    const offsetBytes = settings.blockBytes * random.between(-20, 20);
    device.failAt({ operation: 'write', nth, effect: 'misdirected', offsetBytes });
  }
  const journal = new Journal();
  const model = parts.model.clone();
  const life = journal.beginLife(delta, model);
  try {
    const subject = layer.open(device, settings, { readOnly: false, random });
    for (let i = 0; i < 4; i++) {
      recordedChange(journal, life, { layer, subject, model, settings, random });
      subject.commitSync();
      if (i === 2) subject.checkpointSync();
    }
  } catch (error) {
    if (!isReported(error)) throw error;
  }
  faults.addStruck(device.struckFaults);
  const left = new SimulatedDevice({ medium: device.medium.visibleImage(), trace: false });
  let found: Subject;
  let text: string;
  try {
    found = layer.open(left, settings, { readOnly: true, random });
    text = found.content();
  } catch (error) {
    if (!isReported(error)) throw error;
    return;
  }
  const recovered = found.recovery!.delta;
  const models = [journal.modelAt(life, recovered), ack.journal.modelAt(ack.life, recovered), ack.opening?.model];
  // Null: the middle of an operation in steps.
  if (models.some((candidate) => candidate === null || candidate?.text() === text)) return;
  throw new Error(`after a lost write there is something that never was, at the end of delta ${recovered}`);
}

/** A typed error, or one of the `fs` face that stands for one. */
function isReported(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return error instanceof OutwriteError || code === 'EIO' || code === 'ELATCHED';
}

function checkAudit(subject: Subject, when: string): void {
  const findings = subject.audit();
  if (findings.length > 0) throw new Error(`audit ${when}: ${findings.slice(0, 5).join('; ')}`);
}

/**
 * What is demanded of every state that a crash can leave.
 *
 * It opens read-only, which writes nothing; finds exactly the content of the delta that it claims to have recovered, not older than the
 * acknowledged one; finds it again, writable, and from either slot alone; is audited; and goes on working: changes, commits, a
 * checkpoint, each noted, so that crashes of that can be explored in turn.
 */
import { CorruptionError, NoSpaceError } from '@outwrite/blockdev';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import type { CrashState } from '@outwrite/testkit';
import { type AckNote, Journal, judge, lastAck } from './journal.ts';
import type { Layer, Settings, Subject } from './layer.ts';
import { slotPair } from './slot-damage.ts';
import { isFaulty, type WorkloadShape } from './workload.ts';

export async function checkState(layer: Layer, shape: WorkloadShape, state: CrashState): Promise<void> {
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
  const model = judge(ack, delta, text).clone();
  if (readOnly.recovery!.damage !== null) throw readOnly.recovery!.damage;
  if (random.chance(0.3)) checkOlderSlot(layer, shape, state, text);

  const subject = layer.open(device, settings, { readOnly: false, random: random.derive(1) });
  if (subject.recovery!.delta !== delta || subject.content() !== text) {
    throw new Error('recovery twice gives different states');
  }
  checkAudit(subject, 'after opening');
  const journal = new Journal();
  const life = journal.beginLife(delta, model);
  const acknowledge = (acked: number): void => {
    const note: AckNote = { journal, life, delta: acked };
    device.note(note);
  };
  acknowledge(delta);
  const stepCount = random.between(1, 4);
  for (let i = 0; i < stepCount; i++) {
    try {
      layer.change(subject, model, settings, random);
    } catch (error) {
      if (!(error instanceof NoSpaceError)) throw error;
    }
    journal.record(life, subject.openDelta, model);
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
 * Within a life either slot alone leads to the same last state. So it does while an opening is under way, because that changes no content,
 * unless a write that failed in the life before may still come true: then the newer slot, which is durable, is what rules it out.
 */
function checkOlderSlot(layer: Layer, shape: WorkloadShape, state: CrashState, text: string): void {
  const device = new SimulatedDevice({ medium: state.device.medium.visibleImage(), trace: false });
  const pair = slotPair(device);
  if (pair === null || (isFaulty(shape) && !pair.sameLife)) return;
  device.writeSync(pair.newerPosition, [new Uint8Array(512).fill(0xa5)]);
  const subject = layer.open(device, shape.settings, { readOnly: true, random: state.random });
  if (subject.content() !== text) throw new Error('the older slot leads to another state');
}

function checkAudit(subject: Subject, when: string): void {
  const findings = subject.audit();
  if (findings.length > 0) throw new Error(`audit ${when}: ${findings.slice(0, 5).join('; ')}`);
}

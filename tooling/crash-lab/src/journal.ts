/**
 * The independent record of a workload: what the content was at the end of each delta of each life, and what was acknowledged.
 *
 * Every change of a workload enters the delta that is open when it returns, so the content at the end of a delta is the last that was
 * recorded for it (a delta without changes has that of the one before). A note on the device says which delta of which life is known to
 * be durable. What recovery finds must then be exactly the content of the delta that it claims to have recovered, of the life whose
 * opening returned last, and no older than the acknowledged one: stronger than "some state not older", because a delta that is there in
 * part, or a block of an earlier life, shows at once.
 */
import type { Model } from './layer.ts';

/** A remark on the device: `delta` of `life` was acknowledged. */
export interface AckNote {
  readonly journal: Journal;
  readonly life: number;
  readonly delta: number;
}

interface DeltaState {
  readonly delta: number;
  model: Model;
}

export class Journal {
  readonly #lives: DeltaState[][] = [];

  /** Begins the record of another life, whose opening found or made `model` at the end of `delta`. Returns its number. */
  beginLife(delta: number, model: Model): number {
    this.#lives.push([{ delta, model: model.clone() }]);
    return this.#lives.length - 1;
  }

  /** The content is `model` while `delta` is open. */
  record(life: number, delta: number, model: Model): void {
    const states = this.#lives[life]!;
    const last = states[states.length - 1]!;
    if (last.delta === delta) last.model = model.clone();
    else states.push({ delta, model: model.clone() });
  }

  /** The content at the end of `delta` of `life`; undefined before that life began. */
  modelAt(life: number, delta: number): Model | undefined {
    const states = this.#lives[life]!;
    for (let i = states.length - 1; i >= 0; i--) if (states[i]!.delta <= delta) return states[i]!.model;
    return undefined;
  }
}

/** The last acknowledgement among the notes of a crash state; undefined while formatting had not returned. */
export function lastAck(notes: readonly unknown[]): AckNote | undefined {
  let last: AckNote | undefined;
  for (const note of notes as readonly AckNote[]) {
    const isNewer = last === undefined || note.journal !== last.journal || note.life !== last.life;
    if (isNewer || note.delta > last!.delta) last = note;
  }
  return last;
}

/**
 * Judges what was recovered: `text` as the content at the end of `delta`. Returns the model it equals; throws an `Error` that says what is
 * lost or wrong.
 */
export function judge(ack: AckNote, delta: number, text: string): Model {
  if (delta < ack.delta) throw new Error(`lost: delta ${ack.delta} was acknowledged, recovery ends with ${delta}`);
  const model = ack.journal.modelAt(ack.life, delta);
  if (model === undefined) throw new Error(`recovery ends with delta ${delta}, before the life began`);
  if (model.text() !== text) {
    throw new Error(
      `wrong content at the end of delta ${delta} (acknowledged: ${ack.delta})\nexpected ${model.text().slice(0, 600)}\nfound    ${text.slice(0, 600)}`,
    );
  }
  return model;
}

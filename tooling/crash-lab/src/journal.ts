/**
 * The independent record of a workload: what the content was at the end of each delta of each life, and what was acknowledged.
 *
 * Every change of a workload enters the delta that is open when it returns, so the content at the end of a delta is the last that was
 * recorded for it (a delta without changes has that of the one before). A note on the device says which delta of which life is known to
 * be durable. What recovery finds must then be exactly the content of the delta that it claims to have recovered, of the life whose
 * opening returned last, and no older than the acknowledged one: stronger than "some state not older", because a delta that is there in
 * part, or a block of an earlier life, shows at once.
 */
import type { Random } from '@outwrite/testkit';
import type { Layer, Model, Settings, Subject } from './layer.ts';

/** A remark on the device: `delta` of `life` was acknowledged. */
export interface AckNote {
  readonly journal: Journal;
  readonly life: number;
  readonly delta: number;
  /**
   * An opening was begun that had found `model` at the end of `delta`. It may commit deltas of its own (to reclaim what an earlier life
   * left), whose numbers a lost delta of the life before had, too; none of them changes the content.
   */
  readonly opening?: { readonly delta: number; readonly model: Model | null };
}

interface DeltaState {
  readonly delta: number;
  /** Null where the end of the delta fell into an operation in steps: any part of it may be there. */
  model: Model | null;
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

  /** The deltas from `first` to before `end` ended within an operation in steps. */
  recordPart(life: number, first: number, end: number): void {
    const states = this.#lives[life]!;
    if (states[states.length - 1]!.delta === first) states.pop();
    for (let delta = first; delta < end; delta++) states.push({ delta, model: null });
  }

  /** The content at the end of `delta` of `life`; undefined before that life began, null where it is not known. */
  modelAt(life: number, delta: number): Model | null | undefined {
    const states = this.#lives[life]!;
    for (let i = states.length - 1; i >= 0; i--) if (states[i]!.delta <= delta) return states[i]!.model;
    return undefined;
  }
}

export interface ChangeParts {
  readonly layer: Layer;
  readonly subject: Subject;
  readonly model: Model;
  readonly settings: Settings;
  readonly random: Random;
}

/** Makes a random change of a subject and its model, and records it. Passes on what it throws, except for want of space. */
export function recordedChange(journal: Journal, life: number, parts: ChangeParts): void {
  const { layer, subject, model, settings, random } = parts;
  const record = changeRecord(journal, life, parts);
  let inSteps = false;
  try {
    inSteps = layer.change(subject, model, settings, random);
  } catch (error) {
    record.afterError(error);
  }
  record.done(inSteps);
}

/** As `recordedChange`, for a change that waits. Nobody else changes anything meanwhile; deltas may be closed. */
export async function recordedChangeAsync(journal: Journal, life: number, parts: ChangeParts): Promise<void> {
  const { layer, subject, model, settings, random } = parts;
  const record = changeRecord(journal, life, parts);
  let inSteps = false;
  try {
    inSteps = await layer.changeAsync!(subject, model, settings, random);
  } catch (error) {
    record.afterError(error);
  }
  record.done(inSteps);
}

function changeRecord(
  journal: Journal,
  life: number,
  { layer, subject, model }: ChangeParts,
): { afterError(error: unknown): void; done(inSteps: boolean): void } {
  const deltaBefore = subject.openDelta;
  return {
    afterError(error) {
      if ((error as { code?: string }).code !== 'ENOSPC') {
        // A device that fails ends an operation in steps somewhere: the delta that was open then, and those closed on the way, hold a part.
        if (layer.changesInSteps) journal.recordPart(life, deltaBefore, subject.openDelta + 1);
        throw error;
      }
      const found = subject.content();
      const expected = model.text();
      if (found !== expected) {
        throw new Error(
          `an operation that ran out of space changed something: ${String(error)}\n${difference(expected, found)}`,
          {
            cause: error,
          },
        );
      }
    },
    done(inSteps) {
      const delta = subject.openDelta;
      if (inSteps && delta > deltaBefore) journal.recordPart(life, deltaBefore, delta);
      journal.record(life, delta, model);
    },
  };
}

/** The first line in which two contents differ. */
function difference(expected: string, found: string): string {
  const expectedLines = expected.split('\n');
  const foundLines = found.split('\n');
  const at = expectedLines.findIndex((line, i) => line !== foundLines[i]);
  const line = at === -1 ? expectedLines.length : at;
  return `expected ${expectedLines[line]?.slice(0, 600)}\nfound    ${foundLines[line]?.slice(0, 600)}`;
}

/** The last acknowledgement among the notes of a crash state; undefined while formatting had not returned. */
export function lastAck(notes: readonly unknown[]): AckNote | undefined {
  let last: AckNote | undefined;
  for (const note of notes as readonly AckNote[]) {
    const isNewer = last === undefined || note.journal !== last.journal || note.life !== last.life;
    if (isNewer || note.delta > last!.delta || note.opening !== undefined) last = note;
  }
  return last;
}

/**
 * Judges what was recovered: `text` as the content at the end of `delta`. Returns the model it equals, null where that is not known; throws
 * an `Error` that says what is lost or wrong.
 */
export function judge(ack: AckNote, delta: number, text: string): Model | null {
  if (delta < ack.delta) throw new Error(`lost: delta ${ack.delta} was acknowledged, recovery ends with ${delta}`);
  const { opening } = ack;
  if (opening !== undefined && delta >= opening.delta) {
    if (opening.model === null) return null;
    if (opening.model.text() === text) return opening.model;
  }
  const model = ack.journal.modelAt(ack.life, delta);
  if (model === undefined) throw new Error(`recovery ends with delta ${delta}, before the life began`);
  if (model !== null && model.text() !== text) {
    throw new Error(
      `wrong content at the end of delta ${delta} (acknowledged: ${ack.delta})\n${difference(model.text(), text)}`,
    );
  }
  return model;
}

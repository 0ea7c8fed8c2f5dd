/**
 * Runs a random workload on a layer and its model, through all that happens to a volume: operations, commits of every kind at every
 * moment, checkpoints, closing and opening, killed processes, failing writes and flushes, views.
 *
 * What was acknowledged is noted on the device (`AckNote`), so that every crash of the run can be judged afterwards. The run itself is
 * judged as well: each opening must find what the journal allows, a latched volume must write nothing more, audits must be clean.
 */
import { ClosedError, DeviceError, LatchedError } from '@outwrite/blockdev';
import type { SimulatedDevice, SimulatedDeviceOptions } from '@outwrite/blockdev/testing';
import { type Random, unevenHold } from '@outwrite/testkit';
import { FaultCount } from './fault-count.ts';
import { type AckNote, type ChangeParts, Journal, judge, recordedChange, recordedChangeAsync } from './journal.ts';
import type { Layer, Model, Settings, Subject } from './layer.ts';

export type StepKind =
  | 'change'
  /** One that waits; commits and checkpoints that were asked for before go on meanwhile. */
  | 'changeAsync'
  | 'commit'
  | 'commitSync'
  | 'checkpoint'
  | 'checkpointSync'
  /** Some turns of the microtask queue, so that what is in flight gets on. */
  | 'turns'
  /** Everything in flight ends. */
  | 'settle'
  | 'reopen'
  /** The process is killed; what was in flight lands; another opens. */
  | 'kill'
  /** One of the next writes, flushes or growths fails. */
  | 'failWrite'
  | 'failFlush'
  | 'failGrow'
  | 'view'
  | 'probe';

export interface WorkloadShape {
  readonly stepCount: number;
  readonly weights: Partial<Record<StepKind, number>>;
  readonly settings: Settings;
  /** One of these comes after every change, and at every few turns of one that waits: a boundary between any two steps. */
  readonly between?: readonly StepKind[];
  /** Asynchronous requests take up to so many turns; 0: one. */
  readonly holdTurns: number;
}

/** Whether writes fail in a workload: such a write may still reach the medium, any time later. */
export function isFaulty(shape: WorkloadShape): boolean {
  const { failWrite, failFlush, failGrow } = shape.weights;
  return failWrite !== undefined || failFlush !== undefined || failGrow !== undefined;
}

/** Turns that a few requests, one after the other, take beside what they are held. */
const MARGIN_TURNS = 100;

/** Runs the workload on `device` (whose trace goes on through all lives). */
export async function runWorkload(
  layer: Layer,
  shape: WorkloadShape,
  random: Random,
  device: SimulatedDevice,
  faults: FaultCount = new FaultCount(),
): Promise<void> {
  const run = new WorkloadRun(layer, shape, random, device, faults);
  try {
    await run.all();
  } catch (error) {
    if (!(error instanceof PartReached)) throw error;
  }
}

/** An opening found the middle of an operation in steps: the run ends here, there is no model to go on with. */
export class PartReached extends Error {}

/** A workload under way. Its steps may also be given one by one. */
export class WorkloadRun {
  readonly layer: Layer;
  readonly shape: WorkloadShape;
  random: Random;
  readonly journal = new Journal();
  readonly faults: FaultCount;
  device: SimulatedDevice;
  subject: Subject;
  model: Model;
  life: number;
  /** Counts processes: what a killed one still hears is of no account. */
  process = 0;
  /** Commits and checkpoints that have not settled. */
  inFlight: Promise<unknown>[] = [];
  /** A fault was armed in this life, so errors are expected. */
  armed = false;
  /** Set by whatever met the latch first. */
  latched: LatchedError | null = null;
  unexpected: unknown = null;
  /** The content that the last clean close left. */
  closedWith: string | null = null;
  acked = 0;
  openViews: { release(): void; verify: () => void }[] = [];
  #stepCount = 0;
  #closeCount = 0;

  constructor(
    layer: Layer,
    shape: WorkloadShape,
    random: Random,
    device: SimulatedDevice,
    faults: FaultCount = new FaultCount(),
  ) {
    this.faults = faults;
    this.layer = layer;
    this.shape = shape;
    this.random = random;
    this.device = device;
    this.model = layer.newModel();
    this.subject = layer.format(device, shape.settings, random.derive(1));
    this.life = this.journal.beginLife(this.subject.durableDelta, this.model);
    this.#acknowledge(this.subject.durableDelta);
  }

  async all(): Promise<void> {
    const kinds = Object.entries(this.shape.weights) as [StepKind, number][];
    let total = 0;
    for (const [, weight] of kinds) total += weight;
    for (let i = 0; i < this.shape.stepCount; i++) {
      let drawn = this.random.fraction() * total;
      let kind: StepKind = 'change';
      for (const [candidate, weight] of kinds) {
        drawn -= weight;
        if (drawn >= 0) continue;
        kind = candidate;
        break;
      }
      await this.perform(kind);
      const { between } = this.shape;
      if (between !== undefined && (kind === 'change' || kind === 'changeAsync'))
        await this.perform(this.random.pick(between));
    }
    await this.finish();
  }

  /** Does one step, and what follows from it: whoever meets a failing device goes on with the next life. */
  async perform(kind: StepKind): Promise<void> {
    try {
      await this.#step(kind);
      if (this.#stepCount++ % 8 === 7 && !this.subject.latched) this.#audit();
    } catch (error) {
      await this.#afterError(error);
    }
    if (this.unexpected !== null) throw this.unexpected;
    if (this.latched !== null) await this.#afterLatch();
  }

  /** Everything in flight ends. */
  async finish(): Promise<void> {
    await this.#settle();
    await turns(this.shape.holdTurns);
    this.faults.addStruck(this.device.struckFaults);
    if (this.unexpected !== null) throw this.unexpected;
    if (!this.armed) this.#audit();
  }

  #acknowledge(delta: number): void {
    this.acked = Math.max(this.acked, delta);
    const note: AckNote = { journal: this.journal, life: this.life, delta };
    this.device.note(note);
  }

  async #step(kind: StepKind): Promise<void> {
    const { subject, random, device } = this;
    switch (kind) {
      case 'change':
        recordedChange(this.journal, this.life, this.#changeParts());
        this.#acknowledge(subject.durableDelta);
        break;
      case 'changeAsync':
        await this.#changeAsync();
        this.#acknowledge(subject.durableDelta);
        break;
      case 'probe':
        this.layer.probe(subject, this.model, this.shape.settings, random);
        break;
      case 'commit': {
        const { process } = this;
        this.#follow(
          subject.commit().then((delta) => {
            if (process === this.process) this.#acknowledge(delta);
          }),
        );
        break;
      }
      case 'checkpoint':
        this.#follow(subject.checkpoint());
        break;
      case 'commitSync':
        this.#acknowledge(subject.commitSync());
        this.#countLateWrites();
        break;
      case 'checkpointSync':
        subject.checkpointSync();
        this.#acknowledge(subject.durableDelta);
        break;
      case 'turns':
        for (let turns = random.below(30); turns > 0; turns--) await Promise.resolve();
        break;
      case 'settle':
        await this.#settle();
        break;
      case 'reopen':
        await this.#close();
        if (this.unexpected === null && !this.subject.latched) this.#open();
        break;
      case 'kill':
        this.#releaseViews(false);
        this.process++;
        this.#countLateWrites();
        this.faults.addStruck(device.struckFaults);
        this.device = device.kill({ trace: false });
        await turns(this.#settleTurns);
        this.inFlight = [];
        this.#open();
        break;
      case 'failWrite':
        this.#arm({ operation: 'write', nth: random.between(1, 4), effect: 'error', visible: random.chance(0.5) });
        break;
      case 'failFlush':
        this.#arm({ operation: 'flush', nth: random.between(1, 3), effect: 'error' });
        break;
      case 'failGrow':
        this.#arm({ operation: 'grow', nth: random.between(1, 2), effect: 'error' });
        break;
      case 'view':
        this.#view();
    }
  }

  /** The number of turns after which nothing is in flight any more, whatever was drawn. */
  get #settleTurns(): number {
    return 4 * this.shape.holdTurns + MARGIN_TURNS;
  }

  #deviceOptions(): Omit<SimulatedDeviceOptions, 'medium' | 'sizeBytes'> {
    const { holdTurns } = this.shape;
    return holdTurns === 0 ? {} : { hold: unevenHold(this.random.derive(this.life, 2), holdTurns) };
  }

  /** What is in flight when its process ends, or its commit was overtaken, lands later than anybody waits for. */
  #countLateWrites(): void {
    if (this.device.medium.pending.some(({ state }) => state === 'in flight')) this.faults.add('late write');
  }

  #arm(fault: Parameters<SimulatedDevice['failAt']>[0]): void {
    this.armed = true;
    this.device.failAt(fault);
  }

  #changeParts(): ChangeParts {
    const { layer, subject, model, random } = this;
    return { layer, subject, model, settings: this.shape.settings, random };
  }

  async #changeAsync(): Promise<void> {
    let isOver = false;
    const change = recordedChangeAsync(this.journal, this.life, this.#changeParts()).finally(() => {
      isOver = true;
    });
    // It is awaited below, whatever happens meanwhile.
    change.catch(() => undefined);
    const { between } = this.shape;
    while (between !== undefined && !isOver && !this.subject.latched) {
      await turns(this.random.below(6));
      if (!isOver && !this.subject.latched) await this.#step(this.random.pick(between));
    }
    await change;
  }

  #follow(promise: Promise<unknown>): void {
    const { process } = this;
    const watched = promise.catch((error: unknown) => {
      if (process !== this.process) return;
      if (codeOf(error) === 'ELATCHED' && this.armed) this.latched ??= new LatchedError(error);
      else this.unexpected ??= error;
    });
    this.inFlight.push(watched);
  }

  async #settle(): Promise<void> {
    await Promise.all(this.inFlight);
    this.inFlight = [];
  }

  /** Closes in one go; false where something is in flight, which that cannot wait for. */
  async #closedSync(): Promise<boolean> {
    await this.#settle();
    if (this.subject.latched) return false;
    try {
      this.subject.closeSync();
      return true;
    } catch (error) {
      if (error instanceof DeviceError && !this.subject.latched) return false;
      throw error;
    }
  }

  async #close(): Promise<void> {
    this.#releaseViews(true);
    try {
      if (this.#closeCount++ % 2 === 0 || !(await this.#closedSync())) await this.subject.close();
      if (this.subject.latched)
        throw new Error('a latched volume was closed and nobody was told that changes are lost');
    } catch (error) {
      if (!isRefusal(error) || !this.subject.latched) throw error;
      this.latched ??= new LatchedError(error);
    }
    await this.#settle();
    if (this.latched !== null) return;
    this.#acknowledge(this.subject.durableDelta);
    this.closedWith = this.model.text();
  }

  /** Opens what is there, in another process, and judges it. A fault that is still armed belongs to the device before. */
  #open(): void {
    const { layer, shape, random } = this;
    this.process++;
    this.faults.addStruck(this.device.struckFaults);
    this.device = this.device.kill({ trace: false, ...this.#deviceOptions() });
    const ack: AckNote = { journal: this.journal, life: this.life, delta: this.acked };
    const readOnly = layer.open(this.device, shape.settings, { readOnly: true, random });
    const found = readOnly.content();
    const begun = { delta: readOnly.recovery!.delta, model: judge(ack, readOnly.recovery!.delta, found) };
    this.device.note({ ...ack, opening: begun } satisfies AckNote);
    const subject = layer.open(this.device, shape.settings, { readOnly: false, random: random.derive(this.life, 3) });
    const delta = subject.recovery!.delta;
    const text = subject.content();
    if (found !== text) throw new Error('a read-only and a writable opening find different states');
    if (this.closedWith !== null && this.closedWith !== text) throw new Error('closing has lost something');
    this.closedWith = null;
    const judged = judge(ack, delta, text);
    if (judged === null) throw new PartReached();
    this.model = judged.clone();
    this.subject = subject;
    this.armed = false;
    this.latched = null;
    this.inFlight = [];
    this.life = this.journal.beginLife(delta, this.model);
    this.acked = delta;
    this.#acknowledge(delta);
    this.#audit();
  }

  async #afterError(error: unknown): Promise<void> {
    const isFailure = error instanceof DeviceError || codeOf(error) === 'ELATCHED' || codeOf(error) === 'EIO';
    if (!isFailure || !this.armed) throw error;
    this.latched ??= error instanceof LatchedError ? error : new LatchedError(error);
  }

  /** A latched volume refuses changes, writes nothing more, and closes; the next process finds nothing lost. */
  async #afterLatch(): Promise<void> {
    const { subject, device } = this;
    await turns(this.#settleTurns);
    const written = device.operationCounts.write;
    for (const attempt of [
      () => this.layer.change(subject, this.model.clone(), this.shape.settings, this.random),
      () => subject.commitSync(),
      () => subject.checkpointSync(),
    ]) {
      try {
        attempt();
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    await subject.commit().then(
      () => {
        throw new Error('a latched volume acknowledges a commit');
      },
      (error: unknown) => {
        if (!isRefusal(error)) throw error;
      },
    );
    this.#releaseViews(false);
    await subject.close().catch((error: unknown) => {
      if (!isRefusal(error)) throw error;
    });
    if (device.operationCounts.write !== written) throw new Error('a latched volume has written');
    await turns(this.#settleTurns);
    if (device.operationCounts.write !== written) throw new Error('a latched volume has written');
    this.#open();
  }

  #view(): void {
    if (this.openViews.length > 0) {
      this.#releaseViews(true);
      return;
    }
    if (this.layer.watch === undefined) return;
    this.#acknowledge(this.subject.commitSync());
    const verify = this.layer.watch(this.subject);
    const view = this.subject.openView();
    this.openViews.push({ release: () => view.release(), verify });
  }

  #releaseViews(verified: boolean): void {
    for (const { release, verify } of this.openViews.splice(0)) {
      if (verified) verify();
      release();
    }
  }

  #audit(): void {
    if (this.device.changedBufferCount > 0) throw new Error('a buffer was changed while it was being written');
    const findings = this.subject.audit();
    if (findings.length > 0) throw new Error(`audit of the workload: ${findings.slice(0, 5).join('; ')}`);
    const { usedBlocks, freeBlocks, waitingBlocks, reservedBlocks, limitBlocks } = this.subject.balance();
    if (usedBlocks + freeBlocks + waitingBlocks + reservedBlocks !== limitBlocks) {
      throw new Error('used + free + waiting + reserved is not all');
    }
  }
}

/** What a latched subject answers; closing may have been what met the failure. */
function isRefusal(error: unknown): boolean {
  return error instanceof LatchedError || error instanceof ClosedError || codeOf(error) === 'ELATCHED';
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/**
 * The registers as a layer of the lab: the log alone, with nothing above it.
 */
import { AllocLog, type LogView, type RecoveryReport } from '@outwrite/alloc-log';
import { RegisterClient } from '@outwrite/alloc-log/testing';
import { type BlockDevice, NoSpaceError, xxh32 } from '@outwrite/blockdev';
import type { Random } from '@outwrite/testkit';
import type { Balance, Layer, Model, Settings, Subject } from '../layer.ts';
import { formatOptions, logOptions } from '../log-options.ts';

class RegisterModel implements Model {
  readonly values: Map<number, string>;

  constructor(values: Map<number, string> = new Map()) {
    this.values = values;
  }

  text(): string {
    return JSON.stringify([...this.values].sort((a, b) => a[0] - b[0]));
  }

  clone(): RegisterModel {
    return new RegisterModel(new Map(this.values));
  }
}

class RegisterSubject implements Subject {
  readonly client: RegisterClient;
  readonly log: AllocLog;

  constructor(client: RegisterClient, log: AllocLog) {
    this.client = client;
    this.log = log;
  }

  get openDelta(): number {
    return this.log.openDelta;
  }

  get durableDelta(): number {
    return this.log.durableDelta;
  }

  get recovery(): RecoveryReport | null {
    return this.log.recovery;
  }

  get latched(): boolean {
    return this.log.latched !== null;
  }

  content(): string {
    return JSON.stringify([...this.client.content()]);
  }

  audit(): string[] {
    return this.client.audit();
  }

  commit(): Promise<number> {
    return this.log.commit();
  }

  commitSync(): number {
    return this.log.commitSync();
  }

  checkpoint(): Promise<void> {
    return this.log.checkpoint();
  }

  checkpointSync(): void {
    this.log.checkpointSync();
  }

  close(): Promise<void> {
    return this.log.close();
  }

  closeSync(): void {
    this.log.closeSync();
  }

  openView(): LogView {
    return this.log.openView();
  }

  balance(): Balance {
    return this.log.stats();
  }
}

export const registerLayer: Layer = {
  name: 'registers',
  changesInSteps: false,

  newModel(): Model {
    return new RegisterModel();
  },

  format(device: BlockDevice, settings: Settings, random: Random): Subject {
    const client = new RegisterClient();
    const log = AllocLog.format(device, formatOptions(settings, random), client);
    return new RegisterSubject(client, log);
  },

  open(device: BlockDevice, settings: Settings, options: { readOnly: boolean; random: Random }): Subject {
    const client = new RegisterClient();
    const log = AllocLog.open(device, { ...logOptions(settings, options.random), readOnly: options.readOnly }, client);
    client.opened();
    return new RegisterSubject(client, log);
  },

  change(subject: Subject, model: Model, settings: Settings, random: Random): boolean {
    const { client, log } = subject as RegisterSubject;
    const { values } = model as RegisterModel;
    const id = random.below(settings.population);
    if (random.chance(0.25)) {
      // An open view keeps what is freed, so that even a delete may find no room for the leaf that it changes.
      const mustSucceed = settings.lateWrites !== true && log.stats().openViews === 0;
      try {
        client.delete(id);
      } catch (error) {
        if (error instanceof NoSpaceError && mustSucceed)
          throw new Error('a delete ran out of space', { cause: error });
        throw error;
      }
      values.delete(id);
      return false;
    }
    const value = random.u32().toString(36);
    client.set(id, value, { dataBlocks: random.chance(0.3) ? 1 : 0 });
    values.set(id, value);
    return false;
  },

  probe(subject: Subject, model: Model, settings: Settings, random: Random): void {
    const id = random.below(settings.population);
    const found = (subject as RegisterSubject).client.get(id);
    const expected = (model as RegisterModel).values.get(id);
    if (found !== expected) throw new Error(`register ${id} is ${found} and should be ${expected}`);
  },

  watch(subject: Subject): () => void {
    const { client, log } = subject as RegisterSubject;
    const expected = [...client.registers.values()].flatMap(({ leaf, data }) => [
      { block: leaf.block, checksum: leaf.checksum },
      ...(data?.checksums ?? []).map((checksum, i) => ({ block: data!.start + i, checksum })),
    ]);
    return () => {
      for (const { block, checksum } of expected) {
        const bytes = new Uint8Array(log.blockSize);
        log.device.readSync(block * log.blockSize, [bytes]);
        if (xxh32(bytes) !== checksum) throw new Error(`block ${block}, which an open view can see, was overwritten`);
      }
    };
  },
};

/**
 * Trees as a layer of the lab: several trees of one store, with short values, overflow values, range deletes, trees that come and go.
 */
import { type LogView, type RecoveryReport, SpaceAudit } from '@outwrite/alloc-log';
import { type BlockDevice, NoSpaceError } from '@outwrite/blockdev';
import { type Tree, TreeStore } from '@outwrite/btree-cow';
import type { Random } from '@outwrite/testkit';
import type { Balance, Layer, Model, Settings, Subject } from '../layer.ts';
import { formatOptions, logOptions } from '../log-options.ts';

/** A value is its length and the byte that it repeats. */
type ModelTrees = Map<number, Map<string, string>>;

class TreeModel implements Model {
  readonly trees: ModelTrees;

  constructor(trees: ModelTrees = new Map()) {
    this.trees = trees;
  }

  text(): string {
    const trees = [...this.trees].sort((a, b) => a[0] - b[0]);
    return JSON.stringify(trees.map(([id, entries]) => [id, [...entries].sort((a, b) => (a[0] < b[0] ? -1 : 1))]));
  }

  clone(): TreeModel {
    return new TreeModel(new Map([...this.trees].map(([id, entries]) => [id, new Map(entries)])));
  }
}

export class TreeSubject implements Subject {
  readonly store: TreeStore;

  constructor(store: TreeStore) {
    this.store = store;
  }

  get openDelta(): number {
    return this.store.log.openDelta;
  }

  get durableDelta(): number {
    return this.store.log.durableDelta;
  }

  get recovery(): RecoveryReport | null {
    return this.store.log.recovery;
  }

  get latched(): boolean {
    return this.store.log.latched !== null;
  }

  content(): string {
    const trees = this.store.treeIds().map((id) => {
      const entries: [string, string][] = [];
      for (const [key, value] of this.store.tree(id).entries()) entries.push([textOf(key), shown(value)]);
      return [id, entries];
    });
    return JSON.stringify(trees);
  }

  audit(): string[] {
    const { store } = this;
    store.checkInvariants();
    const audit = new SpaceAudit(store.log);
    const findings: string[] = [];
    store.check({
      block(start, count, kind, treeId) {
        for (const { message, block } of audit.reach(start, count, `${kind} of tree ${treeId}`)) {
          findings.push(`${message} (${block})`);
        }
      },
      problem(error) {
        findings.push(error.message);
      },
    });
    for (const { message, block, blockCount } of audit.finish())
      findings.push(`${message} (${blockCount} from ${block})`);
    return findings;
  }

  commit(): Promise<number> {
    return this.store.commit();
  }

  commitSync(): number {
    return this.store.commitSync();
  }

  checkpoint(): Promise<void> {
    return this.store.checkpoint();
  }

  checkpointSync(): void {
    this.store.checkpointSync();
  }

  close(): Promise<void> {
    return this.store.close();
  }

  closeSync(): void {
    this.store.closeSync();
  }

  openView(): LogView {
    return this.store.log.openView();
  }

  balance(): Balance {
    return this.store.stats();
  }
}

export const treeLayer: Layer = {
  name: 'trees',
  changesInSteps: true,

  newModel(): Model {
    return new TreeModel();
  },

  format(device: BlockDevice, settings: Settings, random: Random): Subject {
    return new TreeSubject(TreeStore.format(device, formatOptions(settings, random)));
  },

  open(device: BlockDevice, settings: Settings, options: { readOnly: boolean; random: Random }): Subject {
    return new TreeSubject(
      TreeStore.open(device, { ...logOptions(settings, options.random), readOnly: options.readOnly }),
    );
  },

  change(subject: Subject, model: Model, settings: Settings, random: Random): boolean {
    const { store } = subject as TreeSubject;
    const { trees } = model as TreeModel;
    const draw = random.below(100);
    if (trees.size === 0 || draw < 2) {
      trees.set(store.createTree().id, new Map());
      return false;
    }
    const id = random.pick([...trees.keys()]);
    if (draw < 4 && trees.size > 1) {
      store.dropTree(id);
      trees.delete(id);
      return false;
    }
    const tree = store.tree(id);
    const entries = trees.get(id)!;
    if (draw < 8) {
      const key = keyOf(random, settings);
      const end = random.chance(0.3) ? null : keyOf(random, settings);
      const [from, to] = end !== null && end < key ? [end, key] : [key, end];
      tree.deleteRange(bytesOf(from), to === null ? null : bytesOf(to));
      for (const candidate of [...entries.keys()]) {
        if (candidate >= from && (to === null || candidate < to)) entries.delete(candidate);
      }
      return true;
    }
    if (draw < 94) {
      changeOne({ tree, entries, settings, random, mustSucceed: settings.lateWrites !== true }, draw < 30);
      return false;
    }
    // All or nothing: each of them counts in the model as it is made, since want of space undoes none.
    store.transact(() => {
      for (let count = random.between(2, 5); count > 0; count--) {
        changeOne({ tree, entries, settings, random, mustSucceed: false }, random.chance(0.3));
      }
    });
    return false;
  },

  probe(subject: Subject, model: Model, settings: Settings, random: Random): void {
    for (const [id, entries] of (model as TreeModel).trees) {
      const key = keyOf(random, settings);
      const found = (subject as TreeSubject).store.tree(id).get(bytesOf(key));
      if ((found === undefined ? undefined : shown(found)) !== entries.get(key)) {
        throw new Error(`tree ${id}: ${key} is ${found} and should be ${entries.get(key)}`);
      }
    }
  },
};

/** Puts or deletes one entry. */
function changeOne(
  parts: {
    tree: Tree;
    entries: Map<string, string>;
    settings: Settings;
    random: Random;
    /** A delete may not run out of space here. */
    mustSucceed: boolean;
  },
  isDelete: boolean,
): void {
  const { tree, entries, settings, random, mustSucceed } = parts;
  const key = keyOf(random, settings);
  if (isDelete) {
    try {
      tree.delete(bytesOf(key));
    } catch (error) {
      if (error instanceof NoSpaceError && mustSucceed) {
        throw new Error('a delete ran out of space', { cause: error });
      }
      throw error;
    }
    entries.delete(key);
    return;
  }
  const length = random.chance(0.08) ? 500 + random.below(2000) : random.below(60);
  const value = new Uint8Array(length).fill(random.below(256));
  tree.put(bytesOf(key), value);
  entries.set(key, shown(value));
}

/** Some keys are long, so that separators and prefixes have work. */
export function keyOf(random: Random, settings: Settings): string {
  const number = random.below(settings.population);
  return `k${String(number).padStart(3, '0')}`.padEnd(number % 3 === 0 ? 44 : 4, '.');
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

export function shown(value: Uint8Array): string {
  return `${value.length}:${value.every((byte) => byte === value[0]) ? (value[0] ?? '-') : 'mixed'}`;
}

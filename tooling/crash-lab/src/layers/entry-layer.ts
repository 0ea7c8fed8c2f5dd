/**
 * One ordered store of keys and values as a layer of the lab: every call of `OrderedStore`, of the tree below it, and of its cursors.
 */
import type { BlockDevice } from '@outwrite/blockdev';
import { type BatchOperation, OrderedStore } from '@outwrite/btree-cow';
import type { Random } from '@outwrite/testkit';
import type { Balance, Layer, Model, Settings, Subject } from '../layer.ts';
import { formatOptions, logOptions } from '../log-options.ts';
import { bytesOf, keyOf, shown, TreeSubject, textOf } from './tree-layer.ts';

/** Values as `shown` shows them, by key. */
export class EntryModel implements Model {
  readonly entries: Map<string, string>;

  constructor(entries: Map<string, string> = new Map()) {
    this.entries = entries;
  }

  sortedKeys(): string[] {
    return [...this.entries.keys()].sort();
  }

  text(): string {
    return this.sortedKeys()
      .map((key) => `${key} ${this.entries.get(key)}`)
      .join('\n');
  }

  clone(): EntryModel {
    return new EntryModel(new Map(this.entries));
  }
}

export class EntrySubject extends TreeSubject {
  readonly ordered: OrderedStore;

  constructor(ordered: OrderedStore) {
    super(ordered.trees);
    this.ordered = ordered;
  }

  override content(): string {
    const lines: string[] = [];
    for (const [key, value] of this.ordered.entries()) lines.push(`${textOf(key)} ${shown(value)}`);
    return lines.join('\n');
  }

  override commit(): Promise<number> {
    return this.ordered.commit();
  }

  override commitSync(): number {
    return this.ordered.commitSync();
  }

  override close(): Promise<void> {
    return this.ordered.close();
  }

  override closeSync(): void {
    this.ordered.closeSync();
  }

  override balance(): Balance {
    return this.ordered.stats();
  }
}

/** The model of what an open store holds. */
export function entryModelOf(subject: Subject): EntryModel {
  const entries = new Map<string, string>();
  for (const [key, value] of (subject as EntrySubject).ordered.entries()) entries.set(textOf(key), shown(value));
  return new EntryModel(entries);
}

export const entryLayer: Layer = {
  name: 'entries',
  changesInSteps: true,

  newModel(): Model {
    return new EntryModel();
  },

  format(device: BlockDevice, settings: Settings, random: Random): Subject {
    return new EntrySubject(OrderedStore.format(device, formatOptions(settings, random)));
  },

  open(device: BlockDevice, settings: Settings, options: { readOnly: boolean; random: Random }): Subject {
    return new EntrySubject(
      OrderedStore.open(device, { ...logOptions(settings, options.random), readOnly: options.readOnly }),
    );
  },

  change(subject: Subject, model: Model, settings: Settings, random: Random): boolean {
    const { ordered, store } = subject as EntrySubject;
    const { entries } = model as EntryModel;
    const draw = random.below(100);
    if (draw < 45) {
      const key = keyOf(random, settings);
      const value = drawValue(random);
      ordered.put(bytesOf(key), value);
      entries.set(key, shown(value));
      value.fill(0xee);
      return false;
    }
    if (draw < 65) {
      const key = keyOf(random, settings);
      if (ordered.delete(bytesOf(key)) !== entries.delete(key)) throw new Error(`deleting ${key} says something else`);
      return false;
    }
    if (draw < 73) {
      removeRange(ordered, entries, settings, random);
      return true;
    }
    if (draw < 76) {
      // No change of an entry, and one of the open delta.
      store.tree(store.treeIds()[0]!).touch(bytesOf(keyOf(random, settings)));
      return false;
    }
    if (draw < 84) {
      load(ordered, entries, model as EntryModel, random);
      return true;
    }
    makeBatch(ordered, entries, settings, random);
    return false;
  },

  probe(subject: Subject, model: Model, settings: Settings, random: Random): void {
    look(subject as EntrySubject, model as EntryModel, settings, random);
  },
};

function drawValue(random: Random): Uint8Array {
  const length = random.chance(0.08) ? 500 + random.below(2000) : random.below(60);
  return new Uint8Array(length).fill(random.below(256));
}

function removeRange(ordered: OrderedStore, entries: Map<string, string>, settings: Settings, random: Random): void {
  const key = keyOf(random, settings);
  const end = random.chance(0.3) ? null : keyOf(random, settings);
  const [from, to] = end !== null && end < key ? [end, key] : [key, end];
  const removedCount = ordered.deleteRange(bytesOf(from), to === null ? null : bytesOf(to));
  let expectedCount = 0;
  for (const candidate of [...entries.keys()]) {
    if (candidate < from || (to !== null && candidate >= to)) continue;
    entries.delete(candidate);
    expectedCount++;
  }
  if (removedCount !== expectedCount) throw new Error(`a range of ${expectedCount} entries had ${removedCount}`);
}

/** Entries beyond the last key. Each counts in the model as it is asked for: what was loaded before an error stays. */
function load(ordered: OrderedStore, entries: Map<string, string>, model: EntryModel, random: Random): void {
  const last = model.sortedKeys().at(-1) ?? '';
  const base = last.startsWith('z') ? Number(last.slice(1)) + 1 : 0;
  const loaded: [string, string][] = [];
  const produce = function* (): Generator<[Uint8Array, Uint8Array]> {
    for (let i = 0, count = random.between(1, 20); i < count; i++) {
      const key = `z${String(base + i).padStart(7, '0')}`;
      const value = drawValue(random);
      loaded.push([key, shown(value)]);
      yield [bytesOf(key), value];
    }
  };
  try {
    ordered.bulkLoad(produce());
  } catch (error) {
    // The last one that was asked for is what failed.
    for (const [key, value] of loaded.slice(0, -1)) entries.set(key, value);
    throw error;
  }
  for (const [key, value] of loaded) entries.set(key, value);
}

function makeBatch(ordered: OrderedStore, entries: Map<string, string>, settings: Settings, random: Random): void {
  const operations: BatchOperation[] = [];
  const after = new Map(entries);
  for (let count = random.between(2, 6); count > 0; count--) {
    const key = keyOf(random, settings);
    if (random.chance(0.3)) {
      operations.push({ type: 'delete', key: bytesOf(key) });
      after.delete(key);
    } else {
      const value = drawValue(random);
      operations.push({ type: 'put', key: bytesOf(key), value });
      after.set(key, shown(value));
    }
  }
  ordered.batch(operations);
  entries.clear();
  for (const [key, value] of after) entries.set(key, value);
}

function demand(condition: boolean, what: string): void {
  if (!condition) throw new Error(`a look at the store finds something else: ${what}`);
}

function look({ ordered, store }: EntrySubject, model: EntryModel, settings: Settings, random: Random): void {
  const key = keyOf(random, settings);
  const bytes = bytesOf(key);
  const expected = model.entries.get(key);
  const [id] = store.treeIds();
  demand(store.hasTree(id!), 'the tree is there');
  const tree = store.tree(id!);
  const found = ordered.get(bytes);
  demand((found === undefined ? undefined : shown(found)) === expected, `get of ${key}`);
  demand(ordered.has(bytes) === (expected !== undefined), `has of ${key}`);
  const target = new Uint8Array(4000);
  const length = tree.getInto(bytes, target, 10);
  demand((length < 0 ? undefined : shown(target.subarray(10, 10 + length))) === expected, `getInto of ${key}`);
  const keys = model.sortedKeys();
  demand([...ordered.keys()].map(textOf).join() === keys.join(), 'keys');
  demand([...ordered.values()].map(shown).join() === keys.map((k) => model.entries.get(k)).join(), 'values');
  demand([...tree.keys({ reverse: true })].map(textOf).join() === keys.slice().reverse().join(), 'keys in reverse');
  demand(
    [...tree.values({ gte: bytes, limit: 3 })].length === Math.min(3, keys.filter((k) => k >= key).length),
    'limit',
  );
  const cursor = ordered.cursor();
  const place = { bytes, start: 0, length: 0 };
  const forward: string[] = [];
  for (let isThere = cursor.first(); isThere; isThere = cursor.next()) {
    const copy = new Uint8Array(cursor.keyLength);
    cursor.copyKey(copy);
    forward.push(textOf(copy));
    demand(textOf(cursor.key()) === textOf(copy), 'the key under a cursor');
    demand(shown(cursor.value()) === model.entries.get(textOf(copy)), 'the value under a cursor');
    demand(shown(cursor.valueView()) === model.entries.get(textOf(copy)), 'the view of a value under a cursor');
    cursor.locateValue(place);
    demand(
      shown(place.bytes.subarray(place.start, place.start + place.length)) === model.entries.get(textOf(copy)),
      'the place of a value under a cursor',
    );
  }
  demand(forward.join() === keys.join(), 'a walk forward');
  const visited: string[] = [];
  const begun = ordered.cursor();
  const visitedCount = begun.visitForward((shownKey, keyLength, valueBytes, start, valueLength) => {
    const name = textOf(shownKey.subarray(0, keyLength));
    visited.push(name);
    demand(shown(valueBytes.subarray(start, start + valueLength)) === model.entries.get(name), 'a value on a visit');
    return true;
  });
  demand(visitedCount === keys.length && visited.join() === keys.join(), 'a visit of all entries');
  let backward = 0;
  for (let isThere = cursor.last(); isThere; isThere = cursor.previous()) backward++;
  demand(backward === keys.length, 'a walk backward');
  demand(cursor.seek(bytes) === (expected !== undefined), `seek to ${key}`);
  if (cursor.valid) demand(textOf(cursor.key()) === keys.find((k) => k >= key), `the place of ${key}`);
  cursor.seekBefore(bytes);
  if (cursor.valid) demand(textOf(cursor.key()) === keys.filter((k) => k < key).at(-1), `the place before ${key}`);
}

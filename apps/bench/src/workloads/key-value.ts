/**
 * The key-value verbs that everybody knows, on entries of 100 bytes under two shapes of keys.
 *
 * Fills start empty; all others start from a base that was loaded in key order (or, for the aged variants, filled in random order and
 * then churned: half of the entries deleted and put again, twice, in a store that ends up about 80 % full).
 */
import type { KeyValueOptions, KeyValueSession, PlaceVisitor } from '../engine.ts';
import type { Measurements } from '../measure/measurements.ts';
import { ResultHash } from '../measure/result-hash.ts';
import type { Scale } from '../scale.ts';
import type { Base, Workload, WorkloadContext } from '../workload.ts';
import {
  INTEGER_KEYS,
  type KeyShape,
  PATH_KEYS,
  Permutation,
  RandomIndexes,
  VALUE_BYTES,
  ValueSource,
} from './key-data.ts';

/** Changes in a commit of the fills, of `overwrite-10000` and of the bases. */
const LARGE_BATCH = 10_000;
const FILL_SEED = 11;
const READ_SEED = 12;
const OVERWRITE_SEED = 13;
const DELETE_SEED = 14;
const CHURN_ROUNDS = 2;
/** Share of a tree's leaf bytes that random insertion leaves in use, for the size of an aged store. */
const RANDOM_FILL_FRACTION = 0.69;
const AGED_FULLNESS = 0.8;
/** Below this a store would be filled by what it sets aside for itself. */
const SMALLEST_CAPACITY_BYTES = 4 * 1024 * 1024;
/** Bytes that a tree needs for an entry besides key and value, about. */
const ENTRY_OVERHEAD_BYTES = 12;
/** Every such look-up is timed. */
const READ_STRIDE = 16;

export function keyValueOptions(shape: KeyShape, scale: Scale, isAged: boolean): KeyValueOptions {
  const options = {
    keyBytes: shape.keyBytes,
    valueBytes: VALUE_BYTES,
    entryCount: scale.entryCount,
    cacheBytes: scale.keyValueCacheBytes,
  };
  if (!isAged) return options;
  const liveBytes = scale.entryCount * (shape.keyBytes + VALUE_BYTES + ENTRY_OVERHEAD_BYTES);
  const wantedBytes = liveBytes / RANDOM_FILL_FRACTION / AGED_FULLNESS;
  return { ...options, capacityBytes: Math.max(SMALLEST_CAPACITY_BYTES, Math.ceil(wantedBytes / 4096) * 4096) };
}

/** Applies changes in commits of `batchCount`; calls `afterCommit` with the time at which each began. */
async function changeAll(
  session: KeyValueSession,
  shape: KeyShape,
  plan: { count: number; batchCount: number; keyAt: (index: number) => number; version: number; remove?: boolean },
  afterCommit?: (startMillis: number) => void,
): Promise<void> {
  const key = Buffer.alloc(shape.keyBytes);
  const value = new ValueSource();
  const { keyAt, version } = plan;
  for (let first = 0; first < plan.count; first += plan.batchCount) {
    const startMillis = performance.now();
    const pending = session.batch(Math.min(plan.batchCount, plan.count - first), (changes, i) => {
      const index = keyAt(first + i);
      shape.write(index, key);
      if (plan.remove) {
        changes.delete(key);
      } else {
        value.fill(index, version);
        changes.put(key, value.bytes);
      }
    });
    if (pending !== undefined) await pending;
    afterCommit?.(startMillis);
  }
}

async function scanHash(session: KeyValueSession): Promise<string> {
  const hash = new ResultHash();
  await session.scan((key, value) => {
    hash.add(key);
    hash.add(value);
  });
  return hash.digest();
}

/** Has every entry in the caches: a store that was just opened would otherwise be timed for reading itself in. */
async function readThrough(session: KeyValueSession): Promise<void> {
  if (session.scanFast === undefined) await session.scan(() => undefined);
  else await session.scanFast(() => undefined);
}

export function loadedBase(shape: KeyShape): Base {
  return {
    name: `${shape.name}-loaded`,
    async make({ engine, folder, scale }) {
      const session = await engine.openKeyValue!(folder, keyValueOptions(shape, scale, false));
      const plan = { count: scale.entryCount, batchCount: LARGE_BATCH, keyAt: (index: number) => index, version: 0 };
      await changeAll(session, shape, plan);
      await session.close();
    },
  };
}

function agedBase(shape: KeyShape): Base {
  return {
    name: `${shape.name}-aged`,
    async make({ engine, folder, scale }) {
      const session = await engine.openKeyValue!(folder, keyValueOptions(shape, scale, true));
      const order = new Permutation(scale.entryCount, FILL_SEED);
      const plan = { count: scale.entryCount, batchCount: LARGE_BATCH, keyAt: (i: number) => order.at(i), version: 0 };
      await changeAll(session, shape, plan);
      for (let churn = 0; churn < CHURN_ROUNDS; churn++) {
        const half = new Permutation(scale.entryCount, DELETE_SEED + 10 + churn);
        const part = { ...plan, count: scale.entryCount >> 1, keyAt: (i: number) => half.at(i) };
        await changeAll(session, shape, { ...part, remove: true });
        await changeAll(session, shape, part);
      }
      await session.close();
    },
  };
}

interface Verb {
  readonly name: string;
  readonly title: string;
  readonly quick: 'both' | 'kv8' | 'none';
  readonly fromBase: boolean;
  readonly measure: (
    session: KeyValueSession,
    shape: KeyShape,
    context: WorkloadContext,
    measurements: Measurements,
  ) => Promise<void>;
}

/** A verb that changes entries and commits every `batchCount` of them. */
function changingVerb(
  name: string,
  title: string,
  quick: Verb['quick'],
  plan: (scale: Scale) => { count: number; batchCount: number; keyAt: (index: number) => number; remove?: boolean },
  fromBase: boolean,
): Verb {
  return {
    name,
    title,
    quick,
    fromBase,
    async measure(session, shape, context, measurements) {
      const wanted = plan(context.scale);
      if (fromBase) await readThrough(session);
      const countersBefore = session.counters?.() ?? {};
      const timer = measurements.start('', Math.ceil(wanted.count / wanted.batchCount));
      await changeAll(session, shape, { ...wanted, version: fromBase ? 1 : 0 }, (start) => timer.latencies.add(start));
      timer.stop();
      const counted: Record<string, number> = {};
      for (const [name, after] of Object.entries(session.counters?.() ?? {})) {
        counted[name] = after - (countersBefore[name] ?? 0);
      }
      timer.finish({
        operationCount: wanted.count,
        changedBytes: wanted.count * (shape.keyBytes + (wanted.remove ? 0 : VALUE_BYTES)),
        resultHash: context.checkResults && context.description.role !== 'limit' ? await scanHash(session) : null,
        facts: { ...counted, ...session.gauges?.() },
      });
    },
  };
}

function readAtRandom(
  session: KeyValueSession,
  shape: KeyShape,
  count: number,
  indexes: RandomIndexes,
  timed?: (startMillis: number) => void,
): number {
  const key = Buffer.alloc(shape.keyBytes);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    shape.write(indexes.next(), key);
    let value: Uint8Array | undefined;
    if (timed !== undefined && i % READ_STRIDE === 0) {
      const startMillis = performance.now();
      value = session.get(key);
      timed(startMillis);
    } else {
      value = session.get(key);
    }
    if (value === undefined) throw new Error('an entry that was put is missing');
    sum = (Math.imul(sum, 31) + value[7]! + (value[90]! << 8) + value.length) | 0;
  }
  return sum;
}

const readRandom: Verb = {
  name: 'read-random',
  title: 'look-ups in random order, warm, value copied out',
  quick: 'both',
  fromBase: true,
  async measure(session, shape, { scale, description }, measurements) {
    await readThrough(session);
    readAtRandom(session, shape, scale.readCount >> 1, new RandomIndexes(scale.entryCount, READ_SEED + 100));
    const indexes = new RandomIndexes(scale.entryCount, READ_SEED);
    const timer = measurements.start('', scale.readCount / READ_STRIDE);
    const sum = readAtRandom(session, shape, scale.readCount, indexes, (start) => timer.latencies.add(start));
    timer.stop();
    const resultHash = description.role === 'limit' ? null : `${scale.readCount}:${(sum >>> 0).toString(16)}`;
    timer.finish({ operationCount: scale.readCount, resultHash });
  },
};

function scanningVerb(name: string, title: string, isFast: boolean, quick: Verb['quick']): Verb {
  return {
    name,
    title,
    quick,
    fromBase: true,
    async measure(session, _shape, { scale, description }, measurements) {
      let sum = 0;
      const visitPlace: PlaceVisitor = (key, keyLength, bytes, start, length) => {
        sum = (Math.imul(sum, 31) + key[keyLength - 1]! + (bytes[start + 7]! << 8) + length) | 0;
        return undefined;
      };
      const visit = (key: Uint8Array, value: Uint8Array): void => {
        visitPlace(key, key.length, value, 0, value.length);
      };
      const scan = (): number | Promise<number> =>
        isFast && session.scanFast !== undefined ? session.scanFast(visitPlace) : session.scan(visit);
      await scan();
      sum = 0;
      const timer = measurements.start('', 0);
      const count = await scan();
      timer.stop();
      if (count !== scale.entryCount) throw new Error(`a scan saw ${count} of ${scale.entryCount} entries`);
      timer.finish({
        operationCount: count,
        resultHash: description.role === 'limit' ? null : `${count}:${(sum >>> 0).toString(16)}`,
      });
    },
  };
}

function overwriteVerb(batchCount: 1 | 100 | 10_000, quick: Verb['quick']): Verb {
  const countOf = (scale: Scale): number =>
    batchCount === 1
      ? scale.overwriteCount.every1
      : batchCount === 100
        ? scale.overwriteCount.every100
        : scale.overwriteCount.every10000;
  const plan = (scale: Scale): { count: number; batchCount: number; keyAt: () => number } => {
    const indexes = new RandomIndexes(scale.entryCount, OVERWRITE_SEED);
    return { count: countOf(scale), batchCount, keyAt: () => indexes.next() };
  };
  const title = `changes of random entries, a commit every ${batchCount.toLocaleString('en')}`;
  return changingVerb(`overwrite-${batchCount}`, title, quick, plan, true);
}

const VERBS: readonly Verb[] = [
  changingVerb(
    'fill-seq',
    'entries in key order into an empty store, a commit every 10,000',
    'kv8',
    (scale) => ({ count: scale.entryCount, batchCount: LARGE_BATCH, keyAt: (index) => index }),
    false,
  ),
  changingVerb(
    'fill-random',
    'entries in random order into an empty store, a commit every 10,000',
    'kv8',
    (scale) => {
      const order = new Permutation(scale.entryCount, FILL_SEED);
      return { count: scale.entryCount, batchCount: LARGE_BATCH, keyAt: (index) => order.at(index) };
    },
    false,
  ),
  readRandom,
  scanningVerb('read-seq', 'all entries in key order by an iterator, copied out', false, 'kv8'),
  scanningVerb('read-seq-cursor', 'all entries in key order by the fastest means, without copies', true, 'kv8'),
  overwriteVerb(1, 'kv8'),
  overwriteVerb(100, 'kv8'),
  overwriteVerb(10_000, 'kv8'),
  changingVerb(
    'delete-random',
    'deletes in random order, a commit every 10,000',
    'none',
    (scale) => {
      const order = new Permutation(scale.entryCount, DELETE_SEED);
      return { count: scale.deleteCount, batchCount: LARGE_BATCH, keyAt: (index) => order.at(index), remove: true };
    },
    true,
  ),
];

function keyValueWorkload(verb: Verb, shape: KeyShape, base: Base | null, isAged: boolean): Workload {
  const keys = shape === INTEGER_KEYS ? '8-byte keys' : '40-byte path keys';
  return {
    name: `${isAged ? 'aged/' : ''}${shape.name}/${verb.name}`,
    title: `${isAged ? 'Aged store, ' : ''}${keys}: ${verb.title}`,
    surface: 'key-value',
    cases: [{ name: '', unit: 'ops/s' }],
    quick: !isAged && (verb.quick === 'both' || verb.quick === shape.name),
    warmsUp: true,
    ...(base === null ? {} : { base }),
    async measure(context, measurements) {
      const options = keyValueOptions(shape, context.scale, isAged);
      const session = await context.engine.openKeyValue!(context.folder, options);
      await verb.measure(session, shape, context, measurements);
      await session.close();
    },
  };
}

function workloadsOf(shape: KeyShape): Workload[] {
  const loaded = loadedBase(shape);
  const aged = agedBase(shape);
  return [
    ...VERBS.map((verb) => keyValueWorkload(verb, shape, verb.fromBase ? loaded : null, false)),
    ...VERBS.filter((verb) => verb.fromBase).map((verb) => keyValueWorkload(verb, shape, aged, true)),
  ];
}

export const KEY_VALUE_WORKLOADS: readonly Workload[] = [...workloadsOf(INTEGER_KEYS), ...workloadsOf(PATH_KEYS)];

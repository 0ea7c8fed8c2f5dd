/**
 * What a commit of one change costs as the volume gets larger, fuller and more fragmented: it should cost the same.
 *
 * Every variant overwrites the same few entries, one a commit, checkpoints included. Space is taken by values that are not touched again.
 * Only for Outwrite: the question is whether anything in it scans the volume or its free space.
 */
import type { KeyValueSession } from '../engine.ts';
import type { Measurements } from '../measure/measurements.ts';
import type { Scale } from '../scale.ts';
import type { Workload, WorkloadContext } from '../workload.ts';
import { INTEGER_KEYS, RandomIndexes, VALUE_BYTES, ValueSource } from './key-data.ts';

const ENTRY_COUNT = 1_000;
const SEED = 61;
const WARM_UP_FRACTION = 0.2;
const LARGE_VALUE_BYTES = 64 * 1024;
/** Takes one block of 4096 bytes beside the leaf. */
const BLOCK_VALUE_BYTES = 4_000;
/** Keys of values that only take space come after those of the entries. */
const FILLER_INDEX = 1_000_000;
const HOLE_BATCH = 256;
/** Bytes in a commit while the volume is being filled: this fraction of it. */
const FILLER_STEP_FRACTION = 1 / 256;

interface Variant {
  readonly name: string;
  readonly title: string;
  readonly capacityBytes: (scale: Scale) => number;
  /** Share of the volume that is in use when the clock starts. */
  readonly fullness: number;
  /** The free space is single blocks between used ones. */
  readonly fragmented: boolean;
}

const VARIANTS: readonly Variant[] = [
  {
    name: 'volume-small',
    title: 'an empty volume of 1 GiB',
    capacityBytes: (s) => s.commitCostVolumeBytes[0],
    fullness: 0,
    fragmented: false,
  },
  {
    name: 'volume-large',
    title: 'an empty volume of 1 TiB, sparse',
    capacityBytes: (s) => s.commitCostVolumeBytes[1],
    fullness: 0,
    fragmented: false,
  },
  {
    name: 'empty',
    title: 'the same volume as those that follow, empty',
    capacityBytes: (s) => s.commitCostFillBytes,
    fullness: 0,
    fragmented: false,
  },
  {
    name: 'full-50',
    title: 'a volume half full',
    capacityBytes: (s) => s.commitCostFillBytes,
    fullness: 0.5,
    fragmented: false,
  },
  {
    name: 'full-95',
    title: 'a volume 95 % full',
    capacityBytes: (s) => s.commitCostFillBytes,
    fullness: 0.95,
    fragmented: false,
  },
  {
    name: 'fragmented',
    title: 'free space in single blocks',
    capacityBytes: (s) => s.commitCostFillBytes,
    fullness: 0.9,
    fragmented: true,
  },
];

function fullnessOf(session: KeyValueSession): number {
  const gauges = session.gauges!();
  return 1 - gauges['freeBlocks']! / gauges['limitBlocks']!;
}

/** Puts untouched values until the wanted share is in use; returns how many. */
async function fill(
  session: KeyValueSession,
  fullness: number,
  valueBytes: number,
  stepBytes: number,
): Promise<number> {
  const key = Buffer.alloc(INTEGER_KEYS.keyBytes);
  const value = Buffer.alloc(valueBytes, 0xa5);
  const valueCount = Math.ceil(stepBytes / valueBytes);
  let count = 0;
  while (fullnessOf(session) < fullness) {
    await session.batch(valueCount, (changes) => {
      INTEGER_KEYS.write(FILLER_INDEX + count++, key);
      changes.put(key, value);
    });
  }
  return count;
}

/** Deletes every other one of the values put by `fill`. */
async function makeHoles(session: KeyValueSession, fillerCount: number): Promise<void> {
  const key = Buffer.alloc(INTEGER_KEYS.keyBytes);
  const holeCount = fillerCount >> 1;
  for (let first = 0; first < holeCount; first += HOLE_BATCH) {
    await session.batch(Math.min(HOLE_BATCH, holeCount - first), (changes, i) => {
      INTEGER_KEYS.write(FILLER_INDEX + 2 * (first + i), key);
      changes.delete(key);
    });
  }
}

async function commitOneByOne(
  session: KeyValueSession,
  count: number,
  seed: number,
  timed?: (startMillis: number) => void,
): Promise<void> {
  const key = Buffer.alloc(INTEGER_KEYS.keyBytes);
  const value = new ValueSource();
  const indexes = new RandomIndexes(ENTRY_COUNT, seed);
  for (let i = 0; i < count; i++) {
    const startMillis = performance.now();
    const pending = session.batch(1, (changes) => {
      const index = indexes.next();
      INTEGER_KEYS.write(index, key);
      value.fill(index, i);
      changes.put(key, value.bytes);
    });
    if (pending !== undefined) await pending;
    timed?.(startMillis);
  }
}

async function measure(context: WorkloadContext, measurements: Measurements, variant: Variant): Promise<void> {
  const { scale } = context;
  const session = await context.engine.openKeyValue!(context.folder, {
    keyBytes: INTEGER_KEYS.keyBytes,
    valueBytes: VALUE_BYTES,
    entryCount: ENTRY_COUNT,
    cacheBytes: scale.fileCacheBytes,
    capacityBytes: variant.capacityBytes(scale),
    isGrown: true,
  });
  const key = Buffer.alloc(INTEGER_KEYS.keyBytes);
  const value = new ValueSource();
  await session.batch(ENTRY_COUNT, (changes, index) => {
    INTEGER_KEYS.write(index, key);
    value.fill(index, 0);
    changes.put(key, value.bytes);
  });
  if (variant.fullness > 0) {
    const valueBytes = variant.fragmented ? BLOCK_VALUE_BYTES : LARGE_VALUE_BYTES;
    const stepBytes = variant.capacityBytes(scale) * FILLER_STEP_FRACTION;
    const fillerCount = await fill(session, variant.fullness, valueBytes, stepBytes);
    if (variant.fragmented) await makeHoles(session, fillerCount);
  }
  const count = scale.commitCostCount;
  await commitOneByOne(session, Math.ceil(count * WARM_UP_FRACTION), SEED + 1);
  const timer = measurements.start('', count);
  await commitOneByOne(session, count, SEED, (startMillis) => timer.latencies.add(startMillis));
  timer.stop();
  timer.finish({
    operationCount: count,
    changedBytes: count * (INTEGER_KEYS.keyBytes + VALUE_BYTES),
    resultHash: null,
    facts: session.gauges!(),
  });
  await session.close();
}

export const COMMIT_COST_WORKLOADS: readonly Workload[] = VARIANTS.map((variant) => ({
  name: `commit-cost/${variant.name}`,
  title: `Commit of one change on ${variant.title}`,
  surface: 'key-value',
  cases: [{ name: '', unit: 'ops/s' }],
  quick: true,
  // Each variant makes commits before its clock starts.
  warmsUp: false,
  runs: (engine) => engine.id === 'outwrite-store',
  measure: (context, measurements) => measure(context, measurements, variant),
}));

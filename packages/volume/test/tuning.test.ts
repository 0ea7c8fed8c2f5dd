/** What callers say about how a volume is to behave: clocks, timers, owners, and what makes no sense. */
import { MemoryDevice } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { Volume, type VolumeTuning } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';

const quiet = { autoCommitMilliseconds: 0 };
const YEAR_1901 = -(2 ** 31) * 1000;
const YEAR_2446 = (2 ** 34 - 2 ** 31) * 1000;

describe('a clock', () => {
  it.each([
    [1_699_999_999_999.9998, 1_699_999_999_999.9998],
    [-1_699_999_999_999.9998, -1_699_999_999_999.9998],
    // Less by so little than nothing that a full second is left of the second before.
    [-1e-14, 0],
    // Before and after all that a record can store.
    [-1e15, YEAR_1901],
    [Number.NEGATIVE_INFINITY, YEAR_1901],
    [1e15, YEAR_2446],
    [Number.POSITIVE_INFINITY, YEAR_2446],
  ])('that shows %f gives a time that can be stored', (shown, expected) => {
    const device = new LastingDevice({ maxSizeBytes: 4 << 20 });
    const volume = Volume.create(device, { ...quiet, clock: () => shown });
    volume.fs.writeFileSync('/file', '');
    expect(volume.fs.statSync('/file').mtimeMs).toBeCloseTo(expected, 3);
    volume.closeSync();
    const again = Volume.open(device, quiet);
    expect(again.fs.statSync('/file').mtimeMs).toBeCloseTo(expected, 3);
    expect([...again.check()]).toEqual([]);
  });

  it('that shows no time fails what would need it, and that has not begun', () => {
    let shown = 0;
    const device = new LastingDevice({ maxSizeBytes: 4 << 20 });
    const volume = Volume.create(device, { ...quiet, clock: () => shown });
    volume.fs.writeFileSync('/file', 'kept');
    shown = Number.NaN;
    expect(() => volume.fs.writeFileSync('/file', 'lost')).toThrow(RangeError);
    expect(volume.fs.readFileSync('/file', 'utf8')).toBe('kept');
    volume.closeSync();
    expect(() => Volume.create(device, { ...quiet, clock: () => shown })).toThrow(RangeError);
    expect(Volume.open(device, quiet).fs.readFileSync('/file', 'utf8')).toBe('kept');
  });
});

it.each([2 ** 31, 1e15, Number.POSITIVE_INFINITY])('no commit comes before %f milliseconds are over', async (age) => {
  const volume = Volume.create(new MemoryDevice({ maxSizeBytes: 4 << 20 }), { autoCommitMilliseconds: age });
  const { commits } = volume.stats();
  volume.fs.writeFileSync('/file', 'waits');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(volume.stats().commits).toBe(commits);
  volume.closeSync();
});

describe.each<[keyof VolumeTuning, unknown[]]>([
  ['cachedInodes', [-1, Number.NaN, '7']],
  ['cachedNames', [-1, Number.NaN, {}]],
  ['autoCommitMilliseconds', [-1, Number.NaN, '7']],
  ['autoCommitBytes', [-1, Number.NaN, true]],
  ['uid', [-1, 1.5, 2 ** 32, Number.NaN, '7']],
  ['gid', [-1, 1.5, 2 ** 32, Number.NaN, '7']],
  ['umask', [-1, 0o10000, 1.5, '022']],
  ['clock', [5]],
  ['randomBytes', ['bytes']],
])('%s', (name, values) => {
  it.each(values)('is not %s: nothing is made or opened', (value) => {
    const device = new LastingDevice({ maxSizeBytes: 4 << 20 });
    const volume = Volume.create(device, quiet);
    volume.fs.writeFileSync('/file', 'kept');
    volume.closeSync();
    const code = typeof value === 'number' && name !== 'clock' ? 'ERR_OUT_OF_RANGE' : 'ERR_INVALID_ARG_TYPE';
    const failure = expect.objectContaining({ code, message: expect.stringContaining(name) });
    const tuning = { ...quiet, [name]: value };
    expect(() => Volume.open(device, tuning)).toThrow(failure);
    expect(() => Volume.create(device, tuning)).toThrow(failure);
    expect(Volume.open(device, quiet).fs.readFileSync('/file', 'utf8')).toBe('kept');
  });
});

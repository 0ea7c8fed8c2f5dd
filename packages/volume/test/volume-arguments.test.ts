/**
 * Arguments that make no sense for a volume as a whole: refused by name before anything is written, so that what the device held stays.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CreateOptions, Volume, type VolumeTuning } from '../src/index.ts';

function filled(): Uint8Array {
  const device = new MemoryDevice();
  const volume = Volume.create(device, { autoCommitMilliseconds: 0 });
  volume.fs.writeFileSync('/a', 'text');
  volume.closeSync();
  return device.snapshot();
}

const wrongTuning: [string, object][] = [
  ['autoCommitMilliseconds', { autoCommitMilliseconds: -1 }],
  ['autoCommitMilliseconds', { autoCommitMilliseconds: Number.NaN }],
  ['autoCommitMilliseconds', { autoCommitMilliseconds: '5' }],
  ['autoCommitBytes', { autoCommitBytes: -1 }],
  ['autoCommitBytes', { autoCommitBytes: '1 MiB' }],
  ['cachedInodes', { cachedInodes: -1 }],
  ['cachedNames', { cachedNames: Number.NaN }],
  ['uid', { uid: 1.5 }],
  ['cache', { cacheBytes: '32' }],
  ['uid', { uid: -1 }],
  ['uid', { uid: 'root' }],
  ['gid', { gid: 2 ** 32 }],
  ['umask', { umask: '022' }],
  ['umask', { umask: 0o10000 }],
  ['clock', { clock: 5 }],
  ['random', { randomBytes: () => new Uint8Array(2) }],
  ['random', { randomBytes: () => new Uint8Array(99) }],
  ['random', { randomBytes: 4 }],
];

const wrongCreation: [string, object][] = [
  ['block size', { blockSize: '4096' }],
  ['block size', { blockSize: 4096.5 }],
  ['maxBytes', { maxBytes: '1 GiB' }],
  ['maxBytes', { maxBytes: Number.NaN }],
  ['clock', { clock: () => 'now' }],
  ['clock', { clock: () => Number.NaN }],
];

describe('an option that makes no sense', () => {
  it.each([...wrongCreation, ...wrongTuning])('does not make a volume: %s in %o', (name, options) => {
    const device = MemoryDevice.fromImage(filled());
    const make = (): unknown => Volume.create(device, options as CreateOptions);
    expect(make).toThrowError(new RegExp(name));
    expect(make).toThrowError(expect.objectContaining({ name: expect.stringMatching(/^(Type|Range)Error$/) }));
    expect(Volume.open(device).fs.readFileSync('/a', 'utf8')).toBe('text');
  });

  it.each(wrongTuning)('does not open one: %s in %o', (name, options) => {
    const device = MemoryDevice.fromImage(filled());
    const before = device.snapshot();
    const open = (): unknown => Volume.open(device, options as VolumeTuning);
    expect(open).toThrowError(new RegExp(name));
    expect(open).toThrowError(expect.objectContaining({ name: expect.stringMatching(/^(Type|Range)Error$/) }));
    expect(device.snapshot()).toEqual(before);
  });
});

describe('a device that is none', () => {
  it.each([[undefined], [null], ['notes.outwrite'], [{}], [new Uint8Array(8)]])('is refused: %o', (device) => {
    for (const call of [Volume.create, Volume.open, Volume.repair]) {
      expect(() => call(device as unknown as MemoryDevice)).toThrowError(/BlockDevice/);
      expect(() => call(device as unknown as MemoryDevice)).toThrow(TypeError);
    }
  });

  it('for want of one method, which is named', () => {
    const device = Object.assign(new MemoryDevice(), { flushSync: undefined });
    expect(() => Volume.create(device as unknown as MemoryDevice)).toThrowError(/flushSync/);
  });
});

describe('a clock', () => {
  it('that says no time refuses changes, and nothing has changed', () => {
    const device = MemoryDevice.fromImage(filled());
    const volume = Volume.open(device, { clock: () => Number.NaN });
    expect(() => volume.fs.writeFileSync('/b', 'text')).toThrowError(/clock/);
    expect(volume.fs.readdirSync('/')).toEqual(['a']);
    expect([...volume.check()]).toEqual([]);
    volume.closeSync();
  });

  it.each([
    [-1e15, -2147483648000],
    [1e15, 15032385536000],
    [-0.5, -0.5],
  ])('that is far off makes times at the end of what can be stored: %d', (milliseconds, stored) => {
    const device = new MemoryDevice();
    const volume = Volume.create(device, { clock: () => milliseconds, autoCommitMilliseconds: 0 });
    volume.fs.writeFileSync('/a', 'text');
    expect(volume.fs.statSync('/a').mtimeMs).toBeCloseTo(stored, 0);
    volume.closeSync();
    const again = Volume.open(MemoryDevice.fromImage(device.snapshot()));
    expect(again.fs.statSync('/a').mtimeMs).toBeCloseTo(stored, 0);
    expect([...again.check()]).toEqual([]);
  });
});

describe('a wait for a commit that is longer than timers can be', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([2 ** 31, 1e12, Number.POSITIVE_INFINITY])('is long: %d ms', (autoCommitMilliseconds) => {
    vi.useFakeTimers();
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const volume = Volume.create(new MemoryDevice(), { autoCommitMilliseconds });
    volume.fs.writeFileSync('/a', 'text');
    for (const [, milliseconds] of timers.mock.calls) expect(milliseconds).toBe(2 ** 31 - 1);
    volume.closeSync();
    timers.mockRestore();
  });
});

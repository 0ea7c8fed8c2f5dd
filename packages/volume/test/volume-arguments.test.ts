/**
 * Arguments that make no sense for a volume as a whole: refused by name before anything is written, so that what the device held stays.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { type CreateOptions, Volume, type VolumeTuning } from '../src/index.ts';

function filled(): Uint8Array {
  const device = new MemoryDevice();
  const volume = Volume.create(device, { autoCommitMilliseconds: 0 });
  volume.fs.writeFileSync('/a', 'text');
  volume.closeSync();
  return device.snapshot();
}

/** Those of other layers; those of the volume itself are the business of `tuning.test.ts`. */
const wrongTuning: [string, object][] = [
  ['cache', { cacheBytes: '32' }],
  ['random', { randomBytes: () => new Uint8Array(2) }],
  ['random', { randomBytes: () => new Uint8Array(99) }],
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
    expect(Buffer.compare(device.snapshot(), before)).toBe(0);
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

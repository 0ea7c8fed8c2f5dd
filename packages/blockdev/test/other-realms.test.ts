/** Arrays of other realms, as jsdom and `node:vm` have them: as good as those of this one; what only looks like one is not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { isUint8Array, MemoryDevice } from '../src/index.ts';
import { openFileDevice } from '../src/node.ts';
import { SimulatedDevice } from '../src/testing.ts';

const foreign = (expression: string): unknown => runInNewContext(expression);

describe('a Uint8Array', () => {
  it.each([
    ['of this realm', new Uint8Array(3)],
    ['that is a Buffer', Buffer.alloc(3)],
    ['on shared memory', new Uint8Array(new SharedArrayBuffer(3))],
    ['of another realm', foreign('new Uint8Array(3)')],
    ['of a class derived from it elsewhere', foreign('new (class Bytes extends Uint8Array {})(3)')],
  ])('%s is one', (_what, value) => {
    expect(isUint8Array(value)).toBe(true);
  });

  it.each([
    ['null', null],
    ['undefined', undefined],
    ['a text', 'abc'],
    ['a number', 3],
    ['an array', [1, 2, 3]],
    ['a view of another kind', new DataView(new ArrayBuffer(3))],
    ['signed bytes', new Int8Array(3)],
    ['clamped bytes', new Uint8ClampedArray(3)],
    ['floats', new Float64Array(3)],
    ['signed bytes of another realm', foreign('new Int8Array(3)')],
    ['bare memory of another realm', foreign('new ArrayBuffer(3)')],
    ['an object that says so', { [Symbol.toStringTag]: 'Uint8Array', length: 512, byteLength: 512 }],
    ['an array of another realm that says so', foreign("Object.assign([1], { [Symbol.toStringTag]: 'Uint8Array' })")],
  ])('%s is none', (_what, value) => {
    expect(isUint8Array(value)).toBe(false);
  });
});

describe('a device', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outwrite-realms-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['in memory', () => new MemoryDevice({ sizeBytes: 4096 })],
    ['that is simulated', () => new SimulatedDevice({ sizeBytes: 4096 })],
    ['in a file', () => openFileDevice(join(folder, 'device'), { create: true })],
  ])('%s reads and writes arrays of another realm', async (_what, open) => {
    const device = open();
    device.grow(4096);
    const written = foreign('new Uint8Array(512).fill(7)') as Uint8Array;
    expect(written instanceof Uint8Array).toBe(false);
    device.writeSync(512, [written]);
    await device.write(1024, [written, written]);
    const read = foreign('new Uint8Array(1536)') as Uint8Array;
    device.readSync(512, [read]);
    expect(read.every((byte) => byte === 7)).toBe(true);
    expect(() => device.readSync(0, [foreign('new Int8Array(512)') as Uint8Array])).toThrow(TypeError);
    expect(() => device.writeSync(0, [new Float64Array(64) as unknown as Uint8Array])).toThrow(TypeError);
    await device.close();
  });
});

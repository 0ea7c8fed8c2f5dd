/** Bytes of other realms (jsdom, `node:vm`) go into files, names and values, and come out. */
import { runInNewContext } from 'node:vm';
import { OrderedStore } from '@outwrite/btree-cow';
import { expect, it } from 'vitest';
import { Volume } from '../src/index.ts';
import { LastingDevice } from './lasting-device.ts';

const foreign = (...bytes: number[]): Uint8Array => runInNewContext(`Uint8Array.of(${bytes.join()})`) as Uint8Array;
const foreignZeros = (length: number): Uint8Array => runInNewContext(`new Uint8Array(${length})`) as Uint8Array;

it('a volume takes and fills them', async () => {
  const device = new LastingDevice({ maxSizeBytes: 16 << 20 });
  const { fs } = Volume.create(device, { autoCommitMilliseconds: 0 });
  const large = foreignZeros(300_000).fill(9);
  fs.writeFileSync('/small', foreign(1, 2, 3));
  fs.writeFileSync(foreign(0x2f, 0x61), large);
  await fs.promises.writeFile('/b', large);
  expect([...(fs.readFileSync('/small') as Uint8Array)]).toEqual([1, 2, 3]);
  for (const path of ['/a', '/b']) {
    const target = foreignZeros(300_000);
    const descriptor = fs.openSync(path, 'r');
    expect(fs.readSync(descriptor, target)).toBe(300_000);
    expect(target.every((byte) => byte === 9)).toBe(true);
    fs.closeSync(descriptor);
  }
  const handle = await fs.promises.open('/b', 'r+');
  await handle.write(foreign(4, 5));
  await handle.close();
  expect((fs.readFileSync('/b') as Uint8Array).subarray(0, 3)).toEqual(Uint8Array.of(4, 5, 9));
});

it('a store takes and fills them', () => {
  const store = OrderedStore.format(new LastingDevice({ maxSizeBytes: 16 << 20 }));
  store.put(foreign(1), foreign(2, 3));
  store.put(foreign(2), foreignZeros(20_000).fill(4));
  expect(store.get(foreign(1))).toEqual(Uint8Array.of(2, 3));
  expect(store.get(Uint8Array.of(2))).toEqual(new Uint8Array(20_000).fill(4));
  expect(() => store.put(foreign(1), runInNewContext('new Int8Array(2)') as Uint8Array)).toThrow(TypeError);
});

/**
 * Sound images to make bad ones of: volumes and key-value stores, of small and usual blocks, closed cleanly and left with a log.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { OrderedStore } from '@outwrite/btree-cow';
import { Random } from '@outwrite/testkit';
import { Volume } from '@outwrite/volume';
import { ImageMap } from './image-map.ts';
import { mapLog } from './log-map.ts';

export interface SampleImage {
  readonly name: string;
  readonly holds: 'files' | 'entries';
  readonly map: ImageMap;
}

const SEED = 20_261_122;
const CLOCK_MS = 1_700_000_000_000;

/** Makes all of them; always the same bytes for one version of the engine. */
export function sampleImages(): SampleImage[] {
  const samples: SampleImage[] = [];
  for (const blockBytes of [512, 4096]) {
    for (const closed of [true, false]) {
      const state = `${blockBytes}, ${closed ? 'closed' : 'with a log'}`;
      samples.push(sample(`files, blocks of ${state}`, 'files', volumeImage(blockBytes, closed)));
      samples.push(sample(`entries, blocks of ${state}`, 'entries', storeImage(blockBytes, closed)));
    }
  }
  return samples;
}

export function sample(name: string, holds: 'files' | 'entries', image: Uint8Array): SampleImage {
  const map = new ImageMap(image, holds === 'files');
  mapLog(map);
  return { name, holds, map };
}

export function volumeImage(blockBytes: number, closed: boolean): Uint8Array {
  const random = new Random(SEED);
  const device = new MemoryDevice();
  const volume = Volume.create(device, {
    blockSize: blockBytes,
    maxBytes: 4 << 20,
    autoCommitMilliseconds: 0,
    clock: () => CLOCK_MS,
    randomBytes: (length) => random.bytes(length),
  });
  const { fs } = volume;
  fs.mkdirSync('/a');
  fs.mkdirSync('/a/folder in a folder');
  fs.symlinkSync('elsewhere', '/link');
  fs.symlinkSync('x'.repeat(100), '/a/long link');
  for (let i = 0; i < 60; i++) fs.writeFileSync(`/a/small file ${i}`, random.bytes(random.below(200)));
  fs.writeFileSync('/large', random.bytes(40 * blockBytes));
  fs.linkSync('/large', '/a/another name');
  volume.checkpointSync();
  for (let i = 0; i < 20; i++) {
    fs.writeFileSync(`/a/later file ${i}`, random.bytes(random.below(3 * blockBytes)));
    if (i % 3 === 0) fs.unlinkSync(`/a/small file ${i}`);
    if (i % 5 === 0) volume.commitSync();
  }
  const descriptor = fs.openSync('/large', 'r+');
  fs.writeSync(descriptor, random.bytes(2 * blockBytes), 0, 2 * blockBytes, 100 * blockBytes);
  fs.truncateSync('/a/later file 7', 100_000);
  fs.unlinkSync('/a/later file 9');
  volume.commitSync();
  if (closed) volume.closeSync();
  return device.snapshot();
}

export function storeImage(blockBytes: number, closed: boolean): Uint8Array {
  const random = new Random(SEED + 1);
  const device = new MemoryDevice();
  const store = OrderedStore.format(device, {
    blockSize: blockBytes,
    maxBytes: 4 << 20,
    randomBytes: (length) => random.bytes(length),
  });
  const key = (n: number): Uint8Array => new TextEncoder().encode(`key ${String(n).padStart(5, '0')}`);
  for (let n = 0; n < 300; n++) store.put(key(n), random.bytes(random.below(60)));
  store.put(key(1000), random.bytes(30 * blockBytes));
  store.trees.checkpointSync();
  for (let n = 0; n < 100; n += 3) store.put(key(n), random.bytes(random.below(100)));
  store.deleteRange(key(150), key(220));
  store.commitSync();
  store.put(key(1001), random.bytes(3 * blockBytes + 5));
  store.delete(key(5));
  store.commitSync();
  if (closed) store.closeSync();
  return device.snapshot();
}

/**
 * What is demanded of a bad image: opening it (read-only and writable), reading everything, checking it, decoding its log, working
 * on it (`work-trial.ts`), and repairing it each end with a result or a typed error, and soon; a repair that does not refuse ends clean (`repair-trial.ts`).
 */
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { MemoryDevice, OutwriteError } from '@outwrite/blockdev';
import { decodeAt, decodeGone, maxKeyBytes, OrderedStore } from '@outwrite/btree-cow';
import { Volume } from '@outwrite/volume';
import { tryRepair } from './repair-trial.ts';
import type { SampleImage } from './sample-images.ts';
import { typed, workOnStore, workOnVolume } from './work-trial.ts';

/** One step of a trial may not take longer. */
export const STEP_LIMIT_MS = 10_000;
/** A device that is asked to grow beyond has run away. */
const MAX_DEVICE_BYTES = 64 << 20;
const CACHE_BYTES = 1 << 20;
/** Of each file: a damaged size may be anything, and holes are read as zeros for as long as one asks. */
const READ_BYTES = 1 << 18;
const MAX_NAMES = 10_000;
const MAX_RSS_BYTES = 2 ** 31;

/** Returns what escaped, or null. */
export function tryImage(holds: SampleImage['holds'], image: Uint8Array): string | null {
  const steps: [string, () => void][] = [['log', () => decodeLog(image)]];
  for (const readOnly of [true, false]) {
    const step = holds === 'files' ? useVolume : useStore;
    steps.push([readOnly ? 'read-only' : 'writable', () => step(image, readOnly)]);
  }
  const work = holds === 'files' ? workOnVolume : workOnStore;
  steps.push(['work', () => work(deviceOf(image), CACHE_BYTES)]);
  if (holds === 'files') steps.push(['repair', () => void tryRepair(image)]);
  for (const [name, step] of steps) {
    const begin = performance.now();
    try {
      step();
    } catch (error) {
      if (!(error instanceof OutwriteError)) return `${name}: ${(error as Error).stack ?? String(error)}`;
    }
    const tookMs = performance.now() - begin;
    if (tookMs > STEP_LIMIT_MS) return `${name}: took ${Math.round(tookMs)} ms`;
    const residentBytes = process.memoryUsage.rss();
    if (residentBytes > MAX_RSS_BYTES) return `${name}: ${residentBytes} bytes of memory`;
  }
  return null;
}

function deviceOf(image: Uint8Array): MemoryDevice {
  const sizeBytes = image.length - (image.length % 512);
  return MemoryDevice.fromImage(image.subarray(0, sizeBytes), { maxSizeBytes: MAX_DEVICE_BYTES });
}

function decodeLog(image: Uint8Array): void {
  const device = deviceOf(image);
  const { chosen } = readSlots(device);
  const { deltas } = readLogChain(device, chosen);
  const maxSeparatorBytes = maxKeyBytes(chosen.blockBytes);
  for (const { records } of deltas) {
    for (const payload of records.gone) typed(() => decodeGone(payload, maxSeparatorBytes));
    for (const { payload } of records.at) typed(() => decodeAt(payload, maxSeparatorBytes));
  }
}

function useVolume(image: Uint8Array, readOnly: boolean): void {
  const volume = Volume.open(deviceOf(image), { readOnly, cacheBytes: CACHE_BYTES, autoCommitMilliseconds: 0 });
  typed(() => readFiles(volume));
  typed(() => {
    for (const _ of volume.check());
  });
  typed(() => volume.closeSync());
}

function readFiles({ fs }: Volume): void {
  const target = new Uint8Array(READ_BYTES);
  const folders = [''];
  let nameCount = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const here = folder === '' ? '/' : folder;
    let names: string[] = [];
    typed(() => {
      names = fs.readdirSync(here) as string[];
    });
    for (const name of names) {
      // A folder may be its own ancestor.
      if (nameCount++ > MAX_NAMES) return;
      const path = `${folder}/${name}`;
      typed(() => {
        const stats = fs.lstatSync(path);
        if (stats.isDirectory()) {
          if (path.length < 500) folders.push(path);
        } else if (stats.isSymbolicLink()) {
          fs.readlinkSync(path);
        } else {
          const descriptor = fs.openSync(path, 'r');
          try {
            fs.readSync(descriptor, target, 0, READ_BYTES, 0);
            fs.readSync(descriptor, target, 0, READ_BYTES, Math.max(0, Number(stats.size) - READ_BYTES));
          } finally {
            fs.closeSync(descriptor);
          }
        }
      });
    }
  }
}

function useStore(image: Uint8Array, readOnly: boolean): void {
  const store = OrderedStore.open(deviceOf(image), { readOnly, cacheBytes: CACHE_BYTES });
  typed(() => {
    for (const [key] of store.entries()) store.get(key);
  });
  typed(() => {
    for (const _ of store.entries({ reverse: true }));
  });
  typed(() => store.trees.check({ block: () => undefined, problem: () => undefined }));
  typed(() => store.closeSync());
}

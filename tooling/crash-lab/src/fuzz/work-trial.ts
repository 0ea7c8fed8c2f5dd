/**
 * Going on with a bad image that opens: writing, overwriting, deleting, committing, taking a checkpoint, closing, and opening again. Each of
 * it ends with a result or a typed error. What damage has led to may be anything but a crash, an endless loop, or memory without bound.
 */
import { type BlockDevice, OutwriteError } from '@outwrite/blockdev';
import { OrderedStore } from '@outwrite/btree-cow';
import { Volume } from '@outwrite/volume';

/** Work on names that are there is bounded. */
const MAX_NAMES = 40;
const CONTENT = new Uint8Array(20_000).fill(7);
const utf8 = new TextEncoder();

/** Goes on after a typed error; others escape. */
export function typed(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof OutwriteError)) throw error;
  }
}

export function workOnVolume(device: BlockDevice, cacheBytes: number): void {
  const tuning = { cacheBytes, autoCommitMilliseconds: 0 };
  const volume = Volume.open(device, tuning);
  const { fs } = volume;
  for (let round = 0; round < 2; round++) {
    typed(() => fs.mkdirSync(`/new ${round}`));
    for (let i = 0; i < 5; i++) typed(() => fs.writeFileSync(`/new ${round}/${i}`, CONTENT.subarray(0, 5 ** i * 30)));
    let names: string[] = [];
    typed(() => {
      names = (fs.readdirSync('/') as string[]).slice(0, MAX_NAMES);
    });
    for (const [i, name] of names.entries()) {
      const path = `/${name}`;
      if (i % 4 === 0) typed(() => fs.appendFileSync(path, CONTENT));
      else if (i % 4 === 1) typed(() => fs.truncateSync(path, 100 * round));
      else if (i % 4 === 2) typed(() => fs.renameSync(path, `/renamed ${round} ${i}`));
      else typed(() => fs.rmSync(path, { recursive: true }));
    }
    typed(() => void volume.commitSync());
    typed(() => volume.checkpointSync());
  }
  typed(() => volume.closeSync());
  typed(() => {
    const again = Volume.open(device, tuning);
    typed(() => void again.fs.readdirSync('/'));
    typed(() => again.closeSync());
  });
}

export function workOnStore(device: BlockDevice, cacheBytes: number): void {
  const store = OrderedStore.open(device, { cacheBytes });
  const key = (n: number): Uint8Array => utf8.encode(`key ${String(n).padStart(5, '0')}`);
  for (let round = 0; round < 2; round++) {
    for (let n = round; n < 300; n += 17) typed(() => store.put(key(n), CONTENT.subarray(0, n * (1 + 3 * round))));
    for (let n = 5; n < 300; n += 23) typed(() => void store.delete(key(n)));
    typed(() => void store.deleteRange(key(100 + round), key(120)));
    typed(() =>
      store.batch([
        { type: 'put', key: key(7), value: CONTENT.subarray(0, 9) },
        { type: 'delete', key: key(8) },
      ]),
    );
    typed(() => void store.commitSync());
    typed(() => store.trees.checkpointSync());
  }
  typed(() => store.closeSync());
  typed(() => {
    const again = OrderedStore.open(device, { cacheBytes });
    typed(() => {
      for (const _ of again.keys());
    });
    typed(() => again.closeSync());
  });
}

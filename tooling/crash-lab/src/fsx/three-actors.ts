/**
 * Random namespace operations by three actors at once, against a model: after the idea of `fsstress`.
 *
 * Each actor works in a folder of its own and, under names of its own, in one that all share, so that its model stays its own while trees,
 * directories, deltas and commits are everybody's. Their promises interleave; now and then all rest, and everything is compared and checked.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import type { Random } from '@outwrite/testkit';
import { Volume } from '@outwrite/volume';
import { checkVolume } from './one-file.ts';

const ACTOR_COUNT = 3;
const ROUND_OPERATIONS = 25;
const NAME_COUNT = 10;
const CACHE_BLOCKS = 128;
const SHARED = '/shared';

interface ModelFile {
  bytes: Uint8Array;
}

class Actor {
  readonly #random: Random;
  readonly #number: number;
  /** Content by path; null is a folder. Two names of one file share it. */
  readonly nodes = new Map<string, ModelFile | null>();

  constructor(number: number, random: Random) {
    this.#number = number;
    this.#random = random;
    this.nodes.set(this.home, null);
  }

  get home(): string {
    return `/actor ${this.#number}`;
  }

  #path(): string {
    const folders = [...this.nodes].filter(([, node]) => node === null).map(([path]) => path);
    const folder = this.#random.pick([...folders, SHARED]);
    return `${folder}/${this.#number}-${this.#random.below(NAME_COUNT)}`;
  }

  #isEmpty(folder: string): boolean {
    return ![...this.nodes.keys()].some((path) => path.startsWith(`${folder}/`));
  }

  async step(volume: Volume, blockBytes: number): Promise<void> {
    const random = this.#random;
    const { promises } = volume.fs;
    const path = this.#path();
    const node = this.nodes.get(path);
    const draw = random.below(100);
    if (draw < 8) {
      await volume.commit();
    } else if (draw < 9) {
      await volume.checkpoint();
    } else if (node === undefined) {
      if (draw < 25 && this.nodes.size < 40) {
        this.nodes.set(path, null);
        await promises.mkdir(path);
      } else {
        const bytes = this.#content(blockBytes);
        this.nodes.set(path, { bytes });
        await promises.writeFile(path, bytes);
      }
    } else if (node === null) {
      if (!this.#isEmpty(path)) return;
      this.nodes.delete(path);
      await promises.rmdir(path);
    } else if (draw < 30) {
      this.nodes.delete(path);
      await promises.unlink(path);
    } else if (draw < 45) {
      await this.#rename(volume, path, node);
    } else if (draw < 55) {
      const target = this.#path();
      if (this.nodes.has(target)) return;
      this.nodes.set(target, node);
      await promises.link(path, target);
    } else if (draw < 70) {
      const sizeBytes = random.below(node.bytes.length * 2 + 2);
      const bytes = new Uint8Array(sizeBytes);
      bytes.set(node.bytes.subarray(0, sizeBytes));
      node.bytes = bytes;
      await promises.truncate(path, sizeBytes);
    } else if (draw < 85) {
      const more = this.#content(blockBytes);
      node.bytes = Uint8Array.from(Buffer.concat([node.bytes, more]));
      await promises.appendFile(path, more);
    } else if (Buffer.compare(await promises.readFile(path), node.bytes) !== 0) {
      throw new Error(`${path} holds something else`);
    }
  }

  async #rename(volume: Volume, path: string, node: ModelFile): Promise<void> {
    const target = this.#path();
    const there = this.nodes.get(target);
    if (there === null) return;
    // Of two names of one file, renaming one to the other does nothing.
    if (there !== node) {
      this.nodes.delete(path);
      this.nodes.set(target, node);
    }
    await volume.fs.promises.rename(path, target);
  }

  /** Mostly small, at times large enough to be written from here in the background. */
  #content(blockBytes: number): Uint8Array {
    return this.#random.bytes(
      this.#random.chance(0.1) ? this.#random.below(100_000) : this.#random.below(2 * blockBytes),
    );
  }
}

/** Runs rounds on a new volume until `stop` says so; returns how many operations there were. Throws an `Error` for the first difference. */
export async function runThreeActors(blockBytes: number, random: Random, stop: () => boolean): Promise<number> {
  const tuning = { autoCommitMilliseconds: 0, cacheBytes: CACHE_BLOCKS * blockBytes };
  let device = new MemoryDevice();
  let volume = Volume.create(device, { ...tuning, blockSize: blockBytes });
  const actors: Actor[] = [];
  volume.fs.mkdirSync(SHARED);
  for (let number = 0; number < ACTOR_COUNT; number++) {
    const actor = new Actor(number, random.derive(number));
    volume.fs.mkdirSync(actor.home);
    actors.push(actor);
  }
  let operationCount = 0;
  while (operationCount === 0 || !stop()) {
    await Promise.all(
      actors.map(async (actor) => {
        for (let i = 0; i < ROUND_OPERATIONS; i++) await actor.step(volume, blockBytes);
      }),
    );
    operationCount += ACTOR_COUNT * ROUND_OPERATIONS;
    compareAll(volume, actors);
    checkVolume(volume, `after ${operationCount} operations`);
    if (random.chance(0.7)) continue;
    // Closed, or left as a killed process leaves it.
    if (random.chance(0.5)) await volume.close();
    else await volume.commit();
    device = MemoryDevice.fromImage(device.snapshot());
    volume = Volume.open(device, tuning);
    compareAll(volume, actors);
    checkVolume(volume, `after a reopening at ${operationCount} operations`);
  }
  await volume.close();
  return operationCount;
}

function compareAll({ fs }: Volume, actors: readonly Actor[]): void {
  const expected = new Map<string, ModelFile | null>([[SHARED, null]]);
  for (const { nodes } of actors) for (const [path, node] of nodes) expected.set(path, node);
  const walk = (folder: string): void => {
    for (const name of fs.readdirSync(folder === '' ? '/' : folder) as string[]) {
      const path = `${folder}/${name}`;
      const node = expected.get(path);
      expected.delete(path);
      if (node === undefined) throw new Error(`${path} is there, but should not be`);
      if (node === null) walk(path);
      else if (Buffer.compare(fs.readFileSync(path) as Uint8Array, node.bytes) !== 0)
        throw new Error(`${path} holds something else`);
    }
  };
  walk('');
  for (const path of expected.keys()) throw new Error(`${path} is missing`);
}

/**
 * What runs in the thread of the fuzzer: makes bad images of the samples, tries each, and tells the outcome.
 */
import { parentPort } from 'node:worker_threads';
import { Random } from '@outwrite/testkit';
import { badImage } from './image-mutation.ts';
import { tryImage } from './image-trial.ts';
import { sampleImages } from './sample-images.ts';

export interface FuzzTask {
  readonly seed: number;
  /** Images `[first, first + count)` of the seed. */
  readonly first: number;
  readonly count: number;
}

export interface FuzzMessage {
  /** The image that is begun, or was the last. */
  readonly index: number;
  readonly story: string;
  readonly escape: string | null;
  readonly done: boolean;
}

const port = parentPort;
if (port === null) throw new Error('the fuzzer works in a thread');
const samples = sampleImages();

port.on('message', ({ seed, first, count }: FuzzTask) => {
  for (let index = first; index < first + count; index++) {
    const random = new Random(seed).derive(index);
    const { name, holds, map } = samples[index % samples.length]!;
    const { image, story } = badImage(map, random);
    const told = { index, story: `${name}; ${story}` };
    const escaped = tryImage(holds, image);
    if (escaped !== null) port.postMessage({ ...told, escape: escaped, done: false } satisfies FuzzMessage);
  }
  port.postMessage({ index: first + count, story: '', escape: null, done: true } satisfies FuzzMessage);
});

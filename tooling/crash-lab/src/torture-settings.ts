/**
 * What the writer of the torture and its judge agree on: sizes, and the lines of the journal.
 *
 * The journal is a plain file of its own, appended to by the writer: `S delta digest` is the content while that delta is open (so the last
 * one for a delta is the content at its end), `B delta` that an operation begins, `U first end` deltas that end within an operation in steps, `A delta` an acknowledgement. It
 * needs no flush: a killed process does not take the operating system's cache with it.
 */
import { createHash } from 'node:crypto';
import type { Layer, Model, Settings, Subject } from './layer.ts';
import { callLayer } from './layers/call-layer.ts';
import { callModelOf } from './layers/call-model.ts';
import { entryLayer, entryModelOf } from './layers/entry-layer.ts';
import type { VolumeSubject } from './layers/volume-layer.ts';

export const tortureSettings: Settings = {
  blockBytes: 4096,
  maxBlocks: 8192,
  cacheBytes: 1 << 20,
  bounds: { logBlocks: 24, promises: 400 },
  population: 12,
};

/** What is written: a volume of files, by every call there is, and a store of keys and values. */
export interface Tortured {
  readonly layer: Layer;
  modelOf(subject: Subject): Model;
}

export const tortured: Readonly<Record<string, Tortured>> = {
  files: { layer: callLayer, modelOf: (subject) => callModelOf((subject as VolumeSubject).volume.fs) },
  entries: { layer: entryLayer, modelOf: entryModelOf },
};

export function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

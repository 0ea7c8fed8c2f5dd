/**
 * Every operation of every layer occurs in a workload: whoever adds a method to a public face adds it to a layer of the lab, or says here
 * why no crash can concern it.
 */
import { AllocLog } from '@outwrite/alloc-log';
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { OrderedStore, TreeStore } from '@outwrite/btree-cow';
import { FileMap, FileMaps } from '@outwrite/filemap';
import { Random, unevenHold } from '@outwrite/testkit';
import { Dir, FileHandle, FsPromises, Volume, VolumeFs } from '@outwrite/volume';
import { expect, it } from 'vitest';
import { scenarios } from '../src/scenarios.ts';
import { runWorkload } from '../src/workload.ts';

const { prototype: treeFace } = OrderedStore.format(new SimulatedDevice()).trees.createTree().constructor;
const { prototype: cursorFace } = OrderedStore.format(new SimulatedDevice()).cursor().constructor;

const faces: Record<string, object> = {
  BlockDevice: SimulatedDevice.prototype,
  AllocLog: AllocLog.prototype,
  TreeStore: TreeStore.prototype,
  Tree: treeFace,
  Cursor: cursorFace,
  OrderedStore: OrderedStore.prototype,
  FileMaps: FileMaps.prototype,
  FileMap: FileMap.prototype,
  Volume: Volume.prototype,
  fs: VolumeFs.prototype,
  promises: FsPromises.prototype,
  FileHandle: FileHandle.prototype,
  Dir: Dir.prototype,
};

/** What workloads do not call. */
const elsewhere: Record<string, string> = {
  'BlockDevice.flipBit': 'of the simulation; the checks of crash states flip bits',
  'AllocLog.abandonDirectWrite':
    'a file is removed below its own open handle, which a volume does not do: filemap/test/file-map-async.test.ts',
  'AllocLog.chainBlocks': 'reads',
  'FileMaps.check': 'reads; a check of the volume walks the tree instead',
  'FileMaps.verifyExtent': 'reads',
  'FileMap.mapRegion': 'what staging does for every dirty page; by itself in filemap/test/file-map.test.ts',
  'fs.belongsTo': 'reads',
};

const WORKLOADS: readonly string[] = [
  'registers/calm',
  'registers/views',
  'registers/faulty',
  'trees/calm',
  'entries/calm',
  'calls/calm',
  'calls/concurrent',
  'volume/calm',
];
const ROUNDS = 3;

/** Methods by the name that the table above would have for them, with the object that holds each. */
function methods(): Map<string, object> {
  const found = new Map<string, object>();
  for (const [face, prototype] of Object.entries(faces)) {
    for (let level = prototype; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
        const key = `${face}.${name}`;
        if (name !== 'constructor' && typeof value === 'function' && !found.has(key)) found.set(key, level);
      }
    }
  }
  return found;
}

it('every operation of every layer occurs in a workload', { timeout: 120_000 }, async () => {
  const called = new Set<string>();
  const all = methods();
  for (const [key, level] of all) {
    const name = key.slice(key.indexOf('.') + 1);
    const holder = level as Record<string, (...args: unknown[]) => unknown>;
    const original = holder[name]!;
    holder[name] = function (this: unknown, ...args) {
      called.add(key);
      return original.apply(this, args);
    };
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const workload of WORKLOADS) {
      const { layer, shape } = scenarios.find(({ name }) => name === workload)!;
      const random = new Random(1000 + round);
      const hold = shape.holdTurns === 0 ? {} : { hold: unevenHold(random.derive(7), shape.holdTurns) };
      const device = new SimulatedDevice({ ...hold, trace: false });
      await runWorkload(layer, { ...shape, stepCount: 400 }, random.derive(8), device);
    }
  }
  const missing = [...all.keys()].filter((key) => !called.has(key) && elsewhere[key] === undefined);
  expect(missing).toEqual([]);
  expect(
    Object.keys(elsewhere).filter((key) => called.has(key) || !all.has(key)),
    'what is called after all, or is not there',
  ).toEqual([]);
});

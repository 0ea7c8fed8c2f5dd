/**
 * What the tests of repair share: a small volume to harm, ways to harm it, and a repair that is held to its promises.
 */
import { TreeStore } from '@outwrite/btree-cow';
import { expect } from 'vitest';
import { type RepairReport, Volume } from '../src/index.ts';
import { KeyScratch } from '../src/key-format.ts';
import { LastingDevice } from './lasting-device.ts';

export const tuning = { autoCommitMilliseconds: 0 };
export const SIZES = [512, 4096, 16384];
export const keys = new KeyScratch();
export type Tree = ReturnType<TreeStore['tree']>;

/** Inodes: 2 /a, 3 /a/b, 4 /a/large, 5 /a/other, 6 /a/b/small and /a/second, 7 /a/link. */
export function make(blockSize: number): LastingDevice {
  const device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize });
  volume.fs.mkdirSync('/a/b', { recursive: true });
  volume.fs.writeFileSync('/a/large', largeContent(blockSize));
  volume.fs.writeFileSync('/a/other', new Uint8Array(10 * blockSize).fill(9));
  volume.fs.writeFileSync('/a/b/small', 'small');
  volume.fs.linkSync('/a/b/small', '/a/second');
  volume.fs.symlinkSync('b', '/a/link');
  volume.closeSync();
  return device;
}

export function largeContent(blockSize: number): Uint8Array {
  return new Uint8Array(10 * blockSize).map((_, index) => 1 + (Math.floor(index / blockSize) % 200));
}

export function harmTree(device: LastingDevice, harm: (tree: Tree, store: TreeStore) => void): void {
  const store = TreeStore.open(device);
  harm(store.tree(1), store);
  store.closeSync();
}

export function change(tree: Tree, key: Uint8Array, at: number, byte: number): void {
  const value = tree.get(key) as Uint8Array;
  value[at] = byte;
  tree.put(key, value);
}

export function entry(inode: number, type = 1): Uint8Array {
  return new Uint8Array([inode, 0, 0, 0, 0, 0, type]);
}

/** Says what repair would do without doing it, does it, checks, goes on working, and checks again. */
export function repair(device: LastingDevice): { codes: string[]; volume: Volume; report: RepairReport } {
  const before = device.snapshot();
  const dry = Volume.repair(device, { dryRun: true });
  expect(Buffer.compare(device.snapshot(), before)).toBe(0);
  const report = Volume.repair(device);
  expect(report.obstacle).toBeNull();
  expect(report.changes).toEqual(dry.changes);
  expect(report.remaining).toEqual([]);
  expect(Volume.repair(device)).toEqual({ changes: [], obstacle: null, remaining: [] });
  const volume = Volume.open(device, tuning);
  expect([...volume.check()]).toEqual([]);
  volume.fs.writeFileSync('/after', new Uint8Array(40 * volume.blockSize).fill(3));
  volume.fs.rmSync('/after');
  volume.checkpointSync();
  expect([...volume.check()]).toEqual([]);
  return { codes: [...new Set(report.changes.map(({ code }) => code))].sort(), volume, report };
}

export function lasting(image: Uint8Array): LastingDevice {
  const device = new LastingDevice({ sizeBytes: image.length });
  device.writeSync(0, [image]);
  return device;
}

/** Where `wanted` is for the first time. */
export function findBytes(image: Uint8Array, wanted: Uint8Array): number {
  const at = Buffer.from(image.buffer, image.byteOffset, image.length).indexOf(wanted);
  expect(at).toBeGreaterThan(0);
  return at;
}

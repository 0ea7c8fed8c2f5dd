/**
 * A volume of many files to damage, and holding what a repair leaves of it against what was there.
 */
import { TreeStore } from '@outwrite/btree-cow';
import { expect } from 'vitest';
import { KIND, type RepairReport, Volume } from '../src/index.ts';
import { entryInode } from '../src/inode-format.ts';
import { decodeKeyHead } from '../src/key-format.ts';
import { LastingDevice } from './lasting-device.ts';
import { tuning } from './repair-harness.ts';

export const BLOCK = 512;

export interface Node {
  readonly block: number;
  readonly treeId: number;
  readonly kind: string;
}

/** Some hundred small and larger files in directories; both superblocks lead to the same nodes. */
export function makeLarge(): LastingDevice {
  const device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize: BLOCK });
  for (let d = 0; d < 12; d++) {
    volume.fs.mkdirSync(`/directory-${d}`);
    for (let f = 0; f < 12; f++) volume.fs.writeFileSync(`/directory-${d}/file-${f}`, contentOf(d, f));
  }
  volume.closeSync();
  shareSlots(device);
  return device;
}

export function contentOf(d: number, f: number): Uint8Array {
  return new Uint8Array(1 + ((d * 37 + f * 411) % 4000)).fill(1 + d * 12 + f);
}

/** An opening writes both superblocks with its checkpoint. */
function shareSlots(device: LastingDevice): void {
  Volume.open(device, tuning).closeSync();
}

export function nodesOf(device: LastingDevice): Node[] {
  const nodes: Node[] = [];
  const store = TreeStore.open(LastingDevice.fromImage(device.snapshot()), { readOnly: true });
  store.check({
    block: (block, _count, kind, treeId) => {
      if (kind === 'leaf' || kind === 'index') nodes.push({ block, treeId, kind });
    },
    problem(error) {
      throw error;
    },
  });
  return nodes;
}

/** By path, all files and what they hold; directories are null. */
export function everything(volume: Volume): Map<string, { inode: number; content: Uint8Array | null }> {
  const found = new Map<string, { inode: number; content: Uint8Array | null }>();
  const walk = (directory: string): void => {
    for (const name of volume.fs.readdirSync(`${directory}/`)) {
      const path = `${directory}/${name}`;
      const stats = volume.fs.statSync(path);
      found.set(path, { inode: stats.ino, content: stats.isFile() ? volume.fs.readFileSync(path) : null });
      if (stats.isDirectory()) walk(path);
    }
  };
  walk('');
  return found;
}

/** Inodes of which something stood in the ranges that an opening for repair gives up, and the inodes that names there led to. */
function hitInodes(sound: LastingDevice, damaged: LastingDevice): { own: Set<number>; named: Set<number> } {
  const { salvaged } = TreeStore.open(LastingDevice.fromImage(damaged.snapshot()), {
    readOnly: true,
    repair: { blocksOf: () => null },
  });
  const own = new Set<number>();
  const named = new Set<number>();
  const tree = TreeStore.open(LastingDevice.fromImage(sound.snapshot()), { readOnly: true }).tree(1);
  for (const { from, to } of salvaged) {
    for (const [key, value] of tree.entries()) {
      if (Buffer.compare(key, from) < 0 || (to !== null && Buffer.compare(key, to) >= 0)) continue;
      const { inode, kind } = decodeKeyHead(key);
      if (kind === KIND.name) named.add(entryInode(value));
      else own.add(inode);
    }
  }
  return { own, named };
}

/** What was not hit is where it was or in lost+found, byte by byte, but for the blocks that the report says read as zeros. */
export function expectRestAsItWas(
  sound: LastingDevice,
  damaged: LastingDevice,
  { volume: repaired, report }: { readonly volume: Volume; readonly report: RepairReport },
): number {
  const zeros = zeroedBlocks(report);
  let sameCount = 0;
  const { own, named } = hitInodes(sound, damaged);
  const before = everything(Volume.open(LastingDevice.fromImage(sound.snapshot()), { ...tuning, readOnly: true }));
  const after = everything(repaired);
  const moved = new Set<string>();
  for (const [path, { inode, content }] of before) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    let place = path;
    if (named.has(inode) || own.has(before.get(parent)?.inode ?? 1) || moved.has(parent)) {
      moved.add(path);
      const found = [...after].find(([, entry]) => entry.inode === inode);
      if (found === undefined) {
        expect(own.has(inode) || content === null, `${path} is lost and nothing of it was hit`).toBe(true);
        continue;
      }
      [place] = found;
    }
    if (own.has(inode)) continue;
    const now = after.get(place);
    expect(now?.inode, `inode of ${path}`).toBe(inode);
    if (content === null) continue;
    const expected = content.slice();
    for (const at of zeros.get(inode) ?? []) expected.fill(0, at * BLOCK, (at + 1) * BLOCK);
    expect(Buffer.compare(now!.content!, expected), `content of ${path}`).toBe(0);
    sameCount++;
  }
  return sameCount;
}

/** By inode, the blocks that a report says read as zeros. */
function zeroedBlocks({ changes }: RepairReport): Map<number, number[]> {
  const blocks = new Map<number, number[]>();
  for (const { code, inode, message } of changes) {
    if (code !== 'block-dropped') continue;
    blocks.set(inode!, [...(blocks.get(inode!) ?? []), Number(/block (\d+) of the file/.exec(message)![1])]);
  }
  return blocks;
}

/**
 * The check finds what is wrong, says where, and never throws; what is damaged does not keep the rest from being read.
 */
import { readLogChain, readSlots } from '@outwrite/alloc-log';
import { CorruptionError } from '@outwrite/blockdev';
import { TreeStore } from '@outwrite/btree-cow';
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { type Finding, KIND, Volume } from '../src/index.ts';
import { KeyScratch } from '../src/key-format.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };
const BLOCK = 4096;

function make(): { device: LastingDevice; volume: Volume } {
  const device = new LastingDevice({ maxSizeBytes: 64 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize: BLOCK });
  volume.fs.mkdirSync('/a/b', { recursive: true });
  volume.fs.writeFileSync(
    '/a/large',
    new Uint8Array(10 * BLOCK).map((_, index) => index >>> 8),
  );
  volume.fs.writeFileSync('/a/other', new Uint8Array(10 * BLOCK).fill(9));
  volume.fs.writeFileSync('/a/b/small', 'small');
  volume.fs.linkSync('/a/b/small', '/a/second');
  volume.fs.symlinkSync('b', '/a/link');
  volume.fs.setxattrSync('/a', 'user.x', 'y');
  return { device, volume };
}

function codes(findings: Iterable<Finding>): string[] {
  return [...new Set([...findings].map((finding) => finding.code))].sort();
}

describe('the check', () => {
  it('finds nothing wrong with a sound volume, open, committed, checkpointed or reopened', () => {
    const { device, volume } = make();
    expect([...volume.check()]).toEqual([]);
    volume.checkpointSync();
    expect([...volume.check()]).toEqual([]);
    volume.closeSync();
    expect([...Volume.open(device, { ...tuning, readOnly: true }).check()]).toEqual([]);
    expect([...Volume.open(device, tuning).check({ data: false })]).toEqual([]);
  });

  it('names file and block of damaged data; other files stay readable', () => {
    const { device, volume } = make();
    volume.closeSync();
    const image = device.snapshot();
    // The content of /a/large: its eleventh kilobyte holds tens.
    const place = findBytes(image, new Uint8Array(256).fill(0x28));
    image[place] ^= 1;
    const damaged = Volume.open(LastingDevice.fromImage(image), { ...tuning, readOnly: true });
    const findings = [...damaged.check()];
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      severity: 'error',
      code: 'damaged',
      structure: 'data block',
      path: '/a/large',
    });
    expect(findings[0].block).toBe(Math.floor(place / BLOCK));
    expect([...damaged.check({ data: false })]).toEqual([]);
    expect(() => damaged.fs.readFileSync('/a/large')).toThrowError(CorruptionError);
    expect(damaged.fs.readFileSync('/a/other').every((byte) => byte === 9)).toBe(true);
    expect(damaged.fs.readFileSync('/a/b/small', 'utf8')).toBe('small');
  });

  const keys = new KeyScratch();
  it.each<[string, string, (tree: ReturnType<TreeStore['tree']>) => void]>([
    ['a name that leads nowhere', 'dangling-name', (tree) => tree.delete(keys.plain(6, KIND.record))],
    ['an inode without a name', 'not-listed', (tree) => tree.delete(keys.named(2, KIND.name, 'other'))],
    ['a wrong number of links', 'wrong-link-count', (tree) => change(tree, keys.plain(6, KIND.record), 12, 7)],
    ['a wrong size', 'wrong-size', (tree) => change(tree, keys.plain(6, KIND.record), 16, 77)],
    ['a wrong number of names', 'wrong-name-count', (tree) => change(tree, keys.plain(3, KIND.record), 16, 5)],
    ['an unknown flag', 'damaged', (tree) => change(tree, keys.plain(6, KIND.record), 2, 0x80)],
    ['an unknown file type', 'damaged', (tree) => change(tree, keys.plain(6, KIND.record), 1, 0xff)],
    ['a name of the wrong type', 'wrong-type', (tree) => change(tree, keys.named(2, KIND.name, 'other'), 6, 2)],
    [
      'an orphan that has a name',
      'wrong-list',
      (tree) => tree.put(keys.numbered(0, KIND.orphan, 6), new Uint8Array(0)),
    ],
    ['an unknown kind of entry', 'unknown-entry', (tree) => tree.put(keys.plain(6, 0x77), new Uint8Array(0))],
    ['a name that cannot be one', 'bad-name', (tree) => tree.put(keys.named(3, KIND.name, 'a/b'), entry(6))],
    ['a key that is too short', 'damaged', (tree) => tree.put(new Uint8Array([9]), new Uint8Array(0))],
    ['a directory in itself', 'wrong-link-count', (tree) => tree.put(keys.named(3, KIND.name, 'self'), entry(3, 2))],
    ['an extent beyond the end', 'beyond-end', (tree) => change(tree, keys.plain(4, KIND.record), 17, 1)],
    ['an extent that two files have', 'reached-twice', (tree) => copyExtent(tree, 4, 5)],
    ['leaked blocks', 'used-but-unreached', (tree) => tree.delete(keys.numbered(4, KIND.extent, 0))],
    ['a volume record that counts wrongly', 'wrong-count', (tree) => change(tree, keys.plain(0, KIND.record), 14, 3)],
    [
      'attributes that the record does not know of',
      'wrong-flags',
      (tree) => tree.put(keys.named(6, KIND.xattr, 'x'), new Uint8Array(1)),
    ],
  ])('finds %s', (_what, code, harm) => {
    const { device, volume } = make();
    volume.closeSync();
    const store = TreeStore.open(device);
    harm(store.tree(1));
    store.closeSync();
    const damaged = Volume.open(device, { ...tuning, readOnly: true });
    const findings = [...damaged.check()];
    expect(codes(findings)).toContain(code);
    for (const finding of findings) {
      expect(finding.message.length).toBeGreaterThan(5);
      expect(finding.structure).not.toBe('');
    }
  });

  it('says that the log breaks off in damage, where only a read-only opening gets past it', () => {
    const { device, volume } = make();
    for (let i = 0; i < 3; i++) {
      volume.fs.writeFileSync('/a/other', `state ${i}`);
      volume.commitSync();
    }
    const chain = readLogChain(device, readSlots(device).chosen);
    const image = device.snapshot();
    image[chain.deltas[chain.deltas.length - 2]!.blocks[0]! * BLOCK + 200]! ^= 1;
    const damaged = Volume.open(LastingDevice.fromImage(image), { ...tuning, readOnly: true });
    expect([...damaged.check()]).toMatchObject([{ severity: 'error', code: 'damaged', structure: 'log block' }]);
  });

  it('neither throws nor hangs, whatever is wrong with an image, and neither does reading', () => {
    const random = new Random(testSeed('damaged images'));
    const { device, volume } = make();
    for (let i = 0; i < 300; i++) volume.fs.writeFileSync(`/a/b/f${i}`, `${i}`.repeat(i));
    volume.closeSync();
    const sound = device.snapshot();
    for (let round = 0; round < 150; round++) {
      const image = sound.slice();
      for (let i = random.between(1, 4); i > 0; i--) {
        const at = random.below(image.length);
        if (random.chance(0.5)) image[at] ^= 1 << random.below(8);
        else image.fill(random.below(256), at, at + random.between(1, 3000));
      }
      survive(() => {
        const damaged = Volume.open(LastingDevice.fromImage(image), { ...tuning, readOnly: random.chance(0.5) });
        const findings = [...damaged.check()];
        for (const name of damaged.fs.readdirSync('/', { recursive: true })) {
          survive(() => {
            if (damaged.fs.statSync(`/${name}`).isFile()) damaged.fs.readFileSync(`/${name}`);
          });
        }
        survive(() => damaged.fs.rmSync('/a', { recursive: true }));
        return findings;
      });
    }
  });
});

/** Runs what may fail with a typed error, and with nothing else. */
function survive(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if ((error as { code?: string }).code === undefined) throw error;
  }
}

function findBytes(image: Uint8Array, bytes: Uint8Array): number {
  const at = Buffer.from(image.buffer, image.byteOffset, image.length).indexOf(bytes);
  if (at < 0) throw new Error('the bytes are not in the image');
  return at;
}

function change(tree: ReturnType<TreeStore['tree']>, key: Uint8Array, offset: number, value: number): void {
  const bytes = tree.get(key) as Uint8Array;
  bytes[offset] = value;
  tree.put(key, bytes);
}

function entry(inode: number, type = 1): Uint8Array {
  return Uint8Array.of(inode, 0, 0, 0, 0, 0, type);
}

function copyExtent(tree: ReturnType<TreeStore['tree']>, from: number, to: number): void {
  const scratch = new KeyScratch();
  const value = tree.get(scratch.numbered(from, KIND.extent, 0)) as Uint8Array;
  tree.put(scratch.numbered(to, KIND.extent, 0), value);
}

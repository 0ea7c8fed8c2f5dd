/**
 * A file of which a range is being given up: what lies outside of the range is content and is verified, block by block, by check and scrub.
 */
import { TreeStore } from '@outwrite/btree-cow';
import {
  BLOCK_INDEX_LIMIT,
  decodeExtent,
  encodeReclaim,
  fileKey,
  KIND_RECLAIM,
  maxExtentBlocks,
} from '@outwrite/filemap';
import { describe, expect, it } from 'vitest';
import { KIND, Volume } from '../src/index.ts';
import { KeyScratch } from '../src/key-format.ts';
import { LastingDevice } from './lasting-device.ts';

const tuning = { autoCommitMilliseconds: 0 };
const BLOCK = 512;
const BLOCKS = 40;
const FILE = 2;
/** Of the size in the record of an inode, low byte first. */
const SIZE_AT = 16;

/** A file of two extents, whose blocks `[fromIndex, toIndex)` are being given up; it ends at `sizeBlocks`. */
function image(fromIndex: number, toIndex: number, sizeBlocks: number): { bytes: Uint8Array; places: number[] } {
  const device = new LastingDevice({ maxSizeBytes: 1 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize: BLOCK });
  volume.fs.writeFileSync(
    '/file',
    new Uint8Array(BLOCKS * BLOCK).map((_, index) => index >>> 9),
  );
  expect(volume.fs.statSync('/file').ino).toBe(FILE);
  volume.closeSync();
  const store = TreeStore.open(device);
  const tree = store.tree(1);
  const keys = new KeyScratch();
  const record = tree.get(keys.plain(FILE, KIND.record)) as Uint8Array;
  new DataView(record.buffer, record.byteOffset).setUint32(SIZE_AT, sizeBlocks * BLOCK, true);
  tree.put(keys.plain(FILE, KIND.record), record);
  tree.put(fileKey(FILE, KIND_RECLAIM, 0), encodeReclaim({ fromIndex, toIndex }));
  const places: number[] = [];
  const maxBlocks = maxExtentBlocks(BLOCK);
  for (let at = 0; at < BLOCKS; at = places.length) {
    const value = tree.get(keys.numbered(FILE, KIND.extent, at)) as Uint8Array;
    const { start, checksums } = decodeExtent(value, at, { maxBlocks, openDelta: store.log.openDelta });
    for (let i = 0; i < checksums.length; i++) places.push((start + i) * BLOCK);
  }
  store.closeSync();
  return { bytes: device.snapshot(), places };
}

/** The blocks of the file of which the check, and the scrub, tell that they are damaged. */
async function damagedBlocks(bytes: Uint8Array): Promise<{ check: number[]; scrub: number[] }> {
  const volume = Volume.open(LastingDevice.fromImage(bytes), { ...tuning, readOnly: true });
  const told = (findings: { message: string; code: string; path?: string | undefined }[]): number[] => {
    for (const { code, path } of findings) expect([code, path ?? '/file']).toEqual(['damaged', '/file']);
    return findings.map(({ message }) => Number(/block (\d+) of the file/.exec(message)![1]));
  };
  const scrubbed: { message: string; code: string; path?: string | undefined }[] = [];
  await volume.scrub({ onFinding: (finding) => scrubbed.push(finding) });
  return { check: told([...volume.check()]), scrub: told(scrubbed) };
}

describe.each([
  ['cut off within an extent', 20, BLOCK_INDEX_LIMIT, 20],
  ['cut off between extents', maxExtentBlocks(BLOCK), BLOCK_INDEX_LIMIT, maxExtentBlocks(BLOCK)],
  ['cut off at the beginning', 0, BLOCK_INDEX_LIMIT, 0],
  ['punched within an extent', 5, 12, BLOCKS],
  ['punched over two extents', 25, 35, BLOCKS],
  ['punched at the beginning', 0, 30, BLOCKS],
] as const)('a file that is being %s', (_what, fromIndex, toIndex, sizeBlocks) => {
  const { bytes, places } = image(fromIndex, toIndex, sizeBlocks);

  it('is sound', async () => {
    expect(await damagedBlocks(bytes)).toEqual({ check: [], scrub: [] });
  });

  it('has every block verified that is still its content, and no other', async () => {
    const damaged = bytes.slice();
    for (const place of places) damaged[place + 100] ^= 1;
    const content = places.map((_, index) => index).filter((index) => index < fromIndex || index >= toIndex);
    expect(await damagedBlocks(damaged)).toEqual({ check: content, scrub: content });
  });
});

it('an extent beyond the end of the file and of what is being given up is told', () => {
  const { bytes } = image(20, 30, 20);
  const volume = Volume.open(LastingDevice.fromImage(bytes), { ...tuning, readOnly: true });
  expect([...volume.check()].map(({ code }) => code)).toEqual(['beyond-end']);
});

it('a scrub takes all of an entry in one turn: what its blocks hold after the next change is nothing to it', async () => {
  const { bytes } = image(5, 12, BLOCKS);
  const volume = Volume.open(LastingDevice.fromImage(bytes, { maxSizeBytes: bytes.length }), tuning);
  const told: string[] = [];
  let steps = 0;
  const report = await volume.scrub({
    onFinding: ({ message }) => told.push(message),
    onProgress() {
      // The first step is the metadata, the second one the first extent.
      if (++steps !== 2) return;
      volume.fs.rmSync('/file');
      for (let i = 0; i < 20; i++) {
        volume.fs.writeFileSync('/new', new Uint8Array(60 * BLOCK).fill(i));
        volume.commitSync();
      }
    },
  });
  expect(told).toEqual([]);
  expect(report.complete).toBe(true);
});

/**
 * Golden images: volumes and stores of format version 1, kept in `golden/` as they were written, that every later release must read.
 *
 * `makeGoldenImages` made them. It is kept so that a later version of the format can have a set of its own; the committed files are never
 * made again, since what counts is that bytes of an older release are read.
 */
import { MemoryDevice, xxh32 } from '@outwrite/blockdev';
import { OrderedStore } from '@outwrite/btree-cow';
import { Random } from '@outwrite/testkit';
import { Volume } from '@outwrite/volume';

export interface GoldenImage {
  readonly name: string;
  readonly holds: 'files' | 'entries';
  readonly image: Uint8Array;
}

/** A volume closed cleanly is found by its checkpoint, one that was left by its log too. */
export function makeGoldenImages(): GoldenImage[] {
  return [
    { name: 'files-512-closed', holds: 'files', image: volumeImage(512, true) },
    { name: 'files-512-log', holds: 'files', image: volumeImage(512, false) },
    { name: 'files-4096-closed', holds: 'files', image: volumeImage(4096, true) },
    { name: 'files-4096-log', holds: 'files', image: volumeImage(4096, false) },
    { name: 'files-16384-log', holds: 'files', image: volumeImage(16384, false) },
    { name: 'entries-512-closed', holds: 'entries', image: storeImage(512, true) },
    { name: 'entries-4096-log', holds: 'entries', image: storeImage(4096, false) },
  ];
}

const CLOCK_MS = 1_700_000_000_123;

/** Text that compresses, and differs from block to block. */
function textOf(name: string, lengthBytes: number): Uint8Array {
  const line = new TextEncoder().encode(`${name} is what this line of a golden image says. `);
  return Uint8Array.from({ length: lengthBytes }, (_, i) => line[i % line.length]! ^ (Math.floor(i / 509) & 15));
}

function volumeImage(blockBytes: number, closed: boolean): Uint8Array {
  const random = new Random(blockBytes);
  const device = new MemoryDevice();
  const volume = Volume.create(device, {
    blockSize: blockBytes,
    autoCommitMilliseconds: 0,
    clock: () => CLOCK_MS,
    randomBytes: (length) => random.bytes(length),
  });
  const { fs } = volume;
  fs.mkdirSync('/folder');
  fs.mkdirSync('/folder/größer');
  fs.symlinkSync('../large', '/folder/short link');
  fs.symlinkSync('x/'.repeat(60), '/folder/long link');
  for (let i = 0; i < 50; i++) fs.writeFileSync(`/folder/file ${i}`, textOf(`file ${i}`, i * 7));
  fs.writeFileSync('/large', textOf('large', 30 * blockBytes + 11));
  fs.linkSync('/large', '/folder/another name');
  fs.writeFileSync('/empty', new Uint8Array());
  fs.chmodSync('/empty', 0o600);
  volume.checkpointSync();
  for (let i = 0; i < 10; i++) fs.writeFileSync(`/folder/größer/${i}`, textOf(`later ${i}`, i * blockBytes));
  fs.unlinkSync('/folder/file 7');
  fs.renameSync('/folder/file 8', '/renamed');
  volume.commitSync();
  const descriptor = fs.openSync('/large', 'r+');
  fs.writeSync(descriptor, textOf('behind a hole', 3 * blockBytes), 0, 3 * blockBytes, 100 * blockBytes + 3);
  fs.closeSync(descriptor);
  fs.truncateSync('/folder/größer/9', 2 * blockBytes + 1);
  volume.commitSync();
  if (closed) volume.closeSync();
  return device.snapshot();
}

function storeImage(blockBytes: number, closed: boolean): Uint8Array {
  const random = new Random(blockBytes);
  const device = new MemoryDevice();
  const store = OrderedStore.format(device, { blockSize: blockBytes, randomBytes: (length) => random.bytes(length) });
  const key = (n: number): Uint8Array => new TextEncoder().encode(`key ${String(n).padStart(5, '0')}`);
  for (let n = 0; n < 400; n++) store.put(key(n), textOf(`value ${n}`, n % 70));
  store.put(key(1000), textOf('overflow', 30 * blockBytes + 1));
  store.trees.checkpointSync();
  for (let n = 0; n < 100; n += 3) store.put(key(n), textOf(`changed ${n}`, n));
  store.deleteRange(key(150), key(220));
  store.commitSync();
  store.put(key(1001), textOf('more overflow', 3 * blockBytes));
  store.commitSync();
  if (closed) store.closeSync();
  return device.snapshot();
}

/** The whole content of an image as lines of text, and after them what its check finds. Closes what it opens. */
export function contentOf(holds: GoldenImage['holds'], image: Uint8Array, readOnly: boolean): string[] {
  const device = MemoryDevice.fromImage(image);
  return holds === 'files' ? filesOf(device, readOnly) : entriesOf(device, readOnly);
}

function digest(bytes: Uint8Array): string {
  return `${bytes.length} ${xxh32(bytes).toString(16).padStart(8, '0')}`;
}

function filesOf(device: MemoryDevice, readOnly: boolean): string[] {
  const volume = Volume.open(device, { readOnly, autoCommitMilliseconds: 0 });
  const { fs } = volume;
  const lines: string[] = [];
  const walk = (folder: string): void => {
    for (const name of (fs.readdirSync(folder === '' ? '/' : folder) as string[]).sort()) {
      const path = `${folder}/${name}`;
      const stats = fs.lstatSync(path);
      const attributes = `${path} ${Number(stats.mode).toString(8)} ${stats.nlink} ${Number(stats.mtimeMs)}`;
      if (stats.isDirectory()) {
        lines.push(attributes);
        walk(path);
      } else if (stats.isSymbolicLink()) lines.push(`${attributes} ${fs.readlinkSync(path)}`);
      else lines.push(`${attributes} ${digest(fs.readFileSync(path) as Uint8Array)}`);
    }
  };
  walk('');
  for (const { message } of volume.check()) lines.push(`check: ${message}`);
  volume.closeSync();
  return lines;
}

function entriesOf(device: MemoryDevice, readOnly: boolean): string[] {
  const store = OrderedStore.open(device, { readOnly });
  const decoder = new TextDecoder();
  const lines: string[] = [];
  for (const [key, value] of store.entries()) lines.push(`${decoder.decode(key)} ${digest(value)}`);
  store.trees.check({
    block: () => undefined,
    problem: (error) => lines.push(`check: ${error.message}`),
  });
  store.closeSync();
  return lines;
}

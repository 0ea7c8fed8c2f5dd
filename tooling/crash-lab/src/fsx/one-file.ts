/**
 * Random reads, writes, truncates and punched holes on one file, against an array of bytes: after the idea of `fsx`.
 *
 * Lengths and positions crowd around the edges of blocks. Commits, checkpoints and reopenings come between; the content is compared after
 * every operation, the volume checked after each commit, checkpoint and reopening, and at the end.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import type { Random } from '@outwrite/testkit';
import { Volume } from '@outwrite/volume';

const MAX_FILE_BLOCKS = 90;
const CACHE_BLOCKS = 64;
const PATH = '/file';

interface OpenVolume {
  readonly volume: Volume;
  readonly descriptor: number;
}

/** Runs operations on a new volume until `stop` says so, but some; returns how many. Throws an `Error` for the first difference. */
export function runOneFile(blockBytes: number, random: Random, stop: () => boolean): number {
  const tuning = { autoCommitMilliseconds: 0, cacheBytes: CACHE_BLOCKS * blockBytes };
  let device = new MemoryDevice();
  Volume.create(device, { ...tuning, blockSize: blockBytes }).closeSync();
  const open = (): OpenVolume => {
    const volume = Volume.open(device, tuning);
    return { volume, descriptor: volume.fs.openSync(PATH, volume.fs.existsSync(PATH) ? 'r+' : 'w+') };
  };
  device = MemoryDevice.fromImage(device.snapshot());
  let { volume, descriptor } = open();
  let expected = new Uint8Array(0);
  let operationCount = 0;
  for (; operationCount < 100 || !stop(); operationCount++) {
    const story = `operation ${operationCount}, ${step()}`;
    compare(volume, descriptor, expected, story);
  }
  checkVolume(volume, 'at the end');
  volume.closeSync();
  return operationCount;

  function step(): string {
    const { fs } = volume;
    const maxBytes = MAX_FILE_BLOCKS * blockBytes;
    const position = edge(blockBytes, maxBytes, random);
    const length = random.chance(0.7) ? random.below(3 * blockBytes) : edge(blockBytes, maxBytes, random);
    const draw = random.below(100);
    if (draw < 20) {
      const target = new Uint8Array(length);
      const count = fs.readSync(descriptor, target, 0, length, position);
      if (Buffer.compare(target.subarray(0, count), expected.subarray(position, position + length)) !== 0)
        throw new Error(`a read of ${length} bytes at ${position} finds something else (operation ${operationCount})`);
      return `read ${length} at ${position}`;
    }
    if (draw < 55) {
      const bytes = random.bytes(length);
      fs.writeSync(descriptor, bytes, 0, length, position);
      if (length > 0) {
        expected = resized(expected, Math.max(expected.length, position + length));
        expected.set(bytes, position);
      }
      return `write ${length} at ${position}`;
    }
    if (draw < 68) {
      fs.ftruncateSync(descriptor, position);
      expected = resized(expected, position);
      return `truncate to ${position}`;
    }
    if (draw < 82) {
      fs.punchHoleSync(descriptor, position, length);
      expected.fill(0, position, position + length);
      return `punch ${length} at ${position}`;
    }
    if (draw < 94) {
      volume.commitSync();
      checkVolume(volume, 'after a commit');
      return 'commit';
    }
    if (draw < 97) {
      volume.checkpointSync();
      checkVolume(volume, 'after a checkpoint');
      return 'checkpoint';
    }
    // Closed, or left as a killed process leaves it.
    const closes = random.chance(0.5);
    if (closes) volume.closeSync();
    else volume.commitSync();
    device = MemoryDevice.fromImage(device.snapshot());
    ({ volume, descriptor } = open());
    checkVolume(volume, 'after a reopening');
    return closes ? 'close and open' : 'kill and open';
  }
}

function resized(bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(sizeBytes);
  result.set(bytes.subarray(0, sizeBytes));
  return result;
}

/** A position that is mostly at or next to the edge of a block. */
function edge(blockBytes: number, maxBytes: number, random: Random): number {
  const block = random.below(maxBytes / blockBytes) * blockBytes;
  return random.chance(0.6) ? Math.max(0, block + random.between(-2, 2)) : random.below(maxBytes);
}

function compare(volume: Volume, descriptor: number, expected: Uint8Array, story: string): void {
  const sizeBytes = Number(volume.fs.fstatSync(descriptor).size);
  if (sizeBytes !== expected.length) throw new Error(`${story}: the size is ${sizeBytes} and not ${expected.length}`);
  const content = new Uint8Array(sizeBytes);
  volume.fs.readSync(descriptor, content, 0, sizeBytes, 0);
  if (Buffer.compare(content, expected) !== 0) throw new Error(`${story}: the content differs`);
}

export function checkVolume(volume: Volume, when: string): void {
  const findings = [...volume.check()].map(({ message }) => message);
  if (findings.length > 0) throw new Error(`check ${when}: ${findings.slice(0, 5).join('; ')}`);
}

/**
 * Commits after removals, on a device that reads nothing meanwhile. A range that ended behind the last possible key of an inode made
 * staging look into the leaf after it, which need not be in memory; where that could not be read, the commit failed, and the volume latched.
 */
import { DeviceError, ForwardingDevice, MemoryDevice } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const tuning = { autoCommitMilliseconds: 0, cacheBytes: 16 * 512 };
const FILE_COUNT = 40;

/** Fails all reads when told to. */
class DeafDevice extends ForwardingDevice {
  isDeaf = false;

  override readSync(position: number, buffers: readonly Uint8Array[]): void {
    if (this.isDeaf) throw new DeviceError({ operation: 'read', position }, 'nothing is read');
    super.readSync(position, buffers);
  }
}

/** An image with files, links and directories of many names, some small and some not. */
function makeImage(): Uint8Array {
  const device = new MemoryDevice({ maxSizeBytes: 64 << 20 });
  const volume = Volume.create(device, { ...tuning, blockSize: 512 });
  const { fs } = volume;
  for (let i = 0; i < FILE_COUNT; i++) {
    fs.writeFileSync(`/file ${i}`, new Uint8Array((i * 37) % 128).fill(i));
    fs.symlinkSync('x'.repeat(40 + i), `/link ${i}`);
    fs.mkdirSync(`/folder ${i}`);
    for (let j = 0; j < i % 14; j++) fs.linkSync(`/file ${i}`, `/folder ${i}/name ${j}`);
  }
  volume.closeSync();
  return device.snapshot();
}

const image = makeImage();

function commitAfter(change: (volume: Volume) => void): void {
  const device = new DeafDevice(MemoryDevice.fromImage(image, { maxSizeBytes: 64 << 20 }));
  const volume = Volume.open(device, tuning);
  change(volume);
  device.isDeaf = true;
  volume.commitSync();
  device.isDeaf = false;
  expect([...volume.check()]).toEqual([]);
  volume.closeSync();
}

describe('a commit reads nothing that it cannot do without', () => {
  it.each(['file', 'link'])('after the removal of a %s', (kind) => {
    for (let i = 0; i < FILE_COUNT; i++) {
      commitAfter(({ fs }) => {
        if (kind === 'file') for (let j = 0; j < i % 14; j++) fs.unlinkSync(`/folder ${i}/name ${j}`);
        fs.unlinkSync(`/${kind} ${i}`);
      });
    }
  });

  it('after the removal of a directory with all of its names', () => {
    for (let i = 0; i < FILE_COUNT; i++) commitAfter(({ fs }) => fs.rmSync(`/folder ${i}`, { recursive: true }));
  });

  it('after the removal of all names of a directory that stays', () => {
    for (let i = 0; i < FILE_COUNT; i++) {
      commitAfter(({ fs }) => {
        for (const name of fs.readdirSync(`/folder ${i}`) as string[]) fs.unlinkSync(`/folder ${i}/${name}`);
      });
    }
  });

  it('after the removal of many that follow each other', () => {
    for (let i = 0; i + 4 <= FILE_COUNT; i++) {
      commitAfter(({ fs }) => {
        for (let j = i; j < i + 4; j++) {
          fs.rmSync(`/folder ${j}`, { recursive: true });
          fs.unlinkSync(`/link ${j}`);
          fs.unlinkSync(`/file ${j}`);
        }
      });
    }
  });
});

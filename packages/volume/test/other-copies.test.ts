/** A device whose errors come from another copy of `@outwrite/blockdev`: the volume reacts to them as to its own. */
import { Volume } from '@outwrite/volume';
import { describe, expect, test, vi } from 'vitest';

type Blockdev = typeof import('@outwrite/blockdev');
type Device = InstanceType<Blockdev['MemoryDevice']>;

async function otherCopy(): Promise<Blockdev> {
  vi.resetModules();
  return await import('@outwrite/blockdev');
}

/** A committed volume with a file of several extents, and the device below it. */
function filled(blockdev: Blockdev): { device: Device; volume: Volume } {
  const device = new blockdev.MemoryDevice();
  const volume = Volume.create(device);
  for (let i = 0; i < 20; i++) volume.fs.writeFileSync(`/${i}`, new Uint8Array(20_000).fill(i + 1));
  volume.commitSync();
  return { device, volume };
}

describe('a device of another copy', () => {
  test('that is full is want of space, and latches nothing', async () => {
    const blockdev = await otherCopy();
    class FullDevice extends blockdev.ForwardingDevice {
      isFull = false;
      override grow(sizeBytes: number): void {
        if (this.isFull && sizeBytes > this.sizeBytes) throw new blockdev.NoSpaceError('the disk is full');
        super.grow(sizeBytes);
      }
    }
    const device = new FullDevice(new blockdev.MemoryDevice());
    const volume = Volume.create(device);
    volume.fs.writeFileSync('/small', 'small');
    volume.commitSync();
    device.isFull = true;
    const large = new Uint8Array(3_000_000);
    expect(() => volume.fs.writeFileSync('/large', large)).toThrow(/^ENOSPC/);
    await expect(volume.fs.promises.writeFile('/large', large)).rejects.toMatchObject({ code: 'ENOSPC' });
    device.isFull = false;
    volume.fs.writeFileSync('/large', large);
    await volume.close();
  });

  test('that cannot read is reported by checking and scrubbing, and does not keep the other superblock from use', async () => {
    const blockdev = await otherCopy();
    const { device, volume } = filled(blockdev);
    const image = device.snapshot();
    await volume.close();
    class BadDevice extends blockdev.ForwardingDevice {
      badFrom = 0;
      badTo = 512;
      override readSync(position: number, buffers: readonly Uint8Array[]): void {
        if (position >= this.badFrom && position < this.badTo) {
          throw new blockdev.DeviceError({ operation: 'read', position }, 'bad sector');
        }
        super.readSync(position, buffers);
      }
    }
    const bad = new BadDevice(blockdev.MemoryDevice.fromImage(image));
    const again = Volume.open(bad, { readOnly: true });
    expect(again.fs.readFileSync('/3')).toHaveLength(20_000);
    bad.badFrom = 200_000;
    bad.badTo = Number.POSITIVE_INFINITY;
    expect([...again.check()]).not.toEqual([]);
    const report = await again.scrub();
    expect(report.complete).toBe(true);
    expect(report.errorCount).toBeGreaterThan(0);
    await again.close();
  });
});

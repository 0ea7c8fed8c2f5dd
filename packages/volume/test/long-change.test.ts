/**
 * Found by the crash lab: while a change of a file spanned deltas, each of them wrote the file's record again, whether anything had changed
 * or not. On a small volume whose blocks cannot be reused meanwhile that took the room which checkpoints count on.
 */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const tuning = { autoCommitMilliseconds: 0 };

it('a change that spans deltas is no change of those in which nothing happens', async () => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const device = new SimulatedDevice({ hold: ({ lengthBytes }) => (lengthBytes >= 64 * 1024 ? held : undefined) });
  const volume = Volume.create(device, tuning);
  volume.fs.writeFileSync('/file', new Uint8Array(20_000).fill(1));
  const handle = await volume.fs.promises.open('/file', 'r+');
  const content = new Uint8Array(300_000).fill(2);
  const writing = handle.write(content, 0, content.length, 0);
  const delta = volume.commitSync();
  const { usedBlocks } = volume.stats().space;
  expect(volume.commitSync()).toBe(delta);
  volume.checkpointSync();
  volume.checkpointSync();
  expect(volume.commitSync()).toBe(delta);
  expect(volume.stats().space.usedBlocks).toBeLessThanOrEqual(usedBlocks + 10);
  release();
  await writing;
  const end = volume.commitSync();
  expect(end).toBeGreaterThan(delta);
  const again = Volume.open(new SimulatedDevice({ medium: device.medium.durableImage() }), tuning);
  expect(again.fs.statSync('/file').size).toBe(content.length);
  expect(again.fs.readFileSync('/file')).toEqual(content);
  expect([...again.check()]).toEqual([]);
  await handle.close();
  await volume.close();
});

it('the size of a file fits its content in every delta that a change spans', async () => {
  const releases: (() => void)[] = [];
  const device = new SimulatedDevice({
    hold: ({ lengthBytes }) =>
      lengthBytes >= 64 * 1024 ? new Promise<void>((resolve) => void releases.push(resolve)) : undefined,
  });
  const volume = Volume.create(device, tuning);
  const handle = await volume.fs.promises.open('/file', 'w+');
  const pieces = [1, 2, 3].map((value) => new Uint8Array(1 << 20).fill(value));
  const writing = handle.writev(pieces);
  let isWritten = false;
  void writing.then(() => {
    isWritten = true;
  });
  const sizes = new Set<number>();
  while (!isWritten) {
    volume.commitSync();
    const again = Volume.open(new SimulatedDevice({ medium: device.medium.durableImage() }), tuning);
    sizes.add(again.fs.statSync('/file').size);
    expect([...again.check()]).toEqual([]);
    for (const release of releases.splice(0)) release();
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
  volume.commitSync();
  const again = Volume.open(new SimulatedDevice({ medium: device.medium.durableImage() }), tuning);
  expect(again.fs.statSync('/file').size).toBe(3 << 20);
  expect([...again.check()]).toEqual([]);
  expect([...sizes]).toEqual(expect.arrayContaining([0, 1 << 20, 2 << 20]));
  await handle.close();
  await volume.close();
});

/**
 * The position of a file after a write that was refused: never beyond what was written.
 */
import { MemoryDevice } from '@outwrite/blockdev';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FileHandle, Volume } from '../src/index.ts';

let volume: Volume;

beforeEach(() => {
  volume = Volume.create(new MemoryDevice({ maxSizeBytes: 4 << 20 }), { autoCommitMilliseconds: 0 });
});

afterEach(async () => {
  expect([...volume.check()]).toEqual([]);
  await volume.close();
});

const tooLarge = new Uint8Array(8 << 20).fill(1);

/** Where the next read begins. */
function positionOf(handle: FileHandle): number {
  const size = volume.fs.fstatSync(handle.fd).size;
  return size - volume.fs.readFileSync(handle.fd).length;
}

it('is where the write began', async () => {
  for (const flags of ['w+', 'a+']) {
    const handle = await volume.fs.promises.open('/f', flags);
    volume.fs.ftruncateSync(handle.fd, 0);
    await handle.write('12345');
    await expect(handle.write(tooLarge)).rejects.toThrow('ENOSPC');
    expect(positionOf(handle)).toBe(5);
    expect(() => volume.fs.writeSync(handle.fd, tooLarge)).toThrow('ENOSPC');
    await handle.close();
    volume.fs.unlinkSync('/f');
  }
});

it('goes back over all writes that were refused, and never over one that was not', async () => {
  const handle = await volume.fs.promises.open('/f', 'w+');
  await handle.write('12345');
  const refused = await Promise.allSettled([handle.write(tooLarge), handle.write(tooLarge)]);
  expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(positionOf(handle)).toBe(5);
  volume.fs.ftruncateSync(handle.fd, 5);
  await handle.close();
  const again = await volume.fs.promises.open('/f', 'r+');
  const results = await Promise.allSettled([again.write(tooLarge), again.write('abc')]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  await again.write('def');
  expect(new TextDecoder().decode(volume.fs.readFileSync('/f').subarray(8 << 20))).toBe('abcdef');
  await again.close();
});

/**
 * Many writes from the caller's memory at once on a volume that they nearly fill: what succeeds is whole, and what fails leaves nothing.
 */
import { MemoryDevice, NoSpaceError } from '@outwrite/blockdev';
import { describe, expect, it } from 'vitest';
import { expectBytes, Harness, pattern } from './harness.ts';

const MIB = 1024 * 1024;
const LENGTH_BYTES = 503943;
const FIRST_FILE_ID = 100;

/** Writes so many files at once; true for each that was written. */
async function writeFiles(harness: Harness, count: number, seed: number, sizeBytes = 0): Promise<boolean[]> {
  const results = await Promise.allSettled(
    Array.from({ length: count }, async (_, i) => {
      const file = harness.maps.open(FIRST_FILE_ID + i, sizeBytes, { isNew: sizeBytes === 0 });
      try {
        await file.writeAsync(0, pattern(seed + i, LENGTH_BYTES));
      } finally {
        file.close();
      }
    }),
  );
  for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(NoSpaceError);
  return results.map(({ status }) => status === 'fulfilled');
}

function expectFiles(harness: Harness, written: readonly boolean[], seed: number): void {
  for (const [i, isWritten] of written.entries()) {
    const file = harness.maps.open(FIRST_FILE_ID + i, isWritten ? LENGTH_BYTES : 0);
    const bytes = new Uint8Array(isWritten ? LENGTH_BYTES : 0);
    expect(file.read(0, bytes)).toBe(bytes.length);
    if (isWritten) expectBytes(bytes, pattern(seed + i, LENGTH_BYTES));
    file.close();
  }
}

function removeFiles(harness: Harness, count: number): void {
  for (let i = 0; i < count; i++) while (!harness.maps.remove(FIRST_FILE_ID + i).done);
}

describe('writes at once on a nearly full volume', () => {
  it('all fit that would fit one after the other', async () => {
    const harness = new Harness({ device: new MemoryDevice({ maxSizeBytes: 6 * MIB }) });
    const free = harness.freeBlocks();
    const written = await writeFiles(harness, 10, 1);
    expect(written).toEqual(new Array(10).fill(true));
    harness.commit();
    expectFiles(harness, written, 1);
    removeFiles(harness, 10);
    expect(harness.freeBlocks()).toBe(free);
  });

  it.each([2, 3, 4, 5, 6])('are whole or have taken nothing (%i MiB)', async (sizeMebibytes) => {
    const harness = new Harness({ device: new MemoryDevice({ maxSizeBytes: sizeMebibytes * MIB }) });
    const free = harness.freeBlocks();
    const written = await writeFiles(harness, 14, 3);
    expect(written).toContain(true);
    expect(written).toContain(false);
    harness.commit();
    expectFiles(harness, written, 3);
    removeFiles(harness, 14);
    expect(harness.freeBlocks()).toBe(free);
  });

  it('in the place of other content wait for the room that earlier ones give back', async () => {
    const harness = new Harness({ device: new MemoryDevice({ maxSizeBytes: 4 * MIB }) });
    const free = harness.freeBlocks();
    expect(await writeFiles(harness, 4, 1)).toEqual(new Array(4).fill(true));
    harness.commit();
    const written = await writeFiles(harness, 4, 5, LENGTH_BYTES);
    expect(written).toEqual(new Array(4).fill(true));
    expectFiles(harness, written, 5);
    removeFiles(harness, 4);
    expect(harness.freeBlocks()).toBe(free);
  });
});

/** Space that is zeroed ahead of small commits near the end of a volume: it is nobody else's meanwhile, so it must not be what others were promised. */
import { SimulatedDevice } from '@outwrite/blockdev/testing';
import { describe, expect, it } from 'vitest';
import { Volume } from '../src/index.ts';

const BLOCK_BYTES = 512;

/** Microtasks, so that what is in flight gets on. */
async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

describe('zeroing ahead while changes wait for the next commit', () => {
  it.each([
    [3200, 1400],
    [3400, 1500],
    [3600, 1500],
  ])(
    'leaves what they were promised, in a volume of %i blocks of which %i are used',
    async (blockCount, usedBlocks) => {
      let isHeld = true;
      const held: (() => void)[] = [];
      const device = new SimulatedDevice({
        trace: false,
        hold: () => (isHeld ? new Promise<void>((letGo) => held.push(letGo)) : undefined),
      });
      const volume = Volume.create(device, {
        blockSize: BLOCK_BYTES,
        maxBytes: blockCount * BLOCK_BYTES,
        autoCommitMilliseconds: 0,
      });
      const { fs } = volume;
      for (let i = 0; volume.stats().space.usedBlocks < usedBlocks; i++) {
        fs.writeFileSync(`/large ${i}`, new Uint8Array(100 * BLOCK_BYTES));
        volume.commitSync();
      }
      fs.writeFileSync('/last', new Uint8Array(300 * BLOCK_BYTES));
      const committing = volume.commit();
      await turns();
      for (let i = 0; i < 400; i++) fs.writeFileSync(`/${i}`, new Uint8Array(300).fill(i));
      held.shift()!();
      await committing;
      await turns();
      // Zeros are under way now, or not; what was let in is committed all the same, and something can be removed.
      volume.commitSync();
      fs.unlinkSync('/large 0');
      volume.commitSync();
      isHeld = false;
      for (const letGo of held) letGo();
      await turns();
      expect([...volume.check()]).toEqual([]);
      expect(fs.readdirSync('/').filter((name) => /^\d+$/.test(name))).toHaveLength(400);
      const { space } = volume.stats();
      expect(space.usedBlocks + space.freeBlocks + space.waitingBlocks + space.reservedBlocks).toBe(blockCount);
      await volume.close();
    },
  );
});

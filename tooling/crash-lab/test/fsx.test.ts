/**
 * One file against an array of bytes, and three actors against a model, for blocks of two sizes.
 *
 * `OUTWRITE_FSX_SECONDS=<number>` makes each run longer than its second.
 */
import { Random, testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { runOneFile } from '../src/fsx/one-file.ts';
import { runThreeActors } from '../src/fsx/three-actors.ts';

const seconds = Number(process.env['OUTWRITE_FSX_SECONDS'] ?? 1.5);

/** Says when the time is over. */
function timer(): () => boolean {
  const end = Date.now() + seconds * 1000;
  return () => Date.now() > end;
}

describe.each([512, 4096])('blocks of %d bytes', (blockBytes) => {
  it('one file', { timeout: 60_000 + 2000 * seconds }, () => {
    const random = new Random(testSeed(`one file, blocks of ${blockBytes}`));
    expect(runOneFile(blockBytes, random, timer())).toBeGreaterThan(0);
  });

  it('three actors', { timeout: 60_000 + 2000 * seconds }, async () => {
    const random = new Random(testSeed(`three actors, blocks of ${blockBytes}`));
    expect(await runThreeActors(blockBytes, random, timer())).toBeGreaterThan(0);
  });
});

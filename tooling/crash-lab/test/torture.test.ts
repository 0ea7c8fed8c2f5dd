/**
 * A short run of the torture.
 */
import { testSeed } from '@outwrite/testkit';
import { describe, expect, it } from 'vitest';
import { torture } from '../src/torture.ts';

describe('killed processes', () => {
  it('lose nothing', { timeout: 120_000 }, async () => {
    const { losses, killCount } = await torture({ seconds: 4, seed: testSeed('torture') });
    expect(losses).toEqual([]);
    expect(killCount).toBeGreaterThan(0);
  });
});

/** The benchmarks run, in miniature, so that they cannot rot. */
import { expect, it } from 'vitest';
import { benchCommit } from '../bench/commit.ts';

it('the commit benchmark measures both styles', async () => {
  const figures = await benchCommit({ rounds: 1, commits: 3 });
  expect(figures.map(({ style }) => style)).toEqual(['sync', 'async']);
  for (const { log, raw } of figures) expect(Math.min(log, raw)).toBeGreaterThan(0);
});

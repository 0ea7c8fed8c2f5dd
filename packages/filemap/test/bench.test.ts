/** The benchmarks run, in miniature, so that they cannot rot. */
import { expect, it } from 'vitest';
import { benchFile } from '../bench/file-operations.ts';

it.each([512, 4096, 16384])('the file benchmark has a figure for every verb (%i)', (blockSize) => {
  const figures = benchFile({ sizeBytes: 2 * 1024 * 1024, operationCount: 100, blockSize, cacheBytes: 1024 * 1024 });
  expect(figures.map(({ verb }) => verb)).toContain('redirect-random');
  for (const { value } of figures) expect(value).toBeGreaterThan(0);
});

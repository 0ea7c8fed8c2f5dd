/** The benchmarks run, in miniature, so that they cannot rot. */
import { expect, it } from 'vitest';
import { benchTree } from '../bench/tree-operations.ts';

it('the benchmark of a tree measures every operation', () => {
  const figures = benchTree({ entryCount: 3000, operationCount: 500, blockSize: 1024 });
  expect(figures.length).toBe(14);
  for (const { operationsPerSecond } of figures) expect(operationsPerSecond).toBeGreaterThan(0);
});

/** The benchmarks run, small, so that they cannot rot. */
import { expect, test } from 'vitest';
import { benchChanges, benchLookUps, benchWriteBack, SMALL_SCALE } from '../bench/cache-operations.ts';

test.each([
  { bench: benchLookUps, lineCount: 4 },
  { bench: benchChanges, lineCount: 4 },
  { bench: benchWriteBack, lineCount: 2 },
])('$bench.name runs', ({ bench, lineCount }) => {
  const measurements = bench(SMALL_SCALE);
  expect(measurements).toHaveLength(lineCount);
  for (const { name, nanoseconds } of measurements) expect(nanoseconds, name).toBeGreaterThan(0);
});

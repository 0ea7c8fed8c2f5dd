/** Runs the benchmarks of this package and prints one line for each; `pnpm --filter @outwrite/buffer-cache bench`. */
import { benchChanges, benchLookUps, benchWriteBack, FULL_SCALE } from './cache-operations.ts';

for (const bench of [benchLookUps, benchChanges, benchWriteBack]) {
  for (const { name, nanoseconds } of bench(FULL_SCALE)) {
    console.log(`${name.padEnd(60)}${nanoseconds.toFixed(1).padStart(10)} ns`);
  }
}

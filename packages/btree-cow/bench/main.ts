/** Runs the benchmarks of this package and prints one line for each; `pnpm --filter @outwrite/btree-cow bench [entries]`. */
import { benchTree } from './tree-operations.ts';

const entryCount = Number(process.argv[2] ?? 1_000_000);
for (const { name, operationsPerSecond } of benchTree({ entryCount, operationCount: entryCount / 2 })) {
  console.log(`${name.padEnd(34)} ${Math.round(operationsPerSecond).toLocaleString('en').padStart(12)} a second`);
}

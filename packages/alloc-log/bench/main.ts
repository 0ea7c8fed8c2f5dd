/** Runs the benchmarks of this package and prints one line for each; `pnpm --filter @outwrite/alloc-log bench`. */
import { benchCommit } from './commit.ts';

for (const { style, log, raw } of await benchCommit({ rounds: 7, commits: 500 })) {
  console.log(
    `${style} commits a second: ${log.toFixed(0)}, raw limit ${raw.toFixed(0)}, ratio ${(log / raw).toFixed(2)}`,
  );
}

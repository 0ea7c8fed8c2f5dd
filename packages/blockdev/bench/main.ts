/** Runs all benchmarks of this package and prints one line for each; `pnpm --filter @outwrite/blockdev bench`. */
import { benchChecksum } from './checksum.ts';
import { benchCompare } from './compare.ts';
import { benchDevices } from './devices.ts';
import { FULL_EFFORT, shown } from './measure.ts';

for (const results of [benchChecksum(FULL_EFFORT), benchCompare(FULL_EFFORT), await benchDevices(FULL_EFFORT)]) {
  for (const measurement of results) console.log(shown(measurement));
  console.log();
}

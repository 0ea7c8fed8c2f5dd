/** Runs the benchmarks of this package and prints one line for each; `pnpm --filter @outwrite/volume bench [files]`. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { benchSmallFiles } from './small-files.ts';

const files = Number(process.argv[2] ?? 20_000);
const memoryFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
console.log(
  `${files} files of 1 KiB in 20 directories; operations a second, and the ratio to node:fs in ${memoryFolder}`,
);
for (const { verb, volume, folder } of benchSmallFiles(
  { files, directories: 20, sizeBytes: 1024, rounds: 5 },
  memoryFolder,
)) {
  const rate = Math.round(volume).toLocaleString('en').padStart(12);
  console.log(`${verb.padEnd(8)} ${rate} ${(volume / folder).toFixed(2).padStart(8)}`);
}

/** Runs the benchmarks of this package and prints a line for each figure; `pnpm --filter @outwrite/filemap bench`. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileDevice } from '@outwrite/blockdev/node';
import { benchFile, type FileFigure } from './file-operations.ts';

const MIB = 1024 * 1024;
const effort = { sizeBytes: 256 * MIB, operationCount: 20_000 };

function print(where: string, figures: FileFigure[]): void {
  for (const { verb, unit, value } of figures)
    console.log(`${where}  ${verb.padEnd(26)} ${value.toFixed(0).padStart(9)} ${unit}`);
}

print('memory', benchFile(effort));
const path = join(tmpdir(), `outwrite-bench-filemap-${process.pid}`);
try {
  print('disk  ', benchFile({ ...effort, device: openFileDevice(path, { create: true }) }));
} finally {
  rmSync(path, { force: true });
}

/**
 * A volume that holds the sample tree, in a folder of its own, for tests of what looks at volumes.
 */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outwriteOk } from './command-run.ts';
import { writeSampleTree } from './sample-tree.ts';

export interface SampleVolume {
  /** For the caller to remove. */
  readonly folder: string;
  /** Path of the volume. */
  readonly volume: string;
}

export async function makeSampleVolume(): Promise<SampleVolume> {
  const folder = mkdtempSync(join(tmpdir(), 'outwrite-cli-'));
  const volume = join(folder, 'test.ow');
  const source = join(folder, 'source');
  mkdirSync(source);
  writeSampleTree(source);
  await outwriteOk(['import', '--create', '--quiet', volume, source]);
  return { folder, volume };
}

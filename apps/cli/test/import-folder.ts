/**
 * A folder for each test of a file, with a directory to bring in and a place for a volume.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

export interface ImportFolder {
  readonly folder: string;
  /** An empty directory. */
  readonly source: string;
  /** Nothing is there yet. */
  readonly volume: string;
}

/** Makes the folder before each test, hands it to `use`, and removes it afterwards. */
export function withImportFolder(use: (made: ImportFolder) => void): void {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outwrite-cli-'));
    const source = join(folder, 'source');
    mkdirSync(source);
    use({ folder, source, volume: join(folder, 'test.ow') });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
}

/**
 * A killed import: what was acknowledged is there, exactly, and running the import again finishes it.
 *
 * The seed of each run is in its name; `OUTWRITE_SEED=<number> npx vitest run test/killed-import.test.ts` runs that one.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openVolume } from '@outwrite/volume/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importAndKill } from '../src/demo/importing-process.ts';
import { findPrefix } from '../src/demo/prefix-check.ts';
import { SeededRandom } from '../src/demo/seeded-random.ts';
import { hostTree } from '../src/transfer/host-tree.ts';
import { acknowledgedStepCount, readJournal } from '../src/transfer/import-journal.ts';
import { TreeComparison } from '../src/transfer/tree-comparison.ts';
import { volumeTree } from '../src/transfer/volume-tree.ts';
import { outwrite, outwriteOk, SOURCE_FLAGS } from './command-run.ts';
import { writeRandomTree } from './sample-tree.ts';

/** The source does not change meanwhile. */
const NEVER = 2n ** 63n;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outwrite-cli-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const seeds = process.env['OUTWRITE_SEED'] === undefined ? [1, 2] : [Number(process.env['OUTWRITE_SEED'])];

describe('an import that is killed', () => {
  it.each(seeds)('leaves an acknowledged state or a later one, and can be finished (seed %d)', async (seed) => {
    const random = new SeededRandom(seed);
    const source = join(folder, 'source');
    mkdirSync(source);
    writeRandomTree(source, random, 400);
    const volumeFile = join(folder, 'test.ow');
    let mostAcknowledged = 0;
    for (let kill = 1; kill <= 2; kill++) {
      const journalFile = join(folder, `journal-${kill}`);
      await importAndKill(
        { volumeFile, sourcePath: source, journalFile, commitEvery: '256K', commitSteps: 10, nodeFlags: SOURCE_FLAGS },
        random.between(0, 300),
      );
      if (!existsSync(volumeFile)) continue;
      mostAcknowledged = Math.max(mostAcknowledged, acknowledgedStepCount(readJournal(journalFile)));
      const volume = await openVolume(volumeFile);
      expect([...volume.check()].filter(({ severity }) => severity === 'error')).toEqual([]);
      const state = findPrefix(hostTree(source), volumeTree(volume, '/'), NEVER);
      await volume.close();
      expect(state.differences).toEqual([]);
      expect(state.completeSteps).toBeGreaterThanOrEqual(mostAcknowledged);
    }
    await outwriteOk(['import', '--create', volumeFile, source]);
    expect((await outwrite(['check', volumeFile])).exitCode).toBe(0);
    const volume = await openVolume(volumeFile, { readOnly: true });
    const comparison = new TreeComparison(hostTree(source), volumeTree(volume, '/'), { timeToleranceNs: 0n });
    expect([...comparison.differences()]).toEqual([]);
    await volume.close();
  });

  it('the check of the state sees what does not belong to it', async () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    writeRandomTree(source, new SeededRandom(9), 60);
    const volumeFile = join(folder, 'test.ow');
    await outwriteOk(['import', '--create', volumeFile, source]);
    const volume = await openVolume(volumeFile);
    const tree = volumeTree(volume, '/');
    const complete = findPrefix(hostTree(source), tree, NEVER);
    expect(complete).toMatchObject({ differences: [], partialPath: undefined });
    expect(complete.completeSteps).toBe(complete.totalSteps);

    const first = volume.fs.readdirSync('/').sort()[0];
    volume.fs.renameSync(`/${first}`, '/moved');
    expect(findPrefix(hostTree(source), tree, NEVER).differences.length).toBeGreaterThan(0);
    volume.fs.renameSync('/moved', `/${first}`);
    volume.fs.writeFileSync('/extra', 'x');
    expect(findPrefix(hostTree(source), tree, NEVER).differences).toEqual([
      { path: 'extra', problem: 'is there, but should not be' },
    ]);
    await volume.close();
  });
});

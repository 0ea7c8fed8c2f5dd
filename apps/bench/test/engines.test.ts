/**
 * Every workload on every engine at tiny sizes, in this process: they run, and all engines come to the same results.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineDescription } from '../src/engine.ts';
import { ENGINES } from '../src/engines/registry.ts';
import { doJob, probe } from '../src/job.ts';
import { memoryFolder } from '../src/machine.ts';
import type { Figure } from '../src/results.ts';
import { differingResults } from '../src/run.ts';
import { fullCaseName, takesPart, type Workload } from '../src/workload.ts';
import { WORKLOADS } from '../src/workloads/registry.ts';
import { figure } from './synthetic-results.ts';

const folders = { disk: '', memory: '' };
let working: EngineDescription[] = [];

beforeAll(async () => {
  folders.disk = mkdtempSync(join(tmpdir(), 'bench-test-'));
  const inMemory = memoryFolder();
  if (inMemory !== null) folders.memory = mkdtempSync(join(inMemory, 'bench-test-'));
  const reports = await probe(ENGINES);
  working = ENGINES.filter((engine) => reports.find(({ id }) => id === engine.id)!.problem === null);
  for (const { id, problem } of reports) if (problem !== null) console.warn(`${id} is left out: ${problem}`);
});

afterAll(() => {
  rmSync(folders.disk, { recursive: true, force: true });
  if (folders.memory !== '') rmSync(folders.memory, { recursive: true, force: true });
});

async function measure(workload: Workload, engine: EngineDescription): Promise<readonly Figure[]> {
  const place = engine.place === 'memory' ? folders.memory : folders.disk;
  const job = { workload: workload.name, engineId: engine.id, scale: 'tiny' } as const;
  const folder = join(place, 'work');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  if (workload.base !== undefined) {
    const base = join(place, `${workload.base.name}-${engine.id}`);
    if (mkdirSync(base, { recursive: true }) !== undefined) await doJob({ kind: 'base', ...job, folder: base });
    cpSync(base, folder, { recursive: true });
  }
  const result = await doJob({ kind: 'measure', round: 1, checkResults: true, ...job, folder });
  if (result.kind !== 'figures') throw new Error(`${workload.name} on ${engine.id} gave no figures`);
  return result.figures;
}

describe('workloads', () => {
  it('have unique names, and cases with unique names', () => {
    const names = WORKLOADS.flatMap((workload) => workload.cases.map((part) => fullCaseName(workload, part)));
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(WORKLOADS.map(({ name }) => name)).size).toBe(WORKLOADS.length);
  });

  // Those with a crash need processes of their own; the test of runs has them. Of the aged ones those that add a base or a surface.
  const repeated = /^aged\/(?:append-|tree|kv8\/(?:read-seq|overwrite)|kv40\/)/;
  for (const workload of WORKLOADS.filter(({ crash, name }) => crash === undefined && !repeated.test(name))) {
    it(`${workload.name}: every engine does the same`, async () => {
      const figures: Figure[] = [];
      for (const engine of working.filter((candidate) => takesPart(candidate, workload))) {
        const measured = await measure(workload, engine);
        const wanted = workload.cases.filter(({ name }) => !(engine.volatile && name === 'read-cold'));
        expect(measured.map(({ caseName }) => caseName)).toEqual(wanted.map((part) => fullCaseName(workload, part)));
        for (const { value } of measured) expect(value).toBeGreaterThan(0);
        figures.push(...measured);
      }
      expect(differingResults(figures)).toEqual([]);
    });
  }
});

describe('an engine that is not what it should be', () => {
  it('is found by its result', () => {
    const figures = ['lmdb', 'sqlite', 'level'].map((engineId) =>
      figure('kv8/read-seq', engineId, 1, 100, { resultHash: engineId === 'level' ? '1:bad' : '1:good' }),
    );
    expect(differingResults(figures)).toEqual([
      {
        caseName: 'kv8/read-seq',
        engineId: 'level',
        round: 1,
        message: 'result 1:bad differs from 1:good of the others',
      },
    ]);
  });

  it('is reported when its package cannot be loaded, and keeps no other from being loaded', async () => {
    const missing: EngineDescription = {
      ...ENGINES.find(({ id }) => id === 'lmdb')!,
      id: 'missing',
      load: async () => {
        throw new Error("Cannot find package 'missing'\nand where it was looked for");
      },
    };
    const raw = ENGINES.find(({ id }) => id === 'raw')!;
    const reports = await probe([missing, raw]);
    expect(reports.map(({ id, problem }) => [id, problem])).toEqual([
      ['missing', "Cannot find package 'missing'"],
      ['raw', null],
    ]);
  });
});

/**
 * Runs with processes of their own, and the command line over them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOALS } from '../src/goals/goal-table.ts';
import { readResults, writeResults } from '../src/results.ts';
import { probeEngines, run } from '../src/run.ts';
import { patternMatcher, select } from '../src/workload.ts';
import { WORKLOADS } from '../src/workloads/registry.ts';
import { figure, results } from './synthetic-results.ts';

const benchFolder = fileURLToPath(new URL('..', import.meta.url));
const execArgv = ['--conditions=@outwrite/source', '--import', 'tsx'];
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-run-test-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function bench(...commandArguments: string[]): { status: number | null; stdout: string; stderr: string } {
  const command = [...execArgv, join(benchFolder, 'src', 'main.ts'), ...commandArguments];
  return spawnSync(process.execPath, command, { cwd: benchFolder, encoding: 'utf8' });
}

describe('a run', () => {
  it('alternates the engines over the rounds, kills and recovers, and leaves no folder behind', async () => {
    const order: string[] = [];
    const measured = await run({
      workloads: select(WORKLOADS, 'recovery/100').workloads,
      scale: 'tiny',
      rounds: 2,
      engineIds: ['sqlite', 'level', 'node-fs'],
      folder,
      child: { execArgv },
      progress: ({ round, engineId }) => order.push(`${round} ${engineId}`),
    });
    expect(measured.failures).toEqual([]);
    const loaded = measured.engines
      .filter(({ id, problem }) => problem === null && id !== 'node-fs')
      .map(({ id }) => id);
    expect(loaded.length).toBeGreaterThan(0);
    const reversed = loaded.length === 2 ? [loaded[1], loaded[0]] : loaded;
    expect(order).toEqual([...loaded.map((id) => `1 ${id}`), ...reversed.map((id) => `2 ${id}`)]);
    expect(measured.figures.map(({ unit }) => unit)).toEqual(order.map(() => 'ms'));
    const path = join(folder, 'results.json');
    writeResults(path, measured);
    expect(readResults(path)).toEqual(measured);
    expect(readFileSync(path, 'utf8')).not.toContain(folder);
  });

  it('begins no round that would end after the limit', async () => {
    const measured = await run({
      workloads: select(WORKLOADS, 'append-1-sync').workloads,
      scale: 'tiny',
      rounds: 3,
      limitSeconds: 0.01,
      engineIds: ['raw'],
      folder,
      child: { execArgv },
    });
    expect(measured.rounds).toBe(1);
    expect(measured.figures.map(({ round }) => round)).toEqual([1]);
  });

  it('says how a process ended that gave no answer', async () => {
    const measured = await run({
      workloads: select(WORKLOADS, 'append-1-sync').workloads,
      scale: 'tiny',
      rounds: 1,
      engineIds: ['raw'],
      folder,
      child: { execArgv, env: { NODE_OPTIONS: '--max-old-space-size=1' } },
    }).catch((error: Error) => error);
    // With a heap of 1 MiB not even the probe of the engines answers.
    expect(measured).toBeInstanceOf(Error);
    expect((measured as Error).message).toMatch(/ended with|signal/);
  });

  it('finds the engines of this machine', async () => {
    const engines = await probeEngines({ execArgv });
    expect(engines.find(({ id }) => id === 'raw')).toMatchObject({ problem: null, role: 'limit' });
  });
});

describe('patterns', () => {
  it('match a whole name alone, parts of names, or anything for a star', () => {
    const namesOf = (pattern: string): string[] => select(WORKLOADS, pattern).workloads.map(({ name }) => name);
    expect(namesOf('append-1-sync')).toEqual(['append-1-sync']);
    expect(namesOf('end-1-sync')).toEqual(['append-1-sync', 'aged/append-1-sync']);
    expect(select(WORKLOADS, 'small-files/stat').wants('small-files/read')).toBe(false);
    expect(select(WORKLOADS, 'small-files').wants('small-files/read')).toBe(true);
    expect(namesOf('append-1-*')).toEqual(['append-1-sync', 'append-1-async']);
    expect(namesOf('SMALL-FILES/STAT')).toContain('small-files');
    expect(namesOf('nothing-like-it')).toEqual([]);
    expect(patternMatcher('a.b')('axb')).toBe(false);
  });
});

describe('results files', () => {
  it('that are none are refused with what is wrong', () => {
    const path = join(folder, 'bad.json');
    for (const [text, message] of [
      ['{', 'cannot be read as JSON'],
      ['{}', 'not a results file'],
      [JSON.stringify({ ...results([]), figures: [{ caseName: 1 }] }), 'parts missing'],
      [JSON.stringify({ ...results([]), scale: 'huge' }), 'parts missing'],
    ] as const) {
      writeFileSync(path, text);
      expect(() => readResults(path)).toThrow(message);
    }
    expect(() => readResults(join(folder, 'absent.json'))).toThrow('absent.json');
  });
});

describe('the command', () => {
  it('lists as JSON', () => {
    const { status, stdout } = bench('list', '--json');
    expect(status).toBe(0);
    const listed = JSON.parse(stdout) as { workloads: { name: string }[]; engines: { id: string }[] };
    expect(listed.workloads.map(({ name }) => name)).toEqual(WORKLOADS.map(({ name }) => name));
  });

  it('runs a pattern, prints a table and writes JSON', () => {
    const path = join(folder, 'append.json');
    const { status, stdout } = bench(
      'run',
      'append-1-s*',
      '--scale',
      'tiny',
      '--engine',
      'raw,node-fs',
      '--json',
      path,
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/append-1-sync: Durable append of 4 KiB, 1 task, synchronous\nengine/);
    expect(
      readResults(path)
        .figures.map(({ engineId }) => engineId)
        .sort(),
    ).toEqual(['node-fs', 'raw']);
  });

  it('says of goals what was not measured, and exits with 1', () => {
    const path = join(folder, 'one.json');
    writeResults(path, results([figure('append-1-sync', 'raw', 1, 100), figure('append-1-sync', 'outwrite', 1, 95)]));
    const { status, stdout } = bench('goals', '--from', path);
    expect(status).toBe(1);
    expect(stdout).toMatch(/met +durable 4 KiB append, 1 task +outwrite, append-1-sync +0.9 times raw +0.95x/);
    const [, metCount, goalCount, unmeasuredCount] =
      /(\d+) of (\d+) goals are met, (\d+) were not measured/.exec(stdout) ?? [];
    expect(Number(metCount)).toBeGreaterThanOrEqual(1);
    expect(Number(unmeasuredCount)).toBe(stdout.match(/^not measured/gm)?.length);
    expect(Number(goalCount)).toBe(GOALS.length);
  });

  it('writes the report', () => {
    const path = join(folder, 'report-input.json');
    const page = join(folder, 'report.html');
    writeResults(path, results([figure('append-1-sync', 'raw', 1, 100)]));
    const { status } = bench('report', path, '--output', page);
    expect(status).toBe(0);
    expect(readFileSync(page, 'utf8')).toContain('<!doctype html>');
  });

  it('ends wrong use with 2 and a message', () => {
    for (const [wrong, message] of [
      [['run', 'nothing-like-it'], 'no workload matches'],
      [['run', '--rounds', '0'], 'whole number'],
      [['run', '--engine', 'oracle'], 'no engine'],
      [['frobnicate'], 'unknown command'],
    ] as const) {
      const { status, stderr } = bench(...wrong);
      expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });

  it('ends with 1 for a file that is none', () => {
    const { status, stderr } = bench('report', join(folder, 'absent.json'));
    expect(status).toBe(1);
    expect(stderr).toContain('absent.json');
  });
});

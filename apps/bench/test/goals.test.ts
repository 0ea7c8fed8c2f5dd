import { describe, expect, it } from 'vitest';
import { ENGINES } from '../src/engines/registry.ts';
import { casesOf, checkGoals, workloadsFor } from '../src/goals/goal-check.ts';
import { GOALS, type Goal } from '../src/goals/goal-table.ts';
import { installScripts } from '../src/goals/install-size.ts';
import type { Figure } from '../src/results.ts';
import { fullCaseName } from '../src/workload.ts';
import { WORKLOADS } from '../src/workloads/registry.ts';
import { figure, results } from './synthetic-results.ts';

const MIB = 1024 * 1024;

async function check(goal: Goal, figures: readonly Figure[]): Promise<[boolean | null, string]> {
  const [checked] = await checkGoals([goal], results(figures));
  return [checked!.isMet, checked!.measured];
}

describe('the table of goals', () => {
  const names = new Set(WORKLOADS.flatMap((workload) => workload.cases.map((part) => fullCaseName(workload, part))));
  const engineIds = new Set(ENGINES.map(({ id }) => id));

  it('names cases and engines that exist', () => {
    for (const goal of GOALS) {
      for (const name of casesOf(goal)) expect(names).toContain(name);
      if (goal.kind === 'ratio') for (const id of goal.against) expect(engineIds).toContain(id);
    }
  });

  it('needs none of the aged workloads, and at least one of each other group', () => {
    const needed = workloadsFor(GOALS, WORKLOADS).map(({ name }) => name);
    expect(needed.filter((name) => name.startsWith('aged/'))).toEqual([]);
    for (const group of [
      'append-',
      'kv8/',
      'kv40/',
      'small-files',
      'large-file',
      'tree',
      'recovery/',
      'commit-cost/',
    ]) {
      expect(needed.some((name) => name.startsWith(group))).toBe(true);
    }
  });
});

describe('checking', () => {
  const base = { row: 'a row', demand: 'a demand', subject: 'outwrite' };

  it('ratios against the best of several, within the rounds', async () => {
    const goal: Goal = { ...base, kind: 'ratio', caseName: 'append-100', against: ['lmdb', 'sqlite'], atLeast: 2 };
    const figures = [1, 2, 3].flatMap((round) => [
      figure('append-100', 'lmdb', round, 10 * round),
      figure('append-100', 'sqlite', round, 20 * round),
      figure('append-100', 'outwrite', round, 50 * round),
    ]);
    expect(await check(goal, figures)).toEqual([true, '2.50x (sqlite)']);
    expect(await check({ ...goal, atLeast: 2.6 }, figures)).toEqual([false, '2.50x (sqlite)']);
    expect(await check(goal, figures.slice(2))).toEqual([true, '2.50x (sqlite)']);
    expect(await check({ ...goal, against: ['level'] }, figures)).toEqual([null, 'level: not measured']);
    expect(await check(goal, [])).toEqual([null, 'lmdb, sqlite: not measured']);
  });

  it('flatness', async () => {
    const goal: Goal = { ...base, kind: 'flat', caseNames: ['commit-cost/empty', 'commit-cost/full-95'], atLeast: 0.8 };
    const [empty, full] = [100, 85].map((value, i) => figure(goal.caseNames[i]!, 'outwrite', 1, value));
    expect(await check(goal, [empty!, full!])).toEqual([true, 'slowest 0.85x of the fastest']);
    expect((await check({ ...goal, atLeast: 0.9 }, [empty!, full!]))[0]).toBe(false);
    expect((await check(goal, [empty!]))[0]).toBeNull();
  });

  it('quotients of counters', async () => {
    const caseName = 'kv8/overwrite-1';
    const goal: Goal = { ...base, kind: 'fact', caseName, dividend: ['a', 'b'], divisor: 'commits', atMost: 2.5 };
    const facts = { a: 200, b: 40, commits: 100 };
    expect(await check(goal, [figure(caseName, 'outwrite', 1, 1, { facts })])).toEqual([true, '2.400']);
    expect(await check(goal, [figure(caseName, 'outwrite', 1, 1, { facts: { ...facts, b: 60 } })])).toEqual([
      false,
      '2.600',
    ]);
    expect((await check(goal, [figure(caseName, 'outwrite', 1, 1)]))[0]).toBeNull();
  });

  it('values', async () => {
    const goal: Goal = { ...base, kind: 'value', caseName: 'recovery/at-bound', atMost: 50 };
    const figureOf = (value: number): Figure => figure('recovery/at-bound', 'outwrite', 1, value, { unit: 'ms' });
    expect(await check(goal, [figureOf(30)])).toEqual([true, '30.0 ms']);
    expect((await check(goal, [figureOf(60)]))[0]).toBe(false);
  });

  it('memory beyond the budget and the workload, in the worst case and round', async () => {
    const caseNames = ['tree/in', 'large-file/write'];
    const goal: Goal = { ...base, kind: 'memory', caseNames, without: 'node-fs', atMostBytes: 60 * MIB };
    // The budget at tiny sizes is 4 MiB, the process had 50 MB before.
    const taking = (caseName: string, engineId: string, round: number, mib: number): Figure =>
      figure(caseName, engineId, round, 1, { peakMemoryBytes: 50_000_000 + mib * MIB });
    const others = [
      taking('tree/in', 'node-fs', 1, 10),
      taking('tree/in', 'node-fs', 2, 14),
      taking('large-file/write', 'outwrite', 1, 50),
      taking('large-file/write', 'node-fs', 1, 2),
    ];
    const trees = [40, 80].map((mib, i) => taking('tree/in', 'outwrite', i + 1, mib));
    expect(await check(goal, [...trees, ...others])).toEqual([
      false,
      'budget plus 64.0 MiB, beside 12.0 MiB of the workload',
    ]);
    expect(await check(goal, [trees[0]!, ...others])).toEqual([
      true,
      'budget plus 44.0 MiB, beside 2.00 MiB of the workload',
    ]);
    expect(await check(goal, trees)).toEqual([null, 'node-fs: not measured']);
    expect(await check(goal, [...trees, ...others.slice(0, 2)])).toEqual([null, 'outwrite: not measured']);
  });

  it('install scripts: the core has none', () => {
    expect(installScripts()).toEqual([]);
  });
});

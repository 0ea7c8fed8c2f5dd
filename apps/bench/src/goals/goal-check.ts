/**
 * Holds measured results against the table of goals.
 */
import assert from 'node:assert/strict';
import { bestOf, speedRatio } from '../case-summary.ts';
import { formatBytes, formatNumber } from '../number-format.ts';
import { type Figure, figuresByEngine, type Results } from '../results.ts';
import { scaleOf } from '../scale.ts';
import { median } from '../statistics.ts';
import { fullCaseName, type Workload } from '../workload.ts';
import type { Goal } from './goal-table.ts';
import { bundleSize, installScripts } from './install-size.ts';

export interface GoalResult {
  readonly goal: Goal;
  readonly caseName: string;
  readonly subject: string;
  /** What was measured, in the goal's own terms. */
  readonly measured: string;
  /** Null: it was not measured, which counts as not met. */
  readonly isMet: boolean | null;
}

/** The names of the cases that a goal needs. */
export function casesOf(goal: Goal): readonly string[] {
  switch (goal.kind) {
    case 'ratio':
    case 'value':
    case 'fact':
      return [goal.caseName];
    case 'flat':
    case 'memory':
      return goal.caseNames;
    case 'install':
      return [];
  }
}

export function workloadsFor(goals: readonly Goal[], workloads: readonly Workload[]): Workload[] {
  const names = new Set(goals.flatMap(casesOf));
  return workloads.filter((workload) => workload.cases.some((part) => names.has(fullCaseName(workload, part))));
}

function figuresOf(results: Results, caseName: string, engineId: string): readonly Figure[] {
  return figuresByEngine(results, caseName).get(engineId) ?? [];
}

function notMeasured(goal: Goal, caseName: string, subject: string, why = 'not measured'): GoalResult {
  return { goal, caseName, subject, measured: why, isMet: null };
}

function checkRatio(goal: Goal & { kind: 'ratio' }, results: Results): GoalResult {
  const { caseName, subject } = goal;
  const base = bestOf(goal.against.map((engineId) => figuresOf(results, caseName, engineId)));
  if (base.length === 0) return notMeasured(goal, caseName, subject, `${goal.against.join(', ')}: not measured`);
  const ratio = speedRatio(figuresOf(results, caseName, subject), base);
  if (ratio === null) return notMeasured(goal, caseName, subject);
  const against = goal.against.length > 1 ? ` (${base[0]!.engineId})` : '';
  return { goal, caseName, subject, measured: `${formatNumber(ratio)}x${against}`, isMet: ratio >= goal.atLeast };
}

function checkFlat(goal: Goal & { kind: 'flat' }, results: Results): GoalResult {
  const caseName = goal.caseNames.join(', ');
  const series = goal.caseNames.map((name) => figuresOf(results, name, goal.subject));
  if (series.some((figures) => figures.length === 0)) return notMeasured(goal, caseName, goal.subject);
  const fastest = bestOf(series);
  const ratio = Math.min(...series.map((figures) => speedRatio(figures, fastest) ?? 0));
  const measured = `slowest ${formatNumber(ratio)}x of the fastest`;
  return { goal, caseName, subject: goal.subject, measured, isMet: ratio >= goal.atLeast };
}

function checkFact(goal: Goal & { kind: 'fact' }, results: Results): GoalResult {
  const { caseName, subject } = goal;
  const quotients: number[] = [];
  for (const { facts } of figuresOf(results, caseName, subject)) {
    const divisor = facts[goal.divisor] ?? 0;
    if (divisor > 0) quotients.push(goal.dividend.reduce((sum, name) => sum + (facts[name] ?? 0), 0) / divisor);
  }
  if (quotients.length === 0) return notMeasured(goal, caseName, subject);
  const value = median(quotients);
  return { goal, caseName, subject, measured: value.toFixed(3), isMet: value <= goal.atMost };
}

function checkValue(goal: Goal & { kind: 'value' }, results: Results): GoalResult {
  const { caseName, subject } = goal;
  const figures = figuresOf(results, caseName, subject);
  if (figures.length === 0) return notMeasured(goal, caseName, subject);
  const value = median(figures.map((figure) => figure.value));
  return {
    goal,
    caseName,
    subject,
    measured: `${formatNumber(value)} ${figures[0]!.unit}`,
    isMet: value <= goal.atMost,
  };
}

function memoryOf(figures: readonly Figure[]): number[] {
  return figures.map((figure) => figure.peakMemoryBytes - figure.baseMemoryBytes);
}

function checkMemory(goal: Goal & { kind: 'memory' }, results: Results): GoalResult {
  const { subject, caseNames, without } = goal;
  const budgetBytes = scaleOf(results.scale).fileCacheBytes;
  let worst: { caseName: string; beyondBytes: number; workloadBytes: number } | null = null;
  for (const caseName of caseNames) {
    const figures = figuresOf(results, caseName, subject);
    const workloadFigures = figuresOf(results, caseName, without);
    for (const [engineId, found] of [[subject, figures] as const, [without, workloadFigures] as const]) {
      if (found.length === 0) return notMeasured(goal, caseName, subject, `${engineId}: not measured`);
    }
    const workloadBytes = median(memoryOf(workloadFigures));
    const beyondBytes = Math.max(...memoryOf(figures)) - budgetBytes - workloadBytes;
    if (worst === null || beyondBytes > worst.beyondBytes) worst = { caseName, beyondBytes, workloadBytes };
  }
  assert(worst !== null, 'a goal names its cases');
  const { caseName, beyondBytes, workloadBytes } = worst;
  const sign = beyondBytes < 0 ? 'less' : 'plus';
  const measured = `budget ${sign} ${formatBytes(Math.abs(beyondBytes))}, beside ${formatBytes(workloadBytes)} of the workload`;
  return { goal, caseName, subject, measured, isMet: beyondBytes <= goal.atMostBytes };
}

async function checkInstall(goal: Goal & { kind: 'install' }): Promise<GoalResult> {
  const subject = 'packages';
  if (goal.check === 'scripts') {
    const scripts = installScripts();
    const measured = scripts.length === 0 ? 'none' : scripts.join(', ');
    return { goal, caseName: 'install', subject, measured, isMet: scripts.length === 0 };
  }
  const size = await bundleSize();
  if (typeof size === 'string') return notMeasured(goal, 'install', subject, size);
  const measured = `${formatBytes(size.minifiedBytes)} (gzip ${formatBytes(size.compressedBytes)})`;
  return { goal, caseName: 'install', subject, measured, isMet: size.minifiedBytes <= goal.atMostBytes };
}

export async function checkGoals(goals: readonly Goal[], results: Results): Promise<GoalResult[]> {
  const checked: GoalResult[] = [];
  for (const goal of goals) {
    switch (goal.kind) {
      case 'ratio':
        checked.push(checkRatio(goal, results));
        break;
      case 'flat':
        checked.push(checkFlat(goal, results));
        break;
      case 'fact':
        checked.push(checkFact(goal, results));
        break;
      case 'value':
        checked.push(checkValue(goal, results));
        break;
      case 'memory':
        checked.push(checkMemory(goal, results));
        break;
      case 'install':
        checked.push(await checkInstall(goal));
        break;
    }
  }
  return checked;
}

/** How many goals are met, and of how many nothing was measured: those are not met, but nobody missed them either. */
export function goalSummary(checked: readonly GoalResult[]): string {
  const metCount = checked.filter(({ isMet }) => isMet === true).length;
  const unmeasuredCount = checked.filter(({ isMet }) => isMet === null).length;
  const rest = unmeasuredCount === 0 ? '' : `, ${unmeasuredCount} were not measured`;
  return `${metCount} of ${checked.length} goals are met${rest}`;
}

import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { checkGoals } from '../src/goals/goal-check.ts';
import { GOALS } from '../src/goals/goal-table.ts';
import { escapeHtml, reportPage } from '../src/report/page.ts';
import { figure, results } from './synthetic-results.ts';

const measured = results(
  [1, 2].flatMap((round) => [
    figure('append-100', 'raw', round, 1000),
    figure('append-100', 'lmdb', round, 90 + round),
    figure('small-files/stat', 'memfs', round, 500),
    figure('recovery/100', 'sqlite', round, 5, { unit: 'ms', latency: null }),
  ]),
  {
    failures: [{ caseName: 'append-100', engineId: 'level', round: 1, message: '</script><script>alert(1)</script>' }],
    machine: { ...results([]).machine, processor: '<b>fast</b> & "cheap"' },
  },
);

describe('the report', async () => {
  const page = reportPage(measured, await checkGoals(GOALS, measured));
  const scripts = [...page.matchAll(/<script(?<attributes>[^>]*)>(?<text>[\s\S]*?)<\/script>/g)].map((m) => m.groups!);

  it('has a chart and a table for each case, the machine, the goals and the failures', () => {
    for (const name of ['append-100', 'small-files/stat', 'recovery/100']) {
      expect(page).toContain(`<canvas data-case="${name.replace('/', '&#47;').replace('&#47;', '/')}"`);
      expect(page).toContain(`<code>${name}</code>`);
    }
    for (const id of ['machine', 'goals', 'failures']) expect(page).toContain(`<section id="${id}">`);
    expect(page).toContain('memfs (volatile)');
  });

  it('needs nothing from elsewhere', () => {
    expect(page).not.toMatch(/<(?:script|link|img|iframe)[^>]+(?:src|href)=/);
    expect(page).not.toMatch(/@import|sourceMappingURL/);
  });

  it('escapes what it is given', () => {
    expect(page).toContain(escapeHtml('<b>fast</b> & "cheap"'));
    expect(page).not.toContain('<b>fast');
    expect(page).not.toContain('alert(1)</script>');
    expect(scripts.length).toBe(3);
  });

  it('has scripts that parse, and data that the chart script can use', () => {
    for (const { attributes, text } of scripts) {
      if (attributes!.includes('application/json')) expect(JSON.parse(text!)).toHaveLength(3);
      else new Script(text!);
    }
  });
});

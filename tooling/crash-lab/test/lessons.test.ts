/**
 * The table of lessons in `docs/testing.md` is true: every lesson of the ancestor has a test, which is there and is named after its number.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { workspaceRoot } from '../src/lab-bundle.ts';

const LESSON_COUNT = 30;

const document = await readFile(join(workspaceRoot, 'docs/testing.md'), 'utf8');
const rows = [...document.matchAll(/^\| (\d+) \| [^|]+ \| `([^`|]+\.test\.ts)` \| `([^`|]+)` \|$/gm)].map(
  ([, lesson, file, test]) => ({ lesson: Number(lesson), file: file!, test: test! }),
);

/** Titles of tests that run (`it.skip` and the like are none), as they stand in the source. */
function titlesOf(source: string): string[] {
  return [...source.matchAll(/\b(?:it|test)(?:\.each\([\s\S]*?\))?\(\s*'((?:[^'\\\n]|\\.)+)'/g)].map(
    ([, title]) => title!,
  );
}

describe('lessons of the ancestor', () => {
  it('all have a test', () => {
    const covered = new Set(rows.map(({ lesson }) => lesson));
    expect([...covered].sort((a, b) => a - b)).toEqual(Array.from({ length: LESSON_COUNT }, (_, i) => i + 1));
  });

  it.each(rows)('lesson $lesson: $test', async ({ lesson, file, test }) => {
    expect(test).toMatch(new RegExp(`^(lesson )?${lesson}: `));
    expect(titlesOf(await readFile(join(workspaceRoot, file), 'utf8'))).toContain(test);
  });

  it('a title is found in every form in which tests are written, and a skipped one is not (canary)', () => {
    expect(titlesOf("it('1: a', () => {})")).toEqual(['1: a']);
    expect(titlesOf("test('2: b', () => {})")).toEqual(['2: b']);
    expect(titlesOf("it.each([1, 2])(\n    'lesson 3: c (%i)',")).toEqual(['lesson 3: c (%i)']);
    expect(titlesOf("it.skip('4: d', () => {})")).toEqual([]);
    expect(titlesOf("it.todo('5: e')")).toEqual([]);
  });
});

/**
 * The lab catches every mutant, and does not catch the engine itself.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hunt } from '../src/hunt.ts';
import { workspaceRoot } from '../src/lab-bundle.ts';
import { knownCatches, mutantTable } from '../src/mutants/catch-record.ts';
import { mutants } from '../src/mutants/mutant-list.ts';
import { type Mutant, mutate } from '../src/mutation.ts';

const known = await knownCatches();

describe('the list of mutants', () => {
  it('has at least 24, with names of their own', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(24);
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });

  it('stands in the document with what caught each', async () => {
    expect(await readFile(join(workspaceRoot, 'docs/testing.md'), 'utf8')).toContain(mutantTable(known));
    expect(Object.keys(known).sort()).toEqual(mutants.map(({ name }) => name).sort());
  });

  it('refuses a mutant whose place is gone, or is not one', () => {
    const mutant: Mutant = {
      name: 'm',
      breaks: 'x',
      file: 'f',
      edits: [{ find: 'a', replace: 'b' }],
      scenarios: [],
    };
    expect(mutate(mutant, 'xay')).toBe('xby');
    expect(() => mutate(mutant, 'xyz')).toThrow('not in f any more');
    expect(() => mutate(mutant, 'aya')).toThrow('more than once');
  });
});

describe('the places of the mutants', () => {
  it.each(mutants)('$name has its place in $file', async (mutant) => {
    const source = await readFile(join(workspaceRoot, mutant.file), 'utf8');
    expect(mutate(mutant, source)).not.toBe(source);
  });
});

describe.each(mutants.map((mutant) => [mutant.name, mutant] as const))('mutant %s', (name, mutant) => {
  it('fits its source and is caught', { timeout: 180_000 }, async () => {
    const caught = await hunt(mutant, { seed: 1, rounds: 12, known: known[name] });
    expect(caught.scenario, `${name} got away after ${caught.stateCount} states`).not.toBeNull();
  });
});

describe('the engine without a fault', () => {
  it('is not caught where mutants are', { timeout: 180_000 }, async () => {
    const control: Mutant = {
      name: 'control',
      breaks: 'nothing',
      file: 'packages/alloc-log/src/committer.ts',
      edits: [],
      scenarios: ['registers/calm', 'registers/faulty', 'registers/late', 'trees/faulty concurrent', 'volume/late'],
    };
    const { violation, stateCount } = await hunt(control, { seed: 1, rounds: 1 });
    expect(violation).toBe('');
    expect(stateCount).toBeGreaterThan(500);
  });
});

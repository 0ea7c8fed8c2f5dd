/**
 * What caught each mutant when it was last hunted: kept for the tests, which begin there, and shown in `docs/testing.md`.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catch } from '../hunt.ts';
import { workspaceRoot } from '../lab-bundle.ts';
import { mutants } from './mutant-list.ts';

export interface KnownCatch {
  readonly scenario: string;
  readonly seed: number;
  readonly stateCount: number;
}

const recordPath = join(workspaceRoot, 'tooling/crash-lab/src/mutants/known-catches.json');
const documentPath = join(workspaceRoot, 'docs/testing.md');
const TABLE_BEGIN = '<!-- mutants: begin -->';
const TABLE_END = '<!-- mutants: end -->';

export async function knownCatches(): Promise<Record<string, KnownCatch>> {
  return JSON.parse(await readFile(recordPath, 'utf8')) as Record<string, KnownCatch>;
}

/** The table of all mutants, in the order of the list. */
export function mutantTable(known: Record<string, KnownCatch>): string {
  const rows = mutants.map(({ name, breaks }) => {
    const found = known[name];
    const caught =
      found === undefined ? 'not hunted | ' : `${found.scenario}, seed ${found.seed} | ${found.stateCount}`;
    return `| ${name} | ${breaks} | ${caught} |`;
  });
  return ['| mutant | rule that it breaks | caught by | crash states |', '|---|---|---|---|', ...rows].join('\n');
}

/** Writes the record and the table of the document. */
export async function recordCatches(catches: readonly Catch[]): Promise<void> {
  const known = await knownCatches();
  for (const { mutant, scenario, seed, stateCount } of catches) {
    if (scenario !== null) known[mutant.name] = { scenario, seed, stateCount };
  }
  const ordered = Object.fromEntries(mutants.flatMap(({ name }) => (known[name] ? [[name, known[name]]] : [])));
  await writeFile(recordPath, `${JSON.stringify(ordered, null, 2)}\n`);
  const text = await readFile(documentPath, 'utf8');
  const begin = text.indexOf(TABLE_BEGIN) + TABLE_BEGIN.length;
  const end = text.indexOf(TABLE_END);
  await writeFile(documentPath, `${text.slice(0, begin)}\n${mutantTable(known)}\n${text.slice(end)}`);
}
